"""A verdict in plain sentences, the same on the terminal and on the page."""

from assay.store.behaviour import Behaviour
from assay.store.records import STATISTICS, Metric, Sentinel
from assay.store.verdict import Claim, OutcomeWord, Verdict
from assay.study.plans import LOSSES

HEADLINES: dict[OutcomeWord, tuple[str, str]] = {
    "no_signal": ("○", "No signal: nothing beats chance"),
    "underpowered": ("○", "Too few rows to say"),
    "suspect_leak": ("▲", "A leak is suspected, so no score is shown"),
    "dl_earns": ("●", "The signal is real, and deep learning earns its cost"),
    "dl_not_worth": (
        "■",
        "The signal is real, and deep learning is not worth its cost",
    ),
    "inconclusive": (
        "◆",
        "The signal is real; whether deep learning is worth its cost stays open",
    ),
}
ANSWERS = {
    "signal": "found",
    "no_signal": "not found",
    "underpowered": "too few rows to say",
    "dl_earns": "earns its cost",
    "dl_not_worth": "not worth its cost",
    "inconclusive": "open",
    "not_asked": "not asked",
}
METRICS: dict[Metric, str] = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "r2": "R²",
    "squared_error": "mean squared error",
    "absolute_error": "mean absolute error",
}
SENTINELS: dict[Sentinel, str] = {
    "single_column": "one column that tells more than an honest one would",
    "duplicates": "rows that are copies of others",
    "row_order": "labels or columns that run with the rows of the file",
    "undeclared_unit": "rows that belong together, though nothing says so",
    "confounder": "a signal that is gone within the values of a column",
    "self_test": "tuning that scores above chance on permuted labels",
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


def effect(statistic: str, value: float, digits: int = 2) -> str:
    """Return an effect of the gate's statistic with its article.

    Examples
    --------
    >>> effect("auc", 0.6), effect("spearman", 0.2)
    ('an AUC of 0.60', 'a Spearman correlation of 0.20')
    """
    name = STATISTICS[statistic]
    return f"{'an' if name[0] == 'A' else 'a'} {name} of {value:.{digits}f}"


def size(n_bytes: int) -> str:
    """Return a number of bytes as people say it.

    Examples
    --------
    >>> size(812), size(41_234), size(2_600_000)
    ('812 bytes', '41 kB', '2.6 MB')
    """
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    return f"{n_bytes / 1e3:.0f} kB" if n_bytes < 999_500 else f"{n_bytes / 1e6:.1f} MB"


def sentences(verdict: Verdict) -> list[str]:
    """Return what a person should know, with the numbers: signal, claim, deep learning, price, plan A."""
    said = [
        sentence
        for sentence in (
            signal_sentence(verdict),
            claim_sentence(verdict),
            str(verdict.reason),
            price_sentence(verdict),
            edge_sentence(verdict),
            multiverse_sentence(verdict),
        )
        if sentence
    ]
    if verdict.plan_a is not None:
        said.insert(
            0,
            f"Plan A ended in {verdict.plan_a.outcome} ({verdict.plan_a.reason}), so this is plan B's verdict.",
        )
    return said + [
        f"Deviation: this study {deviation}." for deviation in verdict.deviations
    ]


def multiverse_sentence(verdict: Verdict) -> str:
    """Say in how many of the declared alternatives the verdict stands; empty where none was asked."""
    found = verdict.multiverse
    if found is None:
        return ""
    if not found.of:
        return f"Plan {verdict.plan.upper()}, which decided, declares no alternative of cleaning."
    others = [
        f"'{one.name}' gives {one.outcome}"
        + (f", claim {one.claim}" if one.claim != verdict.claim.answer else "")
        for one in found.universes
        if (one.outcome, one.claim) != (verdict.outcome, verdict.claim.answer)
    ]
    return (
        f"The verdict stands in {found.stands} of {found.of} declared alternatives of cleaning"
        f"{': ' + '; '.join(others) if others else ''}."
    )


def signal_sentence(verdict: Verdict) -> str:
    """Say what beat chance; empty where the verdict's own reason says it."""
    signal = verdict.signal
    if signal.answer != "signal" or signal.score is None or signal.p_value is None:
        return ""
    return (
        f"Something beats chance: {STATISTICS[signal.statistic]} {signal.score:.3f} against {signal.chance:.2f}, "
        f"p <= {signal.p_value:.2g} after {signal.permutations} permutations."
    )


def claim_sentence(verdict: Verdict) -> str:
    """Say how the claim stands; empty where there is no score to hold it against."""
    claim, metric = verdict.claim, verdict.metric
    if claim.score is None or claim.interval is None:
        return ""
    low, high = (figure(metric, end) for end in claim.interval)
    verb = "has" if metric in LOSSES else "scores"
    return (
        f"The claim of {METRICS[metric]} {claimed(claim)} is {claim.answer}: "
        f"the net {verb} {figure(metric, claim.score)}, between {low} and {high}."
    )


def claimed(claim: Claim) -> str:
    """Return the bound of a claim: so much or more of a score, so much or less of a loss."""
    if claim.at_most is not None:
        return f"{claim.at_most:,.10g} or less"
    return f"{claim.at_least:,.10g} or more"


def price_sentence(verdict: Verdict) -> str:
    """Say what the net costs beside the baseline it gains least over; empty where none was fitted."""
    deep = verdict.deep_learning
    if not deep.against:
        return ""
    least = min(deep.against, key=lambda name: deep.against[name].delta)
    net, other = deep.price["net"], deep.price[least]
    times = net.fit_s / other.fit_s if other.fit_s > 0 else 0.0
    beside = (
        f", {times:.{0 if times >= 10 else 1}f} times as long as {least}"
        if times
        else ""
    )
    return f"The net took {net.fit_s:.1f} s a fold to search and fit{beside}, and its numbers fill {size(net.size)}."


def more_rows_sentence(behaviour: Behaviour, metric: Metric, margin: float) -> str:
    """Say what twice the rows did for the net and a simple model; empty where it was not asked.

    It describes what was seen on the folds, beside the margin: it is no test.
    """
    *fewer, last = behaviour.at_rows or (None,)
    if last is None or not fewer:
        return ""
    half = min(fewer, key=lambda one: abs(one.n_rows - last.n_rows / 2))
    sign = -1.0 if metric in LOSSES else 1.0
    shown = " and ".join(
        f"{'the net' if name == 'net' else name} from {figure(metric, half.scores[name])} "
        f"to {figure(metric, score)}"
        for name, score in last.scores.items()
    )
    gain = sign * (last.scores["net"] - half.scores["net"])
    if gain >= margin:
        said = "still gained as much as the margin or more, so that more rows may well help it"
    elif gain > 0:
        said = "gained less than the margin, so that more rows alone promise it little"
    else:
        said = "gained nothing, so that more rows alone promise it little"
    return (
        f"Learning from {last.n_rows:,} rows instead of {half.n_rows:,} took the {METRICS[metric]} of {shown}: "
        f"the net {said} (margin {figure(metric, margin)}; seen on the folds, not tested)."
    )


def edge_sentence(verdict: Verdict) -> str:
    """Say where a wider search might find better; empty where nothing points there."""
    edges = verdict.deep_learning.edges
    if not edges:
        return ""
    return (
        f"In most folds the best trial lay at an edge of the space searched ({'; '.join(edges)}): a wider one "
        f"in plan.{verdict.plan}.tune may hold better."
    )
