"""Signatures of receipts, made and held to their text by ``ssh-keygen -Y``."""

import re
import shutil
import subprocess
from pathlib import Path

from assay.errors import NotReproducible, StudyError
from assay.report.rerun_receipts import Signature

_NAMESPACE = "assay-receipt"


def sign(receipt_file: Path, key: Path) -> Path:
    """Sign a receipt with an SSH key; return the signature's file.

    Raises
    ------
    StudyError
        If ssh-keygen is not installed, or does not take the key.
    """
    signature = _beside(receipt_file)
    signature.unlink(missing_ok=True)
    _keygen("sign", "-f", str(key), "-n", _NAMESPACE, str(receipt_file))
    return signature


def signer_of(receipt_file: Path, signers: Path) -> str:
    """Return who signed a receipt, out of those that a file of allowed signers names.

    Raises
    ------
    NotReproducible
        If the signature is missing, of nobody known, or of another text.
    """
    signature = _beside(receipt_file)
    if not signature.is_file():
        raise NotReproducible(
            f"{receipt_file} has no signature: {signature.name} is not there."
        )
    found = ("-n", _NAMESPACE, "-s", str(signature))
    try:
        named = _keygen("find-principals", "-f", str(signers), "-s", str(signature))
        who = named.split()[0]
        _keygen("verify", "-f", str(signers), "-I", who, *found, given=receipt_file)
    except StudyError as error:
        raise NotReproducible(
            f"{receipt_file} is not as anyone in {signers} signed it: {error}"
        ) from None
    return who


def signature_of(receipt_file: Path, signers: Path | None) -> Signature:
    """Return what is known of a receipt's signature; without a file of signers, only which key made it."""
    signature = _beside(receipt_file)
    if not signature.is_file():
        return Signature("none")
    if shutil.which("ssh-keygen") is None:
        return Signature("unchecked")
    try:
        checked = ("-n", _NAMESPACE, "-s", str(signature))
        said = _keygen("check-novalidate", *checked, given=receipt_file)
    except StudyError:
        return Signature("broken")
    found = re.search(r"SHA256:\S+", said)
    key = found[0] if found else ""
    if signers is None:
        return Signature("key", key)
    try:
        return Signature("signer", signer_of(receipt_file, signers))
    except NotReproducible:
        return Signature("stranger", key)


def _beside(receipt_file: Path) -> Path:
    return receipt_file.with_name(f"{receipt_file.name}.sig")


def _keygen(action: str, *words: str, given: Path | None = None) -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise StudyError("Signatures need ssh-keygen, which is not installed.")
    done = subprocess.run(
        [program, "-Y", action, *words],
        input=given.read_bytes() if given else b"",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise StudyError(f"ssh-keygen says: {said.splitlines()[-1] if said else 'no'}.")
    return done.stdout.decode(errors="replace")
