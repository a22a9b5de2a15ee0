"""Columns as the sentinels see them: which ones hold categories, and the code of each row's."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.samples import Samples

MISSING = -1


def every_column(samples: Samples) -> dict[str, "pd.Series[Any]"]:
    """Return features and columns set aside by name, but not what is declared as unit or order.

    The pixels of an image are left out: none of them stands for a thing.
    """
    features = samples.features
    if samples.image:
        features = features.select_dtypes(exclude="number")
    tables = (features, samples.aside)
    return {
        str(name): table[name]
        for table in tables
        for name in table.columns
        if name not in (samples.unit, samples.order)
    }


def is_only_feature(samples: Samples, name: str) -> bool:
    """Return whether there is no other feature, so that nothing could recognise the column's rows."""
    return list(samples.features.columns) == [name]


def is_number(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column)


def is_discrete(column: "pd.Series[Any]") -> bool:
    """Return whether a column is text or whole numbers; a fraction is a measurement."""
    if not is_number(column):
        return True
    numbers = column.dropna().to_numpy(dtype=np.float64)
    return bool(np.all(numbers % 1 == 0))


def codes_of(column: "pd.Series[Any]") -> NDArray[np.int64]:
    """Return the category of each row, numbered from 0 in ascending order; -1 where it is missing."""
    return np.asarray(pd.factorize(column, sort=True)[0], dtype=np.int64)


def is_continuous(column: "pd.Series[Any]") -> bool:
    """Return whether a column is of numbers, more than half of them different (PROTOCOL section 5.2)."""
    return is_number(column) and column.nunique() > len(column) / 2


def moments(column: "pd.Series[Any]") -> NDArray[np.float64] | None:
    """Return a column of numbers or of ISO 8601 dates as numbers, missing as NaN; else None."""
    if is_number(column):
        return column.to_numpy(dtype=np.float64)
    texts = column.dropna()
    if texts.empty or not texts.iloc[0][:4].isdigit():
        return None
    times = pd.to_datetime(
        column.astype(object), errors="coerce", utc=True, format="ISO8601"
    )
    if times.notna().sum() < len(texts):
        return None
    numbers = (
        times.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.float64)
    )
    return np.where(times.isna(), np.nan, numbers)
