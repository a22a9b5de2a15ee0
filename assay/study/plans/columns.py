"""What a study may declare about columns: which are left out, and how cells other than plain values are read."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from assay.store.records import Record
from assay.study.invalid import Invalid
from assay.study.plans.label import Words

DatePart = Literal["elapsed", "year", "month", "weekday", "hour"]
# Of strptime, those whose meaning depends on nothing but the text.
_DIRECTIVES = frozenset("aAbBdfGHIjmMpSuUVwWyYz%")


class Drop(Record):
    """A column left out, and why."""

    column: Words
    reason: Words


class NumberColumn(Record):
    """A column of texts that hold numbers: ``1,000``, ``$4.50``, ``90 min``."""

    column: Words
    unit: str | None = Field(
        default=None,
        description="The unit to read, where a column mixes several ('': none); other cells are missing.",
    )


class DateColumn(Record):
    """A column of dates or times, which becomes numbers."""

    column: Words
    format: Words | None = Field(
        default=None,
        pattern="%[A-Za-z]",
        description="In the notation of strptime, such as %B %d, %Y. Default: ISO 8601.",
    )
    parts: Annotated[tuple[DatePart, ...], Field(min_length=1, max_length=5)] = Field(
        default=("elapsed", "month", "weekday", "hour"),
        description="Elapsed days, the year, and positions within the year, the week and the day.",
    )
    since: Words | None = Field(
        default=None,
        description="Another date column, from which the elapsed days count. Default: 2000-01-01.",
    )

    @model_validator(mode="after")
    def _format_means_the_same_everywhere(self) -> "DateColumn":
        for sign in re.findall(r"%(.?)", self.format or ""):
            if sign not in _DIRECTIVES:
                raise Invalid("study.clean.directive", sign=sign)
        return self


class ListColumn(Record):
    """A column of several values a cell, such as ``Drama, Comedy``."""

    column: Words
    separator: Annotated[str, Field(min_length=1, max_length=8)] = ","
    most: int = Field(
        default=64,
        ge=1,
        le=512,
        description="Values that get an input of their own: the commonest in the training rows.",
    )


class ImagePlan(Record):
    """Numeric columns that are the pixels of an image: row by row, channels last, in the table's order."""

    height: int = Field(ge=8, le=64)
    width: int = Field(ge=8, le=64)
    channels: Literal[1, 3]
    augment: tuple[Literal["shift", "flip", "rotate"], ...] = Field(
        default=("shift",),
        max_length=8,
        description=(
            "Changes that keep the label: small shifts, left and right exchanged, quarter turns. "
            "Networks are trained on images changed in these ways."
        ),
    )
    denoise: Literal["none", "median"] = Field(
        default="none",
        description="Replace each pixel by the median of the 3 x 3 around it, channel by channel.",
    )

    @property
    def n_pixels(self) -> int:
        return self.height * self.width * self.channels

    @model_validator(mode="after")
    def _turns_are_of_squares(self) -> "ImagePlan":
        if "rotate" in self.augment and self.height != self.width:
            raise Invalid("study.clean.rotated", height=self.height, width=self.width)
        return self


def _named(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Numbers = tuple[
    Annotated[
        NumberColumn, BeforeValidator(_named, json_schema_input_type=str | NumberColumn)
    ],
    ...,
]
Dates = tuple[
    Annotated[
        DateColumn, BeforeValidator(_named, json_schema_input_type=str | DateColumn)
    ],
    ...,
]
Lists = tuple[
    Annotated[
        ListColumn, BeforeValidator(_named, json_schema_input_type=str | ListColumn)
    ],
    ...,
]
