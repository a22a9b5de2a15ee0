"""Columns that leak the target: copies of it, and columns that predict it almost alone."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEAK_AUC = 0.99  # of one column; an honest one may reach .95 before a sentinel asks
LEAK_CORRELATION = 0.999  # of ranks, with a number to predict
_FEWEST_ROWS = 20
_MOST_LEVELS = 50


def score_alone(
    column: "pd.Series[Any]", target: NDArray[Any], *, classes: bool
) -> float:
    """Return how well a column alone predicts the target, in rows that have both.

    Parameters
    ----------
    column
        Numbers or texts.
    target : shape (n_rows,)
        Class codes, or numbers.
    classes
        Whether the target is a class.

    Returns
    -------
    float
        In [0, 1]. For classes the smallest one-vs-rest AUC, each by the column's order or by the rates
        of its levels in the other half of the rows; no further class is tried after one at or below
        ``LEAK_AUC``. For numbers the absolute rank correlation.
    """
    number = pd.api.types.is_numeric_dtype(column)
    values = column.to_numpy(np.float64, na_value=np.nan) if number else None
    n_values = column.nunique() if values is None else len(_distinct(values))
    if len(column) < _FEWEST_ROWS or n_values < 2:
        return 0.0
    if not classes:
        return 0.0 if values is None else _correlation(values, target)
    if values is None:
        levels = np.asarray(pd.factorize(column)[0], dtype=np.int64) + 1
        ranks = None
    else:
        levels = _levels(values)
        ranks = _ranks(np.where(np.isnan(values), np.nanmedian(values), values))
    smallest = 1.0
    for code in np.unique(target):
        is_class = target == code
        orders = [_ranks(_rates(levels, is_class))]
        orders += [ranks] if ranks is not None else []
        smallest = min(smallest, max(_auc(order, is_class) for order in orders))
        if smallest <= LEAK_AUC:
            break
    return smallest


def _correlation(values: NDArray[np.float64], target: NDArray[Any]) -> float:
    present = ~np.isnan(values)
    if present.sum() < max(_FEWEST_ROWS, 0.5 * len(values)):
        return 0.0
    values = values[present]
    if np.ptp(values) == 0 or np.ptp(target[present]) == 0:
        return 0.0
    from scipy.stats import spearmanr

    return abs(float(spearmanr(values, target[present]).statistic))


def _distinct(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.unique(values[~np.isnan(values)])


def _levels(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the level of each number, 0 where missing; numbers of many values in bins of equal size."""
    edges = _distinct(values)
    if len(edges) > _MOST_LEVELS:
        n_bins = int(np.clip(len(values) // 20, 2, _MOST_LEVELS))
        shares = np.linspace(0, 1, n_bins + 1)
        exact = n_bins * shares == np.arange(n_bins + 1)  # as pandas.qcut has it
        shares = np.where(exact, shares, np.nextafter(shares, 1))
        edges = np.unique(np.quantile(values[~np.isnan(values)], shares))[1:]
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values) + 1)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, of equal values their mean."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[at])


def _rates(
    levels: NDArray[np.int64], is_class: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return for each row how often rows of its level in the other half are of the class."""
    half = np.zeros(len(levels), dtype=np.int64)
    for group in (is_class, ~is_class):
        half[group] = np.arange(group.sum()) % 2
    rates = np.empty(len(levels))
    for side in (0, 1):
        other, own = half != side, half == side
        n = np.bincount(levels[other], minlength=levels.max() + 1)
        hits = np.bincount(levels[other & is_class], minlength=levels.max() + 1)
        rates[own] = ((hits + is_class.mean()) / (n + 1))[levels[own]]
    return rates


def _auc(ranks: NDArray[np.float64], is_class: NDArray[np.bool_]) -> float:
    """Return the AUC of values given as ranks, either way round."""
    n1 = int(is_class.sum())
    n0 = len(is_class) - n1
    if not n1 or not n0:
        return 0.5
    area = float((ranks[is_class].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))
    return max(area, 1 - area)
