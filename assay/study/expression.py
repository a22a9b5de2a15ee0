"""Expressions over columns, in which a study makes a label: a small grammar, read and never executed.

Numbers, texts in quotes, columns (``likes``, or in backticks ```view count```), ``+ - * / **``,
comparisons, ``in [...]``, ``and or not``, and the functions of :data:`FUNCTIONS`. What they come to in a
table, ``reckoning`` says; here nothing heavy is loaded.
"""

import ast
import re
import sys
from dataclasses import dataclass

LONGEST, DEEPEST = 500, 50  # characters, and parts inside each other
_COUNTING = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_COMPARING = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
FUNCTIONS = {"log": 1, "log1p": 1, "sqrt": 1, "abs": 1, "min": 2, "max": 2}  # arguments
_QUOTED_OR_NAMED = r"""'[^']*'|"[^"]*"|`([^`]+)`"""
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
    tree
        Its parts, of which each is one that the grammar knows.
    names
        The column that each name in the tree stands for.
    """

    text: str
    columns: tuple[str, ...]
    is_condition: bool
    tree: ast.expr
    names: dict[str, str]


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
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _COUNTING):
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
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if len(
            arguments
        ) == FUNCTIONS.get(name):
            for one in arguments:
                need(one, "value")
            return "value"
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, ast.In | ast.NotIn)
            if isinstance(other, ast.List)
            else isinstance(op, _COMPARING)
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
