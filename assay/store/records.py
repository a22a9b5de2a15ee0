"""What stages hand to each other and leave on disk: frozen, strict, JSON, with digests as evidence.

A record says in one line what it found (:meth:`Record.summary`), names the stored objects it
refers to (:meth:`Record.refs`), and knows which of its fields must be equal in an equal run
(:meth:`Record.essence`): times are circumstances, scores are not.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from assay.store.canonical import digest_json
from assay.wording import Sentence

Severity = Literal["critical", "warning", "info"]
Task = Literal["binary", "multiclass", "regression"]
Metric = Literal[
    "auc",
    "accuracy",
    "log_loss",
    "brier",
    "r2",
    "squared_error",
    "absolute_error",
]
Sentinel = Literal[
    "single_column",
    "duplicates",
    "row_order",
    "undeclared_unit",
    "confounder",
    "self_test",
]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# What a person reads of a record: told in the language of whoever reads it. A text of an earlier version,
# of a study or of a library stands for itself.
Text = Annotated[
    Sentence,
    BeforeValidator(
        lambda text: Sentence.plain(text) if isinstance(text, str) else text
    ),
]
MIN_ROWS_TO_COMPARE, MIN_CLASS_TO_COMPARE, MIN_UNITS_TO_COMPARE = 200, 30, 20
Hyperparameters = dict[str, float | int | str | bool]


def circumstance(description: str) -> Any:
    """Declare a field that may differ between two equal runs."""
    return Field(description=description, json_schema_extra={"circumstance": True})


class Record(BaseModel):
    """Frozen, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def essence(self) -> dict[str, Any]:
        """Return the record as plain JSON values, without what may differ in an equal run."""
        return {
            name: _essence(getattr(self, name))
            for name in type(self).model_fields
            if not self._varies(name)
        }

    def essence_digest(self) -> str:
        """Return the digest of :meth:`essence`."""
        return digest_json(self.essence())

    def refs(self) -> Iterator["Ref"]:
        """Yield every stored object the record refers to, at any depth."""
        for name in type(self).model_fields:
            yield from _refs(getattr(self, name))

    def summary(self) -> str:
        """Return in one line what a person should know of it."""
        return ""

    @classmethod
    def _varies(cls, name: str) -> bool:
        extra = cls.model_fields[name].json_schema_extra
        return isinstance(extra, dict) and bool(extra.get("circumstance"))


def _essence(value: Any) -> Any:
    match value:
        case Record():
            return value.essence()
        case dict():
            return {str(key): _essence(inner) for key, inner in value.items()}
        case tuple() | list():
            return [_essence(inner) for inner in value]
        case Sentence():
            return {"key": value.key, "values": _essence(value.values)}
        case _:
            return value


def _refs(value: Any) -> Iterator["Ref"]:
    match value:
        case Ref():
            yield value
        case Record():
            yield from value.refs()
        case dict():
            for inner in value.values():
                yield from _refs(inner)
        case tuple() | list():
            for inner in value:
                yield from _refs(inner)


class Ref(Record):
    """A stored object, named by the digest of its bytes."""

    kind: Literal["table", "array", "arrays", "bytes"]
    digest: Digest
    size: int = Field(ge=0, description="Bytes.")


# The way of the data ---------------------------------------------------------------------------


class Column(Record):
    """A column as it was read."""

    name: str
    type: Literal["number", "text", "boolean"]
    n_missing: int
    n_distinct: int


class Snapshot(Record):
    """The source as one table in the store."""

    table: Ref
    source: str
    source_digest: Digest = Field(
        description="SHA-256 of the file the table was read from."
    )
    n_rows: int
    columns: tuple[Column, ...]
    remarks: tuple[Text, ...] = Field(
        description="What the reader decided: encoding, separator, missing words."
    )
    deviations: tuple[Text, ...] = Field(
        default=(), description="What is not the whole source, for the verdict to say."
    )

    def summary(self) -> str:
        return f"{self.source}: {self.n_rows:,} rows, {len(self.columns)} columns"


class ExpectationOutcome(Record):
    """What came of one expectation of a suite."""

    id: str
    expectation: str
    column: str | None
    severity: Severity
    status: Literal["met", "failed", "unchecked"]
    why: str = Field(description="The suite's own reason for the rule.")
    message: Text = Field(description="What was found, in words; empty when met.")
    n_unexpected: int | None
    examples: tuple[str, ...]


class ValidationReport(Record):
    """What a suite says of a snapshot. Only data that was not refused has one."""

    suite: str
    suite_digest: Digest
    snapshot_digest: Digest
    outcomes: tuple[ExpectationOutcome, ...]

    @property
    def warnings(self) -> tuple[ExpectationOutcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status != "met")

    def summary(self) -> str:
        n_warnings = len(self.warnings)
        carried = (
            f", {n_warnings} not met and carried into the report"
            if n_warnings
            else ", all met"
        )
        return f"{len(self.outcomes)} expectations of suite {self.suite}{carried}"


class CleanStep(Record):
    """One thing cleaning did, and why."""

    what: Text
    n: int = Field(description="Rows or columns it concerned.")
    why: Text


class Cleaned(Record):
    """Features and labels, one row a sample; nothing in them was learned from the rows."""

    task: Task
    features: Ref
    labels: Ref = Field(
        description="int32 class codes, or the float64 values of a regression target; shape (n_rows,)."
    )
    aside: Ref | None = Field(
        description="Columns that no model is shown, for the sentinels to look at."
    )
    units: Ref | None = Field(
        description="int32 unit of each row; None: every row is a unit of its own."
    )
    times: Ref | None = Field(
        description="int32 rank of each row's time, never falling; equal times share one."
    )
    unit: str = Field(description="What is independent, in words: row, or a column.")
    n_units: int
    order: str | None = Field(description="The column the rows are ordered by.")
    classes: tuple[str, ...] = Field(description="Empty for a regression target.")
    counts: tuple[int, ...] = Field(description="Rows of each class.")
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    n_rows: int
    log: tuple[CleanStep, ...]
    image: bool = Field(
        default=False, description="Whether the numbers are the pixels of an image."
    )

    @property
    def comparable(self) -> bool:
        """Whether there are rows and units enough to compare models at all (PROTOCOL section 1)."""
        return (
            self.n_rows >= MIN_ROWS_TO_COMPARE
            and self.n_units >= MIN_UNITS_TO_COMPARE
            and min(self.counts, default=self.n_rows) >= MIN_CLASS_TO_COMPARE
        )

    def summary(self) -> str:
        shown = ", ".join(
            f"{name} {n:,}"
            for name, n in zip(self.classes[:4], self.counts, strict=False)
        )
        more = ", ..." if len(self.classes) > 4 else ""
        n_columns = len(self.numeric) + len(self.categorical)
        units = "" if self.units is None else f", {self.n_units:,} units ({self.unit})"
        ordered = "" if self.order is None else f", ordered by {self.order}"
        return f"{self.n_rows:,} rows{units}{ordered}, {n_columns} features; {shown or 'a number to predict'}{more}"


class Place(Record):
    """One outer fold of one repeat: the unit of caching, resuming and spreading work."""

    repeat: int
    fold: int


_SCHEMES = {
    "stratified": "stratified outer folds",
    "shuffled": "shuffled outer folds",
    "forward": "outer folds in time, each after the rows it learns from",
    "blocks": "outer folds that are blocks of time",
}


class Split(Record):
    """Outer folds of each repeat, and inner folds inside each outer training part."""

    scheme: Literal["stratified", "shuffled", "forward", "blocks"]
    unit: str = Field(description="What a fold keeps whole, in words.")
    outer: Ref = Field(
        description="int16 test fold of each row, shape (repeats, n_rows); -1: never in a test part."
    )
    inner: Ref = Field(
        description=(
            "int16 inner fold, shape (repeats, folds, n_rows); -1: in the outer test part, "
            "-2: in neither part (later rows, or the gap beside a test part)."
        )
    )
    repeats: int
    folds: int
    inner_folds: int

    def places(self) -> tuple[Place, ...]:
        return tuple(
            Place(repeat=j, fold=f)
            for j in range(self.repeats)
            for f in range(self.folds)
        )

    def summary(self) -> str:
        if self.scheme in ("forward", "blocks"):
            return f"{self.folds} {_SCHEMES[self.scheme]}; {self.inner_folds} inner folds in each"
        times = f"{self.repeats} times" if self.repeats > 1 else "once"
        kept = "" if self.unit == "row" else f" that keep each {self.unit} whole"
        return f"{self.folds} {_SCHEMES[self.scheme]}{kept}, drawn {times}; {self.inner_folds} inner folds in each"


class Flag(Record):
    """A sentinel that fired."""

    sentinel: Sentinel
    columns: tuple[str, ...]
    rows: tuple[int, ...] = Field(
        description="Some of the rows concerned, counted from 0 after cleaning."
    )
    evidence: Text
    answer: Text = Field(description="What to write in the study.")
    accepted: str | None = Field(
        default=None, description="The study's own reason for going on."
    )


class AuditReport(Record):
    """What the leak sentinels saw."""

    flags: tuple[Flag, ...]
    looked_for: tuple[str, ...]
    not_looked_for: dict[str, Text] = Field(
        default_factory=dict,
        description="What could not be looked for, wholly or in part, and why.",
    )

    @property
    def suspect(self) -> bool:
        return any(flag.accepted is None for flag in self.flags)

    def summary(self) -> str:
        if not self.flags:
            return f"no alarm ({', '.join(self.looked_for)})"
        shown = "; ".join(
            f"{flag.sentinel}: {', '.join(flag.columns) or 'rows'}"
            for flag in self.flags[:3]
        )
        return f"{shown}{' (accepted in the study)' if not self.suspect else ' (unanswered)'}"


STATISTICS = {"auc": "AUC", "spearman": "Spearman correlation"}


class PreparationWorth(Record):
    """What one declared preparation does, and the scores of the gate's models with and without it."""

    kind: Literal["normalisation", "noise removal", "outlier removal"]
    what: str = Field(description="As the study declares it.")
    touched: Text = Field(description="What it changed, in words.")
    without: dict[str, float]


class Preparations(Record):
    """What the preparations are worth, on the first repeat's outer folds."""

    statistic: Literal["auc", "spearman"]
    scores: dict[str, float] = Field(
        description="Of each model with everything that is declared."
    )
    worth: tuple[PreparationWorth, ...]

    def summary(self) -> str:
        named = (
            ", ".join(one.what for one in self.worth) or "none changes these columns"
        )
        return f"scores with and without each preparation ({named})"


class GateResult(Record):
    """Whether any of the gate's models beats chance on this data."""

    passed: bool
    word: Literal["signal", "no_signal", "underpowered"]
    statistic: Literal["auc", "spearman"] = Field(
        description="Mean fold AUC, or Spearman's correlation of out-of-fold predictions."
    )
    score: float | None = Field(
        description="Largest statistic among the gate's models; None if not tested."
    )
    chance_level: float
    p_value: float | None = Field(
        gt=0, le=1, description="Valid at the moment the test stopped."
    )
    alpha: float
    scores: dict[str, float] = Field(description="The statistic of each model.")
    permutations: int = Field(
        description="How many decided; the test may stop before the last one drawn."
    )
    null_scores: tuple[float, ...] = Field(
        description="The score with labels permuted, in the order drawn."
    )
    detectable: float | None = Field(
        description="Smallest effect found with 80 % probability on these rows."
    )
    needed_rows: int | None = Field(
        description="Rows needed to find the smallest effect; None when passed."
    )
    remark: Text | None = Field(
        default=None, description="Why it was not tested; None where it was."
    )

    def summary(self) -> str:
        if self.score is None or self.p_value is None:
            return f"not tested: {self.remark}"
        beat = "beats chance" if self.passed else f"does not beat chance ({self.word})"
        return (
            f"{STATISTICS[self.statistic]} {self.score:.3f} {beat} {self.chance_level:.2f}: "
            f"p = {self.p_value:.3g} after {self.permutations} permutations, alpha {self.alpha:g}"
        )


class Trial(Record):
    """One attempt of a search: hyperparameters and what they scored inside the training part."""

    number: int
    hyperparameters: Hyperparameters
    score: float | None = Field(
        description="Mean score over the inner folds used; None when it failed."
    )
    message: Text | None = None


class ModelFit(Record):
    """One family of models on one outer fold: its search, and its winner's predictions."""

    trials: tuple[Trial, ...]
    winner: int = Field(
        description="The best trial; of an ensemble the one that most networks are of."
    )
    predictions: Ref | None = Field(
        description=(
            "Class probabilities, shape (n_test, n_classes), or predicted numbers, shape (n_test, 1); "
            "None on all rows."
        )
    )
    score: float | None = Field(
        description="The study's metric on the outer test part; None on all rows."
    )
    fit_s: float = circumstance("Seconds of search and final fit.")
    predict_s: float = circumstance("Seconds to predict the test part.")
    size: int = Field(ge=0, description="Bytes of the fitted numbers of the model.")
    picks: tuple[int, ...] = Field(
        default=(), description="The trial of each network, where there are several."
    )
    edges: tuple[str, ...] = Field(
        default=(), description="What the winner has at an edge of the space searched."
    )


class FoldResult(Record):
    """One outer fold of one repeat: every family of models, searched and scored."""

    place: Place
    models: dict[str, ModelFit]

    @property
    def seconds(self) -> float:
        """Return how long all families together took."""
        return sum(fit.fit_s + fit.predict_s for fit in self.models.values())

    def summary(self) -> str:
        shown = ", ".join(
            f"{name} {fit.score:.3f}"
            for name, fit in self.models.items()
            if fit.score is not None
        )
        return f"repeat {self.place.repeat + 1} fold {self.place.fold + 1}: {shown}"


class SelfTest(Record):
    """The whole of tuning run on permuted labels: what scores above chance there has seen the answers."""

    scores: dict[str, tuple[float, ...]] = Field(
        description="Gate statistic of each model's predictions, one per permuted label vector."
    )
    p_values: dict[str, float] = Field(
        description="One-sided t test of each model's mean against chance."
    )
    chance_level: float
    flag: Flag | None

    def summary(self) -> str:
        shown = ", ".join(
            f"{name} {sum(scores) / len(scores):.3f}"
            for name, scores in self.scores.items()
        )
        word = "no alarm" if self.flag is None else "alarm"
        return f"{word}: permuted labels score {shown}; chance {self.chance_level:g}"


class FinalFit(Record):
    """The deep model refitted on all rows by the procedure that the folds measured."""

    model: ModelFit
    preparation: Ref = Field(
        description="Fitted preparation as arrays; see preprocess.Preparation."
    )
    weights: Ref = Field(
        description="The winner's networks as arrays; see network.pack_nets."
    )
    weights_digest: Digest

    def summary(self) -> str:
        n_trials = len(set(self.model.picks))
        won = self.model.trials[self.model.winner].hyperparameters
        return (
            f"final model on all rows: {len(self.model.picks)} networks of {n_trials} trial"
            f"{'s' if n_trials > 1 else ''}, most with {_shown(won)}"
        )


def _shown(hyperparameters: Hyperparameters) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else format(value, '.3g')}"
        for name, value in hyperparameters.items()
    )


def record_class(name: str) -> type[Record]:
    """Return the record class of that name; stored results name theirs, and nothing else loads.

    Raises
    ------
    KeyError
        If there is no such record.
    """
    return {cls.__name__: cls for cls in Record.__subclasses__()}[name]
