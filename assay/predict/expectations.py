"""A suite's rules for single rows, evaluated without Great Expectations.

Rules for a whole table (counts, uniqueness, the set of columns) cannot be decided for single rows, and
rules for columns that prediction does not need do not matter: they are not asked, and each is listed
with its reason.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import cut, first_line, shown
from assay.formats.dates import check_format, moments
from assay.formats.numbers import spelled
from assay.formats.patterns import MAX_CPU_S, is_quick
from assay.predict.decoding import json_in
from assay.predict.parsing import Chunk
from assay.predict.schema import Column, Form
from assay.predict.unfit import Unfit
from assay.predict.warnings import Remarks
from assay.wording import Sentence, Value

Values = Mapping[str, NDArray[Any]]
Mask = NDArray[np.bool_]
Test = Callable[..., Mask]  # of one array for each column that a rule reads
Columns = Mapping[str, Column]

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LONGEST_PATTERN = 10_000
_SEVERITIES = ("critical", "warning", "info")
_KEYS = {"column", "column_A", "column_B", "column_list", "mostly", "row_condition", "condition_parser"}  # fmt: skip


class _NotAsked(Exception):
    """A rule is not asked; ``reason`` is why, as part of a sentence."""

    def __init__(self, key: str, **values: Value) -> None:
        self.reason = Sentence.of(key, **values)


@dataclass(frozen=True)
class Rule:
    """A rule for single rows.

    Attributes
    ----------
    critical
        Whether a row that breaks it refuses the table; else the row is marked.
    met
        Whether each row meets it, or it does not concern the row.
    """

    id: str
    why: str
    columns: tuple[str, ...]
    critical: bool
    met: Callable[[Values], Mask]


@dataclass(frozen=True)
class Rules:
    """The rules of a suite that are asked, and for each of the others why it is not."""

    asked: tuple[Rule, ...]
    not_asked: Mapping[str, Sentence]

    def check(self, values: Values, chunk: Chunk, remarks: Remarks) -> None:
        """Check rows by the rules, and remark on those that break one.

        Raises
        ------
        DataRefused
            If a row breaks a critical one; the message gives the rule's own reason.
        """
        for rule in self.asked:
            broken = ~rule.met(values)
            if rule.critical and broken.any():
                row, name = int(broken.argmax()), rule.columns[0]
                cell = chunk.cells[name][row]
                value = cell.item() if isinstance(cell, np.generic) else cell
                why = rule.why.rstrip(".")
                chunk.refuse(
                    "predict.breaks_rule", row, name, value, rule=rule.id, why=why
                )
            remarks.mark(broken, f"{rule.id}: {rule.why.rstrip('.')}")


def rules_of(suite: str | bytes, form: Form) -> Rules:
    """Return the rules of a suite, given as its JSON text.

    Raises
    ------
    Unfit
        If it is not a suite.
    """
    value = json_in(suite)
    expectations = value.get("expectations") if isinstance(value, dict) else None
    if not isinstance(expectations, list) or not all(map(_is_rule, expectations)):
        raise Unfit("predict.form.suite")
    columns = {column.name: column for column in form.columns}
    asked: list[Rule] = []
    not_asked: dict[str, Sentence] = {}
    for rule in expectations:
        name = rule["meta"]["id"]
        try:
            asked.append(_rule(name, rule, columns))
        except _NotAsked as refusal:
            not_asked[name] = refusal.reason
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, re.error) as error:  # fmt: skip
            reason = first_line(error)
            not_asked[name] = Sentence.of("predict.rule.arguments", reason=reason)
    return Rules(tuple(asked), not_asked)


def _is_rule(rule: Any) -> bool:
    meta = rule.get("meta") if isinstance(rule, dict) else None
    if not isinstance(meta, dict) or not isinstance(rule.get("kwargs", {}), dict):
        return False
    texts = (meta.get("id"), meta.get("why"), rule.get("type"))
    severity = rule.get("severity", "critical")
    return all(isinstance(text, str) for text in texts) and severity in _SEVERITIES


def _rule(name: str, rule: dict[str, Any], known: Columns) -> Rule:
    kwargs: dict[str, Any] = rule.get("kwargs", {})
    severity = rule.get("severity", "critical")
    make = _TESTS.get(rule["type"])
    if make is None:
        raise _unsupported(rule["type"])
    if severity == "info":
        raise _NotAsked("predict.rule.info")
    columns = [_column(name, known) for name in _columns_of(kwargs)]
    further = {key: value for key, value in kwargs.items() if key not in _KEYS}
    test = make(columns, **further)
    concerned = _condition(kwargs.get("row_condition"), known)
    names = tuple(column.name for column in columns)

    def met(values: Values) -> Mask:
        passed = test(*(values[name] for name in names))
        return passed if concerned is None else passed | ~concerned(values)

    return Rule(
        id=name,
        why=rule["meta"]["why"],
        columns=names,
        critical=severity == "critical" and float(kwargs.get("mostly", 1.0)) >= 1,
        met=met,
    )


def _unsupported(kind: str) -> _NotAsked:
    of_a_table = ("_table_", "unique", "proportion", "_count", "_max_", "_min_", "_mean_", "_median_", "_sum_", "_stdev_", "quantile", "_to_exist", "distinct", "most_common")  # fmt: skip
    if any(word in kind for word in of_a_table):
        return _NotAsked("predict.rule.whole_table")
    return _NotAsked("predict.rule.unsupported", kind=kind)


def _columns_of(kwargs: dict[str, Any]) -> Iterator[str]:
    for key in ("column", "column_A", "column_B"):
        if key in kwargs:
            yield str(kwargs[key])
    yield from map(str, kwargs.get("column_list") or ())


def _column(name: str, known: Columns) -> Column:
    if name not in known:
        raise _NotAsked("predict.rule.column_unused", column=cut(name))
    return known[name]


def _condition(condition: Any, known: Columns) -> Callable[[Values], Mask] | None:
    """Return which rows a rule concerns; None: all."""
    if condition is None:
        return None
    compares = isinstance(condition, dict) and condition.get("type") == "comparison"
    if not compares or condition.get("operator") not in _COMPARED:
        raise _NotAsked("predict.rule.condition")
    column = _column(str(condition["column"]["name"]), known)
    wanted, compare = condition["parameter"], _COMPARED[condition["operator"]]
    of_text = column.kind == "text" and isinstance(wanted, str)
    of_number = column.role == "number" and isinstance(wanted, int | float)
    if not of_text and not (of_number and not column.numbers):
        raise _NotAsked("predict.rule.condition_kind", column=cut(column.name))

    def concerned(values: Values) -> Mask:
        cells = values[column.name]
        holds = [cell is not None and bool(compare(cell, wanted)) for cell in cells]
        return np.array(holds, dtype=bool)

    return concerned


# The tests -----------------------------------------------------------------------------------------


def _missing(values: NDArray[Any]) -> Mask:
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    gaps = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    return np.asarray(gaps)


def _only(columns: list[Column]) -> Column:
    """Return the column of a rule for one column.

    Raises
    ------
    ValueError
        If the rule names none, or several.
    """
    [column] = columns
    return column


def _not_of_kind(column: Column) -> _NotAsked:
    kind = Sentence.of(f"predict.kind.{column.kind}")
    return _NotAsked("predict.rule.kind", column=cut(column.name), kind=kind)


def _each(values: NDArray[Any], holds: Callable[[str], bool]) -> Mask:
    """Return whether something holds for each text; a missing one passes."""
    results = {text: holds(text) for text in set(values) if text is not None}
    return np.array([text is None or results[text] for text in values], dtype=bool)


def _not_null(columns: list[Column]) -> Test:
    _only(columns)
    return lambda values: ~_missing(values)


def _null(columns: list[Column]) -> Test:
    _only(columns)
    return _missing


def _between(
    columns: list[Column],
    *,
    min_value: Any = None,
    max_value: Any = None,
    strict_min: bool = False,
    strict_max: bool = False,
) -> Test:
    column = _only(columns)
    low, high = (_bound(column, value) for value in (min_value, max_value))
    above, below = (operator.gt if strict_min else operator.ge), (operator.lt if strict_max else operator.le)  # fmt: skip

    def test(values: NDArray[Any]) -> Mask:
        inside = np.ones(len(values), dtype=bool)
        if low is not None:
            inside &= above(values, low)
        if high is not None:
            inside &= below(values, high)
        return np.asarray(inside | _missing(values))

    return test


def _bound(column: Column, value: Any) -> Any:
    """Return a bound as the column's values are compared with it."""
    if value is None:
        return None
    if column.kind == "moment" and column.role == "date" and isinstance(value, str):
        [moment] = moments([value], None)
        if not np.isnat(moment):
            return moment
    numeric = column.kind in ("number", "whole") and column.role == "number"
    if numeric and isinstance(value, int | float):
        return float(value)
    kind = Sentence.of(f"predict.kind.{column.kind}")
    raise _NotAsked(
        "predict.rule.bound", column=cut(column.name), kind=kind, bound=shown(value)
    )


def _in_set(columns: list[Column], *, value_set: list[Any]) -> Test:
    column = _only(columns)
    if column.kind == "moment":
        raise _not_of_kind(column)
    numbers = {float(value) for value in value_set if isinstance(value, int | float)}
    texts = frozenset(
        _as_text(value, column)
        for value in value_set
        if isinstance(value, str) == (column.kind == "text")
    )

    def test(values: NDArray[Any]) -> Mask:
        if values.dtype == object:
            return _each(values, texts.__contains__)
        return np.isin(values, list(numbers)) | _missing(values)

    return test


def _as_text(value: Any, column: Column) -> str:
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return spelled(float(value)) if whole and column.kind != "text" else str(value)


def _not_in_set(columns: list[Column], *, value_set: list[Any]) -> Test:
    inside = _in_set(columns, value_set=value_set)
    return lambda values: ~inside(values) | _missing(values)


def _matches(columns: list[Column], *, regex: str) -> Test:
    pattern, column = _compiled(regex), _only(columns)
    return _of_text(column, lambda text: pattern.search(text) is not None, regex)


def _matches_not(columns: list[Column], *, regex: str) -> Test:
    pattern, column = _compiled(regex), _only(columns)
    return _of_text(column, lambda text: pattern.search(text) is None, regex)


def _compiled(regex: str) -> re.Pattern[str]:
    """Return a pattern.

    Raises
    ------
    ValueError
        If it is longer than any that a person writes.
    """
    if len(regex) > _LONGEST_PATTERN:
        raise ValueError(f"a pattern of {len(regex):,} characters")
    return re.compile(regex)


def _of_text(column: Column, holds: Callable[[str], bool], regex: str = "") -> Test:
    """Return a test of how values are written, as pandas writes them.

    ``regex`` is what it seeks: on some texts a bad pattern takes longer than anybody waits.
    """
    if column.kind == "moment" or (column.kind == "number" and column.role != "number"):
        raise _not_of_kind(column)

    def written(value: float) -> str:
        if column.kind == "boolean":
            return str(bool(value))
        return str(int(value)) if column.kind == "whole" else str(value)

    def test(values: NDArray[Any]) -> Mask:
        if values.dtype != object:
            texts = [
                None if value != value else written(value) for value in values.tolist()
            ]
            values = np.array([*texts, None], dtype=object)[:-1]
        if regex and not is_quick(regex, set(values) - {None}):
            raise Unfit("predict.form.slow", pattern=shown(regex), seconds=MAX_CPU_S)
        return _each(values, holds)

    return test


def _lengths(
    columns: list[Column], *, min_value: int | None = None, max_value: int | None = None
) -> Test:
    column = _only(columns)
    if column.kind != "text":
        raise _not_of_kind(column)
    least = 0 if min_value is None else operator.index(min_value)
    most = math.inf if max_value is None else operator.index(max_value)
    return _of_text(column, lambda text: least <= len(text) <= most)


def _dated(columns: list[Column], *, strftime_format: str) -> Test:
    column = _only(columns)
    if column.kind != "text":
        raise _not_of_kind(column)
    check_format(strftime_format)

    def holds(text: str) -> bool:
        try:
            datetime.strptime(text, strftime_format)
        except ValueError:
            return False
        return True

    return _of_text(column, holds)


def _pair(
    columns: list[Column],
    compare: Callable[[Any, Any], Any],
    ignore: str = "both_values_are_missing",
) -> Test:
    first, second = columns
    _check_plain_numbers((first, second))
    passed: dict[str, Callable[[Mask, Mask], Mask]] = {
        "both_values_are_missing": np.logical_and,
        "either_value_is_missing": np.logical_or,
        "neither": lambda a, b: np.zeros_like(a & b),
    }
    ignored = passed.get(ignore)
    if ignored is None:
        raise _NotAsked("predict.rule.ignore", value=ignore)
    return lambda a, b: np.asarray(compare(a, b) | ignored(_missing(a), _missing(b)))


def _check_plain_numbers(columns: Iterable[Column]) -> None:
    for column in columns:
        if column.role != "number" or column.numbers:
            raise _NotAsked("predict.rule.not_numbers", column=cut(column.name))


def _greater(
    columns: list[Column],
    *,
    or_equal: bool = False,
    ignore_row_if: str = "both_values_are_missing",
) -> Test:
    return _pair(columns, operator.ge if or_equal else operator.gt, ignore_row_if)


def _equal(
    columns: list[Column], *, ignore_row_if: str = "both_values_are_missing"
) -> Test:
    return _pair(columns, operator.eq, ignore_row_if)


def _unlike(
    columns: list[Column], *, ignore_row_if: str = "all_values_are_missing"
) -> Test:
    _check_plain_numbers(columns)
    if not columns:
        raise ValueError("column_list is empty")
    if ignore_row_if not in ("all_values_are_missing", "never"):
        raise _NotAsked("predict.rule.ignore", value=ignore_row_if)

    def test(*values: NDArray[Any]) -> Mask:
        ordered = np.sort(np.column_stack(values), axis=1)
        same = (ordered[:, 1:] == ordered[:, :-1]) | np.isnan(ordered[:, :-1])
        passed = np.isnan(ordered).all(axis=1) & (ignore_row_if != "never")
        return np.asarray(~same.any(axis=1) | passed)

    return test


_TESTS: dict[str, Callable[..., Test]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_column_values_to_match_strftime_format": _dated,
    "expect_column_value_lengths_to_be_between": _lengths,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _equal,
    "expect_select_column_values_to_be_unique_within_record": _unlike,
}
