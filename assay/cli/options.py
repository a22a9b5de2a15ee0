"""The program, how a command joins it, and the arguments and options that several share; help is in the chosen language."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from assay.cli.entry import errors_in_words
from assay.wording import Sentence, program

P = ParamSpec("P")
T = TypeVar("T")


def text(key: str) -> str:
    """Return a text of the command line in the chosen language."""
    return str(Sentence.of(f"cli.{key}", program=program()))


app = typer.Typer(
    help=text("help.assay"),
    epilog=text("example.assay"),
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def option(*names: str, metavar: str | None = None, **bounds: Any) -> Any:
    """Return an option whose help stands in the catalogue under its longest name."""
    key = max(names, key=len).removeprefix("--").replace("-", "_")
    help_ = text(f"option.{bounds.pop('key', key)}")
    return typer.Option(*names, metavar=metavar, help=help_, **bounds)


def argument(metavar: str, key: str | None = None) -> Any:
    """Return an argument whose help stands in the catalogue under its name."""
    help_ = text(f"argument.{key or metavar.strip('[]').lower()}")
    return typer.Argument(metavar=metavar, help=help_, show_default=False)


def command(
    group: str, name: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function a command of a group; its errors end in one sentence and their exit code."""

    def register(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            with errors_in_words():
                return function(*args, **kwargs)

        word = name or function.__name__
        key = word.replace("-", "_")
        app.command(
            name=word,
            help=text(f"help.{key}"),
            epilog=text(f"example.{key}"),
            rich_help_panel=text(f"group.{group}"),
        )(run)
        return function

    return register


StudyOrTable = Annotated[Path, argument("STUDY|TABLE", "study_or_table")]
StudyFile = Annotated[Path, argument("STUDY")]
RunName = Annotated[str, argument("RUN")]
BundleFolder = Annotated[Path, argument("RUN", "bundle")]
Target = Annotated[str | None, option("--target", metavar="COL")]
Unit = Annotated[str | None, option("--unit", metavar="COL")]
Order = Annotated[str | None, option("--order", metavar="COL")]
Read = Annotated[list[str] | None, option("--read", metavar="KEY=VALUE")]
Set = Annotated[list[str] | None, option("--set", metavar="KEY=VALUE")]
Data = Annotated[Path | None, option("--data", metavar="PATH")]
Artifacts = Annotated[Path | None, option("--artifacts", metavar="DIR")]
Shared = Annotated[str | None, option("--store", metavar="URL")]
Fresh = Annotated[bool, option("--fresh")]
Json = Annotated[bool, option("--json")]
Signers = Annotated[Path | None, option("--signers", metavar="FILE")]
