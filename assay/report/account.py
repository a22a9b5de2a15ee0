"""What a page is drawn from, beside the verdict and the registration: kept in ``evidence.json``."""

from typing import Annotated

from pydantic import Field

from assay.store.records import Record, Text
from assay.store.verdict import Evidence
from assay.wording import Sentence

Picture = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9+/]+=*$", description="A PNG file in base64.")
]


class Curve(Record):
    """A line from left to right, of so few points that a page stays small."""

    of: str = Field(description="The model or class it belongs to.")
    x: tuple[float, ...] = Field(max_length=10_000)
    y: tuple[float, ...] = Field(max_length=10_000)
    area: float = Field(description="Under the whole line, before it was thinned.")


class Bin(Record):
    """Rows that were predicted alike."""

    predicted: float = Field(description="Mean predicted probability.")
    observed: float = Field(description="Share of the rows for which it came true.")
    n: int


class Wrong(Record):
    """A row that the deep model got most wrong, with some of its values."""

    row: int = Field(description="Counted from 0 after cleaning.")
    truth: str
    said: str = Field(description="What the model predicted.")
    by: float = Field(
        description="Probability of the predicted class, or the error with its sign."
    )
    values: dict[str, str]


class Example(Record):
    """An image and what the deep model predicted for it."""

    row: int
    truth: str
    said: str
    by: float
    png: Picture


class Findings(Record):
    """What out-of-fold predictions show of the models; means over the repeats, row by row."""

    repeats: int
    n_rows: int = Field(description="Rows that some test part holds.")
    roc: tuple[Curve, ...] = Field(default=(), max_length=1_000)
    precision: tuple[Curve, ...] = Field(
        default=(), max_length=1_000, description="Precision over recall."
    )
    base_rates: dict[str, float] = Field(
        default_factory=dict, description="Of each class that a curve is about."
    )
    calibration: dict[str, tuple[Bin, ...]] = Field(
        default_factory=dict, description="Of each model."
    )
    calibration_error: dict[str, float] = Field(
        default_factory=dict,
        description="Mean distance of predicted from observed, by rows.",
    )
    confusion: tuple[tuple[int, ...], ...] = Field(
        default=(), description="Rows of each class (down) that were called (across)."
    )
    points: tuple[tuple[float, float], ...] = Field(
        default=(),
        max_length=100_000,
        description="Of a number: true and predicted, of some rows.",
    )
    errors: tuple[float, ...] = Field(
        default=(),
        description="Of a number: predicted minus true at the 5, 25, 50, 75 and 95 % of rows.",
    )
    wrong: tuple[Wrong, ...] = Field(default=(), max_length=1_000)
    unshown: int = Field(
        default=0, description="Columns whose values of those rows are left out."
    )
    wrong_examples: tuple[Example, ...] = Field(default=(), max_length=1_000)
    right_examples: tuple[Example, ...] = Field(default=(), max_length=1_000)


class Account(Record):
    """Everything that a page rests on beside ``verdict.json`` and ``registration.json``."""

    evidence: Evidence
    chance: float
    scores: dict[str, float]
    fold_scores: dict[str, tuple[float | None, ...]]
    findings: Findings | None = None
    terms: Text = Field(
        default=Sentence.plain(""),
        description="On what terms the data may be used; empty where nothing is known of them.",
    )
    python: str = Field(description="The version the lock was resolved for, as 3.11.")
