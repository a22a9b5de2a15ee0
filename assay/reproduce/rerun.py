"""A finished run, opened with its digests verified, and laid out in another folder to be run again."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from assay.errors import CorruptObject, NotReproducible, StudyError
from assay.reproduce.differences import first_difference, moved_scores
from assay.reproduce.receipt import Environment, Receipt, tier_of
from assay.store.canonical import digest_file
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
        If a file is missing, altered, or cannot be read by this version.
    """
    if not (folder / "manifest.json").is_file():
        raise StudyError("reproduce.no_run", folder=str(folder))
    try:
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        for path, digest in manifest.files.items():
            if digest_file(folder / path) != digest:
                raise CorruptObject("reproduce.altered", path=str(folder / path))
        return FinishedRun(
            folder,
            manifest,
            Verdict.model_validate_json((folder / "verdict.json").read_bytes()),
            Registration.model_validate_json(
                (folder / "registration.json").read_bytes()
            ),
        )
    except OSError as error:
        raise CorruptObject(
            "reproduce.incomplete", folder=str(folder), reason=str(error)
        ) from None
    except ValidationError as error:
        raise CorruptObject(
            "reproduce.other_version", folder=str(folder), n=error.error_count()
        ) from None


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
        manifest.parent
        for manifest in runs.glob("*/manifest.json")
        if json.loads(manifest.read_text(encoding="utf-8")).get("study") == name
    ]
    if not of_study:
        raise StudyError("reproduce.unknown_run", name=name, folder=str(runs))
    return max(of_study, key=lambda run: (run / "manifest.json").stat().st_mtime)


def lay_out(run: FinishedRun, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the run's study where it can be checked again; return its file and its overrides.

    A suite that the study names by a path is written where that path leads from there.
    """
    beside = folder / "study" / "of" / "the" / "run"
    study, plan = run.registration.study, run.verdict.plan
    path = beside / f"{study.name}.toml"
    suite = (beside / study.of(plan).suite).resolve()
    beside.mkdir(parents=True, exist_ok=True)
    path.write_bytes((run.folder / "study.toml").read_bytes())
    if suite.suffix == ".json" and suite.is_relative_to(folder.resolve()):
        suite.parent.mkdir(parents=True, exist_ok=True)
        suite.write_bytes((run.folder / "bundle" / "suite.json").read_bytes())
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

    same = run.manifest.same
    digests = {"study": now.study, "code": now.program}
    if all(same[name] == digest for name, digest in digests.items()):
        table = read_source(now.sources[run.verdict.plan]).frame
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
    """Compare a run with its rerun."""
    moved = moved_scores(run.folder, again.folder)
    tier = tier_of(
        run.manifest,
        again.manifest,
        (run.verdict, again.verdict),
        moved,
        run.margin,
    )
    return Receipt(
        run=run.folder.resolve().name,
        study=run.manifest.study,
        tier=tier,
        difference=first_difference(
            (run.folder, run.manifest), (again.folder, again.manifest)
        ),
        same=run.manifest.same,
        again=again.manifest.same,
        scores=moved,
        margin=run.margin,
        environment=environment,
        who=who,
        when=when,
        where=again.manifest.circumstances,
        first=run.manifest.circumstances,
    )
