"""The page a person reads: one file, no script, no network."""

import functools
from pathlib import Path
from typing import NamedTuple

import jinja2

from assay.plans import LOSSES, Plan
from assay.records import STATISTICS, Flag, GateResult, Sentinel
from assay.study import Registration
from assay.verdict import Evidence, Judgement
from assay.words import (
    ANSWERS,
    HEADLINES,
    METRICS,
    SENTINELS,
    claimed,
    edge_sentence,
    effect,
    figure,
    multiverse_sentence,
    size,
)


class SentinelRow(NamedTuple):
    """What one sentinel saw, or why it did not look."""

    word: str
    asked: str
    found: str
    evidence: str
    answer: str


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
    shown_gate = None if verdict.outcome == "suspect_leak" else evidence.gate
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
        is_loss=verdict.metric in LOSSES,
        statistic=STATISTICS[verdict.signal.statistic],
        claimed=claimed(verdict.claim),
        effect=functools.partial(effect, verdict.signal.statistic),
        figure=functools.partial(figure, verdict.metric),
        size=size,
        edge_sentence=edge_sentence(verdict),
        multiverse_sentence=multiverse_sentence(verdict),
        sentinels=sentinel_rows(evidence),
        gate=shown_gate,
        bars=_null_bars(shown_gate) if shown_gate else [],
        judgement=judgement,
        leads=_lead_lines(judgement, study.of(verdict.plan)),
    )


def sentinel_rows(evidence: Evidence) -> list[SentinelRow]:
    """Return a row for every alarm, every sentinel that kept quiet, and all that was not looked for."""
    audit, tested = evidence.audit, evidence.self_test
    flags, quiet = list(audit.flags), list(audit.looked_for)
    not_asked = dict(audit.not_looked_for)
    if tested is None:
        not_asked["self_test"] = "the plan stopped before models were compared"
    elif tested.flag is None:
        quiet.append("self_test")
    else:
        flags.append(tested.flag)
    rows = [_alarm(flag) for flag in flags]
    alarmed = {flag.sentinel for flag in flags}
    for word in dict.fromkeys([*quiet, *not_asked]):
        sentinel, why = _sentinel_of(word), not_asked.get(word, "")
        if word not in quiet:
            rows.append(_row(word, "not looked for", why))
        elif sentinel not in alarmed:
            rows.append(
                _row(word, "no alarm, looked in part" if why else "no alarm", why)
            )
    return sorted(rows, key=lambda row: list(SENTINELS).index(_sentinel_of(row.word)))


def _sentinel_of(word: str) -> Sentinel:
    """Return the sentinel a word belongs to: near duplicates are the business of duplicates."""
    return next(sentinel for sentinel in SENTINELS if word.endswith(sentinel))


def _row(word: str, found: str, evidence: str, answer: str = "") -> SentinelRow:
    return SentinelRow(word, SENTINELS[_sentinel_of(word)], found, evidence, answer)


def _alarm(flag: Flag) -> SentinelRow:
    answer = f"Accepted: {flag.accepted}" if flag.accepted else flag.answer
    return _row(flag.sentinel, "alarm", flag.evidence, answer)


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
