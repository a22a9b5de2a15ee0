"""What a plan names, found on this machine: its source, its images, its suite; and what names its run."""

import re
import stat
from pathlib import Path

from pydantic import Field

from assay.errors import DataRefused, StudyError, why_refused
from assay.store.canonical import digest_json, digest_path
from assay.store.code import lock_digest, program_digest
from assay.store.places import data_folder, package_file, project_folder, shipped, shown
from assay.store.plain_files import Unreadable, read_plain
from assay.store.records import Digest, Record, circumstance
from assay.study.load import locate
from assay.study.plans import ImageSource, Plan, ReadPlan, Study

BUILT_IN = {
    "digits": "datasets/data/digits.csv.gz",
    "breast-cancer": "datasets/data/breast_cancer.csv",
}
_MAX_SUITE_BYTES = 16 * 1024**2


class Suite(Record):
    """An expectation suite as text: its content decides, not where it lies."""

    name: str
    text: str


class LocatedImages(Record):
    """Where the images of a plan's rows lie, and how they become pixels."""

    name: str = Field(description="As the study names it.")
    path: str = circumstance("Where they lie here.")
    digest: Digest = Field(description="Of the archive, or of a folder's files.")
    plan: ImageSource


class Source(Record):
    """Where a plan's rows come from: named in the study, resolved on this machine."""

    name: str = Field(description="As the study names it.")
    path: str = circumstance("Where it lies here.")
    digest: Digest
    read: ReadPlan = ReadPlan()
    seed: int = Field(default=0, description="Of a sample of rows; 0 without one.")
    images: LocatedImages | None = None

    @property
    def in_a_study(self) -> bool:
        """Whether whoever is refused can declare something in a study file."""
        return True

    def digests(self) -> str | list[str]:
        """Return the digests of every file that is read."""
        return self.digest if self.images is None else [self.digest, self.images.digest]


# Finding ---------------------------------------------------------------------------------------


def suite_of(plan: Plan, beside: Path) -> Suite:
    """Read the plan's expectation suite.

    A name is ``expectations/NAME.json`` of the project, or else of the shipped ones. A path ends in
    ``.json`` and lies in the study file's folder, ``beside``, or below it.

    Raises
    ------
    StudyError
        If there is no such file, it leads out of its folder, or it is no regular file of UTF-8 text.
    """
    name, folders = plan.suite, [beside]
    if not name.endswith(".json"):
        name = f"{name}.json"
        folders = [project_folder() / "expectations", shipped("expectations")]
    for folder in folders:
        path = folder / name
        if not _leads_inside(folder, path, "suite", plan.suite):
            raise StudyError(
                "study.suite.outside", suite=plan.suite, folder=shown(folder)
            )
        if path.exists():
            break
    else:
        raise StudyError("study.suite.missing", suite=plan.suite, path=shown(path))
    try:
        text = read_plain(path.resolve(), _MAX_SUITE_BYTES).decode()
    except (Unreadable, UnicodeDecodeError) as error:
        why = error.sentence if isinstance(error, Unreadable) else why_refused(error)
        raise StudyError(
            "study.suite.unreadable", suite=plan.suite, path=shown(path), why=why
        ) from None
    lines_end_alike = text.replace("\r\n", "\n").replace("\r", "\n")
    return Suite(name=path.stem, text=lines_end_alike)


def source_of(plan: Plan, data: Path | None = None, seed: int = 0) -> Source:
    """Find the plan's source and images, and digest their bytes; nothing is parsed yet.

    Parameters
    ----------
    data
        A file to read in the source's place, or the folder to look in instead of ``ASSAY_DATA``.
    seed
        What a sample of its rows, if the plan declares one, is drawn with.

    Raises
    ------
    StudyError
        If a built-in source has no such name, or the source is an address rather than a file.
    DataRefused
        If a file is not there or cannot be read.
    """
    if data is not None:
        _need_no_address(str(data), "data")
    path = (
        data
        if data is not None and not data.is_dir()
        else _place(plan.source, data or data_folder())
    )
    return Source(
        name=plan.source if path != data else path.name,
        path=str(path),
        digest=_digest(path, plan.source),
        read=plan.read,
        seed=seed if plan.read.sample is not None else 0,
        images=_images_of(plan, data),
    )


def _images_of(plan: Plan, data: Path | None) -> LocatedImages | None:
    if plan.images is None:
        return None
    name = plan.images.source
    path = _under(
        data if data is not None and data.is_dir() else data_folder(),
        name,
        "images.source",
    )
    endings = (".tar", ".tar.gz", ".tgz", ".zip")
    if not path.is_dir() and not name.lower().endswith(endings):
        raise StudyError("study.source.archive", name=name, endings=endings)
    return LocatedImages(
        name=name,
        path=str(path),
        digest=_digest(path, name, folder=True),
        plan=plan.images,
    )


def _digest(path: Path, name: str, *, folder: bool = False) -> str:
    """Return the digest of a source's bytes; refuse a missing file and what is no file."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not (folder and stat.S_ISDIR(mode)):
            kind = "folder" if stat.S_ISDIR(mode) else "irregular"
            raise DataRefused(f"study.source.{kind}", path=shown(path))
        return digest_path(path)
    except FileNotFoundError:
        raise DataRefused("study.source.missing", path=shown(path), name=name) from None
    except OSError as error:
        raise DataRefused(
            "study.source.unreadable", path=shown(path), why=why_refused(error)
        ) from None


def _place(source: str, folder: Path) -> Path:
    kind, _, name = source.partition(":")
    if kind == "builtin":
        if name not in BUILT_IN:
            raise StudyError(
                "study.source.built_in", source=source, names=tuple(sorted(BUILT_IN))
            )
        return package_file("sklearn", BUILT_IN[name])
    return _under(folder, source, "source")


def _under(folder: Path, name: str, key: str) -> Path:
    """Return a path inside the data folder; neither dots nor links may lead out of it."""
    _need_no_address(name, key)
    path = folder / name
    if not _leads_inside(folder, path, key, name):
        raise StudyError(
            "study.source.outside", key=key, name=name, folder=shown(folder)
        )
    return path


def _leads_inside(folder: Path, path: Path, key: str, name: str) -> bool:
    """Return whether neither dots nor links in a path lead out of a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a bad name
        raise StudyError(
            "study.source.bad_name", key=key, name=name, why=str(error)
        ) from None


def _need_no_address(name: str, key: str) -> None:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name):
        raise StudyError("study.source.address", key=key, name=name)


# The run ------------------------------------------------------------------------------------------


class Identity(Record):
    """Everything that decides a run's result, digested: equal identity, equal result."""

    name: str = Field(description="The folder the run leaves.")
    sources: dict[str, Source]
    suites: dict[str, Suite]
    study: Digest
    program: Digest
    lock: Digest


def identify(
    study: Study, path: Path, data: Path | None = None, *, multiverse: bool = False
) -> Identity:
    """Digest the study, its sources and suites, the program and the lock. Nothing is parsed yet.

    ``path`` is the study file, ``data`` what :func:`source_of` takes; ``multiverse``: whether the
    verdict is asked again under every declared alternative.

    Raises
    ------
    StudyError, DataRefused
        If a suite or a source is not there or cannot be read.
    """
    beside = locate(path).parent
    suites = {name: suite_of(study.of(name), beside) for name in study.plans()}
    sources = {
        name: source_of(study.of(name), data, study.seed_of(name))
        for name in study.plans()
    }
    program, lock, digest = program_digest(), lock_digest(), study.essence_digest()
    inputs = {
        "study": digest,
        "sources": {name: source.digests() for name, source in sources.items()},
        "suites": {name: suite.essence_digest() for name, suite in suites.items()},
        "program": program,
        "lock": lock,
    } | ({"multiverse": True} if multiverse else {})
    if multiverse and not any(study.of(name).alternatives for name in study.plans()):
        raise StudyError("study.no_alternatives", path=str(path))
    return Identity(
        name=f"{study.name}-{digest_json(inputs)[:12]}",
        sources=sources,
        suites=suites,
        study=digest,
        program=program,
        lock=lock,
    )
