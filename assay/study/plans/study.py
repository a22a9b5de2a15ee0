"""A study, its plans, and the parts of them that each stage depends on."""

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from assay.errors import StudyError
from assay.store.records import Metric, Record, Task
from assay.store.seeds import seed_for
from assay.study.plans.audit import AuditPlan
from assay.study.plans.clean import Alternative, CleanPlan
from assay.study.plans.gate import GatePlan
from assay.study.plans.label import LabelRule, Words
from assay.study.plans.read import ImageSource, ReadPlan, SourceName
from assay.study.plans.split import SplitPlan
from assay.study.plans.tune import TunePlan

PlanName = Literal["a", "b"]

METRICS_OF: dict[Task, tuple[Metric, ...]] = {
    "binary": ("auc", "accuracy", "log_loss", "brier"),
    "multiclass": ("auc", "accuracy", "log_loss", "brier"),
    "regression": ("r2", "squared_error", "absolute_error"),
}
LOSSES: frozenset[Metric] = frozenset(
    ("log_loss", "brier", "squared_error", "absolute_error")
)
_IN_TARGET_UNITS = ("squared_error", "absolute_error")
_OF_IMAGES = {"seeds": 4, "epochs": 40, "patience": 10}  # a step of theirs costs more
_SMALLEST_EFFECT = {"binary": 0.60, "multiclass": 0.60, "regression": 0.20}

# PROTOCOL section 4: what plan A and plan B may spend of the family's alpha.
SPENDING = {"a": 0.7, "b": 0.3}


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
        default=None, description="Images beside the table, one a row."
    )
    target: Words | LabelRule
    positive: Words | None = Field(
        default=None, description="The class of interest of a binary target."
    )
    unit: Words = Field(
        default="row",
        description="What is independent of the others: row, or the column that names it.",
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
        default=(), description="Of cleaning, for check --multiverse."
    )
    split: SplitPlan = SplitPlan()
    audit: AuditPlan = AuditPlan()
    gate: GatePlan = GatePlan()
    tune: TunePlan = TunePlan()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("task") not in METRICS_OF:
            return values
        task = values["task"]
        return {
            "metric": METRICS_OF[task][0],
            "smallest_effect": _SMALLEST_EFFECT[task],
        } | values

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_images(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = values | _image_of(values.get("images"), values.get("clean", {}))
        clean, tune = values.get("clean"), values.get("tune", {})
        if isinstance(clean, dict) and clean.get("image") and isinstance(tune, dict):
            return values | {"tune": _OF_IMAGES | tune}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "Plan":
        self._check_target()
        self._check_metric()
        self._check_images()
        if self.order is not None and self.unit != "row":
            raise ValueError(
                "unit and order cannot both be declared: no exact permutation is known to us for units that "
                "run through time. Declare the one that new rows will differ in"
            )
        fewest = min(
            self.split.inner_folds, self.split.folds
        )  # the final fit takes the outer folds as inner ones
        if self.tune.folds_per_trial > fewest:
            raise ValueError(
                f"tune.folds_per_trial = {self.tune.folds_per_trial}, but there are {fewest} folds"
            )
        return self

    def _check_target(self) -> None:
        rule = self.target if isinstance(self.target, LabelRule) else None
        if rule is not None:
            self._check_rule(rule)
        names_class = rule is None or rule.mapping is not None
        if self.positive is not None and (not names_class or self.task != "binary"):
            raise ValueError(
                "positive names a class of a binary target column; a rule has its own, other targets have none"
            )
        for target in self._label_reads():
            for name, column in (("unit", self.unit), ("order", self.order)):
                if column == target:
                    raise ValueError(f"{name} = {column!r} is the target's own column")
            if self.clean.declared.get(target, "numbers") != "numbers":
                raise ValueError(
                    f"clean.{self.clean.declared[target]} names {target!r}, but it is the target"
                )
        for name, column, fit in (
            ("unit", self.unit, ""),
            ("order", self.order, "dates"),
        ):
            kind = self.clean.declared.get(str(column), fit)
            if kind != fit:
                raise ValueError(
                    f"clean.{kind} names {column!r}, but as {name} it is shown to no model"
                )

        if self.task == "regression" and self.clean.label_noise == "drop":
            raise ValueError(
                "clean.label_noise = 'drop' is for classes, not for numbers"
            )

    def _check_rule(self, rule: LabelRule) -> None:
        if rule.gives_number:
            if self.task != "regression":
                raise ValueError(
                    f"the expression {rule.expression!r} is a number: compare it, give at_least or above_quantile, "
                    f"or set task = 'regression'"
                )
        elif self.task == "regression":
            raise ValueError(
                "a label made from a rule is a class: task must be 'binary'"
            )
        elif rule.mapping is not None:
            classes = sorted(set(rule.mapping.values()))
            if self.positive is not None and self.positive not in classes:
                raise ValueError(
                    f"positive = {self.positive!r}, but mapping has the classes {', '.join(classes)}"
                )
            if (len(classes) == 2) != (self.task == "binary"):
                raise ValueError(
                    f"mapping has the classes {', '.join(classes)}, but task = {self.task!r}"
                )
        elif self.task != "binary":
            raise ValueError(
                "a label made from a rule has two classes: task must be 'binary'"
            )

    def _check_images(self) -> None:
        source, image = self.images, self.clean.image
        if source is None:
            return
        if image is None:
            raise ValueError("images is declared, but clean.image is not")
        for name in ("height", "width", "channels"):
            declared, cleaned = getattr(source, name), getattr(image, name)
            if declared != cleaned:
                raise ValueError(
                    f"images.{name} = {declared}, but clean.image.{name} = {cleaned}: they are the same pixels. "
                    f"Leave the one in clean.image out"
                )

    def _check_metric(self) -> None:
        if self.metric not in METRICS_OF[self.task]:
            raise ValueError(
                f"metric = {self.metric!r}, but a {self.task} target takes {', '.join(METRICS_OF[self.task])}"
            )
        wanted = "at_most" if self.metric in LOSSES else "at_least"
        other = "at_least" if wanted == "at_most" else "at_most"
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(
                f"metric = {self.metric!r} is a {'loss' if wanted == 'at_most' else 'score'}: "
                f"state the claim as {wanted}, and leave {other} out"
            )
        if self.metric in _IN_TARGET_UNITS and "margin" not in self.model_fields_set:
            raise ValueError(
                f"metric = {self.metric!r} is in the target's own units: declare margin in them too"
            )
        if self.metric not in (*_IN_TARGET_UNITS, "log_loss") and self.margin >= 0.5:
            raise ValueError(
                f"margin = {self.margin:g}, but {self.metric} takes less than 0.5"
            )
        if self.task != "regression" and self.smallest_effect <= 0.5:
            raise ValueError(
                f"smallest_effect = {self.smallest_effect:g}, but an AUC above chance is more than 0.5"
            )

    @model_validator(mode="after")
    def _alternatives_are_plans(self) -> "Plan":
        names = [one.name for one in self.alternatives]
        if len(set(names)) < len(names):
            raise ValueError("two alternatives have one name")
        for one in self.alternatives:
            try:
                changed = self.under(one)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"]))
                raise ValueError(
                    f"alternative {one.name!r}, {place}: {first['msg']}"
                ) from None
            if changed.clean == self.clean:
                raise ValueError(f"alternative {one.name!r} changes nothing")
            for name in self._label_reads():
                if changed.clean.reading_of(name) != self.clean.reading_of(name):
                    raise ValueError(
                        f"alternative {one.name!r} reads {name!r} in another way, which makes another label: "
                        f"that is another question"
                    )
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

    def _label_reads(self) -> tuple[str, ...]:
        return (
            self.target.reads if isinstance(self.target, LabelRule) else (self.target,)
        )

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


def _image_of(images: Any, clean: Any) -> dict[str, Any]:
    """Return the cleaning of a plan with the size of its images, where it does not say another."""
    if not isinstance(images, dict) or not isinstance(clean, dict):
        return {}
    size = {k: images[k] for k in ("height", "width", "channels") if k in images}
    image = clean.get("image") or {}
    if not isinstance(image, dict):
        return {}
    return {"clean": clean | {"image": size | image}}


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
        default=(), description="In what else the model is exported, beside ONNX."
    )
    plan: Plans
    overrides: tuple[str, ...] = Field(
        default=(), description="What --set and --data changed."
    )

    @model_validator(mode="after")
    def _gates_can_pass(self) -> "Study":
        for name in self.plans():
            gate, alpha = self.of(name).gate, self.alpha_of(name)
            fewest = gate.fewest_permutations(alpha)
            if gate.permutations < fewest:
                raise ValueError(
                    f"plan.{name}.gate.permutations = {gate.permutations}, but at its alpha of {alpha:g} "
                    f"the gate cannot pass with fewer than {fewest}"
                )
        return self

    def plans(self) -> tuple[PlanName, ...]:
        """Return the names of the declared plans, in the order they may be tried."""
        return ("a",) if self.plan.b is None else ("a", "b")

    def of(self, name: PlanName) -> Plan:
        """Return a plan by name."""
        plan = self.plan.a if name == "a" else self.plan.b
        if plan is None:
            raise StudyError(f"study {self.name} has no plan {name}")
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
