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

from assay.records import Record
from assay.verdict import Circumstances, Manifest, Verdict

Tier = Literal["R1", "R2", "R3", "R4"]
Environment = Literal["here", "venv", "newest", "container"]
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
        return f"{self.what} differ first at {self.where}: {self.was} was found, and now {self.now}{far}"


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
    other_lock = first.same["lock"] != again.same["lock"]
    inputs = ("study", "code") if other_lock else ("study", "code", "data")
    if any(first.same[name] != again.same[name] for name in inputs):
        return None  # of the same rows another lock may write other Parquet bytes
    other_processor = _processor(first.circumstances) != _processor(again.circumstances)
    if first.same == again.same:
        return "R2" if other_processor else "R1"
    moved = max((abs(one) for one in scores.values()), default=0.0)
    if _words(verdicts[0]) != _words(verdicts[1]):
        return None
    if other_lock:
        return "R4" if moved <= margin else None
    if other_processor:
        return "R3" if moved <= OF_HARDWARE * margin else None
    return None


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
