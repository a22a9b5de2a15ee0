"""A plan: one complete way to check the hypothesis, and the list of rules that it keeps."""

from typing import Any

from pydantic import Field, ValidationError, model_validator

from assay.store.records import Metric, Record, Task
from assay.study.invalid import Invalid, reason_of
from assay.study.plans.audit import AuditPlan
from assay.study.plans.clean import Alternative, CleanPlan, check_cleaning
from assay.study.plans.gate import GatePlan
from assay.study.plans.label import LabelRule, Words, check_target, label_columns
from assay.study.plans.metric import check_effects, check_metric, defaults_of_task
from assay.study.plans.parts import Cleaning, Gating, Judging, PlanName, Tuning
from assay.study.plans.read import (
    ImageSource,
    ReadPlan,
    SourceName,
    check_images,
    with_image_size,
)
from assay.study.plans.split import SplitPlan, check_independence
from assay.study.plans.tune import (
    TunePlan,
    check_folds_per_trial,
    with_image_budget,
)


class Plan(Record):
    """One complete way to check the hypothesis."""

    claim: Words
    at_least: float | None = Field(
        default=None, gt=0, lt=1, description="The claim, where higher is better."
    )
    at_most: float | None = Field(
        default=None, gt=0, description="The claim, where the metric is a loss."
    )
    source: SourceName = Field(description="A file under ASSAY_DATA, or builtin:NAME.")
    read: ReadPlan = ReadPlan()
    images: ImageSource | None = Field(
        default=None, description="Images beside the table, one for each row."
    )
    target: Words | LabelRule
    positive: Words | None = Field(
        default=None, description="The class of interest of a binary target."
    )
    unit: Words = Field(
        default="row",
        description="The unit of independence: row, or the column that names it.",
    )
    order: Words | None = Field(
        default=None, description="The column that puts the rows in order of time."
    )
    task: Task
    metric: Metric = Field(description="Default: auc, or r2 for regression.")
    margin: float = Field(
        default=0.02,
        gt=0,
        description="What deep learning must gain to earn its cost, in points of the metric.",
    )
    smallest_effect: float = Field(
        gt=0,
        lt=1,
        description="Smallest AUC worth finding (default .60), or Spearman correlation (.20).",
    )
    suite: SourceName
    clean: CleanPlan = CleanPlan()
    alternatives: tuple[Alternative, ...] = Field(
        default=(),
        max_length=64,
        description="Other ways to clean, for check --multiverse.",
    )
    split: SplitPlan = SplitPlan()
    audit: AuditPlan = AuditPlan()
    gate: GatePlan = GatePlan()
    tune: TunePlan = TunePlan()

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: Any) -> Any:
        """Add what follows from the task and from images, where it is not declared."""
        if not isinstance(values, dict):
            return values
        clean = with_image_size(values.get("images"), values.get("clean", {}))
        tune = with_image_budget(values.get("tune", {}), clean)
        return (
            defaults_of_task(values.get("task"))
            | values
            | ({"clean": clean} if clean else {})
            | ({"tune": tune} if tune else {})
        )

    @model_validator(mode="after")
    def _consistent(self) -> "Plan":
        label = label_columns(self.target)
        margin = self.margin if "margin" in self.model_fields_set else None
        check_target(self.target, self.positive, self.task)
        check_cleaning(
            self.clean, self.task, label=label, unit=self.unit, order=self.order
        )
        check_metric(self.metric, self.task, self.at_least, self.at_most)
        check_effects(
            self.metric,
            self.task,
            margin=margin,
            smallest_effect=self.smallest_effect,
        )
        check_images(self.images, self.clean.image)
        check_independence(self.unit, self.order, label)
        check_folds_per_trial(self.tune, self.split)
        _check_alternatives(self)
        return self

    def under(self, alternative: Alternative) -> "Plan":
        """Return the plan with cleaning as an alternative has it; of outliers and image single keys.

        Raises
        ------
        pydantic.ValidationError
            If it can be no plan.
        """
        values = self.model_dump(exclude_unset=True, exclude={"alternatives"})
        clean = dict(values.get("clean", {}))
        for key, value in alternative.clean.items():
            tables = isinstance(value, dict) and key in ("outliers", "image")
            clean[key] = (clean.get(key) or {}) | value if tables else value
        changed = {"clean": clean, "tune": self.tune.model_dump()}
        return Plan.model_validate(values | changed)

    def cleaning(self) -> Cleaning:
        return Cleaning(
            target=self.target,
            positive=self.positive,
            task=self.task,
            unit=self.unit,
            order=self.order,
            clean=self.clean,
        )

    def gating(self, alpha: float) -> Gating:
        return Gating(
            gate=self.gate,
            clean=self.clean,
            smallest_effect=self.smallest_effect,
            alpha=alpha,
        )

    def tuning(self) -> Tuning:
        return Tuning(tune=self.tune, clean=self.clean, metric=self.metric)

    def judging(self, study: str, name: PlanName, alpha: float) -> Judging:
        return Judging(
            study=study,
            plan=name,
            metric=self.metric,
            at_least=self.at_least,
            at_most=self.at_most,
            margin=self.margin,
            smallest_effect=self.smallest_effect,
            alpha=alpha,
        )


def _check_alternatives(plan: Plan) -> None:
    """Refuse alternatives that are no plans, change nothing, or make another label."""
    names = [alternative.name for alternative in plan.alternatives]
    if len(set(names)) < len(names):
        raise Invalid("study.alternative.same_name")
    for alternative in plan.alternatives:
        changed = _under(plan, alternative)
        if changed.clean == plan.clean:
            raise Invalid("study.alternative.same", name=alternative.name)
        for column in label_columns(plan.target):
            if changed.clean.reading_of(column) != plan.clean.reading_of(column):
                raise Invalid(
                    "study.alternative.label", name=alternative.name, column=column
                )


def _under(plan: Plan, alternative: Alternative) -> Plan:
    try:
        return plan.under(alternative)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise Invalid(
            "study.alternative.invalid" if place else "study.alternative.no_plan",
            name=alternative.name,
            place=place,
            reason=reason_of(problem),
        ) from None
