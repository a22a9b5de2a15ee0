"""Reckoning: what an expression of a study comes to in each row of a table."""

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.study.expression import Expression

_COUNTING: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARING: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
}


def values_of(expression: Expression, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the value of an expression in each row, shape (n_rows,): conditions as 1 and 0, NaN where it has none.

    It has none where a cell that it reads is missing, and where a number is not finite.

    Raises
    ------
    ValueError
        If it reckons with a text; the message names the column and the row.
    """
    missing = frame[list(expression.columns)].isna().any(axis=1).to_numpy()
    with np.errstate(all="ignore"):
        found = _value(expression, expression.tree, frame[~missing])
    values = np.full(len(frame), np.nan)
    values[~missing] = np.asarray(found, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _value(expression: Expression, node: ast.expr, frame: pd.DataFrame) -> Any:
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return _plain(frame[expression.names[name]])
        case ast.BinOp(left=left, op=op, right=right):
            return _COUNTING[type(op)](
                _number(expression, left, frame), _number(expression, right, frame)
            )
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(expression, operand, frame)
        case ast.UnaryOp(operand=operand):
            return ~_truth(expression, operand, frame)
        case ast.BoolOp(op=op, values=values):
            parts = [_truth(expression, one, frame) for one in values]
            together = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return together.reduce(parts)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _FUNCTIONS[name](*(_number(expression, a, frame) for a in arguments))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared(expression, left, ops, others, frame)
    raise AssertionError(f"{ast.dump(node)} was let through")


def _compared(
    expression: Expression,
    left: ast.expr,
    ops: list[ast.cmpop],
    others: list[ast.expr],
    frame: pd.DataFrame,
) -> NDArray[np.bool_]:
    holds = np.ones(len(frame), dtype=bool)
    for op, other in zip(ops, others, strict=True):
        if isinstance(other, ast.List):
            values = _value(expression, left, frame)
            held = np.logical_or.reduce(
                [_equal(values, _value(expression, one, frame)) for one in other.elts]
            )
            holds &= held if isinstance(op, ast.In) else ~held
        elif isinstance(op, ast.Eq | ast.NotEq):
            same = _equal(
                _value(expression, left, frame), _value(expression, other, frame)
            )
            holds &= same if isinstance(op, ast.Eq) else ~same
        else:
            holds &= _COMPARING[type(op)](
                _number(expression, left, frame), _number(expression, other, frame)
            )
        left = other
    return holds


def _number(expression: Expression, node: ast.expr, frame: pd.DataFrame) -> Any:
    value = _value(expression, node, frame)
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        raise ValueError(f"{value!r} is a text, with which nothing can be reckoned")
    if value.dtype != object:
        return value.astype(np.float64)
    numbers = pd.to_numeric(pd.Series(value, index=frame.index), errors="coerce")
    bad = numbers.index[numbers.isna()]
    if len(bad):
        shown = value[np.flatnonzero(numbers.isna())[0]]
        raise ValueError(
            f"{expression.text!r} reckons with {shown!r} in row {bad[0] + 1}, which is no number"
        )
    return numbers.to_numpy(dtype=np.float64)


def _truth(
    expression: Expression, node: ast.expr, frame: pd.DataFrame
) -> NDArray[np.bool_]:
    return np.asarray(_value(expression, node, frame), dtype=bool)


def _plain(column: "pd.Series[Any]") -> NDArray[Any]:
    """Return numbers as float64, everything else as text."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)
    return column.map(str).to_numpy(dtype=object)


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
