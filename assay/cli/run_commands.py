"""Commands that use a finished run: predict, serve, report, compare, runs."""

import os
import sys
from pathlib import Path
from typing import Annotated

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
from assay.store.runs import store_of
from assay.wording import spoken


@command("use")
def predict(
    bundle: BundleFolder,
    table: Annotated[Path, argument("TABLE", "rows")],
    output: Annotated[
        str, option("-o", "--output", metavar="FILE", key="output_predictions")
    ] = "-",
    images: Annotated[Path | None, option("--images", metavar="PATH")] = None,
    verbose: Annotated[bool, option("-v", "--verbose")] = False,
    json: Annotated[bool, option("--json", key="json_record")] = False,
) -> None:
    from assay.cli.predicting import predicted, tell_prediction

    where = None if output == "-" else Path(output)
    summary = predicted(bundle, table, where, images)
    tell_prediction(summary, fully=verbose)
    if json:
        sys.stdout.write(summary.as_json() + "\n")


@command("use")
def serve(
    bundle: BundleFolder,
    host: Annotated[str, option("--host")] = "127.0.0.1",
    port: Annotated[int, option("--port", min=0, max=65535)] = 8000,
    name: Annotated[list[str] | None, option("--name")] = None,
) -> None:
    from assay.cli.service import serve as answer

    answer(bundle, host, port, os.environ.get("ASSAY_TOKEN"), tuple(name or ()))


@command("use")
def report(
    run: RunName,
    output: Annotated[
        Path | None, option("-o", "--output", metavar="FILE", key="output_report")
    ] = None,
    receipts: Annotated[bool, option("--receipts")] = False,
    signers: Signers = None,
    artifacts: Artifacts = None,
) -> None:
    from assay.cli.reporting import report_again

    shown = receipts or signers is not None
    store = store_of(artifacts)
    report_again(store, run, spoken(), output, receipts=shown, signers=signers)


@command("use")
def compare(
    run: RunName,
    other: Annotated[str, argument("OTHER")],
    output: Annotated[
        Path | None, option("-o", "--output", metavar="FILE", key="output_page")
    ] = None,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    from assay.cli.comparing import compared

    comparison = compared(store_of(artifacts), run, other, spoken(), output)
    if json:
        sys.stdout.write(comparison.model_dump_json() + "\n")


@command("use")
def runs(artifacts: Artifacts = None) -> None:
    from assay.cli.listing import tell_runs

    tell_runs(store_of(artifacts))
