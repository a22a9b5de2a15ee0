"""What a study may declare about the target: a column, or a rule that makes a label."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from assay.store.records import Record, Task
from assay.study import expression
from assay.study.invalid import Invalid

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a terminal obeys


def _of_signs(text: str) -> str:
    control = _CONTROL.search(text)
    if control:
        raise Invalid("study.control_character", code=ord(control[0]))
    return text


Words = Annotated[str, Field(min_length=1, pattern=r"\S"), AfterValidator(_of_signs)]


class LabelRule(Record):
    """A label made from a column or an expression.

    By ``at_least``, ``above_quantile``, ``one_of`` or an expression that is a condition: ``positive``
    where that holds, ``negative`` elsewhere. By ``mapping``: the class that stands for each value. By
    an expression that is a number, in a regression: that number.
    """

    column: Words | None = None
    expression: Words | None = Field(
        default=None,
        description="For instance likes / view_count; the columns it reads are hidden from models.",
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
        description="A class for each value; rows with other values are left out.",
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
            raise Invalid("study.label.one_source")
        if self.expression is not None:
            expression.parse(self.expression)
        return self

    @model_validator(mode="after")
    def _one_rule(self) -> "LabelRule":
        rules = self._rules()
        if len(rules) > 1 or (self.column is not None and not rules):
            raise Invalid("study.label.one_rule")
        if (
            self.expression is not None
            and rules
            and (self._is_condition() or rules[0] not in ("at_least", "above_quantile"))
        ):
            raise Invalid(
                "study.label.rule_of_expression",
                rule=rules[0],
                expression=self.expression,
            )
        if self.positive == self.negative:
            raise Invalid("study.label.same_class", name=self.positive)
        if self.mapping and len(set(self.mapping.values())) < 2:
            raise Invalid("study.label.mapping_of_one_class")
        return self


# Rules of a plan ---------------------------------------------------------------------------------


def label_columns(target: str | LabelRule) -> tuple[str, ...]:
    """Return the columns that the label is made from."""
    return target.reads if isinstance(target, LabelRule) else (target,)


def check_target(target: str | LabelRule, positive: str | None, task: Task) -> None:
    """Refuse a target that makes no label for the task."""
    rule = target if isinstance(target, LabelRule) else None
    if rule is not None:
        _check_rule(rule, positive, task)
    names_class = rule is None or rule.mapping is not None
    if positive is not None and (not names_class or task != "binary"):
        raise Invalid("study.label.positive")


def _check_rule(rule: LabelRule, positive: str | None, task: Task) -> None:
    if rule.gives_number:
        if task != "regression":
            raise Invalid("study.label.number", expression=rule.expression or "")
    elif task == "regression":
        raise Invalid("study.label.rule_in_regression")
    elif rule.mapping is not None:
        _check_mapping(tuple(sorted(set(rule.mapping.values()))), positive, task)
    elif task != "binary":
        raise Invalid("study.label.two_classes")


def _check_mapping(classes: tuple[str, ...], positive: str | None, task: Task) -> None:
    if positive is not None and positive not in classes:
        raise Invalid(
            "study.label.positive_not_mapped", positive=positive, classes=classes
        )
    if (len(classes) == 2) != (task == "binary"):
        raise Invalid("study.label.task_of_mapping", classes=classes, task=task)
