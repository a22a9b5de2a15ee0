"""What a reader returns, and the rules that hold for tables from every kind of file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError
from assay.plans import ReadPlan
from assay.seeds import generator_for
from assay.study import Source

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MAX_WHOLE = (
    2**53
)  # up to here a float holds every whole number, as it must beside missing ones
MAX_NUMBER = 1e38  # what single precision, in which networks compute, can hold
_N_SHOWN = 60  # characters of a name in a sentence
# Tabs and line ends may stand in a cell; half a surrogate pair is no character at all.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Table:
    """A table as read, and what the reader had to decide.

    Attributes
    ----------
    deviations
        What is not the whole source, in words that follow "this study".
    """

    frame: pd.DataFrame
    remarks: tuple[str, ...]
    deviations: tuple[str, ...] = ()


def drawn(n_rows: int, source: Source) -> NDArray[np.int64] | None:
    """Return which rows a declared sample holds, in the file's order; None: all of them."""
    wanted = source.read.sample
    if wanted is None or wanted >= n_rows:
        return None
    generator = generator_for(source.seed, "sample")
    return np.sort(generator.choice(n_rows, size=wanted, replace=False))


def sampled(frame: pd.DataFrame, remarks: tuple[str, ...], source: Source) -> Table:
    """Return a table of the rows that a declared sample holds."""
    rows = drawn(len(frame), source)
    kept = frame if rows is None else frame.iloc[rows].reset_index(drop=True)
    return told(kept, remarks, len(frame), source)


def told(
    kept: pd.DataFrame, remarks: tuple[str, ...], n_rows: int, source: Source
) -> Table:
    """Return the table of ``kept`` out of ``n_rows`` rows, which says so if they are not all."""
    if source.read.sample is None:
        return Table(kept, remarks)
    if len(kept) == n_rows:
        said = f"all {n_rows:,} rows, which are no more than the sample declared"
        return Table(kept, (*remarks, said))
    said = f"a sample of {len(kept):,} of {n_rows:,} rows, drawn at random"
    return Table(kept, (*remarks, said), (f"looks at {said}",))


def missing_words(source: Source) -> tuple[str, ...]:
    """Return the words read as missing in files that have no other way to say so."""
    return tuple(dict.fromkeys((*MISSING, *source.read.missing)))


def words_remark(words: Sequence[str]) -> tuple[str, ...]:
    shown = ", ".join(repr(word) for word in words)
    return (f"read as missing: {shown}",) if words else ()


def blank_words(frame: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Return a typed table without the words, and the numbers, that the study declares as missing."""
    words = source.read.missing
    numbers = [float(word) for word in words if is_number(word)]
    for name in frame.columns if words else ():
        column = frame[name]
        if column.dtype == "str":
            frame[name] = column.mask(column.isin(words))
        elif column.dtype.kind in "iuf" and column.isin(numbers).any():
            frame[name] = column.astype("float64").mask(column.isin(numbers))
    return frame


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def check_no_header(first: Sequence[str], source: Source) -> None:
    """Refuse names in the study for a file whose first row has them already."""
    folded = [cell.strip().casefold() for cell in first]
    if folded == [name.casefold() for name in source.read.names]:
        raise DataRefused(
            f"{source.name} has a header: its first row holds the names of plan.a.read.names. Leave them out there."
        )


def only_for(source: Source, kinds: str, *keys: str) -> None:
    """Refuse declarations of reading that a file of this kind has no use for."""
    plan, default = source.read, ReadPlan()
    for key in ("names", "sheet", "encoding", "separator"):
        if key not in keys and getattr(plan, key) != getattr(default, key):
            raise StudyError(
                f"read.{key} is declared, but {source.name} is {kinds}, which has no use for it. Leave it out."
            )


def check_header(names: Sequence[str], source: Source) -> None:
    """Refuse names that are blank, damaged, or the same but for their case."""
    hint = (
        ""
        if source.read.names
        else " If the file has no header, declare plan.a.read.names."
    )
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


def check_values(frame: pd.DataFrame, source: Source) -> None:
    """Refuse numbers that single precision cannot hold."""
    for name in frame.select_dtypes("number").columns:
        if frame[name].dtype.kind in "iu":
            continue  # none of 64 bits is beyond it
        values = frame[name].to_numpy(dtype=float, na_value=0.0)
        beyond = np.flatnonzero(np.abs(values) > MAX_NUMBER)
        if beyond.size:
            raise DataRefused(
                f"{source.name}: column {cut(name)} holds {values[beyond[0]]:g} in row {beyond[0] + 1}, beyond "
                f"{MAX_NUMBER:g}. Leave the cell empty instead."
            )


def check_cell(value: str, place: str, column: str, source: Source) -> None:
    """Refuse a text with control characters, other than tabs and line ends."""
    found = CONTROL.search(value)
    if found:
        raise DataRefused(
            f"{source.name}, {place}: column {cut(column)} holds a control character (U+{ord(found[0]):04X}). "
            f"Take it out."
        )


def beyond_a_word(column: "pd.Series[Any]") -> bool:
    """Return whether a column holds integers of more than 64 bits, which name things."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    return column.dtype == object and kind == "integer"


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
