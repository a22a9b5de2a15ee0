"""A finished run, opened from its folder alone: every file is held to the manifest before it is believed."""

from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from assay.canonical import digest_bytes
from assay.errors import CorruptObject, StudyError
from assay.records import Record
from assay.report.record import Account
from assay.study import Registration
from assay.verdict import Manifest, Verdict

R = TypeVar("R", bound=Record)


class Run(NamedTuple):
    """What a run folder says, verified."""

    folder: Path
    manifest: Manifest
    registration: Registration
    verdict: Verdict
    account: Account
    lock: str


def find_run(runs: Path, name: str) -> Path:
    """Return a run's folder: a path, or the newest finished run of a study of that name.

    Raises
    ------
    StudyError
        If there is neither.
    """
    if Path(name).is_dir():
        return Path(name)
    of_study = [
        path
        for path in sorted(runs.glob("*/manifest.json"))
        if _study_of(path) == Path(name).stem
    ]
    if not of_study:
        raise StudyError(
            f"{name} is no folder, and {runs} holds no finished run of a study of that name. "
            f"Name a run's folder, or check the study first."
        )
    return max(of_study, key=lambda path: path.stat().st_mtime_ns).parent


def _study_of(path: Path) -> str:
    try:
        return Manifest.model_validate_json(path.read_bytes()).study
    except (OSError, ValidationError):
        return ""


def open_run(folder: Path) -> Run:
    """Open a run's folder.

    Raises
    ------
    CorruptObject
        If the folder is no run, or a file of it is missing or does not have the digest its manifest
        names. The message names the first such file.
    """
    manifest = _parsed(
        Manifest, _read(folder, "manifest.json"), folder, "manifest.json"
    )
    for name, digest in manifest.files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise CorruptObject(f"{folder}: its manifest names {name}, outside of it.")
        if digest_bytes(_read(folder, name)) != digest:
            raise CorruptObject(
                f"{folder / name} is not the file that the run's manifest names: it was altered."
            )

    def known(record: type[R], name: str) -> R:
        if name not in manifest.files:
            raise CorruptObject(
                f"{folder} has no {name}: it was written by an earlier version. Check the study again."
            )
        return _parsed(record, _read(folder, name), folder, name)

    return Run(
        folder=folder,
        manifest=manifest,
        registration=known(Registration, "registration.json"),
        verdict=known(Verdict, "verdict.json"),
        account=known(Account, "evidence.json"),
        lock=_read(folder, "bundle/requirements.txt").decode(),
    )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise CorruptObject(
            f"{folder} is no whole run: {name} cannot be read ({error.strerror})."
        ) from None


def _parsed(record: type[R], content: bytes, folder: Path, name: str) -> R:
    try:
        return record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise CorruptObject(
            f"{folder / name} cannot be understood by this version: {first['msg']} at "
            f"{'.'.join(map(str, first['loc']))}."
        ) from None
