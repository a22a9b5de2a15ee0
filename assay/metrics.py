"""Scores, and what each row contributes to them.

A metric is the name of a score; higher is better. Probabilities have shape
``(n_rows, n_classes)``; the columns are the classes in code order.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from assay.records import Metric

Probabilities = NDArray[np.float64]
Labels = NDArray[np.int32]


def chance_score(metric: Metric, labels: Labels) -> float:
    """Return the score of a predictor that ignores the features.

    .5 for AUC, which does not depend on class balance; the share of the commonest class for
    accuracy, since always naming it is what ignoring the features can reach.
    """
    if metric == "auc":
        return 0.5
    return float(np.bincount(labels).max() / len(labels))


def score(metric: Metric, labels: Labels, probabilities: Probabilities) -> float:
    """Return the score of one test part."""
    return (
        auc(labels, probabilities)
        if metric == "auc"
        else accuracy(labels, probabilities)
    )


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Return the share of rows whose most probable class is the true one; ties go to the first."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def auc(labels: Labels, probabilities: Probabilities) -> float:
    """Return the area under the ROC curve; for more than two classes the macro one-vs-rest mean.

    Ties count half (Mann & Whitney 1947). Classes without both members and others in these rows
    are left out of the mean.

    Raises
    ------
    ValueError
        If fewer than two classes are present, or a probability is not finite.

    Examples
    --------
    >>> p = np.array([0.1, 0.4, 0.35, 0.8])
    >>> auc(np.array([0, 0, 1, 1], dtype=np.int32), np.column_stack([1 - p, p]))
    0.75
    """
    if not np.isfinite(probabilities).all():
        raise ValueError("a prediction is not finite")
    return float(
        np.mean(
            [
                _rank_auc(labels == k, probabilities[:, k])
                for k in _compared(labels, probabilities)
            ]
        )
    )


def _compared(labels: Labels, probabilities: Probabilities) -> list[int]:
    """Return the classes whose one-vs-rest curves are averaged: the second of two, or all present."""
    n_classes = probabilities.shape[1]
    present = np.bincount(labels, minlength=n_classes)
    if np.count_nonzero(present) < 2:
        raise ValueError("the area under the ROC curve needs two classes")
    return [1] if n_classes == 2 else [int(k) for k in np.flatnonzero(present)]


def _rank_auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def row_parts(
    metric: Metric,
    labels: Labels,
    probabilities: Probabilities,
    folds: int,
    n_rows: int,
) -> NDArray[np.float64]:
    """Return what each row of one test part adds to the score of a whole repeat, centred for AUC.

    Accuracy: 1 where the row is right. AUC: DeLong's structural components of the fold
    (DeLong, DeLong & Clarke-Pearson 1988), scaled so that a row weighs as in the mean over folds:
    ``(V10_i - AUC) N / (k n1)`` for positives and ``(V01_i - AUC) N / (k n0)`` for the others
    (PROTOCOL step 4); averaged over one-vs-rest problems.

    Parameters
    ----------
    labels : shape (n_test,)
    probabilities : shape (n_test, n_classes)
    folds
        Outer folds of a repeat, k.
    n_rows
        Rows of all folds together, N.

    Returns
    -------
    array, shape (n_test,)
    """
    if metric == "accuracy":
        right: NDArray[np.float64] = (probabilities.argmax(axis=1) == labels).astype(
            float
        )
        return right
    classes = _compared(labels, probabilities)
    parts = [_delong(labels == k, probabilities[:, k]) for k in classes]
    means: NDArray[np.float64] = np.mean(parts, axis=0) * n_rows / folds
    return means


def _delong(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``(V - AUC) / n`` for each row, n being the number of rows of its own side.

    The midrank form of Sun & Xu (2014): V10 and V01 from ranks within and across the two sides.
    """
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    overall = rankdata(scores)
    v10 = (overall[positive] - rankdata(scores[positive])) / n0
    v01 = 1.0 - (overall[~positive] - rankdata(scores[~positive])) / n1
    area = float(v10.mean())
    parts = np.empty(len(positive))
    parts[positive] = (v10 - area) / n1
    parts[~positive] = (v01 - area) / n0
    return parts


def detectable_auc(
    n_positive: int, n_negative: int, alpha: float, power: float = 0.8
) -> float:
    """Return about the smallest AUC a chance gate on so many rows finds with ``power``.

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
