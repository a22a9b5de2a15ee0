"""Units: which rows are not independent of each other, as the study declares or because they are copies."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.errors import DataRefused
from assay.store.records import ROW_WITH_COPIES, CleanStep
from assay.study.plans import Cleaning
from assay.wording import Sentence

_MANY_VALUES = 50  # more than a column of categories has


def units_of(
    features: pd.DataFrame, aside: pd.DataFrame, plan: Cleaning, log: list[CleanStep]
) -> tuple[NDArray[np.int32] | None, str]:
    """Return the unit of each row, None where rows are independent, and what a unit is.

    Exact copies are one unit too (see :func:`_copies`). Rows in time have no units.
    """
    if plan.order is not None:
        return None, "row"
    n, name = len(features), plan.unit
    declared = np.arange(n) if name == "row" else _declared(aside[name], name, log)
    copies = _copies(features)
    n_copies = n - len(np.unique(copies))
    if name == "row" and not n_copies:
        return None, "row"
    units = _joined(declared, copies)
    if n_copies:
        what = Sentence.of("data.units.rows_together")
        why = Sentence.of("data.units.copies")
        log.append(CleanStep(what=what, n=n_copies, why=why))
    n_joined = len(np.unique(declared)) - len(np.unique(units))
    if name != "row" and n_joined:
        what = Sentence.of("data.units.joined")
        why = Sentence.of("data.units.share_copies", unit=name)
        log.append(CleanStep(what=what, n=n_joined, why=why))
    return units, name if name != "row" else ROW_WITH_COPIES


def _declared(
    column: "pd.Series[Any]", name: str, log: list[CleanStep]
) -> NDArray[np.int64]:
    """Return the number of each row's declared unit.

    Raises
    ------
    DataRefused
        If no row has one.
    """
    units = np.array(pd.factorize(column)[0], dtype=np.int64)
    missing = units < 0
    n_missing = int(missing.sum())
    if missing.all():
        raise DataRefused("data.units.none", unit=name)
    if n_missing:
        units[missing] = units.max() + 1 + np.arange(n_missing)
        what = Sentence.of("data.units.unknown")
        why = Sentence.of("data.units.missing", unit=name)
        log.append(CleanStep(what=what, n=n_missing, why=why))
    return units


def _copies(features: pd.DataFrame) -> NDArray[np.int64]:
    """Return for each row the number of its group of equal rows.

    PROVIDED a column is continuous: in a table of few categories equal rows are ordinary, and keeping
    them together would take every cell out of its own training data (PROTOCOL section 5.2). A
    column is if it has more than n/2 values. Where most rows are copies none has; there it takes
    two columns of many values, each with more than half as many as there are different rows.
    """
    n = len(features)
    n_values = sorted(features.nunique(dropna=False), reverse=True)
    grouped = features.groupby(list(features.columns), dropna=False, sort=False)
    groups = np.asarray(grouped.ngroup(), dtype=np.int64)
    many = max(_MANY_VALUES, (int(groups.max()) + 1) / 2)
    if n_values[0] > n / 2 or (len(n_values) > 1 and n_values[1] > many):
        return groups
    return np.arange(n)


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return units in which rows of one group, by either grouping, are together."""
    n_first = int(first.max()) + 1
    size = n_first + int(second.max()) + 1
    links = coo_array(
        (np.ones(len(first)), (first, n_first + second)), shape=(size, size)
    )
    component = connected_components(links, directed=False)[1][first]
    return np.asarray(pd.factorize(component)[0], dtype=np.int32)
