"""Dependence: the mean prediction of a model with one column set to each of some values.

Partial dependence (Friedman 2001, "Greedy function approximation"). Rows are asked about as if they had the
value, which they may never have beside their other values: how the model answers, not what would happen.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.models.importance import Answer
from assay.store.behaviour import FoldDependence

_MOST_VALUES = 12
_OUTERMOST = 0.02  # quantile of the first value, and 1 minus that of the last


class Grid(NamedTuple):
    """Values of a column, and the share of its rows that are nearest to each."""

    values: tuple[float, ...] | tuple[str, ...]
    shares: tuple[float, ...]


def grid(column: "pd.Series[Any]") -> Grid | None:
    """Return up to twelve values: quantiles of numbers, the commonest levels; None where there are not two.

    Of numbers a row counts with the value nearest to its own, the smaller of two; of levels with its own
    only. Rows without a value count nowhere.

    Examples
    --------
    >>> grid(pd.Series([1.0, 1.0, 2.0, 4.0]))
    Grid(values=(1.0, 2.0, 4.0), shares=(0.5, 0.25, 0.25))
    """
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column):
        numbers = known.to_numpy(dtype=np.float64)
        values = np.unique(numbers) if len(numbers) else numbers
        if len(values) > _MOST_VALUES:
            shares = np.linspace(_OUTERMOST, 1 - _OUTERMOST, _MOST_VALUES)
            values = np.unique(np.quantile(numbers, shares, method="inverted_cdf"))
        if len(values) < 2:
            return None
        between = (values[1:] + values[:-1]) / 2
        counts = np.bincount(np.searchsorted(between, numbers), minlength=len(values))
        found = tuple(map(float, values))
        return Grid(found, tuple((counts / len(column)).tolist()))
    common = (
        known.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    )
    common = common.head(_MOST_VALUES)
    if len(common) < 2:
        return None
    return Grid(tuple(map(str, common.index)), tuple((common / len(column)).tolist()))


def dependence(
    answer: Answer, features: pd.DataFrame, column: str, known: Grid
) -> FoldDependence:
    """Return the mean predictions of some rows with a column set to each value of a grid.

    Parameters
    ----------
    features : shape (n_rows, n_columns)
    """
    n, values = len(features), known.values
    every = pd.concat([features] * len(values), ignore_index=True)
    repeated = np.repeat(np.array(values, dtype=object), n)
    every[column] = pd.Series(repeated, dtype=features[column].dtype)
    predicted: NDArray[np.float64] = answer(every).reshape(len(values), n, -1)
    means = predicted.mean(axis=1)
    return FoldDependence(
        column=column,
        values=values,
        predicted=tuple(tuple(map(float, row)) for row in means),
        shares=known.shares,
    )
