"""What a study may declare of a label that is made: from a column or an expression, by a rule."""

from typing import Annotated

from pydantic import Field, model_validator

from assay.store.records import Record
from assay.study import expression

Words = Annotated[str, Field(min_length=1, pattern=r"\S")]


class LabelRule(Record):
    """A label made from a column or an expression.

    By ``at_least``, ``above_quantile``, ``one_of`` or an expression that is a condition: ``positive``
    where that holds, ``negative`` elsewhere. By ``mapping``: the class that stands for each value. By
    an expression that is a number, in a regression: that number.
    """

    column: Words | None = None
    expression: Words | None = Field(
        default=None,
        description="For instance likes / view_count; columns it reads are shown to no model.",
    )
    at_least: float | None = Field(
        default=None, description="The rule holds from this number up."
    )
    above_quantile: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="The rule holds above this quantile of all rows that have a number.",
    )
    one_of: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="The rule holds for these values."
    )
    mapping: dict[str, Words] | None = Field(
        default=None,
        min_length=2,
        description="A class for each value; rows of other values are left out.",
    )
    positive: Words = "yes"
    negative: Words = "no"

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it is made from."""
        if self.expression is not None:
            return expression.parse(self.expression).columns
        return (self.column,) if self.column is not None else ()

    @property
    def gives_number(self) -> bool:
        """Whether it is a number that is predicted."""
        return (
            not self._rules()
            and self.expression is not None
            and not self._is_condition()
        )

    def _is_condition(self) -> bool:
        return (
            self.expression is not None
            and expression.parse(self.expression).is_condition
        )

    def _rules(self) -> list[str]:
        every = ("at_least", "above_quantile", "one_of", "mapping")
        return [name for name in every if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _one_source(self) -> "LabelRule":
        if (self.column is None) == (self.expression is None):
            raise ValueError("give either column or expression")
        if self.expression is not None:
            expression.parse(self.expression)
        return self

    @model_validator(mode="after")
    def _one_rule(self) -> "LabelRule":
        rules = self._rules()
        if len(rules) > 1 or (self.column is not None and not rules):
            raise ValueError("give one of at_least, above_quantile, one_of and mapping")
        if (
            self.expression is not None
            and rules
            and (self._is_condition() or rules[0] not in ("at_least", "above_quantile"))
        ):
            raise ValueError(
                f"{rules[0]} does not go with the expression {self.expression!r}"
            )
        if self.positive == self.negative:
            raise ValueError(
                f"positive and negative are both {self.positive!r}, which makes one class"
            )
        if self.mapping and len(set(self.mapping.values())) < 2:
            raise ValueError("mapping has one class only; two are needed to compare")
        return self
