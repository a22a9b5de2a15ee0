"""Times: the moments of a study's order column as numbers, and the rank of each row's."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.store.records import CleanStep
from assay.wording import Sentence

_LONG_GAP = 10  # times the usual step


def in_order(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return times as numbers, rising; rows of one time stay as the file has them.

    Raises
    ------
    DataRefused
        If a time is missing or is neither a number nor a date.
    """
    missing = column.index[column.isna()]
    if len(missing):
        raise DataRefused(
            "data.time.missing_in_rows" if len(missing) > 1 else "data.time.missing",
            column=str(column.name),
            row=int(missing[0]) + 1,
            n_more=len(missing) - 1,
        )
    return _moments(column).sort_values(kind="stable")


def _moments(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return times as numbers; dates as what passed since a fixed one."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64")
    numbers = pd.to_numeric(column, errors="coerce")
    finite = np.isfinite(numbers.astype("float64"))
    if finite.all():
        return numbers.astype("int64") if numbers.dtype == bool else numbers
    dates = pd.to_datetime(
        column.astype(str), errors="coerce", utc=True, format="ISO8601"
    )
    bad = dates.isna()
    if bad.any():
        row = column.index[bad & ~finite if (bad & ~finite).any() else bad][0]
        raise DataRefused(
            "data.time.no_time",
            column=str(column.name),
            cell=str(column[row]),
            row=int(row) + 1,
        )
    return dates.astype("int64")


def ranks(moments: "pd.Series[Any]", log: list[CleanStep]) -> NDArray[np.int32]:
    """Return the rank of each time, shape (n_rows,), and note ties and gaps; ``moments`` rise."""
    name = str(moments.name)
    times = np.asarray(pd.factorize(moments)[0], dtype=np.int32)
    n_tied = len(times) - int(times.max()) - 1
    if n_tied:
        what = Sentence.of("data.time.tied")
        why = Sentence.of("data.time.same_time", column=name)
        log.append(CleanStep(what=what, n=n_tied, why=why))
    steps = np.diff(np.unique(moments.to_numpy()).astype(np.float64))
    usual = float(np.median(steps)) if len(steps) else 0.0
    n_gaps = int((steps > _LONG_GAP * usual).sum()) if usual else 0
    if n_gaps:
        what, ratio = Sentence.of("data.time.gaps"), float(steps.max()) / usual
        why = Sentence.of("data.time.long_step", column=name, ratio=ratio)
        log.append(CleanStep(what=what, n=n_gaps, why=why))
    return times
