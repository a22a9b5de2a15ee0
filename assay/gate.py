"""Gate: does anything beat chance on this data? (PROTOCOL steps 2 and 3.)

The statistic is the largest of two models', one linear and a small net, so that a signal no line can
see still counts: the mean fold AUC of classes, Spearman's correlation of out-of-fold predictions of
a number. Its distribution under chance comes from relabelling the rows as ``permute`` allows and
fitting both models again on the same folds.

The test is exact as long as true and permuted labels are treated alike. So whatever can happen to a
model with permuted labels has one rule for both: a net that diverged, or a training part of one
class, predicts a constant; a test part of one class has no say in the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm
from threadpoolctl import threadpool_limits

from assay import linear, preprocess
from assay.errors import DataRefused
from assay.metrics import auc, spearman
from assay.network import Shape, Weights
from assay.permute import (
    first_rows,
    has_one_label_each,
    n_alone,
    n_shifts,
    relabelled,
)
from assay.plans import CleanPlan, Gating
from assay.progress import report
from assay.records import GateResult
from assay.samples import Labels, Samples
from assay.seeds import generator_for, seed_for
from assay.train import Job, Schedule, predict, train

_MIN_ROWS, _MIN_CLASS, _MIN_UNITS, _MIN_UNITS_OF_CLASS = 60, 10, 20, 10
_POWER = 0.8
_FIRST_BATCH = 40  # the standard deviation of 40 draws is within about 11 %
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 64
_NUMBERS_AT_ONCE = 2**24  # predictions held at a time: 128 MB
_DECIMALS = 9  # rows of equal features must tie, in whatever order a product was summed
_BATCH_SIZE, _LEARNING_RATE, _WEIGHT_DECAY = 64, 1e-2, 1e-2

Array = NDArray[np.float64]
Statistic = Literal["auc", "spearman"]


def chance_gate(
    samples: Samples,
    outer: NDArray[np.int16],
    inner: NDArray[np.int16],
    plan: Gating,
    seed: int,
) -> GateResult:
    """Ask whether anything beats chance; a stop is a result, not an error.

    Parameters
    ----------
    outer : shape (n_rows,)
        Test fold of each row, -1 where it is never tested; drawn by ``split``, on which the
        relabelling's exactness rests.
    inner : shape (n_folds, n_rows)
        Not negative where a row is in the training part of that fold.

    Returns
    -------
    GateResult
        ``underpowered`` without a test below the minima of PROTOCOL section 1, with fewer than two
        test parts of two classes, or with fewer shifts in time than it takes to reject chance.

    Raises
    ------
    DataRefused
        If the outlier rule leaves a training part without rows, or without one of its classes.
    """
    shortfalls = _shortfalls(samples, outer, plan)
    if shortfalls:
        return _untested(samples, plan, shortfalls)
    with threadpool_limits(1):
        bench = _Bench(_standardised(samples), outer, inner, plan, seed)
        tested = _tested(bench, plan)
    return _result(tested, bench, plan)


# Too little to test ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shortfall:
    """There are ``have`` of something, in words, and ``need`` is more."""

    have: int
    need: int
    what: str
    why: str = "are needed"

    def words(self) -> str:
        return f"{self.have} {self.what}, but {self.need} {self.why}"


def _shortfalls(
    samples: Samples, outer: NDArray[np.int16], plan: Gating
) -> list[_Shortfall]:
    found = [_Shortfall(samples.n_rows, _MIN_ROWS, "rows")]
    if samples.task != "regression":
        rarest = int(np.argmin(samples.counts()))
        what = f"rows of the class '{samples.classes[rarest]}'"
        found.append(_Shortfall(samples.counts()[rarest], _MIN_CLASS, what))
        telling = sum(
            len(np.unique(samples.labels[outer == fold])) > 1
            for fold in range(int(outer.max()) + 1)
        )
        found.append(_Shortfall(telling, 2, "test parts with rows of two classes"))
    if samples.units is not None:
        found += _shortfalls_of_units(samples, samples.units)
    if samples.times is not None:
        fewest = plan.gate.fewest_permutations(plan.alpha)
        what, why = "shifts in time", f"can reject chance at alpha {plan.alpha:g}"
        found.append(_Shortfall(n_shifts(samples.n_rows), fewest, what, why))
    return [one for one in found if one.have < one.need]


def _shortfalls_of_units(
    samples: Samples, units: NDArray[np.int32]
) -> list[_Shortfall]:
    name = f"units ({samples.unit})"
    found = [_Shortfall(samples.n_units, _MIN_UNITS, name)]
    if samples.task != "regression" and has_one_label_each(samples.labels, units):
        of_units = samples.labels[first_rows(units)]
        counts = np.bincount(of_units, minlength=len(samples.classes))
        rarest = int(np.argmin(counts))
        what = f"{name} of the class '{samples.classes[rarest]}'"
        found.append(_Shortfall(int(counts[rarest]), _MIN_UNITS_OF_CLASS, what))
    return found


def _untested(
    samples: Samples, plan: Gating, shortfalls: list[_Shortfall]
) -> GateResult:
    """Say what there is too little of, and how many rows would have enough at today's shares."""
    needed = max(
        -(-samples.n_rows * one.need // max(1, one.have)) for one in shortfalls
    )
    return GateResult(
        passed=False,
        word="underpowered",
        statistic=_statistic(samples),
        score=None,
        chance_level=_chance(samples),
        p_value=None,
        alpha=plan.alpha,
        scores={},
        permutations=0,
        null_scores=(),
        detectable=None,
        needed_rows=needed,
        remark="; ".join(one.words() for one in shortfalls),
    )


# The test --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tested:
    """What came of the test.

    Attributes
    ----------
    observed : shape (n_models,)
    null : shape (n_permutations,)
        The largest score of each relabelling.
    n_used, p_value
        After how many permutations it was decided, and the p-value there.
    """

    observed: Array
    null: Array
    n_used: int
    p_value: float


def _tested(bench: "_Bench", plan: Gating) -> _Tested:
    most = plan.gate.permutations
    if bench.samples.times is not None:
        most = min(most, n_shifts(bench.samples.n_rows))
    first = min(_FIRST_BATCH, most)
    drawn = bench.scores([bench.samples.labels, *bench.relabellings(0, first)])
    score, null = float(drawn[0].max()), drawn[1:].max(axis=1)
    report("permutations", len(null), most)
    while more := min(_more(score, null, plan), most - len(null)):
        drawn_now = bench.scores(bench.relabellings(len(null), more))
        null = np.concatenate([null, drawn_now.max(axis=1)])
        report("permutations", len(null), most)
    if plan.gate.stop == "never":
        return _Tested(drawn[0], null, len(null), permutation_p_value(score, null))
    number, p_value = stopping_point(score, null, plan.alpha)
    return _Tested(drawn[0], null, number or len(null), p_value)


def _more(score: float, null: Array, plan: Gating) -> int:
    """Return how many permutations to draw next: as many as could decide, if no further one reaches the score."""
    if plan.gate.stop == "never":
        return _LARGEST_BATCH
    if stopping_point(score, null, plan.alpha)[0] is not None:
        return 0
    ahead = np.arange(1, _LARGEST_BATCH + 1)
    n_at_least = np.count_nonzero(null >= score)
    wealth = _wealth(len(null) + ahead, np.full(len(ahead), n_at_least), plan.alpha)
    rich = ahead[wealth >= 1 / plan.alpha]
    return max(_SMALLEST_BATCH, int(rich[0])) if len(rich) else _LARGEST_BATCH


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
    return float(_wealth(np.array(n_permutations), np.array(n_at_least), alpha))


def _wealth(
    n_permutations: NDArray[np.int64], n_at_least: NDArray[np.int64], alpha: float
) -> Array:
    c = 0.7 * alpha
    wealth: Array = binom.sf(n_at_least, n_permutations + 1, c) / c
    return wealth


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


def stopping_point(
    observed: float, null_scores: Array, alpha: float
) -> tuple[int | None, float]:
    """Follow the bet one permutation at a time.

    Returns
    -------
    tuple
        After how many permutations the test stopped (None: it goes on), and the p-value there:
        ``1 / wealth`` at the largest wealth so far. The test stops to reject at
        ``wealth >= 1 / alpha`` and to accept at ``wealth < alpha``.
    """
    n_at_least = np.cumsum(null_scores >= observed, dtype=np.int64)
    wealth = _wealth(np.arange(1, len(null_scores) + 1), n_at_least, alpha)
    stops = np.flatnonzero((wealth >= 1 / alpha) | (wealth < alpha))
    number = int(stops[0]) + 1 if len(stops) else None
    return number, float(1 / max(1.0, *wealth[:number]))


def _result(tested: _Tested, bench: "_Bench", plan: Gating) -> GateResult:
    samples = bench.samples
    chance, passed = _chance(samples), tested.p_value <= plan.alpha
    needed = needed_rows(samples.n_rows, tested.null, chance, plan)
    return GateResult(
        passed=passed,
        word="signal"
        if passed
        else "no_signal"
        if needed <= samples.n_rows
        else "underpowered",
        statistic=_statistic(samples),
        score=float(tested.observed.max()),
        chance_level=chance,
        p_value=tested.p_value,
        alpha=plan.alpha,
        scores=dict(zip(bench.models, tested.observed.tolist(), strict=True)),
        permutations=tested.n_used,
        null_scores=tuple(tested.null.tolist()),
        detectable=min(1.0, detectable(tested.null, plan.alpha)),
        needed_rows=None if passed else needed,
        remark="; ".join(bench.remarks()),
    )


def detectable(null_scores: Array, alpha: float) -> float:
    """Return the smallest score that would pass with a probability of 80 % on these rows.

    ``m + (z_{1 - alpha} + z_{.8}) s``, with mean and standard deviation of the scores under chance.
    PROTOCOL step 3 has the chance level in place of ``m``; but the score is the largest of two
    models', whose mean under chance lies above that of one (.52 to .54 at 100 rows).
    """
    z = norm.ppf(1 - alpha) + norm.ppf(_POWER)
    return float(null_scores.mean() + z * null_scores.std(ddof=1))


def needed_rows(n_rows: int, null_scores: Array, chance: float, plan: Gating) -> int:
    """Return about how many rows it takes for the smallest effect to be the :func:`detectable` one.

    How far a score detectable on n rows lies above chance shrinks with the root of n: so do the
    spread under chance and, with it, the distance from chance to the mean of a maximum. A mean
    below chance, as pooled predictions of a number have, is not counted on.
    """
    above = detectable(null_scores, plan.alpha) - null_scores.mean()
    above += max(0.0, null_scores.mean() - chance)
    return max(1, int(np.ceil(n_rows * (above / (plan.smallest_effect - chance)) ** 2)))


def _statistic(samples: Samples) -> Statistic:
    return "spearman" if samples.task == "regression" else "auc"


def _chance(samples: Samples) -> float:
    return 0.0 if samples.task == "regression" else 0.5


def _standardised(samples: Samples) -> Samples:
    """Put numbers to predict in standard units, which no rank correlation notices."""
    if samples.task != "regression":
        return samples
    centred = samples.labels - samples.labels.mean()
    centred = centred / np.ptp(centred)  # squares of the tiniest numbers would vanish
    return replace(samples, labels=centred / centred.std())


# The models ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fold:
    """One outer fold, prepared once: nothing in the preparation looks at labels.

    Attributes
    ----------
    rows, unseen : shape (n_train, n_inputs) and (n_test, n_inputs)
        Prepared inputs.
    train, test : shape (n_train,) and (n_test,)
        Their numbers among all rows.
    portion : shape (n_portion,)
        Places in the training part that the net is shown: no more than it has steps for.
    epochs
        How often it is shown them.
    """

    rows: NDArray[np.float32]
    unseen: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    portion: NDArray[np.int64]
    epochs: int


class _Bench:
    """Both models on every fold, for any labelling of the rows."""

    def __init__(
        self,
        samples: Samples,
        outer: NDArray[np.int16],
        inner: NDArray[np.int16],
        plan: Gating,
        seed: int,
    ) -> None:
        self.samples, self.outer, self.plan, self.seed = samples, outer, plan.gate, seed
        self.regression = samples.task == "regression"
        self.models = ("ridge" if self.regression else "logistic", "net")
        self.n_outputs = 1 if self.regression else len(samples.classes)
        self.folds = [
            self._prepared(number, inner[number] >= 0, outer == number, plan.clean)
            for number in range(len(inner))
        ]
        self.n_diverged: list[int] = []  # folds of each labelling, in the order drawn

    def _prepared(
        self,
        number: int,
        learned: NDArray[np.bool_],
        tested: NDArray[np.bool_],
        plan: CleanPlan,
    ) -> _Fold:
        train, test = np.flatnonzero(learned), np.flatnonzero(tested)
        features = self.samples.features
        kept = np.flatnonzero(preprocess.kept_rows(features.iloc[train], plan.outliers))
        if len(kept) < 2:
            raise DataRefused(
                f"clean.outliers leaves {len(kept)} of {len(train)} rows of a training part. "
                f"Raise its factor or columns_needed."
            )
        if not self.regression:
            preprocess.check_classes(self.samples.labels[train], kept)
        train = train[kept]
        preparation = preprocess.fit(features.iloc[train], plan)
        generator = generator_for(self.seed, "rows", number)
        portion = generator.permutation(len(train))[: self.plan.steps * _BATCH_SIZE]
        steps_per_epoch = max(1, len(portion) // _BATCH_SIZE)
        return _Fold(
            rows=preparation.apply(features.iloc[train]),
            unseen=preparation.apply(features.iloc[test]),
            train=train,
            test=test,
            portion=portion,
            epochs=-(-self.plan.steps // steps_per_epoch),
        )

    def relabellings(self, first: int, n: int) -> list[Labels]:
        """Return ``n`` relabellings from number ``first`` on."""
        return [
            relabelled(self.samples, self.outer, self.seed, number)
            for number in range(first, first + n)
        ]

    def scores(self, labellings: Sequence[Labels]) -> Array:
        """Return the statistic of both models, shape (n_labellings, n_models)."""
        at_once = max(1, _NUMBERS_AT_ONCE // (self.samples.n_rows * self.n_outputs))
        parts = [
            self._scores(np.stack(labellings[first : first + at_once]))
            for first in range(0, len(labellings), at_once)
        ]
        return np.concatenate(parts)

    def remarks(self) -> list[str]:
        """Return what a reader of the result should know of how it came about."""
        said, samples = [], self.samples
        if self.n_diverged[0]:
            said.append(
                f"the small net diverged on {self.n_diverged[0]} of {len(self.folds)} folds, where it counts "
                f"as predicting a constant"
            )
        alone = n_alone(samples, self.outer)
        if 2 * alone > samples.n_rows:
            said.append(
                f"{alone} of {samples.n_rows} rows lie in units ({samples.unit}) without another of their size "
                f"to exchange labels with: what such a unit has in common was not tested"
            )
        return said

    def _scores(self, labels: Labels) -> Array:
        by_model = (self._linear(labels), self._nets(labels))
        scores = [
            [self._score(one, [fold[i] for fold in by_fold]) for by_fold in by_model]
            for i, one in enumerate(labels)
        ]
        return np.round(scores, _DECIMALS)

    def _score(self, labels: Labels, by_fold: Sequence[Array]) -> float:
        """Return the statistic of one model and one labelling, from its predictions of each test part."""
        rounded = [np.round(predictions, _DECIMALS) for predictions in by_fold]
        if self.regression:
            tested = np.concatenate([labels[fold.test] for fold in self.folds])
            return spearman(tested, np.concatenate(rounded))
        areas = [
            auc(labels[fold.test], predictions)
            for fold, predictions in zip(self.folds, rounded, strict=True)
        ]
        told = [area for area in areas if not np.isnan(area)]
        return float(np.mean(told)) if told else 0.5

    def _linear(self, labels: Labels) -> list[Array]:
        """Return predictions for each fold, shape (n_labellings, n_test, n_outputs)."""
        found = []
        for fold in self.folds:
            rows, unseen = fold.rows.astype(np.float64), fold.unseen.astype(np.float64)
            of_fold = labels[:, fold.train]
            found.append(
                linear.ridge(rows, of_fold, unseen)[:, :, None]
                if self.regression
                else linear.logistic(rows, of_fold, unseen, self.n_outputs)
            )
        return found

    def _nets(self, labels: Labels) -> list[Array]:
        """Return predictions for each fold, shape (n_labellings, n_test, n_outputs)."""
        constant = 0.0 if self.regression else 1 / self.n_outputs
        found, n_diverged = [], np.zeros(len(labels), dtype=int)
        for fold, nets in zip(self.folds, self._trained(labels), strict=True):
            predictions = np.full((len(labels), len(fold.test), self.n_outputs), np.nan)
            whole = [i for i, weights in enumerate(nets) if weights]
            if whole:
                predictions[whole] = predict([nets[i] for i in whole], fold.unseen)
            diverged = ~np.isfinite(predictions).all(axis=(1, 2))
            predictions[diverged] = constant
            n_diverged += diverged
            found.append(predictions)
        self.n_diverged += n_diverged.tolist()
        return found

    def _trained(self, labels: Labels) -> list[list[Weights]]:
        """Return each fold's nets, one for each labelling; they start from the same weights."""
        trained: list[list[Weights]] = [[] for _ in self.folds]
        for epochs in {fold.epochs for fold in self.folds}:
            numbers = [
                number
                for number, fold in enumerate(self.folds)
                if fold.epochs == epochs
            ]
            jobs = [job for number in numbers for job in self._jobs(number, labels)]
            nets = train(jobs, Schedule(epochs, patience=1, batch_size=_BATCH_SIZE))
            for place, number in enumerate(numbers):
                of_fold = nets[place * len(labels) : (place + 1) * len(labels)]
                trained[number] = [one.weights for one in of_fold]
        return trained

    def _jobs(self, number: int, labels: Labels) -> list[Job]:
        fold = self.folds[number]
        inputs, rows = fold.rows[fold.portion], np.arange(len(fold.portion))
        none = np.empty(0, dtype=np.int64)
        return [
            Job(
                shape=Shape(inputs.shape[1], self.n_outputs, 1, self.plan.hidden),
                seed=seed_for(self.seed, "net", number),
                inputs=inputs,
                labels=one,
                rows=rows,
                stopping_rows=none,
                learning_rate=_LEARNING_RATE,
                weight_decay=_WEIGHT_DECAY,
                dropout=0.0,
                loss="squared_error" if self.regression else "cross_entropy",
            )
            for one in labels[:, fold.train[fold.portion]]
        ]
