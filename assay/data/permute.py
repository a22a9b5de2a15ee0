"""Permute: relabellings of the rows that are all equally likely under chance.

Which ones are depends on how rows belong together and on how the folds were drawn; the chance
gate is exact only where the two fit (PROTOCOL steps 1-2, T1 and T9).

========================  =========================================  ==========================
rows                      folds (see ``split``)                      relabelling
========================  =========================================  ==========================
independent, classes      stratified by label                        inside each test fold
independent, a number     drawn without a look at labels             over all rows
units, one label each     as rows, of units                          labels of whole units
units, labels mixed       spread by the classes each unit holds      whole label vectors between
                                                                     units of equal size in a fold,
                                                                     turned inside each unit
ordered in time           in time                                    circular shift of 10-90 %
========================  =========================================  ==========================

Given folds that were stratified by a property of the labels, every arrangement that leaves each
fold's share of that property as it is is equally likely; hence "inside each test fold".

Labels inside a unit are turned in a circle rather than permuted. Both are exact where the rows of
a unit come in no order. Where they are a series (phi .9, 30 units of 10-39 rows, R = 1000) turning
kept the type-I error at .060 of a nominal .05; permuting gave .159.
"""

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels, Samples
from assay.store.seeds import generator_for

_LEAST_SHIFT = 0.1  # of the rows, in either direction (PROTOCOL step 2)


def relabelled(
    samples: Samples, folds: NDArray[np.int16], seed: int, number: int
) -> Labels:
    """Return relabelling ``number``, whatever other numbers are drawn.

    Parameters
    ----------
    folds : shape (n_rows,)
        The test fold of each row, drawn by ``split``.
    number
        From 0. Of ordered rows, different numbers below :func:`n_shifts` are different shifts.

    Returns
    -------
    array, shape (n_rows,)
        The labels of ``samples`` in another order.
    """
    if samples.times is not None:
        return _shifted(samples.labels, seed, number)
    generator = generator_for(seed, "permutation", number)
    strata = _strata(samples, folds)
    if samples.units is None:
        return _between_rows(samples.labels, strata, generator)
    if has_one_label_each(samples.labels, samples.units):
        return _between_constant_units(samples, strata, generator)
    return _between_mixed_units(samples, strata, generator)


def _strata(samples: Samples, folds: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return what relabelling stays inside of: folds that looked at labels, else everything."""
    return folds if samples.task != "regression" else np.zeros_like(folds)


def has_one_label_each(labels: Labels, units: NDArray[np.int32]) -> bool:
    """Return whether no unit has rows of two labels."""
    first = labels[first_rows(units)]
    return bool(np.array_equal(first[units], labels))


def first_rows(units: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the first row of each unit, units numbered from 0."""
    return np.unique(units, return_index=True)[1]


def _between_rows(
    labels: Labels, strata: NDArray[np.int16], generator: np.random.Generator
) -> Labels:
    permuted = labels.copy()
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        permuted[rows] = labels[generator.permutation(rows)]
    return permuted


def n_shifts(n_rows: int) -> int:
    """Return how many circular shifts there are to draw from."""
    return len(_shifts(n_rows))


def _shifts(n_rows: int) -> range:
    least = max(1, round(_LEAST_SHIFT * n_rows))
    return range(least, n_rows - least + 1)


def _shifted(labels: Labels, seed: int, number: int) -> Labels:
    """Shift the series round in a circle, which keeps what neighbours in time have in common.

    Shifts are drawn without replacement: there are few, none is the true order, and the second
    draw of one would count the same evidence twice. After the last they begin again.
    """
    shifts = generator_for(seed, "shifts").permutation(_shifts(len(labels)))
    shifted: Labels = np.roll(labels, int(shifts[number % len(shifts)]))
    return shifted


def _between_constant_units(
    samples: Samples, strata: NDArray[np.int16], generator: np.random.Generator
) -> Labels:
    units = samples.unit_of_rows()
    firsts = first_rows(units)
    permuted = _between_rows(samples.labels[firsts], strata[firsts], generator)
    spread: Labels = permuted[units]
    return spread


def _between_mixed_units(
    samples: Samples, strata: NDArray[np.int16], generator: np.random.Generator
) -> Labels:
    units, kinds = samples.unit_of_rows(), _stratum_and_size(samples, strata)
    sizes, n_units = kinds[1], kinds.shape[1]
    order = np.argsort(units, kind="stable")  # rows unit by unit, as the file has them
    starts = np.cumsum(sizes) - sizes
    place = np.arange(len(units)) - np.repeat(starts, sizes)
    giver = np.empty(n_units, dtype=np.int64)
    giver[np.lexsort(kinds)] = np.lexsort((generator.random(n_units), *kinds))
    turn = generator.integers(sizes)
    owner = units[order]
    source = starts[giver[owner]] + (place + turn[owner]) % sizes[owner]
    permuted = np.empty_like(samples.labels)
    permuted[order] = samples.labels[order[source]]
    return permuted


def n_alone(samples: Samples, folds: NDArray[np.int16]) -> int:
    """Return how many rows lie in units that no other can exchange labels with.

    Units of mixed labels whose size no other unit of their fold has: relabelling only turns their
    labels, so that what such a unit has in common stays where it is.
    """
    if samples.units is None or has_one_label_each(samples.labels, samples.units):
        return 0
    kinds = _stratum_and_size(samples, _strata(samples, folds))
    distinct, n_units = np.unique(kinds, axis=1, return_counts=True)
    return int(distinct[1, n_units == 1].sum())


def _stratum_and_size(samples: Samples, strata: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return what units that may exchange labels have in common, shape (2, n_units)."""
    units = samples.unit_of_rows()
    return np.stack([strata[first_rows(units)].astype(np.int64), np.bincount(units)])
