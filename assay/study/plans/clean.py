"""What a study may declare about cleaning: fixed rules for all rows, and steps fitted inside the folds."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assay.store.records import Record, Task
from assay.study.invalid import Invalid
from assay.study.plans.columns import Dates, Drop, ImagePlan, Lists, Numbers
from assay.study.plans.label import Words

_FEWEST_LEVELS, _MOST_LEVEL_INPUTS = 49, 1024


class OutlierPlan(Record):
    """Which training rows are left out as outliers; scored rows never are."""

    rule: Literal["none", "iqr", "mad", "isolation_forest"] = "none"
    factor: float = Field(
        default=3.0,
        gt=0,
        description="Interquartile ranges beyond the quartiles, or scaled MADs from the median.",
    )
    columns_needed: int = Field(
        default=1,
        ge=1,
        le=20_000,
        description="Columns in which a row must be an outlier to be left out.",
    )
    share: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Share of the training rows that an isolation forest leaves out.",
    )


class CleanPlan(Record):
    """What is done to the table: fixed rules on all rows, fitted steps inside the folds only."""

    drop: tuple[Drop, ...] = ()
    duplicates: Literal["keep", "drop"] = "keep"
    numbers: Numbers = Field(
        default=(), description="Columns of texts that hold numbers, read as numbers."
    )
    categories: tuple[Words, ...] = Field(
        default=(), description="Columns of numbers that are codes, read as categories."
    )
    dates: Dates = Field(
        default=(), description="Columns of dates or times, read as numbers."
    )
    lists: Lists = Field(
        default=(),
        description="Columns of several values a cell, fitted in the fold.",
    )
    text: tuple[Words, ...] = Field(
        default=(),
        description="Columns read as text rather than as categories, fitted in the fold.",
    )
    text_components: int = Field(
        default=32, ge=1, le=256, description="Inputs that each text column becomes."
    )
    spellings: dict[str, Annotated[dict[str, str], Field(min_length=1)]] = Field(
        default={},
        description="For a column: other spellings of its values, and the spelling that replaces each.",
    )
    image: ImagePlan | None = Field(
        default=None,
        description="Pixels among the columns, read by a network for images.",
    )
    impute: Literal["median", "mean"] = Field(
        default="median", description="Numeric columns, fitted in the fold."
    )
    scale: Literal["robust", "standard", "quantile", "power", "none"] = Field(
        default="robust",
        description=(
            "Numeric columns: by quartiles, by mean and deviation, to a normal shape by ranks or by a power; "
            "none: as they are."
        ),
    )
    clip: float = Field(
        default=0.0,
        ge=0,
        lt=0.25,
        description="Share at each end of a numeric column that is clipped to the quantile there; fitted in the fold.",
    )
    outliers: OutlierPlan = OutlierPlan()
    label_noise: Literal["keep", "drop"] = Field(
        default="keep",
        description="Leave out training rows whose label the others contradict (confident learning).",
    )

    @property
    def declared(self) -> dict[str, str]:
        """For each column with a declared reading, the key that declares it."""
        kinds = ("numbers", "dates", "lists")
        return {
            reading.column: kind for kind in kinds for reading in getattr(self, kind)
        } | {
            name: kind
            for kind in ("text", "categories")
            for name in getattr(self, kind)
        }

    def reading_of(self, column: str) -> tuple[Any, ...]:
        """Return how the cells of a column are read, to be compared."""
        numbers = [number for number in self.numbers if number.column == column]
        return numbers, self.spellings.get(column), column in self.categories

    @model_validator(mode="after")
    def _each_column_in_one_way(self) -> "CleanPlan":
        ways = [("drop", drop.column) for drop in self.drop]
        ways += [
            (kind, reading.column)
            for kind in ("numbers", "dates", "lists")
            for reading in getattr(self, kind)
        ]
        ways += [
            (kind, name)
            for kind in ("text", "categories")
            for name in getattr(self, kind)
        ]
        seen: dict[str, str] = {}
        for kind, name in ways:
            if seen.get(name) == kind != "drop":
                raise Invalid("study.clean.twice", key=kind, column=name)
            if seen.setdefault(name, kind) != kind:
                raise Invalid(
                    "study.clean.two_ways", key=kind, other=seen[name], column=name
                )
        return self

    @model_validator(mode="after")
    def _days_count_from_a_date(self) -> "CleanPlan":
        columns = {date.column for date in self.dates}
        for date in self.dates:
            if date.since is not None and date.since not in columns - {date.column}:
                raise Invalid("study.clean.since", column=date.column, since=date.since)
        return self

    @model_validator(mode="after")
    def _image_has_pixels_only(self) -> "CleanPlan":
        if self.image is not None and (
            self.scale not in ("robust", "none") or self.clip
        ):
            raise Invalid("study.clean.scaled_image")
        return self


class Alternative(Record):
    """Another way to clean that would have been as good: the study is checked again under it."""

    name: Words
    clean: dict[str, Any] = Field(
        min_length=1, description="Keys of clean, with the values they have instead."
    )


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


# Rules of a plan ---------------------------------------------------------------------------------


def check_cleaning(
    clean: CleanPlan,
    task: Task,
    *,
    label: tuple[str, ...],
    unit: str,
    order: str | None,
) -> None:
    """Refuse a reading of a column that is no feature, and a rule for labels that the task does not have.

    ``label`` are the columns that the label is made from.
    """
    for column in label:
        key = clean.declared.get(column, "numbers")
        if key != "numbers":
            raise Invalid("study.clean.reads_target", key=key, column=column)
    for role, hidden, allowed in (("unit", unit, ""), ("order", order, "dates")):
        key = clean.declared.get(str(hidden), allowed)
        if key != allowed:
            raise Invalid(
                "study.clean.reads_hidden", key=key, column=str(hidden), role=role
            )
    if task == "regression" and clean.label_noise == "drop":
        raise Invalid("study.clean.label_noise")
