"""Split: outer folds for each repeat, inner folds inside each outer training part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from assay.errors import DataRefused
from assay.plans import SplitPlan
from assay.records import Cleaned, Ref, Split
from assay.seeds import seed_for

_MANY_ROWS, _REPEATS, _REPEATS_OF_FEW = 500, 3, 5  # PROTOCOL section 1, measured in T6


@dataclass(frozen=True)
class Folds:
    """Fold numbers of every row.

    Attributes
    ----------
    outer : shape (repeats, n_rows)
        The outer fold in whose test part a row lies, once per repeat.
    inner : shape (repeats, folds, n_rows)
        The inner fold of each row of an outer training part; -1 for the rows of its test part.
    """

    outer: NDArray[np.int16]
    inner: NDArray[np.int16]

    def record(self, outer: Ref, inner: Ref) -> Split:
        """Describe the folds once they are stored."""
        repeats, folds, _ = self.inner.shape
        return Split(
            outer=outer,
            inner=inner,
            repeats=repeats,
            folds=folds,
            inner_folds=int(self.inner.max()) + 1,
        )


def stratified_folds(
    labels: NDArray[np.int32], cleaned: Cleaned, plan: SplitPlan, seed: int
) -> Folds:
    """Draw shuffled folds in which every class has its share.

    Given the folds, every arrangement of labels with the same class counts per fold is equally
    likely under chance; the gate's permutations inside test folds rest on this (PROTOCOL step 2).

    Raises
    ------
    DataRefused
        If the rarest class cannot be in every fold.
    """
    _check_counts(cleaned, plan)
    repeats = plan.repeats or (
        _REPEATS if len(labels) >= _MANY_ROWS else _REPEATS_OF_FEW
    )
    outer = np.empty((repeats, len(labels)), dtype=np.int16)
    inner = np.full((repeats, plan.folds, len(labels)), -1, dtype=np.int16)
    for repeat in range(repeats):
        outer[repeat] = _assign(labels, plan.folds, seed_for(seed, "outer", repeat))
        for fold in range(plan.folds):
            train = np.flatnonzero(outer[repeat] != fold)
            inner[repeat, fold, train] = _assign(
                labels[train], plan.inner_folds, seed_for(seed, "inner", repeat, fold)
            )
    return Folds(outer, inner)


def _check_counts(cleaned: Cleaned, plan: SplitPlan) -> None:
    rarest = int(np.argmin(cleaned.counts))
    n = cleaned.counts[rarest]
    if n < plan.folds:
        raise DataRefused(
            f"The rarest class, '{cleaned.classes[rarest]}', has {n} rows; {plan.folds} outer folds need at least "
            f"{plan.folds}. Lower split.folds, or leave the class out."
        )
    left = n - -(-n // plan.folds)
    if left < plan.inner_folds:
        raise DataRefused(
            f"The rarest class, '{cleaned.classes[rarest]}', has {n} rows, so an outer training part can hold as few "
            f"as {left}; {plan.inner_folds} inner folds need {plan.inner_folds}. Lower split.inner_folds or split.folds."
        )


def _assign(labels: NDArray[np.int32], folds: int, seed: int) -> NDArray[np.int16]:
    """Return the fold number of each row."""
    number = np.empty(len(labels), dtype=np.int16)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(len(labels)), labels)):
        number[test] = fold
    return number
