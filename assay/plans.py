"""What a study may declare: its plans, the sections of a plan, their defaults and bounds.

Every default is the one of the protocol; a key that is not here is refused.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from assay.errors import StudyError
from assay.records import Metric, Record, Sentinel, Task
from assay.seeds import seed_for

PlanName = Literal["a", "b"]
Words = Annotated[str, Field(min_length=1, pattern=r"\S")]
FileName = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$")]


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"{list(bounds)} must go up, the smaller number first")
    return bounds


def _none_or_several(n_pieces: int) -> int:
    if n_pieces != 0 and not 3 <= n_pieces <= 64:
        raise ValueError(f"{n_pieces} pieces: 0, or 3 to 64")
    return n_pieces


Positive = Annotated[float, Field(gt=0)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
Tuner = Literal["random", "hyperband", "bayesian"]
Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
Leaves = Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
Pieces = Annotated[
    tuple[Annotated[int, AfterValidator(_none_or_several)], ...], Field(min_length=1)
]
Activations = Annotated[
    tuple[Literal["relu", "silu", "selu"], ...], Field(min_length=1)
]
Blocks = Annotated[tuple[Annotated[int, Field(ge=1, le=3)], ...], Field(min_length=1)]
Filters = Annotated[
    tuple[Annotated[int, Field(ge=4, multiple_of=4)], ...], Field(min_length=1)
]
Shifts = Annotated[
    tuple[Annotated[float, Field(ge=0, le=0.25)], ...], Field(min_length=1)
]
Screens = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
Shares = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], Field(min_length=1)]

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
_FEWEST_LEVELS, _MOST_LEVEL_INPUTS = 49, 1024
_SMALLEST_EFFECT = {"binary": 0.60, "multiclass": 0.60, "regression": 0.20}

# PROTOCOL section 4: what plan A and plan B may spend of the family's alpha.
SPENDING = {"a": 0.7, "b": 0.3}


class Drop(Record):
    """A column left out, and why."""

    column: Words
    reason: Words


class LabelRule(Record):
    """A label made from a column: ``positive`` where the rule holds, ``negative`` elsewhere."""

    column: Words
    at_least: float | None = Field(
        default=None, description="The rule holds from this number up."
    )
    one_of: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="The rule holds for these values."
    )
    positive: Words = "yes"
    negative: Words = "no"

    @model_validator(mode="after")
    def _one_rule(self) -> "LabelRule":
        if (self.at_least is None) == (self.one_of is None):
            raise ValueError("give either at_least or one_of")
        if self.positive == self.negative:
            raise ValueError(
                f"positive and negative are both {self.positive!r}, which makes one class"
            )
        return self


class OutlierPlan(Record):
    """Training rows left out as outliers; rows that are scored never are."""

    rule: Literal["none", "iqr"] = "none"
    factor: float = Field(
        default=3.0, gt=0, description="Interquartile ranges beyond the quartiles."
    )
    columns_needed: int = Field(
        default=1, ge=1, description="Columns that must be out for a row to go."
    )


class ImagePlan(Record):
    """Numeric columns that are the pixels of an image: row by row, channels last, in the table's order."""

    height: int = Field(ge=8, le=64)
    width: int = Field(ge=8, le=64)
    channels: Literal[1, 3]
    augment: tuple[Literal["shift", "flip", "rotate"], ...] = Field(
        default=("shift",),
        description=(
            "What leaves the label as it is: small shifts, left and right exchanged, quarter turns. "
            "Networks are trained on images so changed."
        ),
    )

    @property
    def n_pixels(self) -> int:
        return self.height * self.width * self.channels

    @model_validator(mode="after")
    def _turns_are_of_squares(self) -> "ImagePlan":
        if "rotate" in self.augment and self.height != self.width:
            raise ValueError(
                f"augment has rotate, but an image of {self.height} x {self.width} turned by a quarter is another size"
            )
        return self


def most_levels(n_categories: int, *, wide: bool) -> int:
    """Return how many levels of a categorical column get an input of their own.

    Up to 49 where models are refitted hundreds of times; in tuning (``wide``) up to 254, as many as boosted
    trees are shown, but of many such columns no more than 1,024 together.

    Examples
    --------
    >>> [most_levels(n, wide=True) for n in (1, 8, 1000)], most_levels(1, wide=False)
    ([254, 128, 49], 49)
    """
    if not wide or not n_categories:
        return _FEWEST_LEVELS
    return min(254, max(_FEWEST_LEVELS, _MOST_LEVEL_INPUTS // n_categories))


class CleanPlan(Record):
    """What is done to the table: fixed rules on all rows, fitted steps inside the folds only."""

    drop: tuple[Drop, ...] = ()
    duplicates: Literal["keep", "drop"] = "keep"
    text: tuple[Words, ...] = Field(
        default=(),
        description="Columns read as text rather than as categories, fitted in the fold.",
    )
    text_components: int = Field(
        default=32, ge=1, le=256, description="Inputs that each of them becomes."
    )
    image: ImagePlan | None = Field(
        default=None,
        description="Pixels among the columns, read by a network for images.",
    )
    impute: Literal["median", "mean"] = Field(
        default="median", description="Numeric columns, fitted in the fold."
    )
    scale: Literal["robust", "standard"] = "robust"
    outliers: OutlierPlan = OutlierPlan()

    @model_validator(mode="after")
    def _text_is_shown(self) -> "CleanPlan":
        dropped = {drop.column for drop in self.drop}
        for name in self.text:
            if name in dropped:
                raise ValueError(f"text and drop both name {name!r}: keep one")
            if self.text.count(name) > 1:
                raise ValueError(f"text names {name!r} twice")
        return self


class SplitPlan(Record):
    """Outer folds times repeats, and the inner folds inside each outer training part."""

    folds: int = Field(default=5, ge=2, le=20)
    repeats: int | None = Field(
        default=None, ge=1, le=20, description="Default: 3 from 500 rows up, 5 below."
    )
    inner_folds: int = Field(default=5, ge=2, le=20)
    time: Literal["forward", "blocks"] = Field(
        default="forward",
        description="With order: learn from earlier rows only, or from both sides of a block.",
    )
    gap: int = Field(
        default=0,
        ge=0,
        description="With order: rows left out on either side of a test part.",
    )


class Accept(Record):
    """A sentinel's alarm that the study answers by going on, with a reason the report repeats."""

    sentinel: Sentinel
    columns: tuple[str, ...] = ()
    reason: Words


class AuditPlan(Record):
    """Levels of the leak sentinels."""

    alarm: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Level of each sentinel but row_order.",
    )
    row_order: float = Field(
        default=0.02, gt=0, lt=1, description="Level of the sentinel row_order."
    )
    single_column_auc: float = Field(
        default=0.95, gt=0.5, lt=1, description="What one honest column may reach."
    )
    smallest_leak: float = Field(
        default=0.02,
        ge=0,
        lt=0.5,
        description="AUC (or correlation) that a unit or a confounder must be worth to alarm.",
    )
    sources: tuple[str, ...] = Field(
        default=(),
        description="Columns that say where a row came from, whatever their levels.",
    )
    self_test: int = Field(
        default=20,
        ge=5,
        le=1000,
        description="Permuted label vectors on which tuning is tested.",
    )
    accept: tuple[Accept, ...] = ()


class GatePlan(Record):
    """The permutation test against chance."""

    permutations: int = Field(
        default=999, ge=39, le=99999, description="At most; the test may stop sooner."
    )
    stop: Literal["betting", "never"] = Field(
        default="betting", description="Sequential test, or all of them."
    )
    hidden: int = Field(default=16, ge=2, le=256, description="Units of the small net.")
    steps: int = Field(
        default=300, ge=20, description="Training steps of the small net."
    )

    def fewest_permutations(self, alpha: float) -> int:
        """Return how many permutations it takes at least to reject chance at ``alpha``.

        Without one exceedance: ``1 / (B + 1) <= alpha`` for a fixed number, and for the bet
        ``(1 - (1 - c)^(t + 1)) / c >= 1 / alpha`` with ``c = .7 alpha`` (PROTOCOL step 2.5).
        """
        if self.stop == "never":
            return math.ceil(1 / alpha - 1e-9) - 1
        return math.ceil(math.log(0.3) / math.log1p(-0.7 * alpha)) - 1


class NetSpace(Record):
    """What the search varies in the network."""

    depth: Counts = (1, 2, 3)
    width: Counts = (64, 128, 256)
    pieces: Pieces = Field(
        default=(0, 8, 16),
        description="Pieces in which a numeric column is encoded; 0: not at all.",
    )
    screen: Screens = Field(
        default=(0.0, 2.0),
        description=(
            "F statistic up to which an input is left out, while the others are shown by how far they pass it; "
            "0: all are shown alike."
        ),
    )
    activation: Activations = ("relu", "silu")
    dropout: Shares = (0.0, 0.15, 0.3)
    learning_rate: Range = (5e-4, 8e-3)
    weight_decay: Range = (1e-3, 1e-1)
    smoothing: Shares = Field(
        default=(0.0,), description="Share of a label spread over all classes."
    )


class ImageSpace(Record):
    """What the search varies in a network for images."""

    depth: Blocks = Field(default=(2, 3), description="Blocks, each halving the image.")
    filters: Filters = Field(
        default=(16, 32),
        description="Of the first block; twice as many in each further.",
    )
    activation: Activations = ("relu", "silu")
    dropout: Shares = (0.0, 0.2, 0.4)
    shift: Shifts = Field(
        default=(0.0625, 0.125),
        description="Up to what share of a side images are shifted, where augment has shift.",
    )
    learning_rate: Range = (1e-3, 1e-2)
    weight_decay: Range = (1e-3, 1e-1)


class LogisticSpace(Record):
    """What the search varies in logistic regression."""

    inverse_penalty: Range = (1e-3, 1e2)


class BoostingSpace(Record):
    """What the search varies in boosted trees; rounds are chosen by early stopping."""

    learning_rate: Range = (0.05, 0.3)
    leaves: Leaves = (7, 15, 31, 63)
    min_rows_per_leaf: Counts = (5, 20, 50)
    l2: Range = (1e-3, 1e1)
    max_rounds: int = Field(default=200, ge=1)


class TunePlan(Record):
    """The search in each outer training part; every family of models gets the same trials."""

    trials: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="What is good without a search, then an oracle's proposals.",
    )
    tuner: Tuner = Field(
        default="random",
        description=(
            "keras-tuner's oracle for the network. Hyperband sweeps its brackets once over epochs, "
            "whatever trials says, and the baselines get as many trials as that costs trainings."
        ),
    )
    seeds: int = Field(
        default=16,
        ge=1,
        le=64,
        description="Networks of the ensemble, predictions averaged; of images 4.",
    )
    folds_per_trial: int = Field(
        default=1, ge=1, description="Inner folds that score each trial."
    )
    epochs: int = Field(default=120, ge=1, description="Of images: 40.")
    patience: int = Field(default=15, ge=1, description="Of images: 10.")
    batch_size: int | None = Field(
        default=None,
        ge=1,
        description="Default: 32 to 256, of images to 64, by the number of rows.",
    )
    balanced: bool = Field(
        default=False, description="Give every class the same say in the loss."
    )
    net: NetSpace = NetSpace()
    image: ImageSpace = ImageSpace()
    logistic: LogisticSpace = LogisticSpace()
    boosting: BoostingSpace = BoostingSpace()


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
    source: FileName = Field(description="A file under ASSAY_DATA, or builtin:NAME.")
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
    suite: FileName
    clean: CleanPlan = CleanPlan()
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
        clean, tune = values.get("clean"), values.get("tune", {})
        if isinstance(clean, dict) and clean.get("image") and isinstance(tune, dict):
            return values | {"tune": _OF_IMAGES | tune}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "Plan":
        self._check_target()
        self._check_metric()
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
        if isinstance(self.target, LabelRule) and self.task != "binary":
            raise ValueError(
                "a label made from a rule has two classes: task must be 'binary'"
            )
        if self.positive is not None and (
            isinstance(self.target, LabelRule) or self.task != "binary"
        ):
            raise ValueError(
                "positive names a class of a binary target column; a rule has its own, other targets have none"
            )
        target = (
            self.target.column if isinstance(self.target, LabelRule) else self.target
        )
        for name, column in (("unit", self.unit), ("order", self.order)):
            if column == target:
                raise ValueError(f"{name} = {column!r} is the target's own column")
            if column in self.clean.text:
                raise ValueError(
                    f"clean.text names {column!r}, but as {name} it is shown to no model"
                )
        if target in self.clean.text:
            raise ValueError(f"clean.text names {target!r}, but it is the target")

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

    def alpha_of(self, name: PlanName) -> float:
        """Return what a plan may spend of alpha: all of it alone, .7 and .3 of it as plan A and B."""
        return self.alpha if self.plan.b is None else self.alpha * SPENDING[name]

    def seed_of(self, name: PlanName) -> int:
        """Return the seed that every place of a plan derives its own from."""
        return seed_for(self.seed, "plan", name)
