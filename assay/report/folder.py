"""A finished run with everything that its page needs, opened from its folder alone."""

from pathlib import Path
from typing import NamedTuple

from assay.errors import CorruptObject
from assay.report.account import Account
from assay.reproduce.rerun import open_run as open_verified
from assay.store.run_folder import MAX_JSON_BYTES, fitting, read_file, record_of
from assay.store.verdict import Manifest, Verdict
from assay.study.registration import Registration


class Run(NamedTuple):
    """The records of a run folder, every file verified against its digest in the manifest."""

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
    opened = open_verified(folder)
    if "evidence.json" not in opened.manifest.files:
        raise CorruptObject("report.no_evidence", folder=str(folder))
    with fitting(folder):
        lock = read_file(folder / "requirements.txt", MAX_JSON_BYTES).decode()
    return Run(
        folder=folder,
        manifest=opened.manifest,
        registration=opened.registration,
        verdict=opened.verdict,
        account=record_of(folder / "evidence.json", Account),
        lock=lock,
    )
