"""Repetitions: what one simulated table came to, kept a line each so that a stopped calibration goes on."""

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
    """What one table came to."""

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
    """Note what a verdict says, and the evidence of each plan it took."""
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
                estimate=one.delta,
                of_90=(one.lower, one.upper),
                of_95=one.interval_95,
            )
            for name, one in verdict.deep_learning.against.items()
        },
        cpu_s=cpu_s,
    )


@dataclass(frozen=True)
class Ledger:
    """Finished repetitions of one world, a line each, so that a stopped calibration goes on."""

    path: Path

    def read(self) -> list[Repetition]:
        """Return what is there, by number; a line cut short by a crash does not count."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: dict[int, Repetition] = {}
        for line in lines:
            try:
                one = Repetition.model_validate_json(line)
            except ValidationError:
                continue
            found[one.number] = one
        return [found[number] for number in sorted(found)]

    def add(self, done: Iterable[Repetition]) -> None:
        """Append lines; the first begins on a line of its own, whatever a crash left."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [canonical_json(one.model_dump(mode="json")) for one in done]
        with self.path.open("ab") as file:
            file.write(b"".join(b"\n" + line for line in lines))
