"""A finished run with all that its page rests on, opened from its folder alone."""

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from assay.errors import CorruptObject
from assay.report.record import Account
from assay.reproduce.rerun import open_run as open_verified
from assay.store.verdict import Manifest, Verdict
from assay.study.registration import Registration


class Run(NamedTuple):
    """What a run folder says, every file held to the digest its manifest names."""

    folder: Path
    manifest: Manifest
    registration: Registration
    verdict: Verdict
    account: Account
    lock: str


def open_run(folder: Path) -> Run:
    """Open a run's folder.

    Raises
    ------
    StudyError
        If there is no run.
    CorruptObject
        If a file is missing, altered, or of another version; the message names the first such file.
    """
    found = open_verified(folder)
    if "evidence.json" not in found.manifest.files:
        raise CorruptObject(
            f"{folder} has no evidence.json: an earlier version left it. Check the study again."
        )
    try:
        account = Account.model_validate_json((folder / "evidence.json").read_bytes())
    except ValidationError as error:
        raise CorruptObject(
            f"{folder / 'evidence.json'} was left by another version: {error.error_count()} fields are not known here."
        ) from None
    return Run(
        folder=folder,
        manifest=found.manifest,
        registration=found.registration,
        verdict=found.verdict,
        account=account,
        lock=(folder / "requirements.txt").read_text(encoding="utf-8"),
    )
