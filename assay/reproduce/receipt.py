"""A receipt: the result of running a finished run again, by whom, when and where.

Four tiers, each claimed only for what was observed:

- R1: the same digests on the same kind of machine;
- R2: the same digests on another processor;
- R3: another processor, other bits, but the same outcomes and every model's score within a tenth of the margin;
- R4: another environment (another lock), the same outcomes and every model's score within the margin.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, field_validator

from assay.store.records import Record, Text
from assay.store.verdict import Circumstances, Manifest, Verdict
from assay.wording import Sentence, Value

Tier = Literal["R1", "R2", "R3", "R4"]
Environment = Literal["here", "venv", "newest", "container"]
Fault = Literal["other_run", "other_facts", "other_tier"]
INPUTS = ("study", "data", "code", "lock")
OF_HARDWARE = 0.1  # of the margin: how far a score may move with the processor
_NAMED = (*INPUTS, "folds", "predictions", "scores", "weights", "verdict")


class Difference(Record):
    """The first difference of a rerun, in the order of the stages."""

    what: str = Field(description="The digest it shows in: folds, predictions, ...")
    where: Text = Field(
        description="Stage, repeat, fold, trial, tensor: as exactly as the files tell."
    )
    was: str
    now: str
    largest: float | None = Field(
        default=None, description="Largest deviation of a number, where numbers differ."
    )

    @field_validator("where", mode="wrap")
    @classmethod
    def _is_known(cls, value: Any, validated: ValidatorFunctionWrapHandler) -> Sentence:
        """Refuse a sentence that a damaged or forged receipt made up, which elsewhere its text replaces."""
        where: Sentence = validated(value)
        if isinstance(value, Mapping) and where.key != value.get("key"):
            raise ValueError(f"{value.get('key')} is not a sentence of Assay")
        return where

    def sentence(self) -> Sentence:
        named = self.what in _NAMED
        what = Sentence.of(f"reproduce.what.{self.what}" if named else self.what)
        facts: dict[str, Value] = {
            "what": what,
            "where": self.where,
            "before": self.was,
            "now": self.now,
        }
        if self.largest is None:
            return Sentence("reproduce.difference", facts)
        facts["largest"] = self.largest
        return Sentence("reproduce.difference_up_to", facts)


class Receipt(Record):
    """The result of a rerun."""

    run: str = Field(description="The folder's name.")
    study: str
    tier: Tier | None = Field(description="None: the run was not reproduced.")
    difference: Difference | None
    same: dict[str, str] = Field(description="Digests of the run that was run again.")
    again: dict[str, str] = Field(description="Digests of the rerun.")
    scores: dict[str, float] = Field(
        description="By how much each model's score moved, later minus earlier."
    )
    margin: float
    environment: Environment
    who: str
    when: str = Field(description="UTC, ISO 8601.")
    where: Circumstances = Field(description="Of the rerun.")
    first: Circumstances = Field(description="Of the run that was run again.")

    def sentence(self) -> Sentence:
        """Return in one sentence whether the run was reproduced."""
        if self.tier is not None:
            meaning = Sentence.of(f"reproduce.tier.{self.tier.lower()}")
            return Sentence.of(
                "reproduce.reproduces", run=self.run, tier=self.tier, meaning=meaning
            )
        difference = Sentence.of("reproduce.digests_differ")
        if self.difference is not None:
            difference = self.difference.sentence()
        return Sentence.of("reproduce.differs", run=self.run, difference=difference)

    def summary(self) -> str:
        return str(self.sentence())


def tier_of(
    first: Manifest,
    again: Manifest,
    verdicts: tuple[Verdict, Verdict],
    scores: Mapping[str, float],
    margin: float,
) -> Tier | None:
    """Return which tier a rerun reaches, None if it reaches none.

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
        same, where, scores, margin, _outcomes(verdicts[0]) == _outcomes(verdicts[1])
    )


def _tier(
    same: tuple[dict[str, str], dict[str, str]],
    where: tuple[Circumstances, Circumstances],
    scores: Mapping[str, float],
    margin: float,
    same_outcomes: bool,
) -> Tier | None:
    first, again = same
    other_lock = first["lock"] != again["lock"]
    inputs = ("study", "code") if other_lock else ("study", "code", "data")
    if any(first[name] != again[name] for name in inputs):
        return None  # under another lock the same rows may give other Parquet bytes
    other_processor = _processor(where[0]) != _processor(where[1])
    if first == again:
        return "R2" if other_processor else "R1"
    moved = max((abs(change) for change in scores.values()), default=0.0)
    if not same_outcomes:
        return None
    if other_lock:
        return "R4" if moved <= margin else None
    if other_processor:
        return "R3" if moved <= OF_HARDWARE * margin else None
    return None


def fault_of(
    receipt: Receipt, run: str, first: Manifest, margin: float
) -> Fault | None:
    """Return how a receipt contradicts the run that it names, or itself; None where it does not.

    A careful forgery contradicts nothing: only a signature tells who wrote a receipt.

    Parameters
    ----------
    run
        The name of the folder of the run that was run again.
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
    most = _tier(same, where, receipt.scores, receipt.margin, same_outcomes=True)
    equal = receipt.same == receipt.again
    if receipt.tier not in (most, None) or (receipt.tier is None and equal):
        return "other_tier"
    return "other_tier" if equal and receipt.difference is not None else None


def _processor(machine: Circumstances) -> tuple[object, ...]:
    return (machine.machine, machine.cpu_flags, machine.settings.get("cpu", ""))


def _outcomes(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.plan,
        verdict.outcome,
        verdict.signal.answer,
        verdict.claim.answer,
        verdict.deep_learning.answer,
    )
