"""What a study may declare of cleaning: labels, columns left out, and steps fitted inside the folds."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.records import Record

Words = Annotated[str, Field(min_length=1, pattern=r"\S")]
_FEWEST_LEVELS, _MOST_LEVEL_INPUTS = 49, 1024


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
