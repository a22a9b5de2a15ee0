"""Arguments and options that several commands share, each said once."""

from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY", help="A study file, such as hypotheses/digits.toml."
    ),
]
StudyOrTable = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY|TABLE",
        help="A study file, which ends in .toml, or a table of your own, with --target.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Of a table: the column to predict."),
]
Unit = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Of a table: the column that says which rows belong together.",
    ),
]
Order = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Of a table: the column that puts rows in order of time."
    ),
]
Read = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Of a table: how it is read, such as sheet=Orders or encoding=cp949; repeatable.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a value of the study; repeatable."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="A file to read instead of the study's sources, or the folder they lie in."
    ),
]
Artifacts = Annotated[
    Path | None, typer.Option(help="Where runs and stored results go.")
]
Shared = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="s3://BUCKET/PREFIX|file:///FOLDER",
        help="Where other machines find what stages come to, and this one what they came to elsewhere. "
        "Default: ASSAY_STORE, or nowhere.",
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Compute everything again, whatever is stored.")
]
Lang = Annotated[
    str, typer.Option(metavar="en|ko", help="The language it is written in.")
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, its name, or a study, of which the newest run is taken.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the verdict record as the last line.")
]
Signers = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Who may sign receipts, as ssh-keygen has it: a line of name and key each.",
    ),
]
