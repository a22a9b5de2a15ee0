"""Rules for the names and cells of every kind of table, in training and in prediction.

They need no table in memory: prediction, which has no pandas, reads by them too.
"""

import re
from collections.abc import Sequence
from typing import Literal, Protocol

from assay.errors import DataRefused
from assay.wording import Sentence, Value

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MAX_WHOLE = (
    2**53
)  # up to here a float holds every whole number, as it must beside missing ones
MAX_NUMBER = 1e38  # what single precision, in which networks compute, can hold
Separator = Literal[",", "\t", ";", "|"]
SEPARATORS: dict[str, str] = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_N_SHOWN = 60  # characters of a name in a sentence
# Tabs and line ends may stand in a cell; half a surrogate pair is no character at all.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


Place = str | Sentence  # where in a file something stands, for a sentence


class Declared(Protocol):
    """How a file is to be read, as far as a study declares it."""

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
        """Whether a study file names this file, and could declare how to read it."""


def missing_words(source: Named) -> tuple[str, ...]:
    """Return the words read as missing in files that have no other way to say so."""
    return tuple(dict.fromkeys((*MISSING, *source.read.missing)))


def words_remark(words: Sequence[str]) -> tuple[Sentence, ...]:
    if not words:
        return ()
    return (Sentence.of("formats.read_as_missing", words=tuple(map(repr, words))),)


def line_number(number: int) -> Sentence:
    """Return the place of a line of a file, for a sentence; the first is 1."""
    return Sentence("formats.line", {"number": number})


def row_number(number: int) -> Sentence:
    """Return the place of a row of a table, for a sentence; the first is 1."""
    return Sentence("formats.row", {"number": number})


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
        raise DataRefused("formats.header_and_names", file=source.name)


def check_header(names: Sequence[str], source: Named) -> None:
    """Refuse names that are blank, damaged, or the same but for their case."""
    seen: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise _header_refusal(source, "formats.column_without_name", number=number)
        if name != name.strip() or not name.isprintable():
            raise DataRefused(
                "formats.column_name_damaged", file=source.name, column=shown(name)
            )
        if name.casefold() in seen:
            names_alike = {"first": shown(seen[name.casefold()]), "second": shown(name)}
            raise _header_refusal(source, "formats.column_twice", **names_alike)
        seen[name.casefold()] = name


def _header_refusal(source: Named, key: str, **values: Value) -> DataRefused:
    """Return the refusal of a header, which in a study may be a row of values."""
    if not source.in_a_study or source.read.names:
        return DataRefused(key, file=source.name, **values)
    problem = Sentence.of(key, file=source.name, **values)
    hint = Sentence.of("formats.declare_names")
    return DataRefused("formats.with_hint", problem=problem, hint=hint)


def check_cell(value: str, place: Place, column: str, source: Named) -> None:
    """Refuse a text with control characters, other than tabs and line ends."""
    control = CONTROL.search(value)
    if control:
        raise DataRefused(
            "formats.control_character",
            file=source.name,
            place=place,
            column=cut(column),
            code=ord(control[0]),
        )


def pixel_names(n_pixels: int) -> list[str]:
    """Return the names of pixel columns, ``pixel_0000`` and on."""
    width = max(4, len(str(n_pixels - 1)))
    return [f"pixel_{number:0{width}}" for number in range(n_pixels)]


def shown(value: object) -> str:
    """Return a name from a file as a sentence can hold it: quoted, and at most 60 characters long."""
    return cut(repr(value))


def cut(name: str) -> str:
    return name if len(name) <= _N_SHOWN else name[:_N_SHOWN] + "..."


def some_of(
    names: Sequence[str | Sentence], most: int, n_all: int | None = None
) -> Value:
    """Return the first of some names, and how many more there are, for a sentence.

    Parameters
    ----------
    n_all
        How many there are, where ``names`` holds only the first of them.
    """
    further = (len(names) if n_all is None else n_all) - most
    if not names:
        return Sentence.of("formats.none")
    if further <= 0:
        return tuple(names)
    return Sentence.of("formats.and_more", names=tuple(names[:most]), n=further)


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, without its full stop, as part of a sentence."""
    from_system = isinstance(error, OSError) and error.strerror
    lines = str(from_system or error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
