"""Commands on what runs leave: predict, serve, report, compare, reproduce, and whether stored results hold."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import NotReproducible
from assay.store.places import shared_store
from assay.store.runs import store_of
from assay.study.load import load
from flows.options import (
    Artifacts,
    Data,
    Json,
    Lang,
    Run,
    Set,
    Shared,
    Signers,
    StudyFile,
)
from flows.program import errors_in_words, run_check

app = typer.Typer()


@app.command()
def predict(
    bundle: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE",
            help="The folder that a check leaves below artifacts/runs, or the bundle in it.",
        ),
    ],
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="Rows to predict: CSV, TSV, JSON lines, Parquet, npz."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Ends in .csv, .jsonl or .parquet; default: CSV on the standard output.",
        ),
    ] = "-",
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A folder, .tar, .tar.gz or .zip of the images that rows name.",
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", help="Say what was decided, and which rules not asked."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a record as the last line.")
    ] = False,
) -> None:
    """Predict the rows of a table with the model that a check left."""
    with errors_in_words():
        from flows.predicting import predicted, tell_prediction

        where = None if output == "-" else Path(output)
        summary = predicted(bundle, table, where, images)
        tell_prediction(summary, fully=verbose)
        if json:
            sys.stdout.write(summary.as_json() + "\n")


@app.command()
def report(
    run: Run,
    lang: Lang = "en",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Default: a file named for the run, in the current folder.",
        ),
    ] = None,
    receipts: Annotated[
        bool,
        typer.Option(
            "--receipts",
            help="Show the receipts of its reruns, which the run's own page does not.",
        ),
    ] = False,
    signers: Signers = None,
    artifacts: Artifacts = None,
) -> None:
    """Write the report of a finished run again, from its folder alone, every file verified first."""
    with errors_in_words():
        from flows.reporting import report_again

        shown = receipts or signers is not None
        where = store_of(artifacts)
        report_again(where, run, lang, output, receipts=shown, signers=signers)


@app.command()
def compare(
    one: Run,
    other: Run,
    lang: Lang = "en",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a page of it too."),
    ] = None,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    """Put two finished runs side by side: verdicts, intervals, and what differs in study, data, code and lock."""
    with errors_in_words():
        from flows.comparing import compared

        found = compared(store_of(artifacts), one, other, lang, output)
        if json:
            sys.stdout.write(found.model_dump_json() + "\n")


@app.command()
def reproduce(
    run: Run,
    environment: Annotated[
        str,
        typer.Option(
            metavar="here|venv|newest|container",
            help="Where it is run again: in another process, in a fresh environment of the run's lock or of newer "
            "versions, in the image.",
        ),
    ] = "here",
    cpu: Annotated[
        str | None,
        typer.Option(
            metavar="avx2|avx512",
            help="Leave the processor only so much of its instruction set, to see what another one changes.",
        ),
    ] = None,
    data: Data = None,
    artifacts: Artifacts = None,
    key: Annotated[
        Path | None,
        typer.Option("--sign", metavar="KEY", help="Sign the receipt with an SSH key."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write the run's report with all its receipts.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run a finished run again, compare every digest, and write a receipt."""
    with errors_in_words():
        from flows.reproducing import reproduced, tell_receipt
        from flows.signing import sign

        store = store_of(artifacts)
        receipt, path = reproduced(store, run, data, environment, cpu)
        tell_receipt(receipt, path, None if key is None else sign(path, key))
        if page is not None:
            from flows.reporting import report_again

            report_again(store, run, "en", page, receipts=True)
        if json:
            sys.stdout.write(receipt.model_dump_json() + "\n")
        if receipt.tier is None:
            sys.exit(NotReproducible.exit_code)


@app.command(name="verify-receipt")
def verify_receipt(
    receipt: Annotated[
        Path, typer.Argument(metavar="RECEIPT", help="A receipt's file.")
    ],
    signers: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Who may sign, as ssh-keygen has it: a line of name and key each.",
        ),
    ],
) -> None:
    """Say who signed a receipt, or that nobody known did."""
    with errors_in_words():
        from flows.signing import signer_of

        sys.stdout.write(f"✓ signed by {signer_of(receipt, signers)}\n")


@app.command(name="verify-cache")
def verify_cache(
    study: StudyFile,
    share: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Of the stored stages that are computed again."
        ),
    ] = 0.2,
    set_: Set = None,
    data: Data = None,
    artifacts: Artifacts = None,
    shared: Shared = None,
) -> None:
    """Compute a random share of a study's stored stages again, and compare."""
    with errors_in_words():
        from flows.auditing import audited

        store = store_of(artifacts, shared=shared or shared_store())
        store.reach()
        check_again = partial(
            run_check,
            study=str(study),
            overrides=set_ or [],
            data=str(data) if data else None,
            artifacts=str(artifacts) if artifacts else None,
            shared=shared,
            audit=share,
        )
        with store.lock(f"run-{load(study, tuple(set_ or ())).name}"):
            sys.stdout.write(audited(check_again).sentence() + "\n")


@app.command()
def serve(
    bundle: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE", help="A bundle's folder, or that of the run that left it."
        ),
    ],
    host: Annotated[
        str,
        typer.Option(help="Beyond this machine it takes a token in ASSAY_TOKEN."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name by which it may be called; repeatable."),
    ] = None,
) -> None:
    """Answer predictions from a bundle over HTTP: /predict, /health, /card, /openapi.json."""
    with errors_in_words():
        from flows.answering import serve as served

        served(bundle, host, port, os.environ.get("ASSAY_TOKEN"), tuple(name or ()))
