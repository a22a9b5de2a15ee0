"""The command line. What is loaded here must stay light: an unchanged study is answered from its run."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import StudyError
from assay.store import runs
from assay.store.machine import cores_allowed
from assay.store.places import data_folder, shared_store
from assay.store.runs import store_of
from assay.study.load import load
from assay.study.registration import register
from assay.study.sources import identify
from flows import left_commands
from flows.options import (
    Artifacts,
    Data,
    Fresh,
    Json,
    Order,
    Read,
    Set,
    Shared,
    StudyFile,
    StudyOrTable,
    Target,
    Unit,
)
from flows.program import errors_in_words, run_even_if_the_server_goes, say
from flows.runner import as_runner
from flows.terminal import tell, tell_plan

BUILT_IN = Path("hypotheses/digits.toml")

app = typer.Typer(
    help="Check a hypothesis on a dataset: signal above chance, the claim, and whether deep learning earns its cost.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Check the built-in study when no command is given."""
    if context.invoked_subcommand is None:
        check(BUILT_IN)


@app.command()
def check(
    study: StudyOrTable,
    target: Target = None,
    unit: Unit = None,
    order: Order = None,
    read: Read = None,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    shared: Shared = None,
    runner: Annotated[
        str,
        typer.Option(
            metavar="auto|local|processes|dask[=ADDRESS]",
            help="Where outer folds are computed: in one process, in one for each core, as it pays, or on a Dask cluster.",
        ),
    ] = "auto",
    fresh: Fresh = False,
    multiverse: Annotated[
        bool,
        typer.Option(
            "--multiverse",
            help="Ask again under each alternative of cleaning that the study declares.",
        ),
    ] = False,
    audit_cache: Annotated[
        bool,
        typer.Option(
            "--audit-cache", help="Compute every stored stage again, and compare."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check a study and say what came of it.

    Of a table a study is drafted first and kept below drafts/ of the artifacts.
    """
    with errors_in_words():
        begun, where = time.perf_counter(), as_runner(runner)
        shared = shared or shared_store()
        store = store_of(artifacts, shared=shared)
        if not _is_study(study, target, unit, order, read):
            from flows.drafting import Wanted, drafted_for_check

            wanted = Wanted(str(target), unit, order, tuple(read or ()))
            study, data = drafted_for_check(store, study, data, wanted)
        declared = load(study, tuple(set_ or ()), data)
        store.files.sweep()
        register(store, declared)
        name = identify(declared, study, data, multiverse=multiverse).name
        with store.lock(
            f"run-{declared.name}",
            waiting=lambda: say(
                f"Another check of {declared.name} is running; waiting for it."
            ),
        ):
            asked_anew = fresh or audit_cache
            verdict = None if asked_anew else runs.finished(store, name)
            stored = verdict is not None
            if verdict is None:
                store.reach()
                # What libraries write and throw away goes when a killed check is swept.
                os.environ["TMPDIR"] = str(store.files.scratch())
                verdict = run_even_if_the_server_goes(
                    store,
                    None if asked_anew else name,
                    study=str(study),
                    overrides=set_ or [],
                    data=str(data) if data else None,
                    artifacts=str(artifacts) if artifacts else None,
                    shared=shared,
                    runner=where,
                    fresh=fresh,
                    multiverse=multiverse,
                    audit=float(audit_cache),
                )
        tell(
            verdict,
            runs.run_folder(store, name),
            time.perf_counter() - begun,
            stored=stored,
            terms=_terms(declared.of(verdict.plan).source),
        )
        if json:
            sys.stdout.write(verdict.model_dump_json() + "\n")


@app.command()
def draft(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="A table of your own, such as orders.csv."
        ),
    ],
    target: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column to predict.")
    ],
    unit: Unit = None,
    order: Order = None,
    read: Read = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="STUDY",
            help="Where the study goes, the suite beside it. Default: hypotheses/ and expectations/ of the project.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The folder that a source is looked up in, if not ASSAY_DATA."
        ),
    ] = None,
) -> None:
    """Write a study and an expectation suite for a table of your own, ready to check and to edit."""
    with errors_in_words():
        from flows.drafting import Wanted, drafted, tell_draft

        wanted = Wanted(target, unit, order, tuple(read or ()))
        tell_draft(*drafted(table, data, wanted, output))


@app.command()
def fetch(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET]", help="A data set of the catalogue. Default: list them."
        ),
    ] = None,
) -> None:
    """Put a catalogued data set in place, every file verified, or list what is there and what is missing."""
    with errors_in_words():
        from flows.fetching import fetch as fetched
        from flows.fetching import tell_catalogue

        if name is None:
            tell_catalogue(data_folder())
        else:
            fetched(name, data_folder())


@app.command()
def calibrate(
    study: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY]",
            help="Use this study's own table, with labels that mean nothing, instead of simulated worlds.",
        ),
    ] = None,
    world: Annotated[
        list[str] | None,
        typer.Option(help="Only this world, or all whose names begin so; repeatable."),
    ] = None,
    repetitions: Annotated[
        int | None,
        typer.Option(min=2, help="Tables of each world. Default: the world's own."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws other tables.")] = 1,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each core.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the page here too, as Markdown.")
    ] = None,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    """Measure how often the words of a check are right, by simulation.

    Tables are drawn whose truth is known, and each is taken to its verdict by the stages that check
    runs. What is finished is kept: the same command goes on from there.
    """
    with errors_in_words():
        from flows.calibration import Wanted, calibrated, open_own
        from flows.tally import Tally, tell_rates

        store = store_of(artifacts)
        own = None
        if study is not None:
            declared = load(study, tuple(set_ or ()), data)
            own = open_own(store, declared, identify(declared, study, data))
        wanted = Wanted(tuple(world or ()), repetitions, seed, own)
        words = _asked(study, set_, world, repetitions, seed)
        with Tally() as tally:
            calibration, folder = calibrated(
                wanted,
                store,
                processes or cores_allowed(),
                " ".join(["python flows/main.py calibrate", *words]),
                tally.hear,
            )
        if output is not None:
            output.write_bytes((folder / "calibration.md").read_bytes())
        tell_rates(calibration, folder)
        if json:
            sys.stdout.write(calibration.model_dump_json() + "\n")


@app.command()
def plan(
    study: StudyFile,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    shared: Shared = None,
) -> None:
    """Show what a check would compute and what is stored already."""
    with errors_in_words():
        store = store_of(artifacts, shared=shared or shared_store())
        declared = load(study, tuple(set_ or ()), data)
        store.reach()
        identity = identify(declared, study, data)
        finished = runs.finished(store, identity.name) is not None
        from flows.outlook import outlook

        tell_plan(outlook(store, declared, identity), finished=finished)


def _is_study(
    path: Path,
    target: str | None,
    unit: str | None,
    order: str | None,
    read: list[str] | None,
) -> bool:
    """Return whether a path is a study rather than a table to draft one of.

    Raises
    ------
    StudyError
        If options are given that do not go with it, or one is missing.
    """
    named = {"--target": target, "--unit": unit, "--order": order, "--read": read}
    given = [option for option, said in named.items() if said]
    if path.suffix.lower() == ".toml":
        if given:
            raise StudyError(
                f"{given[0]} goes with a table, but {path} is a study, which says so itself. Leave it out, or edit the study."
            )
        return True
    if target is None:
        raise StudyError(
            f"{path} is no study, which ends in .toml. If it is a table, say with --target COLUMN what to predict."
        )
    return False


def _terms(source: str) -> str:
    """Return on what terms a catalogued source may be used; empty for any other."""
    if source.startswith("builtin:"):
        return ""
    from assay.data.catalogue import licence_of

    found = licence_of(source)
    return "" if found is None else f"{found.terms()}."


def _asked(
    study: Path | None,
    set_: list[str] | None,
    world: list[str] | None,
    repetitions: int | None,
    seed: int,
) -> list[str]:
    """Return the words of a calibrate command that decide what it finds."""
    said = [] if study is None else [str(study)]
    said += [f"--set {change}" for change in set_ or ()]
    said += [f"--world {name}" for name in world or ()]
    said += [] if repetitions is None else [f"--repetitions {repetitions}"]
    return said + [f"--seed {seed}"] * (seed != 1)


app.add_typer(left_commands.app)
