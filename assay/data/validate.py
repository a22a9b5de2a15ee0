"""Validate: hold a table to its Great Expectations suite, with a severity gate of our own.

Great Expectations drops what it does not know, lets an empty suite pass, counts an ``info``
failure as failure, and matches column names whatever their case. Each of these is caught here. A
condition on rows written as text is run as code by pandas, and a JSON schema is fetched from where
it points to: a suite may have come from anyone, so neither is let in.
"""

import json
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import pandas as pd

from assay.errors import DataRefused, StudyError
from assay.store.records import ExpectationOutcome, Snapshot, ValidationReport
from assay.study.sources import Suite

_N_EXAMPLES = 3
_LONGEST_ID = 100
_KEYS = {"type", "kwargs", "meta", "notes", "severity", "id"}
_CONDITION_KEYS = {"type", "column", "operator", "parameter", "is_null", "conditions"}
_CONDITIONS = ("comparison", "nullity", "and", "or")


def validate_table(
    frame: pd.DataFrame, suite: Suite, snapshot: Snapshot
) -> ValidationReport:
    """Hold every row of ``frame`` to ``suite``.

    Raises
    ------
    StudyError
        If the suite is no suite, is empty, or holds an expectation nobody can evaluate.
    DataRefused
        If an expectation of severity ``critical`` is not met; the message gives the suite's own
        reason, how many rows, and some of them.
    """
    rules = _rules(suite)
    results = _run(frame, suite, rules)
    outcomes = tuple(
        _outcome(rule, results.get(rule["meta"]["id"]), frame) for rule in rules
    )
    refused = [
        outcome
        for outcome in outcomes
        if outcome.severity == "critical" and outcome.status != "met"
    ]
    if refused:
        told = (f"{outcome.message} ({outcome.why})" for outcome in refused[:3])
        said = " ".join(" ".join(told).split())
        more = f" And {len(refused) - 3} more." if len(refused) > 3 else ""
        raise DataRefused(
            f"{snapshot.source} does not meet suite {suite.name}: {said}{more}"
        )
    return ValidationReport(
        suite=suite.name,
        suite_digest=suite.essence_digest(),
        snapshot_digest=snapshot.essence_digest(),
        outcomes=outcomes,
    )


def _rules(suite: Suite) -> list[dict[str, Any]]:
    """Return the suite's expectations after checking everything Great Expectations lets slip."""
    place = f"suite {suite.name}"
    try:
        rules = json.loads(suite.text, object_pairs_hook=_once)["expectations"]
    except (KeyError, TypeError):
        raise StudyError(
            f"{place} is no expectation suite: it has no list named expectations."
        ) from None
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{place} is no expectation suite: {error}.") from None
    if not isinstance(rules, list) or not rules:
        raise StudyError(
            f"{place} is empty: it would let anything pass. Add at least one expectation."
        )
    for number, rule in enumerate(rules, start=1):
        meta = rule.get("meta") if isinstance(rule, dict) else None
        if not isinstance(meta, dict) or not (_text("id", meta) and _text("why", meta)):
            raise StudyError(
                f"{place}, expectation {number}: meta.id and meta.why are needed, a name and a reason."
            )
        if not meta["id"].isprintable() or len(meta["id"]) > _LONGEST_ID:
            raise StudyError(
                f"{place}, expectation {number}: meta.id is a name of one line, of {_LONGEST_ID} characters at most."
            )
        unknown = rule.keys() - _KEYS
        if unknown:
            raise StudyError(
                f"{place}, {meta['id']}: unknown key {_short(min(unknown))}, which would be passed over. "
                f"Known: {', '.join(sorted(_KEYS))}; bounds and columns go into kwargs."
            )
        if not _text("type", rule) or not isinstance(rule.get("kwargs", {}), dict):
            raise StudyError(
                f"{place}, {meta['id']}: type names the expectation, and kwargs is a table of its arguments."
            )
        if (wrong := _foreign(rule.get("kwargs", {}))) is not None:
            raise StudyError(f"{place}, {meta['id']}: {wrong}")
        if rule.get("severity", "critical") not in ("critical", "warning", "info"):
            raise StudyError(
                f"{place}, {meta['id']}: severity = {_short(rule['severity'])}, not critical, warning or info."
            )
    repeated = [
        name
        for name, n in Counter(rule["meta"]["id"] for rule in rules).items()
        if n > 1
    ]
    if repeated:
        raise StudyError(f"{place}: meta.id {repeated[0]!r} stands twice.")
    return rules


def _foreign(kwargs: dict[str, Any]) -> str | None:
    """Return what in an expectation's arguments would run code or reach for the network, in words."""
    condition = kwargs.get("row_condition")
    if condition is not None and not _is_plain_condition(condition):
        return (
            'row_condition is a table such as {"type": "comparison", "column": {"name": "age"}, "operator": ">", '
            '"parameter": 18}, joined by "and" and "or"; a text would be run as code.'
        )
    address = next(_addresses(kwargs), None)
    if address is not None:
        return f'"$ref": {_short(address)} points out of the suite. Write the schema out, or point to "#/...".'
    return None


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
        and all(_is_plain_condition(part) for part in parts)
    )


def _addresses(value: Any) -> Iterator[Any]:
    """Yield every ``$ref`` that leads out of the text it stands in."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("$ref", "$dynamicRef") and not str(one).startswith("#"):
                yield one
            yield from _addresses(one)
    elif isinstance(value, list):
        for one in value:
            yield from _addresses(one)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a table of JSON; of a key that stands twice only the last would count."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {_short(twice)} stands twice in one table")
    return found


def _text(key: str, table: dict[str, Any]) -> bool:
    """Return whether a key holds text with something in it."""
    value = table.get(key)
    return isinstance(value, str) and bool(value.strip())


def _run(
    frame: pd.DataFrame, suite: Suite, rules: list[dict[str, Any]]
) -> dict[str, Any]:
    """Evaluate the suite and return the results by ``meta.id``; order is not kept by the library."""
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # That module sets a level of its own when it is loaded, and then tells of its temporary folder.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(
        logging.CRITICAL
    )
    try:
        built = gx.ExpectationSuite(
            name=suite.name, expectations=[_without_id(rule) for rule in rules]
        )
    except (TypeError, ValueError) as error:
        raise StudyError(f"suite {suite.name}: {_first_line(error)}.") from None
    kept = {
        expectation.meta["id"] for expectation in built.expectations if expectation.meta
    }
    lost = next((rule for rule in rules if rule["meta"]["id"] not in kept), None)
    if lost is not None:
        raise StudyError(
            f"suite {suite.name}, {lost['meta']['id']}: {_short(lost['type'])} with {_short(lost.get('kwargs'))} is no "
            f"expectation this version of Great Expectations knows."
        )
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(
        {"dataframe": frame}
    )
    try:
        with warnings.catch_warnings():  # a regex may have groups
            warnings.filterwarnings(
                "ignore", "This pattern is interpreted as a regular"
            )
            results = batch.validate(built, result_format="COMPLETE").results
    except gx.exceptions.GreatExpectationsError as error:
        raise StudyError(f"suite {suite.name}: {_first_line(error)}.") from None
    finally:
        context.data_sources.delete("source")  # which would keep the table for ever
    found = {
        result.expectation_config.meta["id"]: result.to_json_dict()
        for result in results
    }
    if found.keys() != kept:
        raise StudyError(
            f"suite {suite.name}: {len(kept)} expectations, but {len(found)} were evaluated."
        )
    return found


def _without_id(rule: dict[str, Any]) -> dict[str, Any]:
    """Leave the library's own ``id`` out: it is new at every save."""
    return {key: value for key, value in rule.items() if key != "id"}


def _outcome(
    rule: dict[str, Any], result: dict[str, Any] | None, frame: pd.DataFrame
) -> ExpectationOutcome:
    kwargs = rule.get("kwargs", {})
    column = kwargs.get("column")
    absent = [name for name in _columns_of(kwargs) if name not in frame.columns]
    n_unexpected: int | None = None
    examples: tuple[str, ...] = ()
    status: Literal["met", "failed", "unchecked"] = "met"
    if absent:
        status, message = (
            "failed",
            f"There is no column {absent[0]!r}; the table has {_listed(frame.columns)}.",
        )
    elif (
        result is None
        or result.get("exception_info", {}).get("raised_exception")
        or _raised(result)
    ):
        status, message = (
            "unchecked",
            f"{_in_words(rule)}, which could not be checked: {_reason(result)}.",
        )
    elif result["success"]:
        message = ""
    else:
        status = "failed"
        n_unexpected, examples, message = _failure(rule, result.get("result", {}))
    return ExpectationOutcome(
        id=rule["meta"]["id"],
        expectation=rule["type"],
        column=column,
        severity=rule.get("severity", "critical"),
        status=status,
        why=rule["meta"]["why"],
        message=message,
        n_unexpected=n_unexpected,
        examples=examples,
    )


def _failure(
    rule: dict[str, Any], found: dict[str, Any]
) -> tuple[int | None, tuple[str, ...], str]:
    """Tell a failure with its count and example rows, or with the value observed."""
    if not found.get("unexpected_count"):
        observed = found.get("observed_value")
        return None, (), f"{_in_words(rule)}, but {_short(observed)} was found."
    n = int(found["unexpected_count"])
    rows = found.get("unexpected_index_list") or []
    values = found.get("unexpected_list") or []
    shown = zip(rows[:_N_EXAMPLES], values[:_N_EXAMPLES], strict=False)
    examples = tuple(f"row {int(row) + 1} has {_short(value)}" for row, value in shown)
    total = found.get("element_count") or n
    said = f"{_in_words(rule)}, but not in {n:,} of {total:,} rows"
    return n, examples, f"{said}: {', '.join(examples)}." if examples else f"{said}."


def _in_words(rule: dict[str, Any]) -> str:
    """Say what an expectation expects, such as ``age: expected values to be between 0 and 110``."""
    kwargs = dict(rule.get("kwargs", {}))
    column = kwargs.pop("column", None)
    what = (
        rule["type"]
        .removeprefix("expect_")
        .removeprefix("column_")
        .removeprefix("table_")
        .replace("_", " ")
    )
    low, high = kwargs.pop("min_value", None), kwargs.pop("max_value", None)
    if low is not None or high is not None:
        what += " " + " and ".join(
            f"{_short(value)}" if value is not None else "any" for value in (low, high)
        )
    rest = ", ".join(f"{name} {_short(value)}" for name, value in kwargs.items())
    return f"{column or 'The table'}: expected {what}{f' ({rest})' if rest else ''}"


def _columns_of(kwargs: dict[str, Any]) -> list[str]:
    named = [kwargs.get(key) for key in ("column", "column_A", "column_B")]
    return [
        name
        for name in [*named, *(kwargs.get("column_list") or [])]
        if isinstance(name, str)
    ]


def _raised(result: dict[str, Any]) -> bool:
    inner = result.get("exception_info", {})
    return any(
        isinstance(one, dict) and one.get("raised_exception") for one in inner.values()
    )


def _reason(result: dict[str, Any] | None) -> str:
    information = (result or {}).get("exception_info", {})
    message = information.get("exception_message")
    if message is None:
        message = next(
            (
                one.get("exception_message")
                for one in information.values()
                if isinstance(one, dict)
            ),
            "",
        )
    return _first_line(message or "no result came back")


def _first_line(error: object) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")[:200]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _listed(names: Any) -> str:
    shown = ", ".join(map(str, names[:8]))
    return f"{shown}, and {len(names) - 8} more" if len(names) > 8 else shown
