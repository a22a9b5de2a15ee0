"""Gate: does anything beat chance on this data? (PROTOCOL steps 2 and 3.)

The statistic is the larger score of a linear model and a small net, so that nonlinear signals count too:
the mean fold AUC of classes, Spearman's correlation of the out-of-fold predictions of a number. Its null
distribution comes from relabelling the rows as ``permute`` allows and fitting both models again on the same
folds.

The test is exact as long as true and permuted labels are treated alike: ``statistic`` holds the models,
``betting`` the stopping rule.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.data.permute import n_shifts
from assay.data.samples import Samples, standardised
from assay.gate.betting import next_batch, permutation_p_value, stopping_point
from assay.gate.minima import chance_level, statistic_of, untested
from assay.gate.power import detectable, needed_rows
from assay.gate.statistic import GateStatistic
from assay.store.progress import report
from assay.store.records import GateResult
from assay.study.plans import Gating

_FIRST_BATCH = 40  # the standard deviation of 40 draws is within about 11 %
_BATCH_OF_FIXED = 64

Array = NDArray[np.float64]


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
    if result := untested(samples, outer, plan):
        return result
    with threadpool_limits(1):
        statistic = GateStatistic(standardised(samples), outer, inner, plan, seed)
        tested = _tested(statistic, plan)
    return _result(tested, statistic, plan)


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
    report("gate.permutations", len(null), most)
    while more := min(_next(score, null, plan), most - len(null)):
        scores = statistic.scores(statistic.relabellings(len(null), more))
        null = np.concatenate([null, scores.max(axis=1)])
        report("gate.permutations", len(null), most)
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
    chance, passed = chance_level(samples), tested.p_value <= plan.alpha
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
        statistic=statistic_of(samples),
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
