"""What a program is started in: streams that may be closed, and names that may be no text."""

import codecs
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from assay.errors import StudyError

_PLACES = ("ASSAY_HOME", "ASSAY_DATA", "ASSAY_ARTIFACTS", "TMPDIR")


def open_streams() -> None:
    """Open what was closed, to nowhere, and let no sign that a terminal lacks end the program.

    A closed number would be given to the next file that is opened, and the output would go into it.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            encoding = "utf-8" if is_ascii else None  # no letter of Korean is ASCII
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def need_names_of_text(words: Sequence[str]) -> None:
    """Refuse names that are no text: no record, report or terminal can show them.

    Raises
    ------
    StudyError
        If a word, the current folder or one of the environment has such a name, or there is no current folder.
    """
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise StudyError("cli.no_current_folder") from None
    for name in (*words, here, *(os.environ.get(place, "") for place in _PLACES)):
        if name.encode(errors="ignore").decode() != name:
            shown, encoding = ascii(name)[1:-1], sys.getfilesystemencoding()
            raise StudyError("cli.not_text", name=shown, encoding=encoding)


def need_memory(least_gb: float) -> None:
    """Refuse a limit of memory under which libraries do not load: some then try for ever, or end the process.

    Raises
    ------
    StudyError
        If this process may use less.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least_gb * 1e9:
        raise StudyError("cli.little_memory", allowed=limit / 1e9, needed=least_gb)
