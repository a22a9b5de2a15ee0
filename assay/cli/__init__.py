"""The command line: ``assay``, ``python -m assay``, and ``python flows/main.py``, which runs checks under Prefect."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.cli.entry import Check

_LEAST_GB = 1.0  # of address space, for any command; with less, OpenBLAS tries for ever
_TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".xlsx", ".toml")


def main(arguments: Sequence[str] | None = None, check: "Check | None" = None) -> None:
    """Run a command and exit; without one, check the built-in study.

    Parameters
    ----------
    arguments
        What stands behind the program's name; by default what it was started with.
    check
        Carries out a check; by default the plain pipeline does.
    """
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        _end_on_interrupt("")
    from assay.cli.language import choose_language
    from assay.cli.surroundings import open_streams
    from assay.wording import Sentence

    open_streams()
    words = choose_language(list(sys.argv[1:] if arguments is None else arguments))
    if interruptible:
        _end_on_interrupt(f"{Sentence.of('cli.interrupted')}\n")
    sys.exit(_run(words, check))


def _run(words: list[str], check: "Check | None") -> int:
    """Run a command and return the exit code; a command line that is wrong is told in one sentence."""
    from assay.cli.entry import in_words
    from assay.cli.surroundings import need_memory, need_names_of_text
    from assay.store.places import need_home

    with in_words():
        if words[:1] == ["--version"]:  # needs nothing of what is loaded below
            import assay

            sys.stdout.write(f"assay {assay.__version__}\n")
            return 0
        need_names_of_text(words)
        need_memory(_LEAST_GB)
        need_home()
        return _commanded(words, check)


def _commanded(words: list[str], check: "Check | None") -> int:
    from assay.cli.app import app  # its help is in the chosen language
    from assay.cli.entry import plain_check, say
    from assay.cli.usage import UsageError, explained
    from assay.errors import StudyError
    from assay.wording import program

    try:
        code = app(
            args=_with_command(words),
            prog_name=program(),
            obj=check or plain_check,
            standalone_mode=False,
        )
    except UsageError as error:
        say(str(explained(error)))
        return StudyError.exit_code
    return code if isinstance(code, int) else 0


def _end_on_interrupt(notice: str) -> None:
    """Let Ctrl-C end the program with a notice and no traceback, while there is nothing to interrupt."""
    line = notice.encode()
    signal.signal(signal.SIGINT, lambda *_: (os.write(2, line), os._exit(130)))


def _with_command(words: list[str]) -> list[str]:
    """Return the words with ``check`` before a study or a table that stands first."""
    if words and not words[0].startswith("-"):
        path = Path(words[0])
        is_table = path.suffix.lower() in _TABLES or words[0].startswith("builtin:")
        if is_table or (path.suffix and path.is_file()):
            return ["check", *words]
    return words
