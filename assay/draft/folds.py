"""How many folds a table can fill, by the rules of the split."""

import itertools
from typing import Any

import numpy as np
import pandas as pd

from assay.study.plans import SplitPlan


def fewest_rows() -> int:
    """Return how many rows of a class the folds of a plan need.

    Examples
    --------
    >>> fewest_rows()
    7
    """
    folds, inner = SplitPlan().folds, SplitPlan().inner_folds
    return next(n for n in range(folds, 10_000) if n - -(-n // folds) >= inner)


def folds_in_time(column: "pd.Series[Any]") -> tuple[int, int] | None:
    """Return how many outer and inner folds the rows can fill in order of time, or None if even two are too many.

    The first outer block is trained on alone and is cut into inner blocks, each with a time of its own.

    Examples
    --------
    >>> folds_in_time(pd.Series(range(100))), folds_in_time(pd.Series(range(16)))
    ((5, 5), (3, 3))
    """
    times = np.sort(pd.factorize(column, sort=True)[0])
    n, usual = len(times), SplitPlan()
    for folds, inner in ((usual.folds, usual.inner_folds), (4, 3), (3, 3), (2, 2)):
        ends = [round(n * block / (folds + 1)) for block in range(folds + 2)]
        blocks = [
            len(np.unique(times[start:end])) for start, end in itertools.pairwise(ends)
        ]
        if blocks[0] > inner and min(blocks) >= 2:
            return folds, inner
    return None
