"""Judge: from out-of-fold predictions to an interval, and from the interval to a word.

PROTOCOL steps 4 and 5; the intervals themselves are in ``intervals``, the sentences in ``reasons``. A gain is positive where the
net is better, whether the metric is a score or a loss.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Samples
from assay.judge.contributions import (
    DEEP,
    Contributions,
    Predictions,
    is_comparable,
    share_tested,
)
from assay.judge.intervals import Interval, needed_rows
from assay.judge.reasons import (
    compared,
    not_passed,
    suspected,
    too_few_folds,
    too_little,
)
from assay.metrics import chance_score
from assay.store.canonical import digest_json
from assay.store.records import (
    Flag,
    GateResult,
    Metric,
    ModelFit,
    Task,
)
from assay.store.verdict import (
    Against,
    Claim,
    DeepLearning,
    Evidence,
    Judgement,
    OutcomeWord,
    Price,
    Signal,
    Verdict,
    edges,
)
from assay.study.plans import Judging
from assay.study.sources import Identity
from assay.wording import Sentence

ComparedWord = Literal["dl_earns", "dl_not_worth", "inconclusive"]
Remark = Literal["", "equivalent", "worse"]


def judge_evidence(
    evidence: Evidence,
    samples: Samples,
    outer: NDArray[np.int16],
    predictions: Predictions,
    plan: Judging,
    identity: Identity,
) -> Judgement:
    """Judge a plan by whatever evidence there is: an alarm, a failed gate, or scored folds.

    Parameters
    ----------
    outer : shape (repeats, n_rows)
        Outer test fold of each row; -1: in none.
    predictions
        For each model, repeat and fold the predictions of the test rows, in row order; empty when
        the plan stopped before any fold.
    """
    digests = {
        "study": identity.study,
        "data": evidence.snapshot.table.digest,
        "code": identity.program,
        "lock": identity.lock,
        "folds": digest_json(
            [evidence.split.outer.digest, evidence.split.inner.digest]
        ),
    }
    chance = chance_score(plan.metric, samples.labels)
    if not evidence.results or not is_comparable(samples, outer, plan.metric):
        verdict = _unscored(evidence, samples, plan, digests)
        return Judgement(verdict=verdict, chance=chance, scores={}, fold_scores={})
    share = share_tested(outer[0], forward=evidence.split.scheme == "forward")
    scored = Contributions(samples, outer, predictions, plan, share)
    fold_scores = {
        name: tuple(None if np.isnan(s) else float(s) for s in scores.ravel())
        for name, scores in scored.fold_scores.items()
    }
    digests["predictions"] = digest_json(
        {
            name: [[ref.digest for ref in refs] for refs in repeats]
            for name, repeats in evidence.predictions().items()
        }
    )
    digests["scores"] = digest_json(fold_scores)
    return Judgement(
        verdict=_scored_verdict(evidence, samples, scored, digests),
        chance=chance,
        scores={name: scored.interval(name).estimate for name in fold_scores},
        fold_scores=fold_scores,
    )


def _scored_verdict(
    evidence: Evidence, samples: Samples, scored: Contributions, digests: dict[str, str]
) -> Verdict:
    plan = scored.plan
    models = {name: scored.interval(name) for name in scored.parts}
    gains = {name: scored.gain(name) for name in models if name != DEEP}
    outcome, decider = decide(gains, plan.margin)
    remark = _remark(outcome, gains[decider], plan.margin)
    return Verdict(
        study=plan.study,
        plan=plan.plan,
        outcome=outcome,
        metric=plan.metric,
        signal=_signal(evidence.gate, samples.task),
        claim=_claim(models[DEEP], plan, len(samples.classes)),
        deep_learning=_deep(
            evidence, samples, scored, gains, (outcome, remark, decider)
        ),
        flags=_flags(evidence),
        deviations=(),
        digests=digests,
        reason=compared(
            outcome, remark, decider, gains[decider], models, samples, plan
        ),
    )


def _deep(
    evidence: Evidence,
    samples: Samples,
    scored: Contributions,
    gains: Mapping[str, Interval],
    decided: tuple[ComparedWord, Remark, str],
) -> DeepLearning:
    plan, (outcome, remark, decider) = scored.plan, decided
    gain, cost = gains[decider], _cost(evidence, scored.folds)
    method = scored.interval(DEEP).method
    return DeepLearning(
        answer=outcome,
        remark=remark,
        delta=gain.estimate,
        lower=gain.lower,
        upper=gain.upper,
        margin=plan.margin,
        against={
            name: _against(over, scored.interval(name).estimate, plan)
            for name, over in gains.items()
        },
        seconds={name: price.fit_s for name, price in cost.items()},
        price=cost,
        gain_per_second=_gain_per_second(gains, cost),
        needed_rows=needed_rows(gain, plan.margin, plan.alpha)
        if outcome == "inconclusive"
        else None,
        method=method if samples.units is None else f"{method}, by {samples.unit}",
        edges=edges(evidence.results),
    )


def decide(gains: Mapping[str, Interval], margin: float) -> tuple[ComparedWord, str]:
    """Return the word and the baseline that decided it (PROTOCOL step 5).

    Intersection-union: deep learning earns its cost only if its gain over every baseline is above
    the margin; it is not worth it if its gain over one of them is below.
    """
    lowest = min(gains, key=lambda name: gains[name].lower)
    if gains[lowest].lower > margin:
        return "dl_earns", lowest
    smallest = min(gains, key=lambda name: gains[name].upper)
    if gains[smallest].upper < margin:
        return "dl_not_worth", smallest
    return "inconclusive", lowest


def _claim(deep: Interval, plan: Judging, n_classes: int) -> Claim:
    """Hold the deep model's score against the claim, by the same one-sided bounds."""
    if plan.at_most is not None:
        supported, refuted = deep.upper <= plan.at_most, deep.lower > plan.at_most
    elif plan.at_least is not None:
        supported, refuted = deep.lower >= plan.at_least, deep.upper < plan.at_least
    else:
        raise ValueError("the plan claims neither at_least nor at_most")
    low, high = _range_of(plan.metric, n_classes)
    return Claim(
        answer="supported" if supported else "refuted" if refuted else "undecided",
        at_least=plan.at_least,
        at_most=plan.at_most,
        score=deep.estimate,
        interval=(max(low, deep.lower), min(high, deep.upper)),
    )


def _range_of(metric: Metric, n_classes: int) -> tuple[float, float]:
    """Return the lowest and highest value a metric can have."""
    if metric in ("auc", "accuracy"):
        return 0.0, 1.0
    if metric == "brier":
        return 0.0, 1.0 if n_classes == 2 else 2.0
    return (-np.inf, 1.0) if metric == "r2" else (0.0, np.inf)


def _against(gain: Interval, baseline_score: float, plan: Judging) -> Against:
    better, within, worse = gain.support(-plan.margin, plan.margin)
    return Against(
        delta=gain.estimate,
        lower=gain.lower,
        upper=gain.upper,
        interval_95=gain.interval_95,
        baseline_score=baseline_score,
        p_better=better,
        p_within=within,
        p_worse=worse,
        needed_rows=needed_rows(gain, plan.margin, plan.alpha),
    )


def _remark(outcome: OutcomeWord, gain: Interval, margin: float) -> Remark:
    if outcome != "dl_not_worth":
        return ""
    return "worse" if gain.upper < 0 else "equivalent" if gain.lower > -margin else ""


# What it costs ---------------------------------------------------------------------------------


def _cost(evidence: Evidence, folds: NDArray[np.int16]) -> dict[str, Price]:
    """Return what each model costs; ``folds`` holds the tested rows of each repeat."""
    fits: dict[str, list[ModelFit]] = {}
    for result in evidence.results:
        for name, fit in result.models.items():
            fits.setdefault(name, []).append(fit)
    return {
        name: Price(
            fit_s=float(np.mean([fit.fit_s for fit in by_fold])),
            predict_us=1e6 * sum(fit.predict_s for fit in by_fold) / folds.size,
            size=round(np.mean([fit.size for fit in by_fold])),
        )
        for name, by_fold in fits.items()
    }


def _gain_per_second(
    gains: Mapping[str, Interval], cost: Mapping[str, Price]
) -> dict[str, float]:
    longer = {name: cost[DEEP].fit_s - cost[name].fit_s for name in gains}
    return {
        name: gains[name].estimate / seconds
        for name, seconds in longer.items()
        if seconds > 0
    }


# Where a plan stopped --------------------------------------------------------------------------


def _unscored(
    evidence: Evidence, samples: Samples, plan: Judging, digests: dict[str, str]
) -> Verdict:
    outcome, reason = _stop(evidence, samples, plan)
    gate = None if outcome == "suspect_leak" else evidence.gate
    return Verdict(
        study=plan.study,
        plan=plan.plan,
        outcome=outcome,
        metric=plan.metric,
        signal=_signal(gate, samples.task),
        claim=Claim(
            answer="undecided",
            at_least=plan.at_least,
            at_most=plan.at_most,
            score=None,
            interval=None,
        ),
        deep_learning=DeepLearning(
            answer="not_asked",
            delta=None,
            lower=None,
            upper=None,
            margin=plan.margin,
            against={},
            seconds={},
            price={},
            gain_per_second={},
            needed_rows=None,
            method="",
        ),
        flags=_flags(evidence),
        deviations=(),
        digests=digests,
        reason=reason,
    )


def _stop(
    evidence: Evidence, samples: Samples, plan: Judging
) -> tuple[OutcomeWord, Sentence]:
    """Return the word and the reason: an unanswered alarm, a failed gate, or too little to compare."""
    alarm = next((flag for flag in _flags(evidence) if flag.accepted is None), None)
    gate = evidence.gate
    if alarm is not None:
        return "suspect_leak", suspected(alarm)
    if gate is None:
        raise ValueError("the plan stopped before its gate, but no alarm is unanswered")
    if not gate.passed:
        word: OutcomeWord = "no_signal" if gate.word == "no_signal" else "underpowered"
        return word, not_passed(gate, samples, plan)
    if evidence.results:
        return "underpowered", too_few_folds()
    return "underpowered", too_little(evidence.cleaned)


def _flags(evidence: Evidence) -> tuple[Flag, ...]:
    self_test = evidence.self_test
    if self_test is None or self_test.flag is None:
        return evidence.audit.flags
    return (*evidence.audit.flags, self_test.flag)


def _signal(gate: GateResult | None, task: Task) -> Signal:
    if gate is None:
        regression = task == "regression"
        return Signal(
            answer="not_asked",
            statistic="spearman" if regression else "auc",
            score=None,
            chance=0.0 if regression else 0.5,
            p_value=None,
            permutations=0,
            detectable=None,
        )
    return Signal(
        answer=gate.word,
        statistic=gate.statistic,
        score=gate.score,
        chance=gate.chance_level,
        p_value=gate.p_value,
        permutations=gate.permutations,
        detectable=gate.detectable,
    )
