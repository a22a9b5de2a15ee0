"""What stages hand to each other and leave on disk: frozen, strict, JSON, with digests as evidence.

A record sums itself up in one line (:meth:`Record.summary`), names the stored objects it
refers to (:meth:`Record.refs`), and knows which of its fields must be equal in an equal run
(:meth:`Record.essence`): times are circumstances, scores are not.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from assay.store.canonical import digest_json
from assay.wording import Sentence, Value, render

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


def _sentence(value: Any, validated: ValidatorFunctionWrapHandler) -> Sentence:
    """Return a text as a sentence that stands for itself, and a stored sentence as what it is made of.

    One that this version does not know, of another version or of anybody, is the English text beside it.
    """
    match value:
        case str():
            return Sentence.plain(value)
        case {"key": key, "values": values, **beside}:
            sentence: Sentence = validated({"key": key, "values": values})
            try:
                render(sentence, "en")
            except (LookupError, ValueError, TypeError, AttributeError):
                return Sentence.plain(str(beside.get("text", key)))
            return sentence
    return cast("Sentence", validated(value))


def _stored(sentence: Sentence, as_it_is: SerializerFunctionWrapHandler) -> Any:
    """Return a plain text as it is, any other sentence with its English beside it for whoever reads the file."""
    if sentence.is_plain:
        return sentence.values["text"]
    return as_it_is(sentence) | {"text": render(sentence, "en")}


# What a person reads of a record, rendered in the reader's language. A text of an earlier version,
# of a study or of a library stands for itself.
Text = Annotated[Sentence, WrapValidator(_sentence), WrapSerializer(_stored)]
MIN_ROWS_TO_COMPARE, MIN_CLASS_TO_COMPARE, MIN_UNITS_TO_COMPARE = 200, 30, 20
ROW_WITH_COPIES = "row with its copies"  # a unit of rows that no column names
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

    def summary(self) -> Sentence | str:
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
        case Sentence(key="text.plain"):
            return value.values["text"]
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

    def summary(self) -> Sentence:
        return Sentence(
            "records.snapshot",
            {
                "source": self.source,
                "n_rows": self.n_rows,
                "n_columns": len(self.columns),
            },
        )


class ExpectationOutcome(Record):
    """What came of one expectation of a suite."""

    id: str
    expectation: str
    column: str | None
    severity: Severity
    status: Literal["met", "failed", "unchecked"]
    why: str = Field(description="The suite's own reason for the rule.")
    message: Text = Field(description="How the data breaks it; empty when met.")
    n_unexpected: int | None
    examples: tuple[Text, ...]


class ValidationReport(Record):
    """How a snapshot meets a suite. Only data that was not refused has one."""

    suite: str
    suite_digest: Digest
    snapshot_digest: Digest
    outcomes: tuple[ExpectationOutcome, ...]

    @property
    def warnings(self) -> tuple[ExpectationOutcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status != "met")

    def summary(self) -> Sentence:
        counts: dict[str, Value] = {"n": len(self.outcomes), "suite": self.suite}
        if not self.warnings:
            return Sentence("records.suite_met", counts)
        return Sentence(
            "records.suite_not_met", counts | {"n_not_met": len(self.warnings)}
        )


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

    @property
    def unit_name(self) -> Sentence | str:
        """Its unit, as a sentence names it."""
        return unit_name(self.unit)

    def summary(self) -> Sentence:
        n_features = len(self.numeric) + len(self.categorical)
        key = "records.cleaned" if self.order is None else "records.cleaned_in_order"
        return Sentence.of(
            key,
            rows=self._rows(),
            n_features=n_features,
            target=self._target(),
            order=self.order or "",
        )

    def _rows(self) -> Sentence:
        if self.units is None:
            return Sentence.of("records.rows", n=self.n_rows)
        return Sentence.of(
            "records.rows_in_units",
            n=self.n_rows,
            n_units=self.n_units,
            unit=self.unit_name,
        )

    def _target(self) -> Sentence | tuple[Sentence, ...]:
        """Return the first classes with their rows, or that a number is predicted."""
        if not self.classes:
            return Sentence("records.number_to_predict")
        counts = [
            Sentence.of("records.class_count", name=name, n=n)
            for name, n in zip(self.classes[:4], self.counts, strict=False)
        ]
        return (*counts, *[Sentence.plain("...")] * (len(self.classes) > 4))


class Place(Record):
    """One outer fold of one repeat: the unit of caching, resuming and spreading work."""

    repeat: int
    fold: int


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

    def drawn(self) -> Sentence:
        """Return how often the folds were drawn."""
        if self.repeats == 1:
            return Sentence("records.drawn_once")
        return Sentence.of("records.drawn_times", n=self.repeats)

    def summary(self) -> Sentence:
        counts: dict[str, Value] = {"n": self.folds, "inner": self.inner_folds}
        if self.scheme in ("forward", "blocks"):
            return Sentence(f"records.scheme.{self.scheme}", counts)
        counts |= {"drawn": self.drawn()}
        if self.unit == "row":
            return Sentence(f"records.scheme.{self.scheme}", counts)
        return Sentence(
            f"records.by_unit.{self.scheme}", counts | {"unit": unit_name(self.unit)}
        )


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

    def summary(self) -> Sentence:
        if not self.flags:
            names = tuple(map(sentinel_name, self.looked_for))
            return Sentence.of("records.no_alarm", sentinels=names)
        key = "records.unanswered" if self.suspect else "records.accepted"
        return Sentence.of(key, alarms=tuple(map(_alarm, self.flags[:3])))


def _alarm(flag: Flag) -> Sentence:
    name = sentinel_name(flag.sentinel)
    if not flag.columns:
        return Sentence.of("records.alarm_rows", sentinel=name)
    return Sentence.of("records.alarm", sentinel=name, columns=flag.columns)


def sentinel_name(word: str) -> Sentence:
    """Return the name of a sentinel, or of a part of one."""
    return Sentence.named("records.sentinel_name", word)


def unit_name(unit: str) -> Sentence | str:
    """Return the name of what is independent: a column's own, or ours for rows with their copies."""
    if unit == ROW_WITH_COPIES:
        return Sentence("records.unit.row_with_its_copies")
    return unit


def model_name(word: str) -> Sentence:
    """Return the name of a family of models."""
    return Sentence.named("records.model", word)


def scores_of(scores: dict[str, float]) -> tuple[Sentence, ...]:
    """Return each model with its score, to be listed."""
    return tuple(
        Sentence.of("records.model_score", model=model_name(name), score=score)
        for name, score in scores.items()
    )


STATISTICS: dict[str, Sentence] = {
    name: Sentence(f"records.statistic.{name}") for name in ("auc", "spearman")
}


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

    def summary(self) -> Sentence:
        if not self.worth:
            return Sentence("records.no_preparation")
        what = tuple(preparation.what for preparation in self.worth)
        return Sentence.of("records.preparations", what=what)


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

    def summary(self) -> Sentence:
        if self.score is None or self.p_value is None:
            return Sentence.of("records.not_tested", remark=self.remark or "")
        return Sentence.of(
            f"records.gate_{self.word}",
            statistic=STATISTICS[self.statistic],
            score=self.score,
            chance=self.chance_level,
            p=self.p_value,
            n=self.permutations,
            alpha=self.alpha,
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

    def summary(self) -> Sentence:
        scores = {
            name: fit.score
            for name, fit in self.models.items()
            if fit.score is not None
        }
        return Sentence.of(
            "records.fold",
            repeat=self.place.repeat + 1,
            fold=self.place.fold + 1,
            scores=scores_of(scores),
        )


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

    def summary(self) -> Sentence:
        means = {name: sum(s) / len(s) for name, s in self.scores.items()}
        key = "records.self_test" if self.flag is None else "records.self_test_alarm"
        return Sentence.of(key, scores=scores_of(means), chance=self.chance_level)


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

    def summary(self) -> Sentence:
        winner = self.model.trials[self.model.winner]
        n_trials = len(set(self.model.picks))
        return Sentence.of(
            "records.final_of_one_trial" if n_trials == 1 else "records.final",
            n=len(self.model.picks),
            n_trials=n_trials,
            hyperparameters=as_text(winner.hyperparameters),
        )


def as_text(hyperparameters: Hyperparameters) -> str:
    """Return hyperparameters with their values, numbers to three digits."""
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
