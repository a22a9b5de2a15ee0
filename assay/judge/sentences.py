"""A verdict in sentences: the same on the terminal, the page, the cards and in Prefect."""

from collections.abc import Iterable
from typing import NamedTuple, get_args

from assay.store.behaviour import AtRows, Behaviour
from assay.store.records import STATISTICS, Metric, model_name
from assay.store.verdict import Claim, OutcomeWord, Universe, Verdict
from assay.study.plans import LOSSES
from assay.wording import Sentence, Value

_NET = "net"
_SIGNS: dict[OutcomeWord, str] = {
    "no_signal": "○",
    "underpowered": "○",
    "suspect_leak": "▲",
    "dl_earns": "●",
    "dl_not_worth": "■",
    "inconclusive": "◆",
}
_ANSWER_SIGNS = {
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
HEADLINES: dict[OutcomeWord, tuple[str, Sentence]] = {
    outcome: (sign, Sentence(f"judge.outcome.{outcome}"))
    for outcome, sign in _SIGNS.items()
}
METRICS: dict[Metric, Sentence] = {
    metric: Sentence(f"records.metric.{metric}") for metric in get_args(Metric)
}
_IN_TARGET_UNITS = ("squared_error", "absolute_error")


def figure(metric: Metric, value: float, *, signed: bool = False) -> str:
    """Return a value of a metric as it is printed: four decimals, or four digits in the target's units.

    Examples
    --------
    >>> figure("auc", 0.91234), figure("r2", 0.02, signed=True), figure("absolute_error", 45210.7)
    ('0.9123', '+0.0200', '45,211')
    """
    sign = "+z" if signed else ""
    if metric not in _IN_TARGET_UNITS:
        return f"{value:{sign}.4f}"
    return f"{value:{sign},.0f}" if abs(value) >= 999.95 else f"{value:{sign}#.4g}"


def effect(statistic: str, value: float, digits: int = 2) -> Sentence:
    """Return an effect of the gate's statistic with its article.

    Examples
    --------
    >>> str(effect("auc", 0.6)), str(effect("spearman", 0.2))
    ('an AUC of 0.60', 'a Spearman correlation of 0.20')
    """
    return Sentence(f"records.effect.{statistic}", {"value": f"{value:.{digits}f}"})


def size(n_bytes: int) -> str:
    """Return a number of bytes in the largest unit that fits.

    Examples
    --------
    >>> size(812), size(41_234), size(2_600_000)
    ('812 B', '41 kB', '2.6 MB')
    """
    if n_bytes < 1000:
        return f"{n_bytes} B"
    return f"{n_bytes / 1e3:.0f} kB" if n_bytes < 999_500 else f"{n_bytes / 1e6:.1f} MB"


# The three answers -----------------------------------------------------------------------------


class Answer(NamedTuple):
    """One of the three answers: the question, a sign and a word for the answer, and the evidence."""

    asked: Sentence
    sign: str
    word: Sentence
    evidence: Sentence


def answers(verdict: Verdict) -> tuple[Answer, Answer, Answer]:
    """Return the three answers of a verdict."""
    return (
        _answer("signal", verdict.signal.answer, signal_evidence(verdict)),
        _answer("claim", verdict.claim.answer, _claim_evidence(verdict)),
        _answer("deep", verdict.deep_learning.answer, _deep_evidence(verdict)),
    )


def _answer(asked: str, word: str, evidence: Sentence) -> Answer:
    return Answer(
        Sentence(f"judge.asked.{asked}"),
        _ANSWER_SIGNS[word],
        Sentence(f"judge.answer.{word}"),
        evidence,
    )


def signal_evidence(verdict: Verdict) -> Sentence:
    """Return what the first answer rests on."""
    signal = verdict.signal
    if signal.score is None or signal.p_value is None:
        is_withheld = verdict.outcome == "suspect_leak"
        return Sentence(f"judge.evidence.{'withheld' if is_withheld else 'not_tested'}")
    return Sentence.of(
        "judge.evidence.signal",
        statistic=STATISTICS[signal.statistic],
        score=signal.score,
        chance=signal.chance,
        p=signal.p_value,
        n=signal.permutations,
    )


def _claim_evidence(verdict: Verdict) -> Sentence:
    claim, metric = verdict.claim, verdict.metric
    if claim.score is None or claim.interval is None:
        return Sentence.of("judge.evidence.claim_open", claimed=claimed(claim))
    low, high = claim.interval
    return Sentence.of(
        "judge.evidence.claim",
        metric=METRICS[metric],
        score=figure(metric, claim.score),
        low=figure(metric, low),
        high=figure(metric, high),
        claimed=claimed(claim),
    )


def claimed(claim: Claim) -> Sentence:
    """Return the bound of a claim: so much or more of a score, so much or less of a loss."""
    return bound_of(claim.at_least, claim.at_most)


def bound_of(at_least: float | None, at_most: float | None) -> Sentence:
    """Return a declared bound in words."""
    if at_most is not None:
        return Sentence.of("judge.evidence.or_less", bound=at_most)
    return Sentence.of("judge.evidence.or_more", bound=at_least or 0.0)


def _deep_evidence(verdict: Verdict) -> Sentence:
    deep, metric = verdict.deep_learning, verdict.metric
    if deep.delta is None or deep.lower is None or deep.upper is None:
        return Sentence("judge.evidence.not_compared")
    return Sentence.of(
        "judge.evidence.deep",
        delta=figure(metric, deep.delta, signed=True),
        low=figure(metric, deep.lower, signed=True),
        high=figure(metric, deep.upper, signed=True),
        margin=deep.margin,
    )


# The sentences ---------------------------------------------------------------------------------


def sentences(verdict: Verdict) -> list[Sentence]:
    """Return what a person should know, with the numbers: plan A, signal, claim, reason, cost and the rest."""
    every = (
        plan_a_sentence(verdict),
        signal_sentence(verdict),
        claim_sentence(verdict),
        verdict.reason,
        cost_sentence(verdict),
        edge_sentence(verdict),
        multiverse_sentence(verdict),
        *deviation_sentences(verdict),
    )
    return [sentence for sentence in every if sentence]


def plan_a_sentence(verdict: Verdict) -> Sentence | None:
    """Return how plan A failed; None where it decided."""
    plan_a = verdict.plan_a
    if plan_a is None:
        return None
    return Sentence.of(
        "judge.sentence.plan_a",
        outcome=HEADLINES[plan_a.outcome][1],
        reason=plan_a.reason,
    )


def signal_sentence(verdict: Verdict) -> Sentence | None:
    """Return what beat chance; None where the verdict's own reason says it."""
    signal = verdict.signal
    if signal.answer != "signal" or signal.score is None or signal.p_value is None:
        return None
    return Sentence.of("judge.sentence.signal", evidence=signal_evidence(verdict))


def claim_sentence(verdict: Verdict) -> Sentence | None:
    """Return how the claim stands; None where there is no score to compare it with."""
    claim, metric = verdict.claim, verdict.metric
    if claim.score is None or claim.interval is None:
        return None
    low, high = claim.interval
    return Sentence.of(
        "judge.sentence.claim",
        metric=METRICS[metric],
        claimed=claimed(claim),
        answer=Sentence(f"judge.answer.{claim.answer}"),
        score=figure(metric, claim.score),
        low=figure(metric, low),
        high=figure(metric, high),
    )


def cost_sentence(verdict: Verdict) -> Sentence | None:
    """Return what the net costs beside the baseline it gains least over; None where none was fitted."""
    deep = verdict.deep_learning
    if not deep.against:
        return None
    least = min(deep.against, key=lambda name: deep.against[name].delta)
    net, seconds = deep.price[_NET], deep.price[least].fit_s
    return Sentence.of(
        "judge.sentence.cost",
        seconds=net.fit_s,
        name=model_name(least),
        other=f"{seconds:.1f}" if seconds >= 0.1 else f"{seconds:.2g}",
        size=size(net.size),
    )


def edge_sentence(verdict: Verdict) -> Sentence | None:
    """Return where a wider search might find better; None where nothing points there."""
    edges = verdict.deep_learning.edges
    if not edges:
        return None
    return Sentence.of("judge.sentence.edges", edges=edges, plan=verdict.plan)


def multiverse_sentence(verdict: Verdict) -> Sentence | None:
    """Return in how many of the declared alternatives the verdict stands; None where none was asked for."""
    multiverse = verdict.multiverse
    if multiverse is None:
        return None
    if not multiverse.of:
        plan = verdict.plan.upper()
        return Sentence.of("judge.sentence.no_alternative", plan=plan)
    mine = (verdict.outcome, verdict.claim.answer)
    others = tuple(
        _alternative(universe, verdict)
        for universe in multiverse.universes
        if (universe.outcome, universe.claim) != mine
    )
    counts = {"stands": multiverse.stands, "of": multiverse.of}
    if not others:
        return Sentence.of("judge.sentence.stands", **counts)
    return Sentence.of("judge.sentence.stands_but", **counts, others=others)


def _alternative(universe: Universe, verdict: Verdict) -> Sentence:
    words: dict[str, Value] = {
        "name": universe.name,
        "outcome": Sentence(f"judge.outcome.{universe.outcome}"),
    }
    if universe.claim == verdict.claim.answer:
        return Sentence("judge.sentence.alternative", words)
    words["claim"] = Sentence(f"judge.answer.{universe.claim}")
    return Sentence("judge.sentence.alternative_claim", words)


def deviation_sentences(verdict: Verdict) -> Iterable[Sentence]:
    """Yield what differs from an earlier registration, or is not the whole source."""
    for deviation in verdict.deviations:
        yield Sentence.of("judge.sentence.deviation", deviation=deviation)


def more_rows_sentence(
    behaviour: Behaviour | None, metric: Metric, margin: float
) -> Sentence | None:
    """Return what twice the rows did for the net and a simple model; None where it was not asked.

    It describes what was seen on the folds, beside the margin: it is no test.
    """
    *fewer, last = (behaviour.at_rows if behaviour else ()) or (None,)
    if last is None or not fewer:
        return None
    half = min(fewer, key=lambda at: abs(at.n_rows - last.n_rows / 2))
    sign = -1.0 if metric in LOSSES else 1.0
    gain = sign * (last.scores[_NET] - half.scores[_NET])
    word = "gained" if gain >= margin else "little" if gain > 0 else "nothing"
    return Sentence.of(
        f"judge.more_rows.{word}",
        rows=last.n_rows,
        half=half.n_rows,
        metric=METRICS[metric],
        models=_changes(half, last, metric),
        margin=figure(metric, margin),
    )


def _changes(half: AtRows, last: AtRows, metric: Metric) -> tuple[Sentence, ...]:
    return tuple(
        Sentence.of(
            "judge.more_rows.model",
            name=model_name(name),
            low=figure(metric, half.scores[name]),
            high=figure(metric, score),
        )
        for name, score in last.scores.items()
    )
