"""Validate: hold a table to its Great Expectations suite, with a severity gate of our own.

Great Expectations drops what it does not know, counts an ``info`` failure as failure, and matches column
names whatever their case. Each of these is caught here; what a suite may hold at all, in ``suite``.
"""

import logging
import re
import sys
import warnings
from functools import cache
from threading import Lock
from typing import Any, Literal, NamedTuple

import pandas as pd

from assay.data.paragraph import paragraph
from assay.data.patterns import need_bounded_work
from assay.data.suite import Expectation, expectations_of, short
from assay.errors import DataRefused, StudyError
from assay.store.records import ExpectationOutcome, Snapshot, ValidationReport
from assay.study.sources import Suite
from assay.wording import Sentence

_N_EXAMPLES, _N_FAILURES, _N_COLUMNS = 3, 3, 8
_LONGEST_REASON = 200
_ONE_TABLE_AT_A_TIME = Lock()


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
    expectations = expectations_of(suite)
    results = _results(frame, suite, expectations)
    outcomes = tuple(
        _outcome(expectation, results.get(expectation.meta.id), frame)
        for expectation in expectations
    )
    refusing = [
        outcome
        for outcome in outcomes
        if outcome.severity == "critical" and outcome.status != "met"
    ]
    if refusing:
        raise _refusal(refusing, suite, snapshot)
    return ValidationReport(
        suite=suite.name,
        suite_digest=suite.essence_digest(),
        snapshot_digest=snapshot.essence_digest(),
        outcomes=outcomes,
    )


def _refusal(
    outcomes: list[ExpectationOutcome], suite: Suite, snapshot: Snapshot
) -> DataRefused:
    failures = [
        Sentence.of(
            "data.suite.failure", message=outcome.message, why=_in_one_line(outcome.why)
        )
        for outcome in outcomes[:_N_FAILURES]
    ]
    if len(outcomes) > _N_FAILURES:
        n_more = len(outcomes) - _N_FAILURES
        failures.append(Sentence.of("data.suite.more_failures", n=n_more))
    return DataRefused(
        "data.suite.not_met",
        source=snapshot.source,
        suite=suite.name,
        failures=paragraph(failures),
    )


# What Great Expectations evaluates ---------------------------------------------------------------------


def _results(
    frame: pd.DataFrame, suite: Suite, expectations: tuple[Expectation, ...]
) -> dict[str, dict[str, Any]]:
    """Evaluate the suite and return the results by ``meta.id``; order is not kept by the library."""
    if sys.flags.optimize > 1:
        raise StudyError("data.suite.no_docstrings")
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    import great_expectations as gx

    try:
        built = gx.ExpectationSuite(
            name=suite.name, expectations=[rule.as_json() for rule in expectations]
        )
    except (TypeError, ValueError, LookupError, ArithmeticError, re.error) as error:
        raise _unusable(suite, error) from None
    _need_all(built, suite, expectations)
    need_bounded_work(frame, suite, expectations)
    try:
        with _ONE_TABLE_AT_A_TIME, warnings.catch_warnings():
            warnings.filterwarnings(  # a regex may have groups
                "ignore", "This pattern is interpreted as a regular"
            )
            evaluated = _evaluated(frame, built)
    except gx.exceptions.GreatExpectationsError as error:
        raise _unusable(suite, error) from None
    results = {
        result.expectation_config.meta["id"]: result.to_json_dict()
        for result in evaluated
    }
    if len(results) != len(expectations):
        n, n_evaluated = len(expectations), len(results)
        raise StudyError(
            "data.suite.not_all", suite=suite.name, n=n, n_evaluated=n_evaluated
        )
    return results


def _unusable(suite: Suite, error: Exception) -> StudyError:
    reason = _first_line(error)
    return StudyError("data.suite.unusable", suite=suite.name, reason=reason)


def _need_all(built: Any, suite: Suite, expectations: tuple[Expectation, ...]) -> None:
    """Refuse a suite of which the library dropped an expectation."""
    kept = {rule.meta["id"] for rule in built.expectations if rule.meta}
    for expectation in expectations:
        if expectation.meta.id not in kept:
            raise StudyError(
                "data.suite.unknown_expectation",
                suite=suite.name,
                expectation=expectation.meta.id,
                type=short(expectation.type),
                arguments=short(expectation.kwargs),
            )


def _evaluated(frame: pd.DataFrame, built: Any) -> Any:
    """Return the results of a suite on a table, which is not kept."""
    place, engine = _place_of_tables()
    batch = place.get_batch({"dataframe": frame})
    try:
        return batch.validate(built, result_format="COMPLETE").results
    finally:
        engine.load_batch_data(batch.id, pd.DataFrame())
        engine.batch_manager.reset_batch_cache()


@cache
def _place_of_tables() -> tuple[Any, Any]:
    """Return where the library takes tables from, one for the process, and its engine."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # That module sets a level of its own when it is loaded, and then tells of its temporary folder.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(
        logging.CRITICAL
    )
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("source")
    table = source.add_dataframe_asset("table")
    place = table.add_batch_definition_whole_dataframe("whole")
    return place, source.get_execution_engine()


# What came of it ---------------------------------------------------------------------------------


class _Finding(NamedTuple):
    """What came of an expectation: in words, in how many rows, and in some of them."""

    status: Literal["met", "failed", "unchecked"]
    message: Sentence = Sentence.plain("")
    n_unexpected: int | None = None
    examples: tuple[Sentence, ...] = ()


def _outcome(
    expectation: Expectation, result: dict[str, Any] | None, frame: pd.DataFrame
) -> ExpectationOutcome:
    finding = _finding(expectation, result, frame)
    return ExpectationOutcome(
        id=expectation.meta.id,
        expectation=expectation.type,
        column=expectation.column,
        severity=expectation.severity,
        status=finding.status,
        why=expectation.meta.why,
        message=finding.message,
        n_unexpected=finding.n_unexpected,
        examples=finding.examples,
    )


def _finding(
    expectation: Expectation, result: dict[str, Any] | None, frame: pd.DataFrame
) -> _Finding:
    absent = [name for name in expectation.columns if name not in frame.columns]
    if absent:
        return _Finding("failed", _no_column(absent[0], frame))
    rule = _rule(expectation)
    reason = _why_unchecked(result)
    if result is None or reason is not None:
        message = Sentence.of(
            "data.suite.unchecked",
            rule=rule,
            reason=reason or Sentence.of("data.suite.no_result"),
        )
        return _Finding("unchecked", message)
    if result["success"]:
        return _Finding("met")
    return _failure(rule, result.get("result", {}))


def _no_column(name: str, frame: pd.DataFrame) -> Sentence:
    columns = tuple(_in_one_line(column) for column in frame.columns[:_N_COLUMNS])
    key, n_more = "data.suite.no_column_of_many", len(frame.columns) - _N_COLUMNS
    if n_more <= 0:
        key = "data.suite.no_column"
    return Sentence.of(
        key, column=_in_one_line(name), columns=columns, n_more=max(0, n_more)
    )


def _failure(rule: Sentence, result: dict[str, Any]) -> _Finding:
    """Return a failure with its count and example rows, or with the value observed."""
    if not result.get("unexpected_count"):
        value = short(result.get("observed_value"))
        message = Sentence.of("data.suite.observed", rule=rule, value=value)
        return _Finding("failed", message)
    n = int(result["unexpected_count"])
    total = int(result.get("element_count") or n)
    rows = (result.get("unexpected_index_list") or [])[:_N_EXAMPLES]
    values = result.get("unexpected_list") or []
    examples = tuple(
        Sentence.of("data.suite.example", row=int(row) + 1, value=short(value))
        for row, value in zip(rows, values, strict=False)
    )
    counted = Sentence.of("data.suite.rows", rule=rule, n=n, total=total)
    if examples:
        counted = Sentence.of(
            "data.suite.rows_such_as", rule=rule, n=n, total=total, examples=examples
        )
    return _Finding("failed", counted, n, examples)


def _rule(expectation: Expectation) -> Sentence:
    """Return what an expectation expects, such as ``age: expected values to be between 0 and 110``."""
    kwargs = dict(expectation.kwargs)
    column = kwargs.pop("column", None)
    rule = _name(expectation.type)
    low, high = kwargs.pop("min_value", None), kwargs.pop("max_value", None)
    if low is not None or high is not None:
        bounds = {"low": _bound(low), "high": _bound(high)}
        rule = Sentence.of("data.suite.between", rule=rule, **bounds)
    if kwargs:
        arguments = tuple(
            _in_one_line(f"{name} {short(value)}") for name, value in kwargs.items()
        )
        rule = Sentence.of("data.suite.with_arguments", rule=rule, arguments=arguments)
    if not column:
        return Sentence.of("data.suite.rule_of_table", rule=rule)
    return Sentence.of("data.suite.rule", column=_in_one_line(column), rule=rule)


def _name(kind: str) -> Sentence:
    """Return the name of a kind of expectation: the catalogue's, or the words that the library's is made of."""
    words = kind.removeprefix("expect_").removeprefix("column_").removeprefix("table_")
    name = Sentence.named("data.expectation", kind)
    return Sentence.plain(words.replace("_", " ")) if name.is_plain else name


def _bound(value: object) -> Sentence | str:
    if value is None:
        return Sentence.of("data.suite.any")
    return _in_one_line(short(value))


def _why_unchecked(result: dict[str, Any] | None) -> str | None:
    """Return what the library raised instead of evaluating, None if nothing."""
    raised = (result or {}).get("exception_info") or {}
    tables = [raised, *(inner for inner in raised.values() if isinstance(inner, dict))]
    for table in tables:
        if table.get("raised_exception"):
            return _first_line(table.get("exception_message") or "")
    return None


def _in_one_line(text: object) -> str:
    return " ".join(str(text).split())


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:_LONGEST_REASON] if lines else ""
