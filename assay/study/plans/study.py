"""A study: its plans, with whom it is for and why."""

from typing import Literal

from pydantic import Field, model_validator

from assay.errors import StudyError
from assay.store.records import Record
from assay.store.seeds import seed_for
from assay.study.plans.clean import Alternative
from assay.study.plans.gate import check_permutations
from assay.study.plans.label import Words
from assay.study.plans.parts import PlanName
from assay.study.plans.plan import Plan

# PROTOCOL section 4: what plan A and plan B may spend of the family's alpha.
SPENDING = {"a": 0.7, "b": 0.3}


class Plans(Record):
    a: Plan
    b: Plan | None = None


class Study(Record):
    """One declared hypothesis, with whom it is for and why."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    position: Words
    company: Words
    rationale: Words
    question: Words
    seed: int = Field(ge=0, lt=2**63)
    alpha: float = Field(default=0.05, gt=0, le=0.2)
    formats: tuple[Literal["litert"], ...] = Field(
        default=(),
        max_length=8,
        description="Formats the model is exported to besides ONNX.",
    )
    plan: Plans
    overrides: tuple[str, ...] = Field(
        default=(), description="What --set and --data changed."
    )

    @model_validator(mode="after")
    def _gates_can_pass(self) -> "Study":
        for name in self.plans():
            check_permutations(self.of(name).gate, name, self.alpha_of(name))
        return self

    def plans(self) -> tuple[PlanName, ...]:
        """Return the names of the declared plans, in the order they may be tried."""
        return ("a",) if self.plan.b is None else ("a", "b")

    def of(self, name: PlanName) -> Plan:
        """Return a plan by name."""
        plan = self.plan.a if name == "a" else self.plan.b
        if plan is None:
            raise StudyError("study.no_plan", study=self.name, plan=name)
        return plan

    def under(self, name: PlanName, alternative: Alternative) -> "Study":
        """Return the study with one plan's cleaning as an alternative has it."""
        plans = self.plan.model_copy(update={name: self.of(name).under(alternative)})
        return self.model_copy(update={"plan": plans})

    def alpha_of(self, name: PlanName) -> float:
        """Return what a plan may spend of alpha: all of it alone, .7 and .3 of it as plan A and B."""
        return self.alpha if self.plan.b is None else self.alpha * SPENDING[name]

    def seed_of(self, name: PlanName) -> int:
        """Return the seed that every place of a plan derives its own from."""
        return seed_for(self.seed, "plan", name)
