"""What a reader returns, and what holds for tables in memory from every kind of file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError
from assay.formats.checks import MAX_NUMBER, MAX_WHOLE, cut
from assay.formats.missing import Words
from assay.store.seeds import generator_for
from assay.study.plans import ReadPlan
from assay.study.sources import Source
from assay.wording import Sentence

Remark = Sentence | str


@dataclass(frozen=True)
class Table:
    """A table as read, and what the reader had to decide.

    Attributes
    ----------
    deviations
        What is not the whole source, in words that follow "this study".
    """

    frame: pd.DataFrame
    remarks: tuple[Remark, ...]
    deviations: tuple[Remark, ...] = ()


def drawn(n_rows: int, source: Source) -> NDArray[np.int64] | None:
    """Return which rows a declared sample holds, in the file's order; None: all of them."""
    wanted = source.read.sample
    if wanted is None or wanted >= n_rows:
        return None
    generator = generator_for(source.seed, "sample")
    return np.sort(generator.choice(n_rows, size=wanted, replace=False))


def sampled(frame: pd.DataFrame, remarks: tuple[Remark, ...], source: Source) -> Table:
    """Return a table of the rows that a declared sample holds."""
    rows = drawn(len(frame), source)
    kept = frame if rows is None else frame.iloc[rows].reset_index(drop=True)
    return table_of(kept, remarks, len(frame), source)


def table_of(
    kept: pd.DataFrame, remarks: tuple[Remark, ...], n_rows: int, source: Source
) -> Table:
    """Return the table of ``kept`` out of ``n_rows`` rows, which says so if they are not all."""
    if source.read.sample is None:
        return Table(kept, remarks)
    if len(kept) == n_rows:
        return Table(kept, (*remarks, Sentence.of("readers.all_rows", n=n_rows)))
    sample = {"n": len(kept), "of": n_rows}
    remark = Sentence.of("readers.sample", **sample)
    deviation = Sentence.of("readers.sample_deviation", **sample)
    return Table(kept, (*remarks, remark), (deviation,))


def blank_lines(n: int) -> tuple[Remark, ...]:
    """Return the remark that says how many blank lines were ignored, if any."""
    if not n:
        return ()
    key = "readers.blank_line" if n == 1 else "readers.blank_lines"
    return (Sentence.of(key, n=n),)


def blank_words(frame: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Return a typed table without the values that the study declares as missing."""
    words = Words(source.read.missing)
    if not words.declared:
        return frame
    return replaced(frame, {name: blanked(frame[name], words) for name in frame})


def replaced(frame: pd.DataFrame, columns: dict[Any, "pd.Series[Any]"]) -> pd.DataFrame:
    """Return a table with some of its columns in another form; one at a time they would move all others."""
    if not columns:
        return frame
    return pd.DataFrame({name: columns.get(name, frame[name]) for name in frame})


def blanked(column: "pd.Series[Any]", words: Words) -> "pd.Series[Any]":
    """Return a column without what stands for a missing value."""
    dtype = column.dtype
    if not words.declared:
        return column
    if dtype == "str":
        return column.mask(column.isin(words.declared))
    if dtype.kind == "M":
        moments = column.to_numpy(f"datetime64[{column.dt.unit}]")  # in UTC
        return column.mask(words.among(moments))
    if dtype.kind == "f":
        return column.mask(words.among(column.to_numpy()))
    if dtype.kind in "iu":
        gaps = words.among(column.to_numpy())
        return with_gaps(column.to_numpy(), gaps) if gaps.any() else column
    if not column.map(words.hold).any():
        return column
    cells = [None if words.hold(cell) else cell for cell in column.tolist()]
    return pd.Series(cells, dtype=object)


def with_gaps(values: NDArray[Any], gaps: NDArray[np.bool_]) -> "pd.Series[Any]":
    """Return whole numbers of which some are missing."""
    pairs = zip(values.tolist(), gaps.tolist(), strict=True)
    return whole_numbers([None if gap else value for value, gap in pairs])


def whole_numbers(values: Sequence[int | None]) -> "pd.Series[Any]":
    """Return whole numbers; as text where 64 bits, or 53 beside missing ones, do not hold all of their digits."""
    there = [value for value in values if value is not None]
    low, high = min(there, default=0), max(there, default=0)
    signed = low >= -(2**63) and high < 2**63
    if len(there) < len(values) and max(-low, high) < MAX_WHOLE:
        return pd.Series(values, dtype="float64")
    if len(there) == len(values) and (signed or (low >= 0 and high < 2**64)):
        return pd.Series(values, dtype="int64" if signed else "uint64")
    spelled = [None if value is None else str(value) for value in values]
    return pd.Series(spelled, dtype="str")


def need_no_other(source: Source, kind: str, *keys: str) -> None:
    """Refuse declarations of reading, other than these, that a file of this kind has no use for.

    ``kind`` is the name of a sentence in ``readers.kind``.
    """
    plan, default = source.read, ReadPlan()
    for key in ("names", "sheet", "encoding", "separator"):
        if key not in keys and getattr(plan, key) != getattr(default, key):
            raise StudyError(
                "readers.no_use",
                key=key,
                file=source.name,
                kind=Sentence.of(f"readers.kind.{kind}"),
            )


def need_names(n_columns: int, place: Remark, source: Source) -> None:
    """Refuse a table that has not as many columns as the study names."""
    if n_columns != len(source.read.names):
        n_names = len(source.read.names)
        raise DataRefused(
            "readers.names", place=place, n_columns=n_columns, n_names=n_names
        )


def need_rows(n_read: int, n_rows: int, source: Source) -> None:
    """Refuse a file of which not as many rows were read as it holds."""
    if n_read != n_rows:
        raise DataRefused(
            "readers.rows_lost", file=source.name, n_rows=n_rows, n_read=n_read
        )


def check_values(frame: pd.DataFrame, source: Source) -> None:
    """Refuse numbers that single precision cannot hold."""
    for name in frame.select_dtypes("number").columns:
        if frame[name].dtype.kind in "iu":
            continue  # none of 64 bits is beyond it
        values = frame[name].to_numpy(dtype=float, na_value=0.0)
        beyond = np.flatnonzero(np.abs(values) > MAX_NUMBER)
        if beyond.size:
            raise DataRefused(
                "readers.too_large",
                file=source.name,
                column=cut(name),
                value=float(values[beyond[0]]),
                row=int(beyond[0]) + 1,
                most=MAX_NUMBER,
            )
