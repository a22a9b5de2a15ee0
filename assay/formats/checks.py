"""The rules that hold for the names and cells of every kind of table, whoever reads it.

Nothing here needs a table in memory: what predicts from a bundle, without pandas, reads by them too.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from assay.errors import DataRefused

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MAX_WHOLE = (
    2**53
)  # up to here a float holds every whole number, as it must beside missing ones
MAX_NUMBER = 1e38  # what single precision, in which networks compute, can hold
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_N_SHOWN = 60  # characters of a name in a sentence
# Tabs and line ends may stand in a cell; half a surrogate pair is no character at all.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Declared(Protocol):
    """How a file is to be read, as far as somebody says so."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def encoding(self) -> str | None: ...
    @property
    def separator(self) -> str | None: ...
    @property
    def missing(self) -> tuple[str, ...]: ...
    @property
    def sample(self) -> int | None: ...


class Named(Protocol):
    """A file to read, and the name that sentences call it by."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def read(self) -> Declared: ...
    @property
    def in_a_study(self) -> bool:
        """Whether whoever is refused can declare something in a study file."""


def missing_words(source: Named) -> tuple[str, ...]:
    """Return the words read as missing in files that have no other way to say so."""
    return tuple(dict.fromkeys((*MISSING, *source.read.missing)))


def words_remark(words: Sequence[str]) -> tuple[str, ...]:
    shown = ", ".join(repr(word) for word in words)
    return (f"read as missing: {shown}",) if words else ()


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def check_no_header(first: Sequence[str], source: Named) -> None:
    """Refuse names in the study for a file whose first row has them already."""
    folded = [cell.strip().casefold() for cell in first]
    if folded == [name.casefold() for name in source.read.names]:
        raise DataRefused(
            f"{source.name} has a header: its first row holds the names of plan.a.read.names. Leave them out there."
        )


def check_header(names: Sequence[str], source: Named) -> None:
    """Refuse names that are blank, damaged, or the same but for their case."""
    hint = ""
    if source.in_a_study and not source.read.names:
        hint = " If the file has no header, declare plan.a.read.names."
    seen: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise DataRefused(
                f"{source.name}: column {number} has no name. Give every column one in the header.{hint}"
            )
        if name != name.strip() or not name.isprintable():
            raise DataRefused(
                f"{source.name}: column {shown(name)} has blanks around it or control characters in its name."
            )
        if name.casefold() in seen:
            raise DataRefused(
                f"{source.name}: columns {shown(seen[name.casefold()])} and {shown(name)} differ only in case or not at all.{hint}"
            )
        seen[name.casefold()] = name


def check_cell(value: str, place: str, column: str, source: Named) -> None:
    """Refuse a text with control characters, other than tabs and line ends."""
    found = CONTROL.search(value)
    if found:
        raise DataRefused(
            f"{source.name}, {place}: column {cut(column)} holds a control character (U+{ord(found[0]):04X}). "
            f"Take it out."
        )


def pixel_names(n_pixels: int) -> list[str]:
    """Return the names of pixel columns, ``pixel_0000`` and on."""
    width = max(4, len(str(n_pixels - 1)))
    return [f"pixel_{number:0{width}}" for number in range(n_pixels)]


def shown(value: object) -> str:
    """Return a name from a file as a sentence can hold it: quoted, and not too long."""
    return cut(repr(value))


def cut(name: str) -> str:
    return name if len(name) <= _N_SHOWN else name[:_N_SHOWN] + "..."


def first_line(error: BaseException) -> str:
    """Return what an error of a library says, as part of a sentence."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    lines = str(said).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
