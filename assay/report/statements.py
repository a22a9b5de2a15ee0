"""What a verdict says, rebuilt from its fields in the page's language; in English it is the record's own sentence."""

from typing import NamedTuple

from markupsafe import Markup

from assay.judge.contributions import DEEP
from assay.judge.sentences import figure, size
from assay.report.say import Say
from assay.store.behaviour import Behaviour
from assay.store.records import (
    MIN_CLASS_TO_COMPARE,
    MIN_ROWS_TO_COMPARE,
    MIN_UNITS_TO_COMPARE,
    Cleaned,
    Flag,
    GateResult,
    Metric,
)
from assay.store.verdict import Claim, Evidence, Verdict
from assay.study.plans import LOSSES, Plan


class Answer(NamedTuple):
    """One of the three answers: asked, said with a sign, and what it rests on."""

    asked: Markup
    sign: str
    word: Markup
    rests_on: Markup


_LONGEST = 24  # letters of a word that is not broken
_SIGNS = {
    "signal": "●",
    "supported": "●",
    "dl_earns": "●",
    "no_signal": "○",
    "refuted": "○",
    "dl_not_worth": "■",
    "underpowered": "◆",
    "undecided": "◆",
    "inconclusive": "◆",
    "not_asked": "–",
}


def own(text: object, lang: str = "") -> Markup:
    """Return a text of a study or a record, kept from turning what stands round it: see ``bdi`` in HTML.

    A text with a word too long for a column may be broken anywhere; others only between words.

    Examples
    --------
    >>> own("<b>"), own("x" * 41, "en")
    (Markup('<bdi>&lt;b&gt;</bdi>'), Markup('<bdi lang="en" class="long">xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</bdi>'))
    """
    long = any(len(word) > _LONGEST for word in str(text).split())
    said = [f' lang="{lang}"'] * bool(lang) + [' class="long"'] * long
    return Markup("<bdi{}>{}</bdi>").format(Markup("".join(said)), text)


# The reason ------------------------------------------------------------------------------------


def reason(verdict: Verdict, evidence: Evidence, plan: Plan, say: Say) -> Markup:
    """Return why the verdict is what it is."""
    if verdict.outcome == "suspect_leak":
        alarm = next(flag for flag in verdict.flags if flag.accepted is None)
        return _suspected(alarm, say)
    if verdict.deep_learning.delta is not None:
        return _compared(verdict, evidence.cleaned, say)
    gate = evidence.gate
    if gate is not None and not gate.passed:
        return _failed(gate, evidence.cleaned, plan, say)
    if evidence.results:
        return say("reason.folds")
    return say("reason.too_little", what=_too_few(evidence.cleaned, say))


def _suspected(alarm: Flag, say: Say) -> Markup:
    said = own(alarm.evidence), own(alarm.answer)
    return say("reason.suspect_leak", evidence=said[0], answer=said[1])


def _compared(verdict: Verdict, cleaned: Cleaned, say: Say) -> Markup:
    deep, metric = verdict.deep_learning, verdict.metric
    decider = next(
        name
        for name, one in deep.against.items()
        if (one.delta, one.lower, one.upper) == (deep.delta, deep.lower, deep.upper)
    )
    by = _by(cleaned, say)
    scores = say(
        "reason.scores",
        metric=say(f"metric.{metric}"),
        net=figure(metric, verdict.claim.score or 0.0),
        other=figure(metric, deep.against[decider].baseline_score),
        decider=say.model(decider),
        lower=say("reason.lower") if metric in LOSSES else "",
    )
    gain = say(
        "reason.gain",
        by=by,
        low=figure(metric, deep.lower or 0.0, signed=True),
        high=figure(metric, deep.upper or 0.0, signed=True),
    )
    said = {"scores": scores, "gain": gain, "margin": f"{deep.margin:g}"}
    if deep.answer == "dl_not_worth":
        said["remark"] = say(f"reason.{deep.remark}") if deep.remark else ""
    if deep.answer == "inconclusive":
        said["rows"] = _needed(deep.needed_rows, cleaned, say)
    return say(f"reason.{deep.answer}", **said)


def _needed(rows: int | None, cleaned: Cleaned, say: Say) -> Markup:
    if not rows:
        return Markup("")
    has_units = cleaned.units is not None
    units = say("reason.units", unit=own(cleaned.unit)) if has_units else ""
    return say("reason.rows", rows=f"{rows:,}", units=units)


def _by(cleaned: Cleaned, say: Say) -> Markup:
    if cleaned.units is None:
        return Markup("")
    return say("reason.by", unit=own(cleaned.unit))


def effect(statistic: str, value: float, say: Say, digits: int = 2) -> Markup:
    """Return an effect of the gate's statistic in words."""
    return say(f"effect.{statistic}", value=f"{value:.{digits}f}")


def _failed(gate: GateResult, cleaned: Cleaned, plan: Plan, say: Say) -> Markup:
    if gate.score is None or gate.p_value is None:
        return say("reason.not_tested", remark=own(str(gate.remark).rstrip(".")))
    nothing = say(
        "reason.nothing",
        statistic=say(f"statistic.{gate.statistic}"),
        score=f"{gate.score:.3f}",
        p=f"{gate.p_value:.2g}",
        by=_by(cleaned, say),
    )
    smallest = effect(gate.statistic, plan.smallest_effect, say)
    if gate.word == "no_signal":
        return say("reason.no_signal", nothing=nothing, effect=smallest)
    rows = f"{gate.needed_rows or 0:,}"
    return say("reason.underpowered", nothing=nothing, effect=smallest, rows=rows)


def _too_few(cleaned: Cleaned, say: Say) -> Markup:
    rarest = min(cleaned.counts, default=cleaned.n_rows)
    said = []
    if cleaned.n_rows < MIN_ROWS_TO_COMPARE:
        said.append(say("reason.few_rows", n=cleaned.n_rows, least=MIN_ROWS_TO_COMPARE))
    if cleaned.n_units < MIN_UNITS_TO_COMPARE:
        counts = {"n": cleaned.n_units, "least": MIN_UNITS_TO_COMPARE}
        said.append(say("reason.few_units", unit=own(cleaned.unit), **counts))
    if rarest < MIN_CLASS_TO_COMPARE:
        name = own(cleaned.classes[cleaned.counts.index(rarest)])
        counts = {"n": rarest, "least": MIN_CLASS_TO_COMPARE}
        said.append(say("reason.few_of_class", name=name, **counts))
    return Markup(", ").join(said)


# The answers -----------------------------------------------------------------------------------


def answers(verdict: Verdict, say: Say) -> list[Answer]:
    """Return the three answers of a verdict."""
    words = (verdict.signal.answer, verdict.claim.answer, verdict.deep_learning.answer)
    rest = (_signal(verdict, say), _claim(verdict, say), _deep(verdict, say))
    return [
        Answer(say(f"verdict.{asked}"), _SIGNS[word], say(f"answer.{word}"), on)
        for asked, word, on in zip(
            ("signal", "claim", "deep"), words, rest, strict=True
        )
    ]


def _signal(verdict: Verdict, say: Say) -> Markup:
    signal = verdict.signal
    if signal.score is None or signal.p_value is None:
        withheld = verdict.outcome == "suspect_leak"
        return say("verdict.withheld" if withheld else "verdict.not_tested")
    return say(
        "verdict.signal_evidence",
        statistic=say(f"statistic.{signal.statistic}"),
        score=f"{signal.score:.3f}",
        chance=f"{signal.chance:.2f}",
        p=f"{signal.p_value:.2g}",
        n=signal.permutations,
    )


def claimed(claim: Claim, say: Say) -> Markup:
    """Return the bound of a claim: so much or more of a score, so much or less of a loss."""
    if claim.at_most is not None:
        return say("verdict.or_less", bound=f"{claim.at_most:,.10g}")
    return say("verdict.or_more", bound=f"{claim.at_least:,.10g}")


def _claim(verdict: Verdict, say: Say) -> Markup:
    claim, metric = verdict.claim, verdict.metric
    bound = claimed(claim, say)
    if claim.score is None or claim.interval is None:
        return say("verdict.claim_open", claimed=bound)
    low, high = (figure(metric, end) for end in claim.interval)
    return say(
        "verdict.claim_evidence",
        metric=say(f"metric.{metric}"),
        score=figure(metric, claim.score),
        low=low,
        high=high,
        claimed=bound,
    )


def _deep(verdict: Verdict, say: Say) -> Markup:
    deep = verdict.deep_learning
    if deep.delta is None or deep.lower is None or deep.upper is None:
        return say("verdict.not_compared")
    delta, low, high = (
        figure(verdict.metric, value, signed=True)
        for value in (deep.delta, deep.lower, deep.upper)
    )
    return say(
        "verdict.deep_evidence",
        delta=delta,
        low=low,
        high=high,
        margin=f"{deep.margin:g}",
    )


def price(verdict: Verdict, say: Say) -> Markup | None:
    """Say what the net costs beside the baseline it gains least over; None where none was fitted."""
    deep = verdict.deep_learning
    if not deep.against:
        return None
    least = min(deep.against, key=lambda name: deep.against[name].delta)
    net, other = deep.price[DEEP], deep.price[least]
    return say(
        "verdict.price",
        seconds=f"{net.fit_s:.1f}",
        other=f"{other.fit_s:.1f}" if other.fit_s >= 0.1 else f"{other.fit_s:.2g}",
        name=say.model(least),
        size=size(net.size),
    )


def more_rows(
    behaviour: Behaviour | None, metric: Metric, margin: float, say: Say
) -> Markup | None:
    """Say what twice the rows did for the net and a simple model; None where it was not asked."""
    *fewer, last = (behaviour.at_rows if behaviour else ()) or (None,)
    if last is None or not fewer:
        return None
    half = min(fewer, key=lambda one: abs(one.n_rows - last.n_rows / 2))
    sign = -1.0 if metric in LOSSES else 1.0
    gain = sign * (last.scores[DEEP] - half.scores[DEEP])
    shown = [
        say(
            "behaviour.more_net" if name == DEEP else "behaviour.more_other",
            low=figure(metric, half.scores[name]),
            high=figure(metric, score),
            **({} if name == DEEP else {"name": say.model(name)}),
        )
        for name, score in last.scores.items()
    ]
    word = "yes" if gain >= margin else "little" if gain > 0 else "nothing"
    return say(
        "behaviour.more_took",
        rows=f"{last.n_rows:,}",
        half=f"{half.n_rows:,}",
        metric=say(f"metric.{metric}"),
        shown=say("behaviour.more_and").join(shown),
        said=say(f"behaviour.more_{word}"),
        margin=figure(metric, margin),
    )


# What it does not say --------------------------------------------------------------------------


def not_said(
    verdict: Verdict, evidence: Evidence, plan: Plan, say: Say
) -> list[Markup]:
    """Return what a hasty reader might take from the verdict, and should not."""
    said = []
    if verdict.outcome == "suspect_leak":
        said.append(say("verdict.not_leak"))
    if verdict.outcome == "no_signal":
        said.append(say("verdict.not_nothing"))
    if verdict.outcome == "dl_not_worth":
        margin = f"{verdict.deep_learning.margin:g}"
        said.append(say("verdict.not_worth", trials=plan.tune.trials, margin=margin))
    if verdict.outcome == "dl_earns":
        said.append(say("verdict.not_best"))
    if evidence.cleaned.units is None:
        said.append(say("verdict.not_rows"))
    else:
        said.append(say("verdict.not_units", unit=own(evidence.cleaned.unit)))
    said.append(say("verdict.not_future"))
    if evidence.results:
        share = f"{100 * (1 - 1 / evidence.split.folds):.0f}"
        said += [say("verdict.not_this_model", share=share), say("verdict.not_cause")]
    return [*said, say("verdict.not_metric")]
