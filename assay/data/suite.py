"""Suites: what one must be before Great Expectations is handed it.

Great Expectations drops what it does not know and lets an empty suite pass. It evaluates a parameter as an
expression, pandas runs a condition on rows written as text as code, and a JSON schema is fetched from where
it points to: a suite may have come from anyone, so none of them is let in.
"""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from assay.errors import StudyError
from assay.store.records import Severity
from assay.study.sources import Suite
from assay.wording import Sentence, Value

_LONGEST_ID = 100
_LONGEST_SHOWN = 60
_DEEPEST = 32
_OF_THE_LIBRARY = {"batch_id", "catch_exceptions", "rendered_content", "result_format", "windows"}  # fmt: skip
_UNBOUNDED = {"$ref", "$dynamicRef", "$recursiveRef", "pattern", "patternProperties", "uniqueItems"}  # fmt: skip
_CONDITION_KEYS = {"type", "column", "operator", "parameter", "is_null", "conditions"}
_CONDITIONS = ("comparison", "nullity", "and", "or")


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("blank")
    return text


def _of_one_line(name: str) -> str:
    if not name.isprintable() or len(name) > _LONGEST_ID:
        raise PydanticCustomError("data.suite.long_id", "id", {"most": _LONGEST_ID})
    return name


def _without_code(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Refuse arguments that would run code, reach for the network, take no end, or hide what came of a rule."""
    condition = kwargs.get("row_condition")
    if condition is not None and not _is_plain_condition(condition):
        raise PydanticCustomError("data.suite.condition_is_code", "condition")
    for key in _keys(kwargs):
        if key.startswith("$PARAMETER"):
            raise PydanticCustomError("data.suite.parameter", "parameter")
    for key in _keys(kwargs.get("json_schema")):
        if key in _UNBOUNDED:
            raise PydanticCustomError("data.suite.schema_key", "key", {"key": key})
    for key in sorted(_OF_THE_LIBRARY & kwargs.keys()):
        raise PydanticCustomError("data.suite.library_key", "key", {"key": key})
    return kwargs


_Text = Annotated[str, AfterValidator(_not_blank)]


class Meta(BaseModel):
    """The name of an expectation and the reason for it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: Annotated[_Text, AfterValidator(_of_one_line)]
    why: _Text


class Expectation(BaseModel):
    """One rule of a suite, as Great Expectations has it; ``id`` is the library's own, new at every save."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    meta: Meta
    type: _Text
    kwargs: Annotated[dict[str, Any], AfterValidator(_without_code)] = {}
    severity: Severity = "critical"
    notes: Any = None
    id: Any = None

    @property
    def column(self) -> str | None:
        return self.kwargs.get("column")

    @property
    def columns(self) -> list[str]:
        """Every column that it names."""
        keys = ("column", "column_A", "column_B")
        named = [*map(self.kwargs.get, keys), *(self.kwargs.get("column_list") or [])]
        return [name for name in named if isinstance(name, str)]

    def as_json(self) -> dict[str, Any]:
        """Return it as the suite has it, without the library's own ``id``."""
        given = self.model_fields_set - {"id"}
        return {name: getattr(self, name) for name in given} | {"meta": dict(self.meta)}


def expectations_of(suite: Suite) -> tuple[Expectation, ...]:
    """Return the expectations of a suite, in its order.

    Raises
    ------
    StudyError
        If the suite is no suite, is empty, or holds what is no expectation, or one that would run code
        or fetch something.
    """
    rules = _rules(suite)
    if not isinstance(rules, list) or not rules:
        raise StudyError("data.suite.empty", suite=suite.name)
    expectations = tuple(
        _expectation(rule, number, suite) for number, rule in enumerate(rules, start=1)
    )
    name, n = Counter(rule.meta.id for rule in expectations).most_common(1)[0]
    if n > 1:
        raise StudyError("data.suite.duplicate_id", suite=suite.name, id=name)
    return expectations


def _rules(suite: Suite) -> Any:
    hook = partial(_without_duplicates, suite.name)
    try:
        rules = json.loads(suite.text, object_pairs_hook=hook)["expectations"]
        if _is_deeper(rules, _DEEPEST):
            raise StudyError("data.suite.too_deep", suite=suite.name, most=_DEEPEST)
        return rules
    except (KeyError, TypeError):
        raise StudyError("data.suite.no_list", suite=suite.name) from None
    except (ValueError, RecursionError) as error:
        reason = str(error)
        raise StudyError(
            "data.suite.no_json", suite=suite.name, reason=reason
        ) from None


def _without_duplicates(suite: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a table of JSON; of a duplicate key only the last would count."""
    table = dict(pairs)
    if len(table) < len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise StudyError("data.suite.duplicate_key", suite=suite, key=short(key))
    return table


def _expectation(rule: Any, number: int, suite: Suite) -> Expectation:
    try:
        return Expectation.model_validate(rule)
    except ValidationError as error:
        raise _refusal(error, rule, number, suite) from None


def _refusal(
    error: ValidationError, rule: Any, number: int, suite: Suite
) -> StudyError:
    """Return the first problem as a sentence that names the expectation."""
    problem = error.errors(include_url=False)[0]
    field = str(problem["loc"][0]) if problem["loc"] else "meta"
    key: str = problem["type"]
    values: dict[str, Value] = {}
    if key.startswith("data."):
        values = problem.get("ctx", {})
    elif key == "extra_forbidden":
        key, keys = "data.suite.unknown_key", tuple(sorted(Expectation.model_fields))
        values = {"key": short(field), "keys": keys}
    elif field == "severity":
        key, values = "data.suite.severity", {"severity": short(rule["severity"])}
    else:
        key = "data.suite.no_name" if field == "meta" else "data.suite.no_call"
    name: Value = Sentence.of("data.suite.number", number=number)
    if field != "meta":
        name = rule["meta"]["id"]
    return StudyError(key, suite=suite.name, expectation=name, **values)


# What would run code or take no end ----------------------------------------------------------------------


def _is_plain_condition(value: Any) -> bool:
    """Return whether a condition only compares columns: their names go into what pandas runs."""
    if not isinstance(value, dict) or value.keys() - _CONDITION_KEYS:
        return False
    parts, column = value.get("conditions", []), value.get("column", {})
    name = column.get("name", "") if isinstance(column, dict) else None
    return (
        value.get("type") in _CONDITIONS
        and isinstance(name, str)
        and not set(name) & set("`\r\n")
        and isinstance(parts, list)
        and all(map(_is_plain_condition, parts))
    )


def _keys(value: Any) -> Iterator[str]:
    """Yield every key of nested tables."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _keys(inner)


def _is_deeper(value: Any, most: int) -> bool:
    """Return whether lists and tables are nested more than so many times."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)


def short(value: object) -> str:
    """Return a value as JSON, cut to what a sentence can hold."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
