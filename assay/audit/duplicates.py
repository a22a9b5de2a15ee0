"""Copies: rows that a fold could part from their own copy, exact or nearly so (PROTOCOL section 5.2)."""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from assay.audit.columns import is_continuous
from assay.audit.kernel_ridge import prepared
from assay.audit.sentinel import Case, Finding
from assay.data.samples import Samples
from assay.store.records import Flag
from assay.store.seeds import generator_for
from assay.wording import Sentence

NAME, NEAR = "duplicates", "near_duplicates"
_N_ROWS_SHOWN = 10
_FEWEST_COLUMNS, _FEWEST_ROWS = 2, 50
_MOST_MISSING = 0.1
_MOST_COMPARED = 4_000
_FEWEST_COPIES, _LEAST_SHARE = 2, 0.005  # of the rows, from which exact copies alarm
_NEIGHBOURS = 20
_NO_ROWS = np.empty(0, dtype=np.int64)


def detect(case: Case) -> Finding:
    """Look for rows of different units that are alike; one alarm for all of them."""
    samples = case.samples
    features = samples.features
    continuous = [name for name in features.columns if is_continuous(features[name])]
    if not continuous and not samples.image:
        why = Sentence.of("audit.duplicates.few_values")
        return Finding.skipped(why, NAME, NEAR)
    exact = _exact(samples)
    if not continuous:
        why = Sentence.of("audit.duplicates.few_pixel_values")
        return Finding(_flags(exact, _NO_ROWS, samples), (NAME,), {NEAR: why})
    points, rows = _points(samples, continuous)
    if points.shape[1] < _FEWEST_COLUMNS or len(points) < _FEWEST_ROWS:
        why = Sentence.of(
            "audit.duplicates.too_small",
            n_columns=points.shape[1],
            n_rows=len(points),
            fewest_columns=_FEWEST_COLUMNS,
            fewest_rows=_FEWEST_ROWS,
        )
        return Finding(_flags(exact, _NO_ROWS, samples), (NAME,), {NEAR: why})
    compared = _compared(len(points), case.seed)
    p = near_copy_p_values(points, samples.unit_of_rows()[rows], compared)
    near = rows[compared[p <= case.plan.alarm / len(compared)]]
    not_looked_for = {}
    if len(compared) < len(points):
        not_looked_for[NEAR] = Sentence.of(
            "audit.duplicates.some_rows", n=len(compared), of=len(points)
        )
    return Finding(_flags(exact, near, samples), (NAME, NEAR), not_looked_for)


def _flags(
    exact: NDArray[np.int64], near: NDArray[np.int64], samples: Samples
) -> tuple[Flag, ...]:
    n = samples.n_rows
    evidence: list[Sentence] = []
    if len(exact) >= max(_FEWEST_COPIES, _LEAST_SHARE * n):
        key = "audit.duplicates.exact_apart"
        if samples.units is not None:
            key = "audit.duplicates.exact_together"
        evidence.append(Sentence.of(key, n=len(exact), of=n))
    if len(near) >= _FEWEST_COPIES:
        evidence.append(Sentence.of("audit.duplicates.near", n=len(near), of=n))
    if not evidence:
        return ()
    shown = sorted({*map(int, exact), *map(int, near)})[:_N_ROWS_SHOWN]
    return (
        Flag(
            sentinel=NAME,
            columns=(),
            rows=tuple(shown),
            evidence=evidence[0]
            if len(evidence) == 1
            else Sentence.of(
                "audit.duplicates.both", exact=evidence[0], near=evidence[1]
            ),
            answer=Sentence.of("audit.duplicates.answer"),
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
    names = [
        name for name in continuous if features[name].isna().mean() <= _MOST_MISSING
    ]
    whole = features[names].notna().all(axis=1) & ~features.duplicated()
    rows = np.flatnonzero(whole)
    if len(names) < _FEWEST_COLUMNS or len(rows) < _FEWEST_ROWS:
        return np.empty((len(rows), len(names))), rows
    return prepared(features[names].iloc[rows]).astype(np.float64), rows


def _compared(n: int, seed: int) -> NDArray[np.int64]:
    """Return which points are compared with all points: all of them, or 4,000."""
    if n <= _MOST_COMPARED:
        return np.arange(n)
    chosen = generator_for(seed, NEAR).permutation(n)[:_MOST_COMPARED]
    return np.sort(chosen)


def near_copy_p_values(
    points: NDArray[np.float64],
    units: NDArray[np.int32],
    compared: NDArray[np.int64],
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
    compared : shape (n_compared,)
        Points to compare with all.

    Returns
    -------
    array, shape (n_compared,)
        1 for points whose 180 nearest hold fewer than twenty of other units.
    """
    p = np.ones(len(compared))
    nearest = _nearest(points, units, compared)
    surrounded = np.isfinite(nearest).all(axis=1)
    if not surrounded.any():
        return p
    distance = np.maximum(nearest[surrounded], _resolution(points))
    d1, d2, d3 = distance[:, :3].T
    ratio = float(np.median(d2 / d1))
    everywhere = np.log(2) / np.log(ratio) if ratio > 1 else np.inf
    stretch = np.log(distance[:, -1:] / distance[:, 2:-1]).sum(axis=1)
    here = (_NEIGHBOURS - 4) / np.maximum(stretch, np.finfo(np.float64).tiny)
    dim = np.minimum(here, min(points.shape[1], everywhere))
    p[surrounded] = 1 - (1 - (d1 / d3) ** dim) ** 2
    return p


def _nearest(
    points: NDArray[np.float64], units: NDArray[np.int32], compared: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return distances to the twenty nearest points of other units, infinite where there are too few."""
    nearest = np.full((len(compared), _NEIGHBOURS), np.inf)
    index = NearestNeighbors(algorithm="brute").fit(points)
    waiting = np.arange(len(compared))
    for k in (_NEIGHBOURS + 1, 3 * _NEIGHBOURS, 9 * _NEIGHBOURS):
        here = compared[waiting]
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
