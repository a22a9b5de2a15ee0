"""Learning curve: nested subsets of an outer training part, to see what a model learns from fewer rows.

A larger subset contains every smaller one. Whole units are drawn, stratified by class and inner fold;
of rows in time those nearest to the test part, as if the record were shorter.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from assay.data.blocks import in_blocks
from assay.data.permute import first_rows
from assay.data.samples import Samples
from assay.errors import DataRefused
from assay.models.training_part import TEST
from assay.store.seeds import generator_for

LEFT_OUT = -2
_MIN_ROWS, _MIN_CLASS = 40, 10

Inner = NDArray[np.int16]


def training_subset(
    samples: Samples, inner: Inner, share: Fraction, seed: int
) -> Inner:
    """Return the inner folds of a subset of the training part; its other rows are in neither part.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row; -1 marks the test part, -2 rows in neither.
    share
        Above 0; 1 is the whole part, as it is.

    Raises
    ------
    DataRefused
        If the subset has fewer than 40 rows or 10 of a class, an inner fold without rows, or an inner
        fold with all rows of a class.
    """
    if share >= 1:
        return inner
    kept = (
        _drawn(samples, inner, share, seed)
        if samples.times is None
        else _nearest(inner, share)
    )
    subset = np.where(kept | (inner == TEST), inner, LEFT_OUT).astype(np.int16)
    n_folds = int(inner.max()) + 1
    if samples.times is not None:
        _split_in_time(subset, samples.times, n_folds)
    _check(samples, subset, n_folds)
    return subset


def _split_in_time(subset: Inner, times: NDArray[np.int32], n_folds: int) -> None:
    """Split the remaining rows into inner folds, the latest first, as ``split`` does."""
    rows = np.flatnonzero(subset >= 0)
    try:
        subset[rows] = n_folds - 1 - in_blocks(times[rows], n_folds, "")
    except DataRefused:
        raise DataRefused("models.subset.few_times") from None


def _drawn(
    samples: Samples, inner: Inner, share: Fraction, seed: int
) -> NDArray[np.bool_]:
    """Return the rows of whole units, the same share of each inner fold and class.

    The units of a stratum get evenly spaced places in [0, 1), in random order and from a random start;
    those below the share are taken, so that a larger share takes them too.
    """
    units = samples.unit_of_rows()
    firsts = first_rows(units)
    classes = samples.labels[firsts] if samples.task != "regression" else 0 * firsts
    strata = np.stack([inner[firsts].astype(np.int64), classes])
    _, stratum = np.unique(strata, axis=1, return_inverse=True)
    places, generator = np.empty(len(firsts)), generator_for(seed, "portion")
    for number in range(int(stratum.max()) + 1):
        members = generator.permutation(np.flatnonzero(stratum == number))
        first = generator.random()
        places[members] = (np.arange(len(members)) + first) / len(members)
    return np.asarray((places[units] < float(share)) & (inner >= 0))


def _nearest(inner: Inner, share: Fraction) -> NDArray[np.bool_]:
    """Return the rows of the training part nearest to the test part, by the order they come in."""
    test, rows = np.flatnonzero(inner == TEST), np.flatnonzero(inner >= 0)
    away = np.maximum(test[0] - rows, rows - test[-1])
    kept = np.zeros(len(inner), dtype=bool)
    kept[rows[np.argsort(away, kind="stable")[: round(len(rows) * share)]]] = True
    return kept


def _check(samples: Samples, inner: Inner, n_folds: int) -> None:
    rows = np.flatnonzero(inner >= 0)
    if len(rows) < _MIN_ROWS:
        raise DataRefused("models.subset.few_rows", n=len(rows), need=_MIN_ROWS)
    if len(np.unique(inner[rows])) < n_folds:
        raise DataRefused("models.subset.empty_fold")
    if samples.task == "regression":
        return
    counts = np.zeros((n_folds, len(samples.classes)), dtype=np.int64)
    np.add.at(counts, (inner[rows], samples.labels[rows]), 1)
    of_class = counts.sum(axis=0)
    if of_class.min() < _MIN_CLASS:
        raise DataRefused(
            "models.subset.few_of_class",
            name=samples.classes[int(of_class.argmin())],
            n=int(of_class.min()),
            need=_MIN_CLASS,
        )
    if (of_class == counts).any():
        raise DataRefused("models.subset.class_in_one_fold")
