"""Expressions over columns, in which a study makes a label: a small grammar, read and never executed.

Numbers, texts in quotes, columns (``likes``, or in backticks ```view count```), ``+ - * / **``,
comparisons, ``in [...]``, ``and or not``, and the functions of :data:`FUNCTIONS`.
"""

import ast
import operator
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LONGEST, DEEPEST = 500, 50  # characters, and parts inside each other
_COUNTING: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARING: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
}
_QUOTED_OR_NAMED = r"""'[^']*'|"[^"]*"|`([^`]+)`"""
_TWO_ARGUMENTS = ("min", "max")
_SAID = (
    "numbers, 'texts', columns (`in backticks` where the name is no word), + - * / **, comparisons, in [...], "
    f"and, or, not, {', '.join(FUNCTIONS)}"
)


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    columns
        The columns it reads, each once, in the order in which they first stand.
    is_condition
        Whether it says yes or no of a row, rather than a number.
    """

    text: str
    columns: tuple[str, ...]
    is_condition: bool
    _tree: ast.expr
    _names: dict[str, str]

    def of(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return its value in each row, shape (n_rows,): conditions as 1 and 0, NaN where it has none.

        It has none where a cell that it reads is missing, and where a number is not finite.

        Raises
        ------
        ValueError
            If it reckons with a text; the message names the column and the row.
        """
        missing = frame[list(self.columns)].isna().any(axis=1).to_numpy()
        with np.errstate(all="ignore"):
            found = self._value(self._tree, frame[~missing])
        values = np.full(len(frame), np.nan)
        values[~missing] = np.asarray(found, dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values

    def _value(self, node: ast.expr, frame: pd.DataFrame) -> Any:
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return _plain(frame[self._names[name]])
            case ast.BinOp(left=left, op=op, right=right):
                return _COUNTING[type(op)](
                    self._number(left, frame), self._number(right, frame)
                )
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._number(operand, frame)
            case ast.UnaryOp(operand=operand):
                return ~self._truth(operand, frame)
            case ast.BoolOp(op=op, values=values):
                parts = [self._truth(one, frame) for one in values]
                together = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return together.reduce(parts)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name](*(self._number(a, frame) for a in arguments))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(left, ops, others, frame)
        raise AssertionError(f"{ast.dump(node)} was let through")

    def _compared(
        self,
        left: ast.expr,
        ops: list[ast.cmpop],
        others: list[ast.expr],
        frame: pd.DataFrame,
    ) -> NDArray[np.bool_]:
        holds = np.ones(len(frame), dtype=bool)
        for op, other in zip(ops, others, strict=True):
            if isinstance(other, ast.List):
                values = self._value(left, frame)
                held = np.logical_or.reduce(
                    [_equal(values, self._value(one, frame)) for one in other.elts]
                )
                holds &= held if isinstance(op, ast.In) else ~held
            elif isinstance(op, ast.Eq | ast.NotEq):
                same = _equal(self._value(left, frame), self._value(other, frame))
                holds &= same if isinstance(op, ast.Eq) else ~same
            else:
                holds &= _COMPARING[type(op)](
                    self._number(left, frame), self._number(other, frame)
                )
            left = other
        return holds

    def _number(self, node: ast.expr, frame: pd.DataFrame) -> Any:
        value = self._value(node, frame)
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
                f"{self.text!r} reckons with {shown!r} in row {bad[0] + 1}, which is no number"
            )
        return numbers.to_numpy(dtype=np.float64)

    def _truth(self, node: ast.expr, frame: pd.DataFrame) -> NDArray[np.bool_]:
        return np.asarray(self._value(node, frame), dtype=bool)


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


# Parsing -----------------------------------------------------------------------------------------


def parse(text: str) -> Expression:
    """Parse an expression.

    Raises
    ------
    ValueError
        If it says anything that the grammar does not know; the message names it.

    Examples
    --------
    >>> parse("likes / `view count` > 0.03").columns
    ('likes', 'view count')
    >>> parse("open('x')")
    Traceback (most recent call last):
    ValueError: an expression has no open(...): it may have numbers, 'texts', columns (`in backticks` where the name is no word), + - * / **, comparisons, in [...], and, or, not, log, log1p, sqrt, abs, min, max
    """
    if len(text) > LONGEST:
        raise ValueError(f"an expression of {len(text)} characters: at most {LONGEST}")
    names: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return names.setdefault(match[1], f"column_{len(names)}_in_backticks")

    try:
        written = re.sub(_QUOTED_OR_NAMED, named, text.strip())
        tree = ast.parse(written, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is no expression") from None
    if _depth(tree) > DEEPEST:
        raise ValueError(
            f"an expression of more than {DEEPEST} parts inside each other"
        )
    standing = {stand_in: name for name, stand_in in names.items()}
    for node in ast.walk(tree):  # Python spells a name anew, a table does not
        if isinstance(node, ast.Name) and node.id not in standing:
            standing[node.id] = ast.get_source_segment(written, node) or node.id
    read: dict[str, str] = {}
    is_condition = _checked(tree, standing, read) == "condition"
    if not read:
        raise ValueError(f"{text!r} reads no column")
    return Expression(
        text, tuple(dict.fromkeys(read.values())), is_condition, tree, read
    )


def _depth(tree: ast.AST) -> int:
    waiting, deepest = [(tree, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest


def _checked(node: ast.expr, standing: dict[str, str], read: dict[str, str]) -> str:
    """Return what a part gives, ``value`` or ``condition``, and note the columns it reads."""

    def need(part: ast.expr, kind: str) -> None:
        if _checked(part, standing, read) != kind:
            wanted = "yes or no" if kind == "condition" else "a value"
            raise ValueError(
                f"{ast.unparse(part)!r} is not {wanted}, which is needed there"
            )

    match node:
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=str()):
            return "value"
        case ast.Constant(value=int() | float() as number):
            if not abs(number) <= sys.float_info.max:
                raise ValueError("a number beyond all that can be reckoned with")
            return "value"
        case ast.Name(id=name):
            read[name] = standing.get(name, name)
            return "value"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _COUNTING:
            need(left, "value")
            need(right, "value")
            return "value"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            need(operand, "value")
            return "value"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            need(operand, "condition")
            return "condition"
        case ast.BoolOp(values=values):
            for one in values:
                need(one, "condition")
            return "condition"
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if (
            name in FUNCTIONS and len(arguments) == 1 + (name in _TWO_ARGUMENTS)
        ):
            for one in arguments:
                need(one, "value")
            return "value"
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, ast.In | ast.NotIn)
            if isinstance(other, ast.List)
            else type(op) in _COMPARING
            for op, other in zip(ops, others, strict=True)
        ):
            need(left, "value")
            for other in others:
                for one in other.elts if isinstance(other, ast.List) else [other]:
                    need(one, "value")
            if any(isinstance(other, ast.List) for other in others[:-1]):
                raise ValueError("a list can only stand last in a comparison")
            return "condition"
    raise ValueError(f"an expression has no {_called(node)}: it may have {_SAID}")


def _called(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        n = len(node.args)
        known = f" of {n} argument{'s' * (n != 1)}" if node.func.id in FUNCTIONS else ""
        return f"{node.func.id}(...){known}"
    return repr(ast.unparse(node))
