"""The parts of a study that each stage depends on, and nothing else: a stage's result is stored under them."""

from typing import Literal

from assay.store.records import Metric, Record, Task
from assay.study.plans.clean import CleanPlan
from assay.study.plans.gate import GatePlan
from assay.study.plans.label import LabelRule
from assay.study.plans.tune import TunePlan

PlanName = Literal["a", "b"]


class Cleaning(Record):
    """The parts of a plan that cleaning depends on."""

    target: str | LabelRule
    positive: str | None
    task: Task
    unit: str
    order: str | None
    clean: CleanPlan


class Gating(Record):
    """The parts of a study that the gate depends on."""

    gate: GatePlan
    clean: CleanPlan
    smallest_effect: float
    alpha: float


class Tuning(Record):
    """The parts of a plan that tuning depends on."""

    tune: TunePlan
    clean: CleanPlan
    metric: Metric


class Judging(Record):
    """The parts of a study that a verdict depends on."""

    study: str
    plan: PlanName
    metric: Metric
    at_least: float | None
    at_most: float | None
    margin: float
    smallest_effect: float
    alpha: float
