"""Copies: rows that a fold could part from their own copy, exact or nearly so (PROTOCOL section 5.2)."""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from assay.audit.columns import is_continuous
from assay.audit.finding import Look
from assay.audit.kernel_ridge import prepared
from assay.data.samples import Samples
from assay.store.records import Flag
from assay.store.seeds import generator_for
from assay.study.plans import AuditPlan

NAME, NEAR = "duplicates", "near_duplicates"
_N_ROWS_SHOWN = 10
_FEWEST_COLUMNS, _FEWEST_ROWS = 2, 50
_MOST_MISSING = 0.1
_MOST_ASKED = 4_000
_NEIGHBOURS = 20


def look(samples: Samples, plan: AuditPlan, seed: int) -> Look:
    """Look for rows of different units that are alike; one alarm for all of them."""
    continuous = [
        name
        for name in samples.features.columns
        if is_continuous(samples.features[name])
    ]
    if not continuous and samples.image:
        why = (
            "pixels of few values: images are told apart by all of them, or not at all"
        )
        exact = _exact(samples)
        return Look(_flags(exact, exact[:0], samples), (NAME,), {NEAR: why})
    if not continuous:
        why = (
            "no column is continuous; in a table of few levels equal rows are ordinary"
        )
        return Look(not_looked_for={NAME: why, NEAR: why})
    exact = _exact(samples)
    points, rows = _points(samples, continuous)
    if points.shape[1] < _FEWEST_COLUMNS or len(points) < _FEWEST_ROWS:
        why = (
            f"{points.shape[1]} continuous columns in {len(points)} rows without gaps; {_FEWEST_COLUMNS} and "
            f"{_FEWEST_ROWS} are needed"
        )
        return Look(_flags(exact, exact[:0], samples), (NAME,), {NEAR: why})
    asked = _asked(len(points), seed)
    p = near_copy_p_values(points, samples.unit_of_rows()[rows], asked)
    near = rows[asked[p <= plan.alarm / len(asked)]]
    remark = (
        {NEAR: f"{len(asked):,} of {len(points):,} rows were compared with all"}
        if len(asked) < len(points)
        else {}
    )
    return Look(_flags(exact, near, samples), (NAME, NEAR), remark)


def _flags(
    exact: NDArray[np.int64], near: NDArray[np.int64], samples: Samples
) -> tuple[Flag, ...]:
    n = samples.n_rows
    said = []
    if len(exact) >= max(2.0, 0.005 * n):
        parted = "folds can part" if samples.units is None else "folds keep together"
        said.append(
            f"{len(exact)} of {n} rows are exact copies of earlier ones, which {parted}"
        )
    if len(near) >= 2:
        said.append(
            f"{len(near)} of {n} rows lie closer to another row than rows do by chance, and folds can part the two"
        )
    if not said:
        return ()
    shown = sorted({*map(int, exact), *map(int, near)})[:_N_ROWS_SHOWN]
    return (
        Flag(
            sentinel=NAME,
            columns=(),
            rows=tuple(shown),
            evidence="; ".join(said),
            answer=(
                "If they are one thing recorded twice, set clean.duplicates = 'drop' (exact copies) or declare what they "
                "share as unit = '...'. If they are separate observations, add {sentinel = 'duplicates', reason = '...'} "
                "to audit.accept."
            ),
        ),
    )


def _exact(samples: Samples) -> NDArray[np.int64]:
    """Return rows that equal an earlier row, of another declared unit where units are declared."""
    features = samples.features
    group = (
        features.groupby(list(features.columns), dropna=False, sort=False)
        .ngroup()
        .to_numpy()
    )
    first = np.unique(group, return_index=True)[1][group]
    if samples.unit not in samples.aside.columns:
        return np.flatnonzero(first != np.arange(samples.n_rows))
    declared = samples.aside[samples.unit].astype(object)
    other = declared.ne(declared.iloc[first].set_axis(declared.index))
    return np.flatnonzero(other & (first != np.arange(samples.n_rows)))


# Near copies -----------------------------------------------------------------------------------


def _points(
    samples: Samples, continuous: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scaled continuous columns of rows without gaps, exact copies once, and which rows."""
    features = samples.features
    known = [
        name for name in continuous if features[name].isna().mean() <= _MOST_MISSING
    ]
    whole = features[known].notna().all(axis=1) & ~features.duplicated()
    rows = np.flatnonzero(whole)
    if len(known) < _FEWEST_COLUMNS or len(rows) < _FEWEST_ROWS:
        return np.empty((len(rows), len(known))), rows
    return prepared(features[known].iloc[rows]).astype(np.float64), rows


def _asked(n: int, seed: int) -> NDArray[np.int64]:
    """Return which points are compared with all points: all of them, or 4,000."""
    if n <= _MOST_ASKED:
        return np.arange(n)
    chosen = generator_for(seed, NEAR).permutation(n)[:_MOST_ASKED]
    return np.sort(chosen)


def near_copy_p_values(
    points: NDArray[np.float64],
    units: NDArray[np.int32],
    asked: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return how likely each point's nearest neighbour is as near as it is by chance.

    Where points are scattered evenly at the scale of a few neighbours, the two nearest lie anywhere
    in the ball out to the third: ``p = 1 - (1 - (d1 / d3)**dim)**2``. The dimension is the smallest
    of three: the columns'; that of all points' two nearest (Facco et al. 2017),
    ``ln 2 / ln median(d2 / d1)``; that of the point's own third to twentieth (Levina & Bickel 2005),
    since points may lie on a line here and fill the space there. Points of one unit are no
    neighbours. A distance below what rounding leaves open counts as that: two values on a grid of
    step g differ by ``g / sqrt(6)`` in the root mean square.

    Parameters
    ----------
    points : shape (n_points, n_columns)
    units : shape (n_points,)
    asked : shape (n_asked,)
        Points to compare with all.

    Returns
    -------
    array, shape (n_asked,)
        1 for points whose 180 nearest hold fewer than twenty of other units.
    """
    p = np.ones(len(asked))
    nearest = _nearest(points, units, asked)
    found = np.isfinite(nearest).all(axis=1)
    if not found.any():
        return p
    distance = np.maximum(nearest[found], _resolution(points))
    d1, d2, d3 = distance[:, :3].T
    ratio = float(np.median(d2 / d1))
    everywhere = np.log(2) / np.log(ratio) if ratio > 1 else np.inf
    stretch = np.log(distance[:, -1:] / distance[:, 2:-1]).sum(axis=1)
    here = (_NEIGHBOURS - 4) / np.maximum(stretch, np.finfo(np.float64).tiny)
    dim = np.minimum(here, min(points.shape[1], everywhere))
    p[found] = 1 - (1 - (d1 / d3) ** dim) ** 2
    return p


def _nearest(
    points: NDArray[np.float64], units: NDArray[np.int32], asked: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return distances to the twenty nearest points of other units, infinite where too few were found."""
    nearest = np.full((len(asked), _NEIGHBOURS), np.inf)
    index = NearestNeighbors(algorithm="brute").fit(points)
    waiting = np.arange(len(asked))
    for k in (_NEIGHBOURS + 1, 3 * _NEIGHBOURS, 9 * _NEIGHBOURS):
        here = asked[waiting]
        distance, neighbour = index.kneighbors(
            points[here], n_neighbors=min(k, len(points))
        )
        distance[units[neighbour] == units[here][:, None]] = np.inf
        nearest[waiting] = np.sort(distance, axis=1)[:, :_NEIGHBOURS]
        waiting = waiting[~np.isfinite(nearest[waiting]).all(axis=1)]
        if not len(waiting) or k >= len(points):
            break
    return nearest


def _resolution(points: NDArray[np.float64]) -> float:
    """Return the distance that rounding leaves open, from the usual step between values of a column."""
    steps = [np.median(np.diff(np.unique(column))) for column in points.T]
    return float(np.sqrt(np.sum(np.square(steps)) / 6))
