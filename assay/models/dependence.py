"""Dependence: the mean prediction of a model with one column set to each of some values.

Partial dependence (Friedman 2001, "Greedy function approximation"). Rows are predicted as if they had the
value, which may never occur with their other values: it describes the model, not what would happen.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.models.importance import Predict
from assay.store.behaviour import FoldDependence

_MAX_VALUES = 12
_LOWEST = 0.02  # quantile of the first value, and 1 minus that of the last


class Grid(NamedTuple):
    """Values of a column, and the share of its rows that are nearest to each."""

    values: tuple[float, ...] | tuple[str, ...]
    shares: tuple[float, ...]


def grid_of(column: "pd.Series[Any]") -> Grid | None:
    """Return up to twelve values: quantiles of numbers, or the most common categories; None for fewer than two.

    A row counts towards the number nearest to its own, the smaller of two, or towards its own category.
    Rows without a value count nowhere.

    Examples
    --------
    >>> grid_of(pd.Series([1.0, 1.0, 2.0, 4.0]))
    Grid(values=(1.0, 2.0, 4.0), shares=(0.5, 0.25, 0.25))
    """
    present = column.dropna()
    if not pd.api.types.is_numeric_dtype(column):
        return _grid_of_categories(present, len(column))
    numbers = present.to_numpy(dtype=np.float64)
    values = np.unique(numbers) if len(numbers) else numbers
    if len(values) > _MAX_VALUES:
        quantiles = np.linspace(_LOWEST, 1 - _LOWEST, _MAX_VALUES)
        values = np.unique(np.quantile(numbers, quantiles, method="inverted_cdf"))
    if len(values) < 2:
        return None
    between = (values[1:] + values[:-1]) / 2
    counts = np.bincount(np.searchsorted(between, numbers), minlength=len(values))
    return Grid(tuple(map(float, values)), tuple((counts / len(column)).tolist()))


def _grid_of_categories(present: "pd.Series[Any]", n_rows: int) -> Grid | None:
    counts = present.value_counts().sort_index()
    common = counts.sort_values(ascending=False, kind="stable").head(_MAX_VALUES)
    if len(common) < 2:
        return None
    return Grid(tuple(map(str, common.index)), tuple((common / n_rows).tolist()))


def dependence(
    predict: Predict, features: pd.DataFrame, column: str, grid: Grid
) -> FoldDependence:
    """Return the mean predictions of some rows with a column set to each value of a grid.

    Parameters
    ----------
    features : shape (n_rows, n_columns)
    """
    n, values = len(features), grid.values
    every = pd.concat([features] * len(values), ignore_index=True)
    repeated = np.repeat(np.array(values, dtype=object), n)
    every[column] = pd.Series(repeated, dtype=features[column].dtype)
    predicted: NDArray[np.float64] = predict(every).reshape(len(values), n, -1)
    means = predicted.mean(axis=1)
    return FoldDependence(
        column=column,
        values=values,
        predicted=tuple(tuple(map(float, row)) for row in means),
        shares=grid.shares,
    )
