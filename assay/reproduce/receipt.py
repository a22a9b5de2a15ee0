"""A receipt: what came of running a finished run again, by whom, when and where.

Four tiers, each claimed only where it was seen:

- R1: the same digests on the same kind of machine;
- R2: the same digests on another processor;
- R3: another processor, other bits, but the same words and every model's score within a tenth of the margin;
- R4: another environment (another lock), the same words and every model's score within the margin.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from assay.store.records import Record
from assay.store.verdict import Circumstances, Manifest, Verdict

Tier = Literal["R1", "R2", "R3", "R4"]
Environment = Literal["here", "venv", "newest", "container"]
Fault = Literal["other_run", "other_facts", "other_tier"]
INPUTS = ("study", "data", "code", "lock")
OF_HARDWARE = 0.1  # of the margin: how far a score may move with the processor
_SAID: dict[Tier, str] = {
    "R1": "every digest is equal, on the same kind of machine",
    "R2": "every digest is equal, on another processor",
    "R3": "bits differ on this processor, the words are the same and scores within a tenth of the margin",
    "R4": "the environment differs, the words are the same and scores within the margin",
}


class Difference(Record):
    """The first thing that a rerun has otherwise, in the order of the stages."""

    what: str = Field(description="The digest it shows in: folds, predictions, ...")
    where: str = Field(
        description="Stage, repeat, fold, trial, tensor: as far down as is known."
    )
    was: str
    now: str
    largest: float | None = Field(
        default=None, description="Largest deviation of a number, where numbers differ."
    )

    def sentence(self) -> str:
        far = "" if self.largest is None else f", by {self.largest:.3g} at most"
        verb = "differ" if self.what.endswith("s") else "differs"
        return f"{self.what} {verb} first at {self.where}: {self.was} was found, and now {self.now}{far}"


class Receipt(Record):
    """What came of a rerun."""

    run: str = Field(description="The folder's name.")
    study: str
    tier: Tier | None = Field(description="None: it does not repeat.")
    difference: Difference | None
    same: dict[str, str] = Field(description="Digests of the run that was repeated.")
    again: dict[str, str] = Field(description="Digests of the rerun.")
    scores: dict[str, float] = Field(
        description="By how much each model's score moved, later minus earlier."
    )
    margin: float
    environment: Environment
    who: str
    when: str = Field(description="UTC, ISO 8601.")
    where: Circumstances = Field(description="Of the rerun.")
    first: Circumstances = Field(description="Of the run that was repeated.")

    def summary(self) -> str:
        """Return in one sentence what came of it."""
        if self.tier is not None:
            return f"{self.run} repeats ({self.tier}): {_SAID[self.tier]}."
        said = self.difference.sentence() if self.difference else "digests differ"
        return f"{self.run} does not repeat: {said}."


def tier_of(
    first: Manifest,
    again: Manifest,
    verdicts: tuple[Verdict, Verdict],
    scores: Mapping[str, float],
    margin: float,
) -> Tier | None:
    """Return which tier a rerun reaches.

    Parameters
    ----------
    verdicts
        Of the run and of the rerun.
    scores
        By how much each model's score moved.
    """
    same = first.same, again.same
    where = first.circumstances, again.circumstances
    return _tier(
        same, where, scores, margin, _words(verdicts[0]) == _words(verdicts[1])
    )


def _tier(
    same: tuple[dict[str, str], dict[str, str]],
    where: tuple[Circumstances, Circumstances],
    scores: Mapping[str, float],
    margin: float,
    same_words: bool,
) -> Tier | None:
    first, again = same
    other_lock = first["lock"] != again["lock"]
    inputs = ("study", "code") if other_lock else ("study", "code", "data")
    if any(first[name] != again[name] for name in inputs):
        return None  # of the same rows another lock may write other Parquet bytes
    other_processor = _processor(where[0]) != _processor(where[1])
    if first == again:
        return "R2" if other_processor else "R1"
    moved = max((abs(one) for one in scores.values()), default=0.0)
    if not same_words:
        return None
    if other_lock:
        return "R4" if moved <= margin else None
    if other_processor:
        return "R3" if moved <= OF_HARDWARE * margin else None
    return None


def fault_of(
    receipt: Receipt, run: str, first: Manifest, margin: float
) -> Fault | None:
    """Return in what a receipt contradicts the run that it names, or itself; None where it does not.

    A receipt that was made up with care contradicts nothing: only a signature tells who says so.

    Parameters
    ----------
    run
        The name of the folder of the run that was repeated.
    first
        The manifest of that run.
    margin
        Of its study.
    """
    if (receipt.run, receipt.study) != (run, first.study):
        return "other_run"
    if (receipt.same, receipt.margin) != (first.same, margin):
        return "other_facts"  # the machine may differ: an equal run may stand where one was removed
    if not set(INPUTS) <= set(receipt.same) & set(receipt.again):
        return "other_tier"
    same, where = (receipt.same, receipt.again), (receipt.first, receipt.where)
    most = _tier(same, where, receipt.scores, receipt.margin, same_words=True)
    equal = receipt.same == receipt.again
    if receipt.tier not in (most, None) or (receipt.tier is None and equal):
        return "other_tier"
    return "other_tier" if equal and receipt.difference is not None else None


def _processor(one: Circumstances) -> tuple[object, ...]:
    return (one.machine, one.cpu_flags, one.settings.get("cpu", ""))


def _words(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.plan,
        verdict.outcome,
        verdict.signal.answer,
        verdict.claim.answer,
        verdict.deep_learning.answer,
    )
