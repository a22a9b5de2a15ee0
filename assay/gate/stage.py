"""Gate: does anything beat chance on this data? (PROTOCOL steps 2 and 3.)

The statistic is the larger score of a linear model and a small net, so that nonlinear signals count too:
the mean fold AUC of classes, Spearman's correlation of the out-of-fold predictions of a number. Its null
distribution comes from relabelling the rows as ``permute`` allows and fitting both models again on the same
folds.

The test is exact as long as true and permuted labels are treated alike: ``statistic`` holds the models,
``betting`` the stopping rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from assay.data.permute import first_rows, has_one_label_each, n_shifts
from assay.data.samples import Samples, standardised
from assay.gate.betting import next_batch, permutation_p_value, stopping_point
from assay.gate.statistic import GateStatistic
from assay.store.progress import report
from assay.store.records import GateResult
from assay.study.plans import Gating
from assay.wording import Sentence, Value

_MIN_ROWS, _MIN_CLASS, _MIN_UNITS, _MIN_UNITS_OF_CLASS = 60, 10, 20, 10
_POWER = 0.8
_FIRST_BATCH = 40  # the standard deviation of 40 draws is within about 11 %
_BATCH_OF_FIXED = 64

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
        statistic = GateStatistic(standardised(samples), outer, inner, plan, seed)
        tested = _tested(statistic, plan)
    return _result(tested, statistic, plan)


# Too little to test ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shortfall:
    """The ``have`` of something that takes ``need``; the rest names it in the sentence ``gate.shortfall.key``."""

    have: int
    need: int
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def sentence(self) -> Sentence:
        counts = {"have": self.have, "need": self.need}
        return Sentence.of(f"gate.shortfall.{self.key}", **counts, **self.values)


def _shortfalls(
    samples: Samples, outer: NDArray[np.int16], plan: Gating
) -> list[_Shortfall]:
    counted = [_Shortfall(samples.n_rows, _MIN_ROWS, "rows")]
    if samples.task != "regression":
        rarest = int(np.argmin(samples.counts()))
        name = {"name": samples.classes[rarest]}
        counted.append(
            _Shortfall(samples.counts()[rarest], _MIN_CLASS, "class_rows", name)
        )
        n_tests = sum(
            len(np.unique(samples.labels[outer == fold])) > 1
            for fold in range(int(outer.max()) + 1)
        )
        counted.append(_Shortfall(n_tests, 2, "test_sets"))
    if samples.units is not None:
        counted += _counted_units(samples, samples.units)
    if samples.times is not None:
        fewest = plan.gate.fewest_permutations(plan.alpha)
        shifts, alpha = int(n_shifts(samples.n_rows)), {"alpha": plan.alpha}
        counted.append(_Shortfall(shifts, fewest, "shifts", alpha))
    return [count for count in counted if count.have < count.need]


def _counted_units(samples: Samples, units: NDArray[np.int32]) -> list[_Shortfall]:
    unit: dict[str, Value] = {"unit": samples.unit}
    counted = [_Shortfall(samples.n_units, _MIN_UNITS, "units", unit)]
    if samples.task != "regression" and has_one_label_each(samples.labels, units):
        of_units = samples.labels[first_rows(units)]
        counts = np.bincount(of_units, minlength=len(samples.classes))
        rarest = int(np.argmin(counts))
        name = {"name": samples.classes[rarest]}
        counted.append(
            _Shortfall(
                int(counts[rarest]), _MIN_UNITS_OF_CLASS, "class_units", unit | name
            )
        )
    return counted


def _untested(
    samples: Samples, plan: Gating, shortfalls: list[_Shortfall]
) -> GateResult:
    """Name each shortfall, and count how many rows would suffice at the present shares."""
    needed = max(
        -(-samples.n_rows * shortfall.need // max(1, shortfall.have))
        for shortfall in shortfalls
    )
    return GateResult(
        passed=False,
        word="underpowered",
        statistic=_statistic_of(samples),
        score=None,
        chance_level=_chance(samples),
        p_value=None,
        alpha=plan.alpha,
        scores={},
        permutations=0,
        null_scores=(),
        detectable=None,
        needed_rows=needed,
        remark=Sentence.of(
            "gate.shortfall.list",
            shortfalls=tuple(shortfall.sentence() for shortfall in shortfalls),
        ),
    )


# The test --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tested:
    """The outcome of the permutation test.

    Attributes
    ----------
    observed : shape (n_models,)
    null : shape (n_permutations,)
        The largest score of each relabelling.
    n_used, p_value
        The number of permutations after which it was decided, and the p-value there.
    """

    observed: Array
    null: Array
    n_used: int
    p_value: float


def _tested(statistic: GateStatistic, plan: Gating) -> _Tested:
    samples, most = statistic.samples, plan.gate.permutations
    if samples.times is not None:
        most = min(most, n_shifts(samples.n_rows))
    first = statistic.relabellings(0, min(_FIRST_BATCH, most))
    scores = statistic.scores([samples.labels, *first])
    observed, null = scores[0], scores[1:].max(axis=1)
    score = float(observed.max())
    report("permutations", len(null), most)
    while more := min(_next(score, null, plan), most - len(null)):
        scores = statistic.scores(statistic.relabellings(len(null), more))
        null = np.concatenate([null, scores.max(axis=1)])
        report("permutations", len(null), most)
    if plan.gate.stop == "never":
        return _Tested(observed, null, len(null), permutation_p_value(score, null))
    number, p_value = stopping_point(score, null, plan.alpha)
    return _Tested(observed, null, number or len(null), p_value)


def _next(score: float, null: Array, plan: Gating) -> int:
    if plan.gate.stop == "never":
        return _BATCH_OF_FIXED
    return next_batch(score, null, plan.alpha)


def _result(tested: _Tested, statistic: GateStatistic, plan: Gating) -> GateResult:
    samples = statistic.samples
    chance, passed = _chance(samples), tested.p_value <= plan.alpha
    needed = needed_rows(samples.n_rows, tested.null, chance, plan)
    word: Literal["signal", "no_signal", "underpowered"] = (
        "signal"
        if passed
        else "no_signal"
        if needed <= samples.n_rows
        else "underpowered"
    )
    return GateResult(
        passed=passed,
        word=word,
        statistic=_statistic_of(samples),
        score=float(tested.observed.max()),
        chance_level=chance,
        p_value=tested.p_value,
        alpha=plan.alpha,
        scores=dict(zip(statistic.models, tested.observed.tolist(), strict=True)),
        permutations=tested.n_used,
        null_scores=tuple(tested.null.tolist()),
        detectable=min(1.0, detectable(tested.null, plan.alpha)),
        needed_rows=None if passed else needed,
        remark=statistic.remark(),
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


def _statistic_of(samples: Samples) -> Statistic:
    return "spearman" if samples.task == "regression" else "auc"


def _chance(samples: Samples) -> float:
    return 0.0 if samples.task == "regression" else 0.5
