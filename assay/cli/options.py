"""The program, how a command joins it, and the arguments and options that several share; help is in the chosen language."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from assay.cli.entry import errors_in_words
from assay.cli.help import Command, Program
from assay.cli.usage import text
from assay.wording import program

P = ParamSpec("P")
T = TypeVar("T")


def _typed(*lines: str) -> str:
    return "\n".join(f"{program()} {line}".rstrip() for line in lines)


app = typer.Typer(
    cls=Program,
    help=text("cli.command.assay"),
    epilog=_typed(
        "", "orders.csv --target paid", "predict RUN new.csv -o predictions.csv"
    ),
    add_completion=program() == "assay",  # a shell completes the names of programs only
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def option(key: str, *names: str, metavar: str | None = None, **settings: Any) -> Any:
    """Return an option whose help stands in the catalogue under a key; without names it is called as the key is."""
    names = names or (f"--{key.replace('_', '-')}",)
    return typer.Option(
        *names, metavar=metavar, help=text(f"cli.option.{key}"), **settings
    )


def argument(key: str, metavar: str | None = None) -> Any:
    """Return an argument whose help stands in the catalogue under a key."""
    help_ = text(f"cli.argument.{key}")
    return typer.Argument(metavar=metavar or key.upper(), help=help_)


def command(
    group: str, key: str, *examples: str
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function a command of a group; its errors end in one sentence and their exit code.

    Parameters
    ----------
    key
        Of its description in the catalogue; its name has dashes for underscores.
    examples
        What stands behind the program's name.
    """

    def register(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            with errors_in_words():
                return function(*args, **kwargs)

        app.command(
            name=key.replace("_", "-"),
            cls=Command,
            help=text(f"cli.command.{key}"),
            epilog=_typed(*examples),
            rich_help_panel=text(f"cli.group.{group}"),
        )(run)
        return run

    return register


StudyOrTable = Annotated[Path, argument("study_or_table", "STUDY|TABLE")]
StudyFile = Annotated[Path, argument("study")]
RunName = Annotated[str, argument("run")]
BundleFolder = Annotated[Path, argument("bundle", "RUN")]
Target = Annotated[str | None, option("target", metavar="COL")]
Unit = Annotated[str | None, option("unit", metavar="COL")]
Order = Annotated[str | None, option("order", metavar="COL")]
Read = Annotated[list[str] | None, option("read", metavar="KEY=VALUE")]
Set = Annotated[list[str] | None, option("set", metavar="KEY=VALUE")]
Data = Annotated[Path | None, option("data", metavar="PATH")]
Artifacts = Annotated[Path | None, option("artifacts", metavar="DIR")]
Shared = Annotated[str | None, option("store", metavar="URL")]
Fresh = Annotated[bool, option("fresh")]
Json = Annotated[bool, option("json")]
Signers = Annotated[Path | None, option("signers", metavar="FILE")]
