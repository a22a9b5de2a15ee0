"""Contributions of each row, fold and repeat to every model's score, and the intervals that follow.

PROTOCOL step 4. A gain is positive where the net is better, whether the metric is a score or a loss.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Samples
from assay.judge.intervals import Interval, clt_split, nadeau_bengio
from assay.metrics import row_parts, score
from assay.store.records import Metric
from assay.study.plans import LOSSES, Judging

DEEP = "net"
# For each model, repeat and outer fold: class probabilities, or numbers of shape (n_test, 1).
Predictions = Mapping[str, Sequence[Sequence[NDArray[np.float64]]]]


class Contributions:
    """Every model's scores and row contributions on the same folds; rows never tested are left out."""

    def __init__(
        self,
        samples: Samples,
        outer: NDArray[np.int16],
        predictions: Predictions,
        plan: Judging,
        test_share: float,
    ) -> None:
        tested = outer[0] >= 0
        self.labels, self.folds = samples.labels[tested], outer[:, tested]
        self.units = None if samples.units is None else samples.units[tested]
        self.plan, self.test_share = plan, test_share
        self.parts: dict[str, NDArray[np.float64]] = {}
        self.fold_scores: dict[str, NDArray[np.float64]] = {}
        for name, by_repeat in predictions.items():
            self._add(name, by_repeat)

    def _add(
        self, name: str, by_repeat: Sequence[Sequence[NDArray[np.float64]]]
    ) -> None:
        metric, n = self.plan.metric, len(self.labels)
        units = np.arange(n) if self.units is None else self.units
        parts = np.empty((n, len(self.folds)))
        scores = np.empty((len(self.folds), len(by_repeat[0])))
        for j, (folds, by_fold) in enumerate(zip(self.folds, by_repeat, strict=True)):
            whole = np.empty((n, by_fold[0].shape[1]))
            for f, predicted in enumerate(by_fold):
                whole[folds == f] = predicted
                scores[j, f] = score(metric, self.labels[folds == f], predicted)
            parts[:, j] = row_parts(metric, self.labels, whole, folds, units)
        self.parts[name], self.fold_scores[name] = parts, scores

    def interval(self, name: str) -> Interval:
        """Return the interval of a model's score, in the metric's own direction."""
        return self._interval(self.parts[name], self._fold_values(name))

    def gain(self, name: str) -> Interval:
        """Return the interval of the net's gain over a model, positive where the net is better."""
        sign = -1 if self.plan.metric in LOSSES else 1
        return self._interval(
            sign * (self.parts[DEEP] - self.parts[name]),
            sign * (self._fold_values(DEEP) - self._fold_values(name)),
        )

    def _fold_values(self, name: str) -> NDArray[np.float64]:
        """Return what the interval of one repeat rests on: the AUC of each fold that has one, or mean parts."""
        if self.plan.metric == "auc":
            scores = self.fold_scores[name][0]
            finite: NDArray[np.float64] = scores[np.isfinite(scores)]
            return finite
        folds, parts = self.folds[0], self.parts[name][:, 0]
        means: NDArray[np.float64] = np.bincount(folds, parts) / np.bincount(folds)
        return means

    def _interval(
        self, parts: NDArray[np.float64], fold_values: NDArray[np.float64]
    ) -> Interval:
        if parts.shape[1] > 1:
            return clt_split(parts, self.plan.alpha, self.units)
        return nadeau_bengio(fold_values, self.test_share, len(parts), self.plan.alpha)


def share_tested(folds: NDArray[np.int16], *, forward: bool) -> float:
    """Return the test rows per training row of one repeat, the mean over its folds.

    Rows of a gap count as training rows: nothing here says which they were, and they are few.
    """
    shares = []
    for fold in range(int(folds.max()) + 1):
        test = np.flatnonzero(folds == fold)
        n_train = int(test[0]) if forward else len(folds) - len(test)
        shares.append(len(test) / n_train)
    return float(np.mean(shares))


def is_comparable(samples: Samples, outer: NDArray[np.int16], metric: Metric) -> bool:
    """Return whether every repeat has an AUC in two folds at least; other metrics always do."""
    if metric != "auc":
        return True
    pairs = [
        np.unique(np.column_stack([folds, samples.labels])[folds >= 0], axis=0)
        for folds in outer
    ]
    return all(np.count_nonzero(np.bincount(pair[:, 0]) > 1) > 1 for pair in pairs)
