"""Expressions over columns, from which a study makes a label: a small grammar, parsed and never executed.

Numbers, texts in quotes, columns (``likes``, or in backticks ```view count```), ``+ - * / **``,
comparisons, ``in [...]``, ``and or not``, and the functions of :data:`FUNCTIONS`. A text is checked and turned
into :class:`Operation` once, when the study is read; ``assay.data.evaluate`` computes it on a table.
"""

import ast
import itertools
import re
import sys
from dataclasses import dataclass
from typing import Literal, Union

from assay.study.invalid import Invalid
from assay.wording import Item, Sentence

LONGEST, DEEPEST = 500, 50  # characters, and parts inside each other
FUNCTIONS = {"log": 1, "log1p": 1, "sqrt": 1, "abs": 1, "min": 2, "max": 2}  # arguments
_ARITHMETIC: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_COMPARISONS: dict[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_QUOTED_OR_NAMED = r"""'[^']*'|"[^"]*"|`([^`]+)`"""

Kind = Literal["value", "condition"]
Node = Union["Constant", "Column", "Operation"]
# What each operator takes and gives.
OPERATORS: dict[str, tuple[Kind, Kind]] = (
    dict.fromkeys([*_ARITHMETIC.values(), "negative", *FUNCTIONS], ("value", "value"))
    | dict.fromkeys([*_COMPARISONS.values(), "in", "not in"], ("value", "condition"))
    | dict.fromkeys(["and", "or", "not"], ("condition", "condition"))
)


@dataclass(frozen=True)
class Constant:
    """A number or a text."""

    value: float | str


@dataclass(frozen=True)
class Column:
    """The cells of a column."""

    name: str


@dataclass(frozen=True)
class Operation:
    """An operator of :data:`OPERATORS` and what it is applied to; of ``in`` the list stands after the value."""

    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    columns
        The columns it reads, each once, in the order in which they first appear.
    root
        What it computes.
    """

    text: str
    columns: tuple[str, ...]
    root: Node

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false in a row, rather than a number."""
        return _kind(self.root) == "condition"


def parse(text: str) -> Expression:
    """Parse an expression.

    Raises
    ------
    ValueError
        If it contains anything outside the grammar; the message names it.

    Examples
    --------
    >>> parse("likes / `view count` > 0.03").columns
    ('likes', 'view count')
    >>> parse("likes + 1").root
    Operation(operator='+', parts=(Column(name='likes'), Constant(value=1.0)))
    >>> parse("open('x')")
    Traceback (most recent call last):
    assay.study.invalid.Invalid: an expression cannot contain open(...). It may contain numbers, 'texts', columns (in `backticks` where the name is not a single word), + - * / **, comparisons, in [...], and, or, not, log, log1p, sqrt, abs, min, max
    """
    if len(text) > LONGEST:
        raise Invalid("study.expression.too_long", n=len(text), most=LONGEST)
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return quoted.setdefault(match[1], f"column_{len(quoted)}_in_backticks")

    try:
        source = re.sub(_QUOTED_OR_NAMED, stand_in, text.strip())
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Invalid("study.expression.syntax", text=text) from None
    if _depth(tree) > DEEPEST:
        raise Invalid("study.expression.too_deep", most=DEEPEST)
    names = {identifier: name for name, identifier in quoted.items()}
    for node in ast.walk(tree):  # Python normalises an identifier, a table does not
        if isinstance(node, ast.Name) and node.id not in names:
            names[node.id] = ast.get_source_segment(source, node) or node.id
    root = _parsed(tree, names)
    columns = tuple(dict.fromkeys(_columns(root)))
    if not columns:
        raise Invalid("study.expression.no_column", text=text)
    return Expression(text, columns, root)


def _depth(tree: ast.AST) -> int:
    waiting, deepest = [(tree, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest


def _columns(node: Node) -> list[str]:
    match node:
        case Column(name):
            return [name]
        case Operation(_, parts):
            return [name for part in parts for name in _columns(part)]
    return []


def _kind(node: Node) -> Kind:
    return OPERATORS[node.operator][1] if isinstance(node, Operation) else "value"


def _parsed(node: ast.expr, names: dict[str, str]) -> Node:
    """Return what a part of Python's tree stands for in the grammar."""

    def operation(operator: str, *parts: ast.expr) -> Operation:
        takes, _ = OPERATORS[operator]
        return Operation(operator, tuple(_of_kind(takes, p, names) for p in parts))

    match node:
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=str(text)):
            return Constant(text)
        case ast.Constant(value=int() | float() as number):
            if not abs(number) <= sys.float_info.max:
                raise Invalid("study.expression.too_large")
            return Constant(float(number))
        case ast.Name(id=identifier):
            return Column(names[identifier])
        case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
            return operation(_ARITHMETIC[type(op)], left, right)
        case ast.UnaryOp(ast.USub(), operand):
            return operation("negative", operand)
        case ast.UnaryOp(ast.Not(), operand):
            return operation("not", operand)
        case ast.BoolOp(op, values):
            return operation("and" if isinstance(op, ast.And) else "or", *values)
        case ast.Call(ast.Name(id=name), arguments, []) if FUNCTIONS.get(name) == len(
            arguments
        ):
            return operation(name, *arguments)
        case ast.Compare(left, ops, others) if all(map(_compares, ops, others)):
            return _comparison([left, *others], ops, names)
    raise Invalid(
        "study.expression.unknown", part=_described(node), functions=tuple(FUNCTIONS)
    )


def _of_kind(kind: Kind, node: ast.expr, names: dict[str, str]) -> Node:
    part = _parsed(node, names)
    if _kind(part) != kind:
        raise Invalid(f"study.expression.not_a_{kind}", part=ast.unparse(node))
    return part


def _compares(op: ast.cmpop, other: ast.expr) -> bool:
    """Return whether an operator compares with what follows it: ``in`` with a list, the others with a value."""
    if isinstance(other, ast.List):
        return isinstance(op, ast.In | ast.NotIn)
    return type(op) in _COMPARISONS


def _comparison(
    operands: list[ast.expr], ops: list[ast.cmpop], names: dict[str, str]
) -> Operation:
    """Return a comparison; of a chain such as ``0 <= a < 10`` every link must hold."""
    sides = [
        tuple(
            _of_kind("value", element, names)
            for element in (side.elts if isinstance(side, ast.List) else [side])
        )
        for side in operands
    ]
    if any(isinstance(side, ast.List) for side in operands[:-1]):
        raise Invalid("study.expression.list_not_last")
    links = [
        Operation(_operator(op), left + right)
        for op, (left, right) in zip(ops, itertools.pairwise(sides), strict=True)
    ]
    return links[0] if len(links) == 1 else Operation("and", tuple(links))


def _operator(op: ast.cmpop) -> str:
    if isinstance(op, ast.In | ast.NotIn):
        return "in" if isinstance(op, ast.In) else "not in"
    return _COMPARISONS[type(op)]


def _described(node: ast.expr) -> Item:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return repr(ast.unparse(node))
    name, n = node.func.id, len(node.args)
    if name not in FUNCTIONS:
        return f"{name}(...)"
    key = "call" if n == 1 else "call_of_several"
    return Sentence.of(f"study.expression.{key}", name=name, n=n)
