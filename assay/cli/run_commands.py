"""Commands that use a finished run: predict, serve, report, compare, runs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from assay.cli.entry import store_in
from assay.cli.guard import guarded
from assay.cli.options import (
    Artifacts,
    BundleFolder,
    Json,
    RunName,
    Signers,
    argument,
    command,
    option,
)
from assay.wording import spoken

if TYPE_CHECKING:
    from assay.store.store import Store


@command("use", "predict", "predict artifacts/runs/NAME new.csv -o predictions.csv")
def predict(
    bundle: BundleFolder,
    table: Annotated[Path, argument("rows", "TABLE")],
    output: Annotated[
        str | None, option("output_predictions", "-o", "--output", metavar="FILE")
    ] = None,
    images: Annotated[Path | None, option("images", metavar="PATH")] = None,
    raw: Annotated[bool, option("raw")] = False,
    verbose: Annotated[bool, option("verbose", "-v", "--verbose")] = False,
    json: Json = False,
) -> None:
    folder = _folder(bundle)
    from assay.cli.predicting import predicted, tell_prediction

    file = None if output in (None, "-") else Path(output)
    with guarded(least_gb=1.0):
        summary = predicted(folder, table, file, images, raw=raw)
    tell_prediction(summary, fully=verbose)
    if json:
        sys.stdout.write(summary.as_json() + "\n")


@command("use", "serve", "serve artifacts/runs/NAME --port 8000")
def serve(
    bundle: BundleFolder,
    host: Annotated[str, option("host", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, option("port", metavar="N", min=0, max=65535)] = 8000,
    name: Annotated[list[str] | None, option("name", metavar="HOST")] = None,
) -> None:
    from assay.serve.listen import serve as answer

    answer(
        _folder(bundle), host, port, os.environ.get("ASSAY_TOKEN"), tuple(name or ())
    )


@command("use", "report", "report digits --lang ko")
def report(
    run: RunName,
    output: Annotated[
        Path | None, option("output_report", "-o", "--output", metavar="FILE")
    ] = None,
    receipts: Annotated[bool, option("receipts")] = False,
    signers: Signers = None,
    artifacts: Artifacts = None,
) -> None:
    shown = receipts or signers is not None
    store = store_in(artifacts)
    _need_runs(store, run)
    from assay.cli.reporting import report_again

    report_again(store, run, spoken(), output, receipts=shown, signers=signers)


@command("use", "compare", "compare RUN OTHER -o comparison.html")
def compare(
    run: RunName,
    other: Annotated[str, argument("other")],
    output: Annotated[
        Path | None, option("output_page", "-o", "--output", metavar="FILE")
    ] = None,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    store = store_in(artifacts)
    _need_runs(store, run, other)
    from assay.cli.comparing import compared

    comparison = compared(store, run, other, spoken(), output)
    if json:
        sys.stdout.write(comparison.model_dump_json() + "\n")


@command("use", "runs", "runs")
def runs(artifacts: Artifacts = None) -> None:
    from assay.cli.listing import tell_runs

    tell_runs(store_in(artifacts))


def _need_runs(store: "Store", *names: str) -> None:
    """Refuse a name of no run before what draws pages is loaded."""
    from assay.reproduce.rerun import find_run

    for name in names:
        find_run(store, name)


def _folder(bundle: Path) -> Path:
    """Return a bundle's folder; a name that is no folder is a run's, or a study's newest run."""
    if bundle.exists():
        return bundle
    from assay.reproduce.rerun import find_run
    from assay.store.runs import store_of

    return find_run(store_of(), str(bundle))
