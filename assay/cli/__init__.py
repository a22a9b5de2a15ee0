"""The command line: ``assay``, ``python -m assay``, and ``python flows/main.py``, which runs checks under Prefect."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.cli.entry import Check

_TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".xlsx", ".toml")


def main(arguments: Sequence[str] | None = None, check: "Check | None" = None) -> None:
    """Run a command; without one, check the built-in study.

    Parameters
    ----------
    arguments
        What stands behind the program's name; by default what it was started with.
    check
        Carries out a check; by default the plain pipeline does.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        ended = b"Interrupted. The same command goes on from there.\n"
        signal.signal(  # no traceback before or after all that there is to interrupt
            signal.SIGINT, lambda *_: (os.write(2, ended), os._exit(130))
        )
    words = list(sys.argv[1:] if arguments is None else arguments)
    from assay.cli.language import choose_language
    from assay.wording import program

    words = choose_language(words)
    from assay.cli.entry import plain_check
    from assay.cli.options import app  # its help is in the chosen language

    importlib.import_module("assay.cli.app")  # its commands join

    app(
        args=_with_command(words),
        prog_name=program(),
        obj=check or plain_check,
    )


def _with_command(words: list[str]) -> list[str]:
    """Return the words with ``check`` before a study or a table that stands first."""
    if words and not words[0].startswith("-"):
        path = Path(words[0])
        if path.suffix.lower() in _TABLES or (path.suffix and path.is_file()):
            return ["check", *words]
    return words
