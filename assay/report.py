"""The page a person reads: one file, no script, no network."""

from pathlib import Path

import jinja2

from assay.plans import Plan
from assay.records import GateResult
from assay.study import Registration
from assay.verdict import Evidence, Judgement
from assay.words import ANSWERS, HEADLINES, METRICS


def render(registration: Registration, evidence: Evidence, judgement: Judgement) -> str:
    """Return the report as HTML; every text from a study or a table is escaped."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.from_string(
        Path(__file__).with_suffix(".html.jinja").read_text(encoding="utf-8")
    )
    verdict = judgement.verdict
    study = registration.study
    sign, headline = HEADLINES[verdict.outcome]
    return template.render(
        study=study,
        plan=study.of(verdict.plan),
        registration=registration,
        evidence=evidence,
        verdict=verdict,
        sign=sign,
        headline=headline,
        answers=ANSWERS,
        metric=METRICS[verdict.metric],
        bars=_null_bars(evidence.gate) if evidence.gate else [],
        judgement=judgement,
        leads=_lead_lines(judgement, study.of(verdict.plan)),
    )


def _null_bars(gate: GateResult, n_bins: int = 24) -> list[dict[str, float]]:
    """Return the permutation distribution as bars from 0 to 100 across, 0 to 60 up, with the observed score."""
    if gate.score is None or not gate.null_scores:
        return []
    low, high = min(*gate.null_scores, gate.score), max(*gate.null_scores, gate.score)
    width = (high - low) / n_bins or 1.0
    counts = [0] * n_bins
    for null in gate.null_scores:
        counts[min(n_bins - 1, int((null - low) / width))] += 1
    tallest = max(counts)
    return [
        {"x": 100 * i / n_bins, "width": 100 / n_bins, "height": 60 * n / tallest}
        for i, n in enumerate(counts)
    ]


def _lead_lines(judgement: Judgement, plan: Plan) -> list[dict[str, float | str]]:
    """Return each lead's interval on a common scale from 0 to 100, zero and margin included."""
    against = judgement.verdict.deep_learning.against
    if not against:
        return []
    ends = [
        0.0,
        plan.margin,
        *(v for one in against.values() for v in (one.lower, one.upper)),
    ]
    low, high = min(ends), max(ends)
    pad = 0.06 * (high - low)

    def scale(value: float) -> float:
        return 100 * (value - low + pad) / (high - low + 2 * pad)

    return [
        {
            "name": name,
            "lower": scale(one.lower),
            "upper": scale(one.upper),
            "delta": scale(one.delta),
            "zero": scale(0.0),
            "margin": scale(plan.margin),
        }
        for name, one in against.items()
    ]
