"""Signatures of receipts, made and verified by ``ssh-keygen -Y``."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal, NamedTuple

from assay.errors import NotReproducible, StudyError

_NAMESPACE = "assay-receipt"


class Signature(NamedTuple):
    """What is known of a receipt's signature.

    Attributes
    ----------
    state
        ``none``: the receipt is not signed. ``key``: by a key, whose owner was not asked for. ``signer``: by an
        allowed signer. ``stranger``: by a key of no allowed signer. ``broken``: the signature is of another text.
        ``unchecked``: ssh-keygen is not installed.
    who
        The signer's name, or the key's fingerprint.
    """

    state: Literal["none", "key", "signer", "stranger", "broken", "unchecked"]
    who: str = ""

    @property
    def holds(self) -> bool:
        return self.state in ("key", "signer")


def sign(receipt: Path, key: Path) -> Path:
    """Sign a receipt with an SSH key; return the signature's file.

    Raises
    ------
    StudyError
        If ssh-keygen is not installed, or cannot use the key.
    """
    signature = _beside(receipt)
    signature.unlink(missing_ok=True)
    _keygen("sign", "-f", str(key), "-n", _NAMESPACE, str(receipt))
    return signature


def signer_of(receipt: Path, signers: Path) -> str:
    """Return the name of the allowed signer who signed a receipt.

    Parameters
    ----------
    signers
        Names and public keys, in ssh-keygen's format.

    Raises
    ------
    NotReproducible
        If the signature is missing, by nobody among them, or of another text.
    """
    signature = _beside(receipt)
    if not signature.is_file():
        raise NotReproducible(
            "signatures.missing", receipt=str(receipt), signature=signature.name
        )
    allowed = ("-f", str(signers))
    try:
        names = _keygen("find-principals", *allowed, "-s", str(signature))
        who = names.split()[0]
        _keygen("verify", *allowed, "-I", who, *_of(signature), stdin=receipt)
    except StudyError as error:
        raise NotReproducible(
            "signatures.wrong",
            receipt=str(receipt),
            signers=str(signers),
            reason=error.sentence,
        ) from None
    return who


def signature_of(receipt: Path, signers: Path | None) -> Signature:
    """Return what is known of a receipt's signature; without a file of signers, only which key made it."""
    signature = _beside(receipt)
    if not signature.is_file():
        return Signature("none")
    if shutil.which("ssh-keygen") is None:
        return Signature("unchecked")
    try:
        report = _keygen("check-novalidate", *_of(signature), stdin=receipt)
    except StudyError:
        return Signature("broken")
    fingerprint = re.search(r"SHA256:\S+", report)
    key = fingerprint[0] if fingerprint else ""
    if signers is None:
        return Signature("key", key)
    try:
        return Signature("signer", signer_of(receipt, signers))
    except NotReproducible:
        return Signature("stranger", key)


def _beside(receipt: Path) -> Path:
    return receipt.with_name(f"{receipt.name}.sig")


def _of(signature: Path) -> tuple[str, ...]:
    return "-n", _NAMESPACE, "-s", str(signature)


def _keygen(action: str, *arguments: str, stdin: Path | None = None) -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise StudyError("signatures.no_ssh_keygen")
    ended = subprocess.run(
        [program, "-Y", action, *arguments],
        input=stdin.read_bytes() if stdin else b"",
        capture_output=True,
        check=False,
    )
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).decode(errors="replace").splitlines()
        reason = lines[-1].strip() if lines else str(ended.returncode)
        raise StudyError("signatures.ssh_keygen", reason=reason)
    return ended.stdout.decode(errors="replace")
