"""A verdict in plain sentences, the same on the terminal and on the page."""

from assay.verdict import OutcomeWord, Verdict

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
METRICS = {"auc": "AUC", "accuracy": "accuracy"}


def sentences(verdict: Verdict) -> list[str]:
    """Return what a person should know, with the numbers: signal, claim, deep learning, plan A."""
    said = [
        sentence
        for sentence in (
            signal_sentence(verdict),
            claim_sentence(verdict),
            verdict.reason,
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


def signal_sentence(verdict: Verdict) -> str:
    """Say what beat chance; empty where the verdict's own reason says it."""
    signal = verdict.signal
    if signal.answer != "signal" or signal.score is None or signal.p_value is None:
        return ""
    return (
        f"Something beats chance: AUC {signal.score:.3f} against {signal.chance:.2f}, "
        f"p <= {signal.p_value:.2g} after {signal.permutations} permutations."
    )


def claim_sentence(verdict: Verdict) -> str:
    """Say how the claim stands; empty where there is no score to hold it against."""
    claim = verdict.claim
    if claim.score is None or claim.interval is None:
        return ""
    low, high = claim.interval
    return (
        f"The claim of {METRICS[verdict.metric]} {claim.at_least:g} or more is {claim.answer}: "
        f"the net scores {claim.score:.4f}, between {low:.4f} and {high:.4f}."
    )
