"""Judge: from out-of-fold predictions to an interval, and from the interval to a word.

PROTOCOL steps 4 and 5; the intervals themselves are in ``interval``. A gain is positive where the
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
from assay.judge.sentences import METRICS, effect, figure
from assay.metrics import chance_score
from assay.store.canonical import digest_json
from assay.store.records import (
    MIN_CLASS_TO_COMPARE,
    MIN_ROWS_TO_COMPARE,
    MIN_UNITS_TO_COMPARE,
    STATISTICS,
    Cleaned,
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
from assay.study.plans import LOSSES, Judging
from assay.study.sources import Identity

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
        name: tuple(None if np.isnan(one) else float(one) for one in scores.ravel())
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
    leads = {name: scored.lead(name) for name in models if name != DEEP}
    outcome, decider = decide(leads, plan.margin)
    lead = leads[decider]
    price = _price(evidence, scored.folds)
    return Verdict(
        study=plan.study,
        plan=plan.plan,
        outcome=outcome,
        metric=plan.metric,
        signal=_signal(evidence.gate, samples.task),
        claim=_claim(models[DEEP], plan, len(samples.classes)),
        deep_learning=DeepLearning(
            answer=outcome,
            remark=_remark(outcome, lead, plan.margin),
            delta=lead.estimate,
            lower=lead.lower,
            upper=lead.upper,
            margin=plan.margin,
            against={
                name: _against(one, models[name].estimate, plan)
                for name, one in leads.items()
            },
            seconds={name: one.fit_s for name, one in price.items()},
            price=price,
            gain_per_second=_gain_per_second(leads, price),
            needed_rows=needed_rows(lead, plan.margin, plan.alpha)
            if outcome == "inconclusive"
            else None,
            method=",".join(filter(None, (models[DEEP].method, _by(samples)))),
            edges=edges(evidence.results),
        ),
        flags=_flags(evidence),
        deviations=(),
        digests=digests,
        reason=_reason(outcome, lead, decider, models, samples, plan),
    )


def decide(leads: Mapping[str, Interval], margin: float) -> tuple[ComparedWord, str]:
    """Return the word and the baseline that decided it (PROTOCOL step 5).

    Intersection-union: deep learning earns its cost only if it leads every baseline by more than
    the margin; it is not worth it if its lead over one of them is under the margin.
    """
    lowest = min(leads, key=lambda name: leads[name].lower)
    if leads[lowest].lower > margin:
        return "dl_earns", lowest
    smallest = min(leads, key=lambda name: leads[name].upper)
    if leads[smallest].upper < margin:
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


def _against(lead: Interval, baseline_score: float, plan: Judging) -> Against:
    better, within, worse = lead.support(-plan.margin, plan.margin)
    return Against(
        delta=lead.estimate,
        lower=lead.lower,
        upper=lead.upper,
        interval_95=lead.interval_95,
        baseline_score=baseline_score,
        p_better=better,
        p_within=within,
        p_worse=worse,
        needed_rows=needed_rows(lead, plan.margin, plan.alpha),
    )


def _remark(outcome: OutcomeWord, lead: Interval, margin: float) -> Remark:
    if outcome != "dl_not_worth":
        return ""
    return "worse" if lead.upper < 0 else "equivalent" if lead.lower > -margin else ""


def _reason(
    outcome: OutcomeWord,
    lead: Interval,
    decider: str,
    models: Mapping[str, Interval],
    samples: Samples,
    plan: Judging,
) -> str:
    def shown(value: float) -> str:
        return figure(plan.metric, value)

    lower = " (lower is better)" if plan.metric in LOSSES else ""
    scores = (
        f"{METRICS[plan.metric]} {shown(models[DEEP].estimate)} against "
        f"{shown(models[decider].estimate)} of {decider}{lower}"
    )
    ends = [figure(plan.metric, end, signed=True) for end in (lead.lower, lead.upper)]
    gain = f"the gain{_by(samples)} lies between {ends[0]} and {ends[1]}"
    if outcome == "dl_earns":
        return f"Deep learning earns its cost: {scores}; {gain}, above the margin of {plan.margin:g}."
    if outcome == "dl_not_worth":
        extra = {
            "worse": ", and it is worse",
            "equivalent": ", and the two are equivalent",
            "": "",
        }
        remark = extra[_remark(outcome, lead, plan.margin)]
        return f"Deep learning is not worth its cost here: {scores}; {gain}, under the margin of {plan.margin:g}{remark}."
    rows = needed_rows(lead, plan.margin, plan.alpha)
    more = (
        "" if samples.units is None else f", with units ({samples.unit}) in proportion,"
    )
    return (
        f"Whether deep learning earns its cost stays open: {scores}; {gain}, and the margin is {plan.margin:g}"
        f"{f'; about {rows:,} rows{more} would decide it' if rows else ''}."
    )


def _by(samples: Samples) -> str:
    return "" if samples.units is None else f" by {samples.unit}"


# What it costs ---------------------------------------------------------------------------------


def _price(evidence: Evidence, folds: NDArray[np.int16]) -> dict[str, Price]:
    """Return what each model costs; ``folds`` holds the tested rows of each repeat."""
    fits: dict[str, list[ModelFit]] = {}
    for result in evidence.results:
        for name, fit in result.models.items():
            fits.setdefault(name, []).append(fit)
    return {
        name: Price(
            fit_s=float(np.mean([fit.fit_s for fit in of])),
            predict_us=1e6 * sum(fit.predict_s for fit in of) / folds.size,
            size=round(np.mean([fit.size for fit in of])),
        )
        for name, of in fits.items()
    }


def _gain_per_second(
    leads: Mapping[str, Interval], price: Mapping[str, Price]
) -> dict[str, float]:
    longer = {name: price[DEEP].fit_s - price[name].fit_s for name in leads}
    return {
        name: leads[name].estimate / seconds
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
) -> tuple[OutcomeWord, str]:
    """Return the word and the reason: an unanswered alarm, a failed gate, or too little to compare."""
    alarm = next((flag for flag in _flags(evidence) if flag.accepted is None), None)
    gate = evidence.gate
    if alarm is not None:
        return (
            "suspect_leak",
            f"A leak is suspected, so no score is shown: {alarm.evidence}. {alarm.answer}",
        )
    if gate is None:
        raise ValueError("the plan stopped before its gate, but no alarm is unanswered")
    if not gate.passed:
        return (
            "no_signal" if gate.word == "no_signal" else "underpowered",
            _failed(gate, samples, plan),
        )
    too_little = (
        "fewer than two outer folds hold rows of two classes, so no AUC can be compared"
        if evidence.results
        else f"there is too little to compare models on: {_too_few(evidence.cleaned)}"
    )
    return "underpowered", f"Something beats chance, but {too_little}."


def _failed(gate: GateResult, samples: Samples, plan: Judging) -> str:
    """Say why the gate did not pass."""
    if gate.score is None:
        return f"Not tested against chance: {str(gate.remark).rstrip('.')}."
    name = STATISTICS[gate.statistic]
    smallest = effect(gate.statistic, plan.smallest_effect)
    said = f"No model beat chance (best {name} {gate.score:.3f}, p = {gate.p_value:.2g}{_by(samples)})"
    if gate.word == "no_signal":
        return f"{said}; {smallest} would have been found with a probability of 80 %."
    return f"{said}, and the rows are too few to say there is nothing: about {gate.needed_rows:,} are needed to see {smallest}."


def _too_few(cleaned: Cleaned) -> str:
    """Name everything there is too little of, with what it takes."""
    rarest = min(cleaned.counts, default=cleaned.n_rows)
    said = []
    if cleaned.n_rows < MIN_ROWS_TO_COMPARE:
        said.append(f"{cleaned.n_rows} rows ({MIN_ROWS_TO_COMPARE} are needed)")
    if cleaned.n_units < MIN_UNITS_TO_COMPARE:
        said.append(
            f"{cleaned.n_units} units by {cleaned.unit} ({MIN_UNITS_TO_COMPARE} are needed)"
        )
    if rarest < MIN_CLASS_TO_COMPARE:
        name = cleaned.classes[cleaned.counts.index(rarest)]
        said.append(
            f"{rarest} rows of the class '{name}' ({MIN_CLASS_TO_COMPARE} are needed)"
        )
    return ", ".join(said)


def _flags(evidence: Evidence) -> tuple[Flag, ...]:
    tested = evidence.self_test
    own = () if tested is None or tested.flag is None else (tested.flag,)
    return evidence.audit.flags + own


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
