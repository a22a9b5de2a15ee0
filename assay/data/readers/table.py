"""What a reader returns, and what holds for tables in memory from every kind of file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError
from assay.formats.checks import MAX_NUMBER, cut, is_number
from assay.store.seeds import generator_for
from assay.study.plans import ReadPlan
from assay.study.sources import Source


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


def only_for(source: Source, kinds: str, *keys: str) -> None:
    """Refuse declarations of reading that a file of this kind has no use for."""
    plan, default = source.read, ReadPlan()
    for key in ("names", "sheet", "encoding", "separator"):
        if key not in keys and getattr(plan, key) != getattr(default, key):
            raise StudyError(
                f"read.{key} is declared, but {source.name} is {kinds}, which has no use for it. Leave it out."
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
                f"{source.name}: column {cut(name)} holds {values[beyond[0]]:g} in row {beyond[0] + 1}, beyond "
                f"{MAX_NUMBER:g}. Leave the cell empty instead."
            )


def beyond_a_word(column: "pd.Series[Any]") -> bool:
    """Return whether a column holds integers of more than 64 bits, which name things."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    return column.dtype == object and kind == "integer"
