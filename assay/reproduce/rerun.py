"""A finished run, opened with its digests verified, and laid out in another folder to be run again."""

from dataclasses import dataclass
from pathlib import Path

from assay.errors import NotReproducible, StudyError
from assay.reproduce.differences import first_difference, moved_scores
from assay.reproduce.receipt import Environment, Receipt, tier_of
from assay.store.run_folder import (
    MANIFEST,
    MAX_JSON_BYTES,
    fitting,
    read_file,
    record_of,
    verified,
)
from assay.store.runs import manifest_of
from assay.store.store import Store
from assay.store.verdict import Manifest, Verdict
from assay.study.registration import Registration
from assay.study.sources import Identity
from assay.wording import Sentence


@dataclass(frozen=True)
class FinishedRun:
    """A run folder in which every file has the digest its manifest names."""

    folder: Path
    manifest: Manifest
    verdict: Verdict
    registration: Registration

    @property
    def margin(self) -> float:
        return self.registration.study.of(self.verdict.plan).margin


def open_run(folder: Path) -> FinishedRun:
    """Open a run folder.

    Raises
    ------
    StudyError
        If there is no run.
    CorruptObject
        If a file is missing, altered or not listed, or cannot be read by this version.
    """
    if not (folder / MANIFEST).is_file():
        raise StudyError("reproduce.no_run", folder=str(folder))
    return FinishedRun(
        folder,
        verified(folder),
        record_of(folder / "verdict.json", Verdict),
        record_of(folder / "registration.json", Registration),
    )


def find_run(store: Store, name: str) -> Path:
    """Return a run folder: a path, a folder's name below ``runs/``, or a study's newest run.

    Raises
    ------
    StudyError
        If nothing has that name.
    """
    if Path(name).is_dir():
        return Path(name)
    runs = store.folder / "runs"
    if (runs / name).is_dir():
        return runs / name
    of_study = [
        folder
        for folder in runs.glob("*")
        if (manifest := manifest_of(folder)) is not None and manifest.study == name
    ]
    if not of_study:
        raise StudyError("reproduce.unknown_run", name=name, folder=str(runs))
    return max(of_study, key=lambda run: (run / MANIFEST).stat().st_mtime)


def lay_out(run: FinishedRun, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the run's study where it can be checked again; return its file and its overrides.

    A suite that the study names by a path is written beside it.

    Raises
    ------
    CorruptObject
        If the run has no such files, or they cannot lie beside each other.
    """
    beside = folder / "study"
    study, plan = run.registration.study, run.verdict.plan
    path, suite = beside / f"{study.name}.toml", beside / study.of(plan).suite
    beside.mkdir(parents=True, exist_ok=True)
    path.write_bytes(read_file(run.folder / "study.toml", MAX_JSON_BYTES))
    if suite.suffix == ".json" and suite.resolve().is_relative_to(beside.resolve()):
        content = read_file(run.folder / "bundle" / "suite.json", MAX_JSON_BYTES)
        with fitting(run.folder):
            if path in suite.parents:
                raise ValueError(f"suite = {study.of(plan).suite!r}")
        suite.parent.mkdir(parents=True, exist_ok=True)
        suite.write_bytes(content)
    return path, tuple(
        override for override in study.overrides if not override.startswith("data=")
    )


def need_same_inputs(run: FinishedRun, now: Identity, scratch: Store) -> None:
    """Refuse to spend hours on a rerun of other inputs.

    Raises
    ------
    NotReproducible
        If study, code or data are not those of the run.
    """
    from assay.data.ingest import read_source

    with fitting(run.folder):
        same = {name: run.manifest.same[name] for name in ("study", "code", "data")}
        source = now.sources[run.verdict.plan]
    digests = {"study": now.study, "code": now.program}
    if all(same[name] == digest for name, digest in digests.items()):
        table = read_source(source).frame
        digests["data"] = scratch.put_table(table).digest
    for name, digest in digests.items():
        if digest != same[name]:
            raise NotReproducible(
                "reproduce.other_input",
                run=run.folder.name,
                reason=Sentence.of(f"reproduce.other.{name}"),
                what=name,
                before=same[name][:12],
                now=digest[:12],
            )


def receipt(
    run: FinishedRun, again: FinishedRun, environment: Environment, who: str, when: str
) -> Receipt:
    """Compare a run with its rerun.

    Raises
    ------
    CorruptObject
        If what the run's files say does not fit together.
    """
    was, now = run.manifest, again.manifest
    with fitting(run.folder):
        moved = moved_scores(run.folder, again.folder)
        verdicts = run.verdict, again.verdict
        return Receipt(
            run=run.folder.resolve().name,
            study=was.study,
            tier=tier_of(was, now, verdicts, moved, run.margin),
            difference=first_difference((run.folder, was), (again.folder, now)),
            same=was.same,
            again=now.same,
            scores=moved,
            margin=run.margin,
            environment=environment,
            who=who,
            when=when,
            where=now.circumstances,
            first=was.circumstances,
        )
