"""Gate: does anything beat chance on this data? (PROTOCOL steps 2 and 3.)

The statistic is the largest mean fold AUC of two models, logistic regression and a small net, so
that a signal no line can see still counts. Its distribution under chance comes from permuting the
labels inside each test fold and refitting both models on the same folds.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from assay import preprocess
from assay.metrics import auc
from assay.network import Shape
from assay.plans import CleanPlan, Gating
from assay.progress import report
from assay.records import GateResult
from assay.seeds import generator_for, seed_for
from assay.train import Job, Schedule, predict, train

CHANCE = 0.5
MODELS = ("logistic", "net")
_MIN_ROWS, _MIN_CLASS = 60, 10
_POWER = 0.8
_FIRST_BATCH, _LARGEST_BATCH = 16, 64
_MIN_FOR_SPREAD = (
    40  # null scores; the standard deviation of 40 draws is within about 11 %
)
_BATCH_SIZE, _LEARNING_RATE, _WEIGHT_DECAY = 64, 1e-2, 1e-2


def chance_gate(
    features: pd.DataFrame,
    labels: NDArray[np.int32],
    folds: NDArray[np.int16],
    plan: Gating,
    seed: int,
) -> GateResult:
    """Ask whether anything beats chance; a stop is a result, not an error.

    Parameters
    ----------
    features, labels
        One row a sample; class codes from 0.
    folds : shape (n_rows,)
        Test fold of each row: stratified and shuffled, on which the permutations' exactness rests.

    Returns
    -------
    GateResult
        ``underpowered`` without a test below 60 rows or 10 of the smallest class.
    """
    n_rows, smallest = len(labels), int(np.bincount(labels).min())
    if n_rows < _MIN_ROWS or smallest < _MIN_CLASS:
        grow = max(_MIN_ROWS / n_rows, _MIN_CLASS / smallest)
        return _untested(plan, int(np.ceil(n_rows * grow)))
    with threadpool_limits(1):
        bench = _Bench(features, folds, plan, seed)
        observed, null, n_used, p_value = _test(bench, labels, folds, plan, seed)
    score, null_scores = float(observed.max()), null.max(axis=1)
    passed = p_value <= plan.alpha
    spread = float(null_scores.std(ddof=1))
    z = float(norm.ppf(1 - plan.alpha) + norm.ppf(_POWER))
    needed = int(np.ceil(n_rows * (z * spread / (plan.smallest_effect - CHANCE)) ** 2))
    return GateResult(
        passed=passed,
        word="signal"
        if passed
        else "no_signal"
        if needed <= n_rows
        else "underpowered",
        score=score,
        chance_level=CHANCE,
        p_value=p_value,
        alpha=plan.alpha,
        scores=dict(zip(MODELS, observed.tolist(), strict=True)),
        permutations=n_used,
        null_scores=tuple(null_scores.tolist()),
        detectable=min(1.0, CHANCE + z * spread),
        needed_rows=None if passed else needed,
    )


def _untested(plan: Gating, needed: int) -> GateResult:
    return GateResult(
        passed=False,
        word="underpowered",
        score=None,
        chance_level=CHANCE,
        p_value=None,
        alpha=plan.alpha,
        scores={},
        permutations=0,
        null_scores=(),
        detectable=None,
        needed_rows=needed,
    )


# The test --------------------------------------------------------------------------------------


def permuted_inside(
    labels: NDArray[np.int32], folds: NDArray[np.int16], seed: int, number: int
) -> NDArray[np.int32]:
    """Return the labels permuted inside each test fold.

    Exact for shuffled stratified folds: given the folds, every arrangement with the same class
    counts per fold is equally likely under chance. Permuting over all rows and keeping the folds
    is not (PROTOCOL T1).
    """
    generator = generator_for(seed, "permutation", number)
    permuted = labels.copy()
    for fold in range(int(folds.max()) + 1):
        rows = np.flatnonzero(folds == fold)
        permuted[rows] = labels[generator.permutation(rows)]
    return permuted


def betting_wealth(n_permutations: int, n_at_least: int, alpha: float) -> float:
    """Return what a bet against chance is worth after so many permutations; it began at 1.

    Under chance its expectation never exceeds 1 at any stopping time, so ``1 / wealth`` is a
    p-value whenever one stops. Fischer & Ramdas, "Sequential Monte-Carlo testing by betting"
    (arXiv 2401.07365), binomial mixture strategy: ``P(Bin(t + 1, c) >= L + 1) / c`` with
    ``c = .7 alpha`` (PROTOCOL step 2.5).

    Examples
    --------
    >>> betting_wealth(0, 0, 0.05)
    1.0
    >>> betting_wealth(48, 0, 0.035) >= 1 / 0.035
    True
    """
    c = 0.7 * alpha
    return float(binom.sf(n_at_least, n_permutations + 1, c) / c)


def permutation_p_value(observed: float, null_scores: NDArray[np.float64]) -> float:
    """Return how often chance alone scores at least as high as the model.

    Parameters
    ----------
    observed
        The statistic with true labels. Higher is better.
    null_scores : shape (n_permutations,)
        The statistic with labels permuted, one entry per permutation.

    Returns
    -------
    float
        In ``[1 / (n_permutations + 1), 1]``. Never 0: the true labelling counts as one of the
        permutations.

    Raises
    ------
    ValueError
        If ``null_scores`` is empty or contains a NaN.

    Examples
    --------
    >>> permutation_p_value(0.90, np.array([0.40, 0.50, 0.60]))
    0.25
    """
    if null_scores.size == 0 or np.isnan(null_scores).any():
        raise ValueError("null_scores must hold at least one score, and no NaN")
    return float(
        (1 + np.count_nonzero(null_scores >= observed)) / (null_scores.size + 1)
    )


def _test(
    bench: "_Bench",
    labels: NDArray[np.int32],
    folds: NDArray[np.int16],
    plan: Gating,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int, float]:
    """Return the models' scores, their scores under permutations, how many decided, and the p-value."""
    observed = bench.scores([labels])[0]
    null = np.empty((0, len(MODELS)))
    most, batch = plan.gate.permutations, _FIRST_BATCH
    n_used, p_value = None, 1.0
    while len(null) < most and (n_used is None or len(null) < _MIN_FOR_SPREAD):
        numbers = range(len(null), min(len(null) + batch, most))
        drawn = bench.scores(
            [permuted_inside(labels, folds, seed, number) for number in numbers]
        )
        null = np.concatenate([null, drawn])
        batch = min(2 * batch, _LARGEST_BATCH)
        report("permutations", len(null), most)
        if plan.gate.stop == "betting" and n_used is None:
            n_used, p_value = stopping_point(
                float(observed.max()), null.max(axis=1), plan.alpha
            )
    if plan.gate.stop == "never":
        p_value = permutation_p_value(float(observed.max()), null.max(axis=1))
    return observed, null, n_used or len(null), p_value


def stopping_point(
    observed: float, null_scores: NDArray[np.float64], alpha: float
) -> tuple[int | None, float]:
    """Follow the bet one permutation at a time.

    Returns
    -------
    tuple
        After how many permutations the test stopped (None: it goes on), and the p-value there:
        ``1 / wealth`` at the largest wealth so far. The test stops to reject at
        ``wealth >= 1 / alpha`` and to accept at ``wealth < alpha``.
    """
    n_at_least, best = 0, 1.0
    for number, score in enumerate(null_scores, start=1):
        n_at_least += int(score >= observed)
        wealth = betting_wealth(number, n_at_least, alpha)
        best = max(best, wealth)
        if wealth >= 1 / alpha or wealth < alpha:
            return number, min(1.0, 1 / best)
    return None, min(1.0, 1 / best)


# The models ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fold:
    """One outer fold, prepared once: nothing in the preparation looks at labels."""

    inputs: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]


class _Bench:
    """Both models on every fold, for any labelling of the rows."""

    def __init__(
        self, features: pd.DataFrame, folds: NDArray[np.int16], plan: Gating, seed: int
    ) -> None:
        self.plan, self.seed = plan.gate, seed
        self.folds = [
            _prepared(features, folds == k, plan.clean)
            for k in range(int(folds.max()) + 1)
        ]

    def scores(self, labellings: Sequence[NDArray[np.int32]]) -> NDArray[np.float64]:
        """Return mean fold AUCs, shape (n_labellings, n_models)."""
        areas = np.empty((len(self.folds), len(labellings), len(MODELS)))
        for number, fold in enumerate(self.folds):
            nets = self._nets(fold, labellings, seed_for(self.seed, "net", number))
            for i, labels in enumerate(labellings):
                preprocess.check_classes(labels, fold.train)
                areas[number, i] = [
                    auc(labels[fold.test], p)
                    for p in (_logistic(fold, labels), nets[i])
                ]
        means: NDArray[np.float64] = areas.mean(axis=0)
        return means

    def _nets(
        self, fold: _Fold, labellings: Sequence[NDArray[np.int32]], seed: int
    ) -> NDArray[np.float64]:
        """Train one small net per labelling, all in one stack, from the same first weights."""
        n_classes = int(labellings[0].max()) + 1
        shape = Shape(fold.inputs.shape[1], n_classes, depth=1, width=self.plan.hidden)
        rows = generator_for(seed, "rows").permutation(fold.train)[
            : self.plan.steps * _BATCH_SIZE
        ]
        steps_per_epoch = max(1, len(rows) // _BATCH_SIZE)
        schedule = Schedule(
            epochs=-(-self.plan.steps // steps_per_epoch),
            patience=1,
            batch_size=_BATCH_SIZE,
        )
        none = np.empty(0, dtype=np.int64)
        jobs = [
            Job(
                shape,
                seed,
                labels,
                rows,
                none,
                _LEARNING_RATE,
                _WEIGHT_DECAY,
                dropout=0.0,
            )
            for labels in labellings
        ]
        members = [trained.weights for trained in train(fold.inputs, jobs, schedule)]
        return predict(members, fold.inputs[fold.test])


def _prepared(
    features: pd.DataFrame, test: NDArray[np.bool_], plan: CleanPlan
) -> _Fold:
    train_rows = np.flatnonzero(~test)
    train_rows = train_rows[
        preprocess.kept_rows(features.iloc[train_rows], plan.outliers)
    ]
    preparation = preprocess.fit(features.iloc[train_rows], plan)
    return _Fold(preparation.apply(features), train_rows, np.flatnonzero(test))


def _logistic(fold: _Fold, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    model = LogisticRegression(C=1.0, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a hundredth of an AUC is not at stake
        model.fit(fold.inputs[fold.train], labels[fold.train])
    return np.asarray(model.predict_proba(fold.inputs[fold.test]), dtype=np.float64)
