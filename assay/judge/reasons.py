"""Why a verdict is what it is: built once, kept in the verdict, rendered wherever it is shown."""

from collections.abc import Mapping

from assay.data.samples import Samples
from assay.judge.contributions import DEEP
from assay.judge.intervals import Interval, needed_rows
from assay.judge.sentences import METRICS, effect, figure
from assay.store.records import (
    MIN_CLASS_TO_COMPARE,
    MIN_ROWS_TO_COMPARE,
    MIN_UNITS_TO_COMPARE,
    STATISTICS,
    Cleaned,
    Flag,
    GateResult,
    model_name,
    unit_name,
)
from assay.store.verdict import OutcomeWord
from assay.study.plans import LOSSES, Judging
from assay.wording import Sentence, Value


def compared(
    outcome: OutcomeWord,
    remark: str,
    decider: str,
    gain: Interval,
    models: Mapping[str, Interval],
    samples: Samples,
    plan: Judging,
) -> Sentence:
    """Return why deep learning earns its cost, does not, or stays open.

    Parameters
    ----------
    decider
        The baseline that decided it; ``gain`` is the net's over that one.
    """
    values: dict[str, Value] = {
        "scores": _scores(decider, models, plan),
        "gain": _gain(gain, samples, plan),
        "margin": plan.margin,
    }
    if outcome != "inconclusive":
        return Sentence(f"judge.reason.{remark or outcome}", values)
    rows = needed_rows(gain, plan.margin, plan.alpha)
    if rows is None:
        return Sentence("judge.reason.inconclusive", values)
    values["rows"] = rows
    if samples.units is None:
        return Sentence("judge.reason.inconclusive_rows", values)
    return Sentence(
        "judge.reason.inconclusive_units", values | {"unit": unit_name(samples.unit)}
    )


def _scores(decider: str, models: Mapping[str, Interval], plan: Judging) -> Sentence:
    is_loss = plan.metric in LOSSES
    return Sentence.of(
        "judge.reason.scores_of_loss" if is_loss else "judge.reason.scores",
        metric=METRICS[plan.metric],
        net=figure(plan.metric, models[DEEP].estimate),
        other=figure(plan.metric, models[decider].estimate),
        decider=model_name(decider),
    )


def _gain(gain: Interval, samples: Samples, plan: Judging) -> Sentence:
    bounds = {
        "low": figure(plan.metric, gain.lower, signed=True),
        "high": figure(plan.metric, gain.upper, signed=True),
    }
    if samples.units is None:
        return Sentence.of("judge.reason.gain", **bounds)
    return Sentence.of(
        "judge.reason.gain_by_unit", **bounds, unit=unit_name(samples.unit)
    )


def suspected(alarm: Flag) -> Sentence:
    """Return which alarm the study has not answered, and how to answer it."""
    return Sentence.of(
        "judge.reason.suspect_leak",
        evidence=_without_period(alarm.evidence),
        answer=alarm.answer,
    )


def not_passed(gate: GateResult, samples: Samples, plan: Judging) -> Sentence:
    """Return why the gate did not pass."""
    if gate.score is None or gate.p_value is None:
        remark = _without_period(gate.remark or Sentence.plain(""))
        return Sentence.of("judge.reason.not_tested", remark=remark)
    best: dict[str, Value] = {
        "statistic": STATISTICS[gate.statistic],
        "score": gate.score,
        "p": gate.p_value,
    }
    values: dict[str, Value] = {
        "best": Sentence("judge.reason.best", best)
        if samples.units is None
        else Sentence(
            "judge.reason.best_by_unit", best | {"unit": unit_name(samples.unit)}
        ),
        "effect": effect(gate.statistic, plan.smallest_effect),
    }
    if gate.word == "no_signal":
        return Sentence("judge.reason.no_signal", values)
    rows: Value = gate.needed_rows or 0
    return Sentence("judge.reason.underpowered", values | {"rows": rows})


def too_few_folds() -> Sentence:
    """Return that no AUC can be compared."""
    return Sentence("judge.reason.too_few_folds")


def too_little(cleaned: Cleaned) -> Sentence:
    """Return everything there is too little of to compare models, with what it takes."""
    rarest = min(cleaned.counts, default=cleaned.n_rows)
    what = []
    if cleaned.n_rows < MIN_ROWS_TO_COMPARE:
        counts = {"n": cleaned.n_rows, "least": MIN_ROWS_TO_COMPARE}
        what.append(Sentence.of("judge.reason.few_rows", **counts))
    if cleaned.n_units < MIN_UNITS_TO_COMPARE:
        counts = {"n": cleaned.n_units, "least": MIN_UNITS_TO_COMPARE}
        what.append(
            Sentence.of("judge.reason.few_units", **counts, unit=cleaned.unit_name)
        )
    if rarest < MIN_CLASS_TO_COMPARE:
        name = cleaned.classes[cleaned.counts.index(rarest)]
        counts = {"n": rarest, "least": MIN_CLASS_TO_COMPARE}
        what.append(Sentence.of("judge.reason.few_of_class", **counts, name=name))
    return Sentence.of("judge.reason.too_little", what=tuple(what))


def _without_period(text: Sentence) -> Sentence:
    """Return a text as part of a longer sentence; those of the catalogue end without a period."""
    if not text.is_plain:
        return text
    return Sentence.plain(str(text.values["text"]).rstrip("."))
