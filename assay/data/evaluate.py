"""Evaluate: the value of a study's expression in each row of a table."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.study.expression import Column, Constant, Expression, Node
from assay.study.invalid import Invalid

# Applied to numbers; the keys are operators of `assay.study.expression`.
ON_NUMBERS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.divide,
    "**": np.power,
    "negative": operator.neg,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
}
# Applied to conditions, two at a time.
ON_CONDITIONS: dict[str, Callable[..., Any]] = {
    "and": np.logical_and,
    "or": np.logical_or,
}


def values_of(expression: Expression, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the value of an expression in each row, shape (n_rows,): conditions as 1 and 0.

    NaN where a cell that it reads is missing, and where the result is not finite.

    Raises
    ------
    ValueError
        If arithmetic meets a text; the message names it and its row.
    """
    missing = frame[list(expression.columns)].isna().any(axis=1).to_numpy()
    with np.errstate(all="ignore"):
        result = _Rows(expression.text, frame[~missing]).value(expression.root)
    values = np.full(len(frame), np.nan)
    values[~missing] = np.asarray(result, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


class _Rows:
    """The rows that an expression is evaluated on: numbers are float64, all else is text."""

    def __init__(self, text: str, frame: pd.DataFrame) -> None:
        self._text, self._frame = text, frame

    def value(self, node: Node) -> Any:
        """Return a float or a text for a constant, else an array, shape (n_rows,)."""
        match node:
            case Constant(value):
                return value
            case Column(name):
                return _cells(self._frame[name])
        name, parts = node.operator, node.parts
        if name in ON_NUMBERS:
            return ON_NUMBERS[name](*map(self._number, parts))
        if name in ON_CONDITIONS:
            return functools.reduce(ON_CONDITIONS[name], map(self.value, parts))
        first, *others = map(self.value, parts)
        match name:
            case "not":
                return np.logical_not(first)
            case "==" | "in":
                return _is_among(first, others)
            case "!=" | "not in":
                return np.logical_not(_is_among(first, others))
        raise AssertionError(f"no operator {name!r}")

    def _number(self, node: Node) -> Any:
        value = self.value(node)
        if isinstance(value, float):
            return value
        if isinstance(value, str):
            raise Invalid("study.expression.text_in_arithmetic", value=value)
        if value.dtype != object:
            return value.astype(np.float64)
        numbers = pd.to_numeric(
            pd.Series(value, index=self._frame.index), errors="coerce"
        )
        bad = np.flatnonzero(numbers.isna())
        if len(bad):
            raise Invalid(
                "study.expression.cell_in_arithmetic",
                expression=self._text,
                value=str(value[bad[0]]),
                row=int(numbers.index[bad[0]]) + 1,
            )
        return numbers.to_numpy(dtype=np.float64)


def _cells(column: "pd.Series[Any]") -> NDArray[Any]:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)
    return column.map(str).to_numpy(dtype=object)


def _is_among(value: Any, others: list[Any]) -> Any:
    equal: list[Any] = [_equal(value, other) for other in others]
    return functools.reduce(np.logical_or, equal, False)


def _equal(left: Any, right: Any) -> NDArray[np.bool_]:
    """Compare as numbers where one side is a number, and else as text."""
    if _is_number(left) != _is_number(right):
        left, right = _as_number(left), _as_number(right)
    return np.asarray(left == right, dtype=bool)


def _as_number(value: Any) -> Any:
    """Return texts as the numbers they hold, NaN where they hold none."""
    if _is_number(value):
        return value
    numbers = pd.to_numeric(pd.Series(value), errors="coerce").to_numpy(np.float64)
    return numbers[0] if isinstance(value, str) else numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or getattr(value, "dtype", None) == np.float64
