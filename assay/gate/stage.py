"""Gate: does anything beat chance on this data? (PROTOCOL steps 2 and 3.)

The statistic is the largest of two models', one linear and a small net, so that a signal no line can
see still counts: the mean fold AUC of classes, Spearman's correlation of out-of-fold predictions of
a number. Its distribution under chance comes from relabelling the rows as ``permute`` allows and
fitting both models again on the same folds.

The test is exact as long as true and permuted labels are treated alike: ``contest`` holds the models,
``betting`` the rule by which permutations stop.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from assay.data.permute import first_rows, has_one_label_each, n_shifts
from assay.data.samples import Samples, standardised
from assay.gate.betting import next_batch, permutation_p_value, stopping_point
from assay.gate.statistic import Contest
from assay.store.progress import report
from assay.store.records import GateResult
from assay.study.plans import Gating

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
        contest = Contest(standardised(samples), outer, inner, plan, seed)
        tested = _tested(contest, plan)
    return _result(tested, contest, plan)


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


def _tested(contest: Contest, plan: Gating) -> _Tested:
    most = plan.gate.permutations
    if contest.samples.times is not None:
        most = min(most, n_shifts(contest.samples.n_rows))
    first = min(_FIRST_BATCH, most)
    drawn = contest.scores([contest.samples.labels, *contest.relabellings(0, first)])
    score, null = float(drawn[0].max()), drawn[1:].max(axis=1)
    report("permutations", len(null), most)
    while more := min(_next(score, null, plan), most - len(null)):
        drawn_now = contest.scores(contest.relabellings(len(null), more))
        null = np.concatenate([null, drawn_now.max(axis=1)])
        report("permutations", len(null), most)
    if plan.gate.stop == "never":
        return _Tested(drawn[0], null, len(null), permutation_p_value(score, null))
    number, p_value = stopping_point(score, null, plan.alpha)
    return _Tested(drawn[0], null, number or len(null), p_value)


def _next(score: float, null: Array, plan: Gating) -> int:
    if plan.gate.stop == "never":
        return _BATCH_OF_FIXED
    return next_batch(score, null, plan.alpha)


def _result(tested: _Tested, contest: Contest, plan: Gating) -> GateResult:
    samples = contest.samples
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
        scores=dict(zip(contest.models, tested.observed.tolist(), strict=True)),
        permutations=tested.n_used,
        null_scores=tuple(tested.null.tolist()),
        detectable=min(1.0, detectable(tested.null, plan.alpha)),
        needed_rows=None if passed else needed,
        remark="; ".join(contest.remarks()),
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
