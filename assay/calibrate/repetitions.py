"""Repetitions: the outcome of each simulated table, a line each, so that a stopped calibration resumes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from assay.store.canonical import canonical_json
from assay.store.records import Record, Sentinel, circumstance
from assay.store.verdict import Evidence, OutcomeWord, Verdict
from assay.study.plans import PlanName


class Bounds(Record):
    """An estimate with its 90 % and 95 % intervals, as a verdict states them."""

    estimate: float
    of_90: tuple[float, float]
    of_95: tuple[float, float] | None


class Repetition(Record):
    """The outcome of one table."""

    world: str
    number: int
    outcome: OutcomeWord
    plan: PlanName
    passed: dict[PlanName, bool] = Field(
        description="Whether the gate passed, for the plans on which it was tested."
    )
    fired: tuple[Sentinel, ...] = Field(description="Alarms the study did not expect.")
    looked_for: tuple[str, ...]
    detectable: float | None
    claim: Bounds | None
    leads: dict[str, Bounds]
    cpu_s: float = circumstance("CPU seconds it took.")


def repetition(
    world: str,
    number: int,
    verdict: Verdict,
    taken: Mapping[PlanName, Evidence],
    cpu_s: float,
) -> Repetition:
    """Return the outcome of a verdict and of the plans that it rests on."""
    last = taken[verdict.plan]
    gates = {name: evidence.gate for name, evidence in taken.items()}
    tested = () if last.self_test is None else ("self_test",)
    claim = verdict.claim
    return Repetition(
        world=world,
        number=number,
        outcome=verdict.outcome,
        plan=verdict.plan,
        passed={
            name: gate.passed
            for name, gate in gates.items()
            if gate is not None and gate.score is not None
        },
        fired=tuple(flag.sentinel for flag in verdict.flags if flag.accepted is None),
        looked_for=(*last.audit.looked_for, *tested),
        detectable=verdict.signal.detectable,
        claim=None
        if claim.score is None or claim.interval is None
        else Bounds(estimate=claim.score, of_90=claim.interval, of_95=None),
        leads={
            name: Bounds(
                estimate=gain.delta,
                of_90=(gain.lower, gain.upper),
                of_95=gain.interval_95,
            )
            for name, gain in verdict.deep_learning.against.items()
        },
        cpu_s=cpu_s,
    )


@dataclass(frozen=True)
class Ledger:
    """The file of one world's finished repetitions, a line each."""

    path: Path

    def read(self) -> list[Repetition]:
        """Return the repetitions in the file, by number; a line cut short by a crash is skipped."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        by_number: dict[int, Repetition] = {}
        for line in lines:
            try:
                finished = Repetition.model_validate_json(line)
            except ValidationError:
                continue
            by_number[finished.number] = finished
        return [by_number[number] for number in sorted(by_number)]

    def add(self, done: Iterable[Repetition]) -> None:
        """Append lines, each after a line break: a crash may have left the last one unfinished."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [canonical_json(item.model_dump(mode="json")) for item in done]
        with self.path.open("ab") as file:
            file.write(b"".join(b"\n" + line for line in lines))
