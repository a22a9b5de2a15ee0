"""Judge: from out-of-fold predictions to an interval, and from the interval to a word.

PROTOCOL steps 4 and 5; the intervals themselves are in ``interval``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.canonical import digest_json
from assay.interval import Interval, clt_split, nadeau_bengio, needed_rows
from assay.metrics import chance_score, row_parts, score
from assay.plans import Judging
from assay.records import (
    MIN_CLASS_TO_COMPARE,
    MIN_ROWS_TO_COMPARE,
    FoldResult,
    GateResult,
    Metric,
)
from assay.study import Identity
from assay.verdict import (
    Against,
    Claim,
    DeepLearning,
    Evidence,
    Judgement,
    OutcomeWord,
    Signal,
    Verdict,
)
from assay.words import METRICS

DEEP = "net"
# One repeat's predictions: an array of class probabilities for each outer fold.
Predictions = Mapping[str, Sequence[Sequence[NDArray[np.float64]]]]


# From predictions to contributions -------------------------------------------------------------


class _Scored:
    """Every model's scores and row contributions on the same folds."""

    def __init__(
        self,
        labels: NDArray[np.int32],
        folds: NDArray[np.int16],
        predictions: Predictions,
        metric: Metric,
    ) -> None:
        self.n_rows = len(labels)
        repeats, k = len(folds), int(folds.max()) + 1
        self.fold_scores: dict[str, NDArray[np.float64]] = {}
        self.contributions: dict[str, NDArray[np.float64]] = {}
        for name, by_repeat in predictions.items():
            scores, parts = np.empty((repeats, k)), np.empty((self.n_rows, repeats))
            for j in range(repeats):
                for f in range(k):
                    test = folds[j] == f
                    p = by_repeat[j][f]
                    scores[j, f] = score(metric, labels[test], p)
                    parts[test, j] = row_parts(metric, labels[test], p, k, self.n_rows)
                if (
                    metric == "auc"
                ):  # centred parts: put the repeat's mean fold score back
                    parts[:, j] += scores[j].mean() - parts[:, j].mean()
            self.fold_scores[name], self.contributions[name] = scores, parts

    def interval(self, name: str, alpha: float, less: str | None = None) -> Interval:
        """Return the interval of a model's score, or of its lead over another."""
        d, s = self.contributions[name], self.fold_scores[name]
        if less is not None:
            d, s = d - self.contributions[less], s - self.fold_scores[less]
        return (
            clt_split(d, alpha)
            if d.shape[1] > 1
            else nadeau_bengio(s[0], self.n_rows, alpha)
        )


# From intervals to words -----------------------------------------------------------------------


def judge_evidence(
    evidence: Evidence,
    labels: NDArray[np.int32],
    folds: NDArray[np.int16],
    predictions: Predictions,
    plan: Judging,
    identity: Identity,
) -> Judgement:
    """Judge a plan by whatever evidence there is: an alarm, a failed gate, or scored folds.

    Parameters
    ----------
    labels : shape (n_rows,)
    folds : shape (repeats, n_rows)
        Outer test fold of each row.
    predictions
        For each model, repeat and fold the class probabilities of the test rows, in row order;
        empty when the plan stopped before any fold.
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
    if not evidence.results:
        return _judge_stopped(
            evidence, plan, chance_score(plan.metric, labels), digests
        )
    scored = _Scored(labels, folds, predictions, plan.metric)
    digests["predictions"] = digest_json(
        {
            name: [[ref.digest for ref in refs] for refs in repeats]
            for name, repeats in evidence.predictions().items()
        }
    )
    digests["scores"] = digest_json(
        {name: values.tolist() for name, values in scored.fold_scores.items()}
    )
    return _judge_folds(
        evidence, scored, plan, chance_score(plan.metric, labels), digests
    )


def _judge_folds(
    evidence: Evidence,
    scored: _Scored,
    plan: Judging,
    chance: float,
    digests: dict[str, str],
) -> Judgement:
    baselines = [name for name in scored.contributions if name != DEEP]
    leads = {name: scored.interval(DEEP, plan.alpha, less=name) for name in baselines}
    outcome, against = decide(leads, plan.margin)
    deep = scored.interval(DEEP, plan.alpha)
    means = {
        name: float(values.mean()) for name, values in scored.contributions.items()
    }
    deciding = leads[against]
    verdict = Verdict(
        study=plan.study,
        plan=plan.plan,
        outcome=outcome,
        metric=plan.metric,
        signal=_signal(evidence.gate),
        claim=_claim(deep, plan.at_least),
        deep_learning=DeepLearning(
            answer=outcome,
            remark=_remark(outcome, deciding, plan.margin),
            delta=deciding.estimate,
            lower=deciding.lower,
            upper=deciding.upper,
            margin=plan.margin,
            against={
                name: _against(lead, means[name], plan) for name, lead in leads.items()
            },
            seconds=_seconds(evidence.results),
            needed_rows=needed_rows(deciding, plan.margin, plan.alpha)
            if outcome == "inconclusive"
            else None,
            method=deep.method,
        ),
        flags=evidence.audit.flags,
        deviations=(),
        digests=digests,
        reason=_reason(outcome, deciding, against, means, plan),
    )
    return Judgement(
        verdict=verdict,
        chance=chance,
        scores=means,
        fold_scores={
            name: tuple(values.ravel().tolist())
            for name, values in scored.fold_scores.items()
        },
    )


def decide(leads: Mapping[str, Interval], margin: float) -> tuple[OutcomeWord, str]:
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


def _judge_stopped(
    evidence: Evidence, plan: Judging, chance: float, digests: dict[str, str]
) -> Judgement:
    """Judge a plan that went no further: an unanswered leak, a failed gate, or too few rows to compare."""
    gate, audit = evidence.gate, evidence.audit
    outcome: OutcomeWord
    if gate is None:
        flag = next(flag for flag in audit.flags if flag.accepted is None)
        outcome, reason = (
            "suspect_leak",
            f"A leak is suspected, so no score is shown: {flag.evidence}. {flag.answer}",
        )
    elif gate.passed:
        outcome = "underpowered"
        reason = (
            f"Something beats chance, but these rows are too few to compare models: {MIN_ROWS_TO_COMPARE} rows and "
            f"{MIN_CLASS_TO_COMPARE} of the smallest class are needed."
        )
    else:
        outcome = "no_signal" if gate.word == "no_signal" else "underpowered"
        reason = _stopped(gate, plan)
    verdict = Verdict(
        study=plan.study,
        plan=plan.plan,
        outcome=outcome,
        metric=plan.metric,
        signal=_signal(gate),
        claim=Claim(
            answer="undecided", at_least=plan.at_least, score=None, interval=None
        ),
        deep_learning=DeepLearning(
            answer="not_asked",
            delta=None,
            lower=None,
            upper=None,
            margin=plan.margin,
            against={},
            seconds={},
            needed_rows=None,
            method="",
        ),
        flags=audit.flags,
        deviations=(),
        digests=digests,
        reason=reason,
    )
    return Judgement(verdict=verdict, chance=chance, scores={}, fold_scores={})


def _stopped(gate: GateResult, plan: Judging) -> str:
    effect = f"an AUC of {plan.smallest_effect:.2f}"
    if gate.score is None:
        return (
            f"Too few rows to test against chance: about {gate.needed_rows} are needed."
        )
    said = f"No model beat chance (best AUC {gate.score:.3f}, p = {gate.p_value:.2g})"
    if gate.word == "no_signal":
        return f"{said}; {effect} would have been found with a probability of 80 %."
    return f"{said}, and the rows are too few to say there is nothing: about {gate.needed_rows:,} are needed to see {effect}."


def _signal(gate: GateResult | None) -> Signal:
    if gate is None:
        return Signal(
            answer="not_asked",
            score=None,
            chance=0.5,
            p_value=None,
            permutations=0,
            detectable=None,
        )
    return Signal(
        answer=gate.word,
        score=gate.score,
        chance=gate.chance_level,
        p_value=gate.p_value,
        permutations=gate.permutations,
        detectable=gate.detectable,
    )


def _claim(deep: Interval, at_least: float) -> Claim:
    """Hold the deep model's score against the claim, by the same one-sided bounds."""
    answer = (
        "supported"
        if deep.lower >= at_least
        else "refuted"
        if deep.upper < at_least
        else "undecided"
    )
    return Claim(
        answer=answer,
        at_least=at_least,
        score=deep.estimate,
        interval=(max(0.0, deep.lower), min(1.0, deep.upper)),
    )


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


def _remark(outcome: OutcomeWord, lead: Interval, margin: float) -> str:
    if outcome != "dl_not_worth":
        return ""
    return "worse" if lead.upper < 0 else "equivalent" if lead.lower > -margin else ""


def _seconds(results: Sequence[FoldResult]) -> dict[str, float]:
    names = results[0].models if results else {}
    return {
        name: float(np.mean([result.models[name].fit_s for result in results]))
        for name in names
    }


def _reason(
    outcome: OutcomeWord,
    lead: Interval,
    against: str,
    means: Mapping[str, float],
    plan: Judging,
) -> str:
    scores = f"{METRICS[plan.metric]} {means[DEEP]:.4f} against {means[against]:.4f} of {against}"
    gain = f"the gain lies between {lead.lower:+z.4f} and {lead.upper:+z.4f}"
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
    return (
        f"Whether deep learning earns its cost stays open: {scores}; {gain}, and the margin is {plan.margin:g}"
        f"{f'; about {rows:,} rows would decide it' if rows else ''}."
    )
