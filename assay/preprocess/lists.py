"""Columns of several values a cell, fitted: which values are common, and how many a cell usually holds."""

from collections import Counter
from typing import Any

import pandas as pd

from assay.predict.lists import Items, held, log_counts
from assay.study.plans import ListColumn

_MIN_ROWS = 2  # with a value, for it to get an input


def fit(column: "pd.Series[Any]", plan: ListColumn) -> Items:
    """Fit a column of lists on training rows."""
    cells = held(column, plan.separator)
    counts = Counter(value for cell in cells for value in cell)
    common = sorted(
        (value for value, n in counts.items() if n >= _MIN_ROWS),
        key=lambda value: (-counts[value], value),
    )
    n = log_counts(cells)
    return Items(
        column=plan.column,
        separator=plan.separator,
        known=tuple(common[: plan.most]),
        centre=float(n.mean()),
        scale=float(n.std()) or 1.0,
    )
