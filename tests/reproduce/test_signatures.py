"""Signatures of receipts: whose they are, and that another text has none."""

import shutil
import subprocess
from pathlib import Path

import pytest

from assay.errors import NotReproducible, StudyError
from assay.reproduce.signatures import Signature, sign, signature_of, signer_of

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed"
)


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.json"
    path.write_text('{"who": "someone"}')
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def signers(key: Path) -> Path:
    path = key.with_name("signers")
    path.write_text(f"me@here {key.with_suffix('.pub').read_text()}")
    return path


def test_a_signature_is_of_an_allowed_signer_a_stranger_or_just_a_key(
    receipt, key, signers
):
    nobody = receipt.with_name("nobody")
    nobody.write_text("")
    assert signature_of(receipt, signers) == Signature("none")

    sign(receipt, key)

    assert signer_of(receipt, signers) == "me@here"
    assert signature_of(receipt, signers) == Signature("signer", "me@here")
    by_key, by_stranger = signature_of(receipt, None), signature_of(receipt, nobody)
    assert (by_key.state, by_stranger.state) == ("key", "stranger")
    assert by_key.who == by_stranger.who
    assert by_key.who.startswith("SHA256:")


def test_a_signature_of_another_text_is_broken(receipt, key, signers):
    sign(receipt, key)
    receipt.write_text('{"who": "nobody!"}')

    assert signature_of(receipt, None).state == "broken"
    assert signature_of(receipt, signers).state == "broken"
    with pytest.raises(NotReproducible, match=r"no valid signature.*ssh-keygen"):
        signer_of(receipt, signers)


def test_a_receipt_without_a_signature_names_the_file_that_is_missing(receipt, signers):
    with pytest.raises(NotReproducible, match=r"receipt\.json\.sig does not exist"):
        signer_of(receipt, signers)


def test_a_key_that_ssh_keygen_cannot_use_is_an_error_of_the_command(receipt):
    with pytest.raises(StudyError, match="ssh-keygen reports: "):
        sign(receipt, receipt)
