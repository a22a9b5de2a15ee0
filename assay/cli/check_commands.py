"""Commands before a verdict: check, draft, plan, fetch. Each loads what it needs when it is called: help, and an answer from a finished run, stay light."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from assay.cli.entry import Check, say
from assay.cli.guard import guarded
from assay.cli.options import (
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
    app,
    argument,
    command,
    option,
)
from assay.errors import DataRefused, StudyError
from assay.wording import Sentence

if TYPE_CHECKING:
    from assay.store.verdict import Verdict

BUILT_IN = Path("hypotheses/digits.toml")


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    _version: Annotated[bool, option("version")] = False,
    _lang: Annotated[str | None, option("lang", metavar="en|ko")] = None,
) -> None:
    if context.invoked_subcommand is None:
        check(context, BUILT_IN)


@command(
    "check",
    "check",
    "check orders.csv --target paid",
    "check study.toml --set plan.a.tune.trials=4",
)
def check(
    context: typer.Context,
    study: StudyOrTable,
    target: Target = None,
    unit: Unit = None,
    order: Order = None,
    read: Read = None,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    shared: Shared = None,
    runner: Annotated[str, option("runner", metavar="WHERE")] = "auto",
    fresh: Fresh = False,
    multiverse: Annotated[bool, option("multiverse")] = False,
    audit_cache: Annotated[bool, option("audit_cache")] = False,
    json: Json = False,
) -> None:
    begun = time.perf_counter()
    from assay.cli.terminal import tell
    from assay.request import Request, answer, as_runner, as_shared

    request = Request(
        study=study,
        overrides=tuple(set_ or ()),
        data=data,
        artifacts=artifacts,
        shared=as_shared(shared),
        runner=as_runner(runner),
        fresh=fresh,
        multiverse=multiverse,
        audit=float(audit_cache),
    )
    if not _is_study(study, target, unit, order, read):
        _need_table(study)
        from assay.cli.drafting import Wanted, drafted_for_check

        wanted = Wanted(str(target), unit, order, tuple(read or ()))
        request = drafted_for_check(request, wanted)

    def carried_out(request: Request) -> "Verdict":
        with guarded():
            return cast("Check", context.obj)(request)

    answered = answer(request, carried_out, _waiting)
    verdict = answered.verdict
    tell(
        verdict,
        answered.folder,
        time.perf_counter() - begun,
        stored=answered.stored,
        terms=_terms(answered.study.of(verdict.plan).source),
    )
    if json:
        sys.stdout.write(verdict.model_dump_json() + "\n")


def _waiting(study: str) -> None:
    say(str(Sentence.of("cli.another_check", study=study)))


@command("check", "draft", "draft orders.csv --target paid --unit customer")
def draft(
    table: Annotated[Path, argument("table")],
    target: Annotated[str, option("target", metavar="COL")],
    unit: Unit = None,
    order: Order = None,
    read: Read = None,
    output: Annotated[
        Path | None, option("output_study", "-o", "--output", metavar="STUDY")
    ] = None,
    data: Annotated[Path | None, option("data_dir", "--data", metavar="DIR")] = None,
) -> None:
    _need_table(table)
    from assay.cli.drafting import Wanted, drafted, tell_draft

    wanted = Wanted(target, unit, order, tuple(read or ()))
    tell_draft(*drafted(table, data, wanted, output))


@command("check", "plan", "plan study.toml")
def plan(
    study: StudyFile,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    shared: Shared = None,
) -> None:
    from assay.cli.terminal import tell_plan
    from assay.dry_run import dry_run
    from assay.store import runs
    from assay.store.places import shared_store
    from assay.study.load import load
    from assay.study.sources import identify

    store = runs.store_of(artifacts, shared=shared or shared_store())
    declared = load(study, tuple(set_ or ()), data)
    store.reach()
    identity = identify(declared, study, data)
    finished = runs.finished(store, identity.name) is not None
    tell_plan(dry_run(store, declared, identity), finished=finished)


@command("check", "fetch", "fetch", "fetch ramen")
def fetch(name: Annotated[str | None, argument("dataset")] = None) -> None:
    from assay.cli.fetching import fetch_dataset, tell_catalogue
    from assay.store.places import data_folder

    if name is None:
        tell_catalogue(data_folder())
    else:
        fetch_dataset(name, data_folder())


def _need_table(path: Path) -> None:
    """Refuse what is no file, before what reads tables is loaded."""
    if path.is_dir():
        raise DataRefused("draft.table_is_folder", path=str(path))
    if not path.exists() and not str(path).startswith("builtin:"):
        raise DataRefused("draft.missing_table", path=str(path))


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
    options = {"--target": target, "--unit": unit, "--order": order, "--read": read}
    given = [name for name, value in options.items() if value]
    if path.suffix.lower() == ".toml":
        if given:
            raise StudyError("cli.option_of_a_table", option=given[0], path=str(path))
        return True
    if path.is_dir():
        raise DataRefused("draft.table_is_folder", path=str(path))
    if target is None:
        raise StudyError("cli.not_a_study", path=str(path))
    return False


def _terms(source: str) -> str:
    """Return on what terms a catalogued source may be used; empty for any other."""
    if source.startswith("builtin:"):
        return ""
    from assay.data.catalogue import licence_of

    licence = licence_of(source)
    return "" if licence is None else f"{licence.terms()}."
