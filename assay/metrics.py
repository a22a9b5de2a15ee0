"""Scores and losses of one test part, and what each row adds to them.

Predictions of classes are probabilities, shape ``(n_rows, n_classes)``, columns in code order;
those of a number have shape ``(n_rows, 1)``. A prediction that is not finite raises a ValueError
everywhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from assay.store.records import Metric, Task
from assay.study.plans import LOSSES

Labels = NDArray[Any]  # int32 class codes, or float64 values of a regression target
Predictions = NDArray[np.float64]

# Keras's own epsilon: float32 probabilities are no more accurate than that.
EPSILON = 1e-7


# Scores of one part ----------------------------------------------------------------------------


def score(metric: Metric, labels: Labels, predictions: Predictions) -> float:
    """Return a metric on one test part, in its own direction.

    ``auc``, ``accuracy`` and ``r2`` are best high, the losses best low (see :func:`goodness`).

    - ``log_loss``: mean negative natural logarithm of the true class's probability, which is taken
      as at least ``EPSILON``.
    - ``brier``: mean over rows of the sum over classes of squared differences (Brier 1950), halved
      for two classes so that it is the squared error of one probability, as in scikit-learn.
    - ``r2``: ``1 - MSE / variance of these labels about their own mean``.

    Returns
    -------
    float
        NaN where the metric is undefined: ``auc`` of rows of one class, ``r2`` of equal labels.
    """
    if metric == "auc":
        return auc(labels, predictions)
    values = _row_values(metric, labels, predictions)
    if metric == "r2":
        return 1 - float(values.mean() / labels.var()) if np.ptp(labels) else np.nan
    return float(values.mean())


def goodness(metric: Metric, labels: Labels, predictions: Predictions) -> float:
    """Return :func:`score`, negated for losses: higher is always better."""
    value = score(metric, labels, predictions)
    return -value if metric in LOSSES else value


def chance_score(metric: Metric, labels: Labels) -> float:
    """Return the score of the best predictor that ignores the features.

    It predicts the most common class (``accuracy``), the classes' shares (``log_loss``, ``brier``),
    the mean (``r2``, ``squared_error``) or the median (``absolute_error``) of these labels. AUC does
    not depend on class balance: one half.
    """
    if metric == "auc":
        return 0.5
    best: NDArray[np.float64]
    if metric in ("accuracy", "log_loss", "brier"):
        best = np.bincount(labels) / len(labels)
    else:
        center = np.median(labels) if metric == "absolute_error" else labels.mean()
        best = np.array([float(center)])
    return score(metric, labels, np.tile(best, (len(labels), 1)))


def _row_values(
    metric: Metric, labels: Labels, predictions: Predictions
) -> NDArray[np.float64]:
    """Return the score or loss of each row; squared errors for ``r2``."""
    _check_finite(predictions)
    values: NDArray[np.float64]
    rows = np.arange(len(labels))
    if metric == "accuracy":
        values = (predictions.argmax(axis=1) == labels).astype(float)
    elif metric == "log_loss":
        values = -np.log(np.maximum(predictions[rows, labels], EPSILON))
    elif metric == "brier":
        truth = np.zeros_like(predictions)
        truth[rows, labels] = 1.0
        halved = 0.5 if predictions.shape[1] == 2 else 1.0
        values = halved * ((predictions - truth) ** 2).sum(axis=1)
    elif metric == "absolute_error":
        values = np.abs(labels - predictions[:, 0])
    else:
        values = (labels - predictions[:, 0]) ** 2
    return values


def _check_finite(predictions: Predictions) -> None:
    if not np.isfinite(predictions).all():
        raise ValueError("a prediction is not finite")


# The statistic of the gate and the self-test -----------------------------------------------------------


def statistic(labels: Labels, predictions: Predictions, task: Task) -> float:
    """Return what is compared with chance: :func:`auc` of classes, :func:`spearman` of a number."""
    if task == "regression":
        return spearman(labels, predictions)
    return auc(labels, predictions)


def auc(labels: Labels, predictions: Predictions) -> float:
    """Return the area under the ROC curve; for more than two classes the macro one-vs-rest mean.

    Ties count half (Mann & Whitney 1947). Classes without both members and others in these rows
    are left out of the mean; NaN if the rows are all of one class.

    Examples
    --------
    >>> p = np.array([0.1, 0.4, 0.35, 0.8])
    >>> auc(np.array([0, 0, 1, 1], dtype=np.int32), np.column_stack([1 - p, p]))
    0.75
    """
    _check_finite(predictions)
    areas = [
        _rank_auc(labels == k, predictions[:, k])
        for k in _compared(labels, predictions.shape[1])
    ]
    return float(np.mean(areas)) if areas else np.nan


def spearman(labels: Labels, predictions: Predictions) -> float:
    """Return Spearman's rank correlation, ties at their mean rank; 0 where either is constant.

    Examples
    --------
    >>> spearman(np.array([1.0, 2.0, 4.0]), np.array([[0.1], [0.3], [0.2]]))
    0.5
    """
    _check_finite(predictions)
    if not np.ptp(labels) or not np.ptp(predictions[:, 0]):
        return 0.0
    return float(np.corrcoef(rankdata(labels), rankdata(predictions[:, 0]))[0, 1])


def _compared(labels: Labels, n_classes: int) -> list[int]:
    """Return the classes whose one-vs-rest curves are averaged: the second of two, or all present."""
    present = np.flatnonzero(np.bincount(labels, minlength=n_classes))
    if len(present) < 2:
        return []
    return [1] if n_classes == 2 else [int(k) for k in present]


def _rank_auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


# Contributions of rows ----------------------------------------------------------------------


def row_parts(
    metric: Metric,
    labels: Labels,
    predictions: Predictions,
    folds: NDArray[np.integer[Any]],
    units: NDArray[np.integer[Any]],
) -> NDArray[np.float64]:
    """Return the contribution of each tested row of a repeat to its score, in the metric's own direction.

    Their mean is the score of the repeat: over rows, or for ``auc`` over folds. Their variance
    estimates that of the score over other rows:

    - A score or loss of single rows is its own contribution.
    - ``r2``: ``1 - e_i^2/v + (MSE/v) ((y_i - mean)^2/v - 1)``, v the variance of all tested labels:
      the last term, whose mean is 0, accounts for the rows' effect on v (the delta method).
    - ``auc``: DeLong's structural components of each fold (DeLong, DeLong & Clarke-Pearson 1988),
      weighted as the fold is in the mean of k: ``AUC + c (V10_i - AUC) N / (k n1)`` for positives and
      ``AUC + c (V01_i - AUC) N / (k n0)`` for the others (PROTOCOL step 4), averaged over
      one-vs-rest problems and centred. ``c = sqrt((u - 1) / u) / (1 - w)`` for a row whose unit
      holds the share w of the rows on its side, u units on the side: one unit left out at a time.
      For rows it is ``sqrt(n / (n - 1))``, which makes the variance DeLong's. A fold of one class
      contributes nothing.

    Parameters
    ----------
    labels : shape (n_tested,)
    predictions : shape (n_tested, n_classes) or (n_tested, 1)
    folds : shape (n_tested,)
        The outer fold each row was tested in.
    units : shape (n_tested,)

    Returns
    -------
    array, shape (n_tested,)
    """
    if metric == "auc":
        return _auc_parts(labels, predictions, folds, units)
    values = _row_values(metric, labels, predictions)
    if metric != "r2":
        return values
    spread = labels.var()
    ratio = values.mean() / spread
    from_mean = (labels - labels.mean()) ** 2 / spread
    parts: NDArray[np.float64] = 1 - values / spread + ratio * (from_mean - 1)
    return parts


def _auc_parts(
    labels: Labels,
    predictions: Predictions,
    folds: NDArray[np.integer[Any]],
    units: NDArray[np.integer[Any]],
) -> NDArray[np.float64]:
    _check_finite(predictions)
    parts, areas = np.zeros(len(labels)), []
    for fold in np.unique(folds):
        rows = folds == fold
        classes = _compared(labels[rows], predictions.shape[1])
        if not classes:
            continue
        curves = [
            _delong(labels[rows] == k, predictions[rows, k], units[rows])
            for k in classes
        ]
        parts[rows] = np.mean([components for components, _ in curves], axis=0)
        areas.append(float(np.mean([area for _, area in curves])))
    if not areas:
        raise ValueError("no fold has rows of two classes")
    parts *= len(labels) / len(areas)
    centred: NDArray[np.float64] = np.mean(areas) + parts - parts.mean()
    return centred


def _delong(
    positive: NDArray[np.bool_],
    scores: NDArray[np.float64],
    units: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.float64], float]:
    """Return ``c (V - AUC) / n`` for each row, n being the rows of its own side, and the AUC.

    The midrank form of Sun & Xu (2014): V10 and V01 from ranks within and across the two sides.
    """
    overall, parts = rankdata(scores), np.empty(len(positive))
    for side, sign in ((positive, 1), (~positive, -1)):
        n, n_other = int(side.sum()), int((~side).sum())
        share = sign * (overall[side] - rankdata(scores[side])) / n_other
        parts[side] = _left_out(units[side]) * (share - share.mean()) / n
    return parts, _rank_auc(positive, scores)


def _left_out(units: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return ``sqrt((u - 1) / u) / (1 - w)`` for each row; 1 where there is one unit."""
    _, number, sizes = np.unique(units, return_inverse=True, return_counts=True)
    n_units = len(sizes)
    if n_units < 2:
        return np.ones(len(units))
    factors: NDArray[np.float64] = np.sqrt((n_units - 1) / n_units) / (
        1 - sizes / len(units)
    )
    return factors[number]


# Power -----------------------------------------------------------------------------


def detectable_auc(
    n_positive: int, n_negative: int, alpha: float, power: float = 0.8
) -> float:
    """Return about the smallest AUC that the gate detects on so many rows with ``power``.

    Normal approximation of the Mann-Whitney statistic, its standard error widened by the factor
    1.25 measured for the dependence between folds (PROTOCOL pitfall 10).

    Examples
    --------
    >>> round(detectable_auc(250, 250, alpha=0.05), 2)
    0.58
    """
    error = 1.25 * np.sqrt(
        (n_positive + n_negative + 1) / (12 * n_positive * n_negative)
    )
    return float(min(1.0, 0.5 + (norm.ppf(1 - alpha) + norm.ppf(power)) * error))


def detectable_spearman(n: int, alpha: float, power: float = 0.8) -> float:
    """Return about the smallest rank correlation that the gate detects on so many rows with ``power``.

    Normal approximation, the standard error ``1 / sqrt(n - 1)`` widened by 1.3, as measured for the
    out-of-fold predictions of ridge regression on noise (``tests/test_metrics.py``).

    Examples
    --------
    >>> round(detectable_spearman(500, alpha=0.05), 2)
    0.14
    """
    error = 1.3 / np.sqrt(n - 1)
    return float(min(1.0, (norm.ppf(1 - alpha) + norm.ppf(power)) * error))
