import gc
import json
import weakref
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.patterns import need_bounded_work
from assay.data.suite import expectations_of
from assay.data.validate import validate_table
from assay.errors import DataRefused, StudyError
from assay.store.records import ValidationReport
from assay.study.sources import Suite
from tests.factories import make_rule, make_snapshot, make_suite, make_table

AGES = pd.DataFrame(
    {"age": [30, 140, 25, -5, 200, 61], "sex": ["m", "f", None, "f", "m", "x"]}
)
BETWEEN = ("expect_column_values_to_be_between", "age-range")
TWO_CLASSES = ("expect_column_values_to_be_in_set", "sexes")


# What needs no Great Expectations --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an expectation suite"),
        ("{", "is not an expectation suite"),
        ("[]", "no list named expectations"),
        ("3", "no list named expectations"),
        ("{}", "no list named expectations"),
        ("[" * 100_000, "is not an expectation suite"),
        ('{"expectations": [' + "1" * 5000 + "]}", "is not an expectation suite"),
        ('{"expectations": []}', "is empty: it would let anything pass"),
        ('{"expectations": {}}', "is empty"),
        ('{"expectations": null}', "is empty"),
        (
            '{"expectations": [{}], "expectations": [{}]}',
            'duplicate key "expectations"',
        ),
    ],
)
def test_a_suite_that_is_none_or_empty_is_refused(text, said):
    with pytest.raises(StudyError, match=f"Suite table.*{said}"):
        expectations_of(Suite(name="table", text=text))


def changed(**changes: Any) -> dict[str, Any]:
    return make_rule(*BETWEEN, column="age", min_value=0) | changes


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("expect_column_to_exist", "expectation 1: meta.id and meta.why are needed"),
        (changed(meta=None), "expectation 1: meta.id and meta.why"),
        (changed(meta={"id": "x"}), "expectation 1: meta.id and meta.why"),
        (changed(meta={"id": "x", "why": " "}), "expectation 1: meta.id and meta.why"),
        (
            changed(meta={"id": ["x"], "why": "y"}),
            "expectation 1: meta.id and meta.why",
        ),
        (changed(meta={"id": 7, "why": "y"}), "expectation 1: meta.id and meta.why"),
        (changed(severity="fatal"), 'age-range: severity = "fatal"'),
        (changed(severity=None), "age-range: severity = null"),
        (changed(type=None), "age-range: type names the expectation"),
        (changed(kwargs=[1]), "kwargs is a table"),
        (changed(kwargs=None), "kwargs is a table"),
        (changed(meta={"id": "a\nb", "why": "y"}), "meta.id is a name of one line"),
        (changed(meta={"id": "a" * 101, "why": "y"}), "of 100 characters at most"),
    ],
)
def test_an_expectation_without_name_reason_severity_or_type_is_refused(rule, said):
    with pytest.raises(StudyError, match=said):
        expectations_of(make_suite(rule))


PARAMETER = {"$PARAMETER": "9^9^9^9"}


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"min_value": PARAMETER}, "would be evaluated as an expression"),
        ({"min_value": {"$PARAMETER": "now()"}}, "would be evaluated"),
        ({"value_set": [1, [PARAMETER]]}, "would be evaluated"),
        ({"x": {"a": {"$PARAMETER.b": 1}}}, "would be evaluated"),
        ({"result_format": "BOOLEAN_ONLY"}, "result_format belongs to Great"),
        ({"catch_exceptions": False}, "catch_exceptions belongs to Great"),
        ({"windows": []}, "windows belongs to Great"),
        ({"json_schema": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}, '"\\$ref"'),
        ({"json_schema": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}, '"\\$ref"'),
        ({"json_schema": {"pattern": "^(a+)+$"}}, '"pattern"'),
        ({"json_schema": {"patternProperties": {"^(a+)+$": {}}}}, '"patternProp'),
        ({"json_schema": {"items": {"uniqueItems": True}}}, '"uniqueItems"'),
    ],
    ids=str,
)
def test_an_argument_that_is_evaluated_fetched_or_without_end_is_refused(kwargs, said):
    rule = make_rule(*BETWEEN, column="age", **kwargs)

    with pytest.raises(StudyError, match=f"age-range: .*{said}"):
        expectations_of(make_suite(rule))


QUANTILES = {"quantiles": [n / 101 for n in range(101)], "value_ranges": [[0, 1]] * 101}


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("column_quantile_values_to_be_between", {"column": "n", "quantile_ranges": QUANTILES}),
        ("column_pair_values_to_be_in_set", {"column_A": "n", "column_B": "n", "value_pairs_set": [[0, 1]] * 500_001}),
        ("column_values_to_be_dateutil_parseable", {"column": "date"}),
    ],
)  # fmt: skip
def test_work_that_grows_with_a_square_is_refused_before_it_begins(kind, kwargs):
    table = pd.DataFrame({"n": [1.0, 2.0], "date": ["12." * 20_000, None]})

    with pytest.raises(StudyError, match="it would take no end"):
        validate(table, make_rule(f"expect_{kind}", "r", **kwargs))


def test_an_argument_that_the_library_fails_on_is_refused_in_a_sentence():
    kind = "expect_column_values_to_match_strftime_format"
    rule = make_rule(kind, "r", column="date", strftime_format="%d/%d")

    with pytest.raises(StudyError, match="redefinition of group"):
        validate(pd.DataFrame({"date": ["01/01"]}), rule)


def test_a_suite_nested_without_end_is_refused():
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]

    with pytest.raises(StudyError, match="nested more than 32 levels"):
        expectations_of(make_suite(make_rule(*BETWEEN, column="age", value_set=deep)))


def test_a_regular_expression_that_takes_no_end_is_refused_and_a_quick_one_is_not(
    monkeypatch,
):
    monkeypatch.setattr("assay.formats.patterns.MAX_CPU_S", 1)
    table = pd.DataFrame({"age": ["a" * 40 + "!", None]})
    regex = "expect_column_values_to_match_regex"
    quick = make_rule(regex, "quick", column="age", regex="^a+!$")
    slow = make_rule(regex, "slow", column="age", regex="^(?=a)(a+)+$")
    rules = expectations_of(suite := make_suite(quick, slow))

    need_bounded_work(table, suite, rules[:1])
    with pytest.raises(StudyError, match="slow: its regular expression takes more"):
        need_bounded_work(table, suite, rules)


def test_two_expectations_of_one_name_are_refused():
    """Results come back in another order and are told apart by name."""
    with pytest.raises(StudyError, match=r"duplicate meta\.id 'age-range'"):
        expectations_of(make_suite(changed(), changed()))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["expectations", "meta", "id", "why", "type", "kwargs", "severity"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(values | values.map(lambda rules: {"expectations": [rules, rules]}))
def test_any_json_is_a_suite_or_refused(value):
    try:
        rules = expectations_of(Suite(name="table", text=json.dumps(value)))
    except StudyError:
        return
    assert all(rule.meta.id and rule.type for rule in rules)


# What Great Expectations evaluates (its import takes seconds) ------------------------------------


def validate(frame: pd.DataFrame, *rules: dict[str, Any]) -> ValidationReport:
    return validate_table(frame, make_suite(*rules), make_snapshot(frame))


def refusal(frame: pd.DataFrame, *rules: dict[str, Any], error=DataRefused) -> str:
    with pytest.raises(error) as refused:
        validate(frame, *rules)
    message = str(refused.value)
    assert "\n" not in message
    return message


def between(severity: str = "critical", column: str = "age") -> dict[str, Any]:
    return make_rule(*BETWEEN, severity, column=column, min_value=0, max_value=110)


@pytest.mark.slow
def test_a_met_suite_leaves_a_report_in_the_order_of_the_suite():
    table = make_table()
    rules = [
        make_rule("expect_column_to_exist", "town-there", column="town"),
        make_rule(
            "expect_table_row_count_to_be_between", "rows", min_value=60, max_value=60
        ),
        make_rule(
            "expect_column_values_to_not_be_null",
            "height-there",
            "warning",
            column="height",
        ),
        make_rule("expect_column_to_exist", "height-exists", "info", column="height"),
    ]
    report = validate(table, *rules)

    assert [outcome.id for outcome in report.outcomes] == [
        rule["meta"]["id"] for rule in rules
    ]
    assert {outcome.status for outcome in report.outcomes} == {"met"}
    assert report.warnings == ()
    assert report.suite_digest == make_suite(*rules).essence_digest()
    assert validate(table, *rules) == report


@pytest.mark.slow
def test_a_table_is_not_kept_once_it_has_been_validated():
    """The library's context outlives the call, and would hold every table it has seen."""
    table = make_table()
    known = weakref.ref(table)
    validate(table, make_rule("expect_column_to_exist", "town-there", column="town"))
    del table
    gc.collect()

    assert known() is None


@pytest.mark.slow
def test_an_unknown_expectation_is_refused_not_dropped():
    unknown = make_rule("expect_column_values_to_be_nice", "nice", "info", column="age")

    message = refusal(AGES, between("info"), unknown, error=StudyError)
    assert "Suite table, nice: " in message
    assert 'no expectation "expect_column_values_to_be_nice"' in message


@pytest.mark.slow
@pytest.mark.parametrize(
    "kwargs",
    [
        {"column": "age", "min": 0},
        {"column": "age", "mostly": 2},
        {"min_value": 0},
        {"column": 3, "min_value": 0},
    ],
)
def test_arguments_that_no_expectation_takes_are_refused(kwargs):
    refusal(AGES, make_rule(*BETWEEN, **kwargs), error=StudyError)


def comparing(name: str, parameter: object = 0) -> dict[str, object]:
    return {"type": "comparison", "column": {"name": name}, "operator": ">", "parameter": parameter}  # fmt: skip


ATTACK = "@pd.io.common.os.abort()"


@pytest.mark.slow
@pytest.mark.parametrize(
    "condition",
    [
        f"age > {ATTACK}",
        {"type": "pass_through", "pass_through_filter": f"age > {ATTACK}"},
        comparing(f"age` > {ATTACK} or `age"),
        comparing("age") | {"pass_through_filter": f"age > {ATTACK}"},
        {"type": "and", "conditions": [comparing("age"), f"age > {ATTACK}"]},
    ],
)
def test_a_condition_that_pandas_would_run_as_code_is_refused(condition):
    given = {"row_condition": condition, "condition_parser": "pandas"}
    rule = make_rule(*BETWEEN, column="age", min_value=0, **given)

    assert "would be run as code" in refusal(AGES, rule, error=StudyError)


@pytest.mark.slow
@pytest.mark.parametrize("parameter", [f"x` > {ATTACK} or `x", f"' + {ATTACK} + '"])
def test_a_text_to_compare_with_is_never_run(parameter):
    table = make_table()
    condition = comparing("town", parameter) | {"operator": "=="}
    rule = make_rule(*BETWEEN, column="height", row_condition=condition, min_value=0)

    validate(table, rule)


@pytest.mark.slow
def test_a_critical_failure_is_refused_with_reason_count_and_example_rows():
    message = refusal(AGES, between())

    assert message.startswith("table.csv does not meet suite table: ")
    assert (
        "age: expected values to be between 0 and 110, but not in 3 of 6 rows"
        in message
    )
    assert "row 2 has 140, row 4 has -5, row 5 has 200" in message
    assert "(because of age-range)" in message


@pytest.mark.slow
@pytest.mark.parametrize("severity", ["warning", "info"])
def test_a_milder_failure_is_carried_with_what_was_found(severity):
    (outcome,) = validate(AGES, between(severity)).warnings

    assert (outcome.severity, outcome.status) == (severity, "failed")
    assert outcome.n_unexpected == 3
    assert tuple(map(str, outcome.examples)) == (
        "row 2 has 140",
        "row 4 has -5",
        "row 5 has 200",
    )


@pytest.mark.slow
def test_a_failure_of_the_whole_table_says_what_was_found():
    message = refusal(
        AGES, make_rule("expect_table_row_count_to_be_between", "rows", min_value=10)
    )

    assert (
        "The table: expected row count to be between 10 and any, but 6 was found"
        in message
    )


@pytest.mark.slow
def test_a_column_in_the_wrong_case_is_reported_as_missing():
    """Great Expectations alone would look at the other column and call it met."""
    (outcome,) = validate(AGES, between("warning", "AGE")).warnings

    assert outcome.status == "failed"
    assert str(outcome.message) == "There is no column 'AGE'; the table has age, sex."
    assert "no column 'AGE'" in refusal(AGES, between("critical", "AGE"))


@pytest.mark.slow
def test_what_cannot_be_checked_is_told_apart_from_what_failed():
    rule = make_rule(
        "expect_column_values_to_match_regex",
        "pattern",
        "warning",
        column="sex",
        regex="(",
    )
    (outcome,) = validate(AGES, rule).warnings

    assert outcome.status == "unchecked"
    assert "could not be checked" in str(outcome.message)
    assert "could not be checked" in refusal(AGES, rule | {"severity": "critical"})


@pytest.mark.slow
def test_missing_cells_are_counted_by_the_rule_for_them_only():
    in_set = make_rule(*TWO_CLASSES, "warning", column="sex", value_set=["m", "f"])
    there = make_rule(
        "expect_column_values_to_not_be_null", "sex-there", "warning", column="sex"
    )
    first, second = validate(AGES, in_set, there).outcomes

    assert first.n_unexpected == 1
    assert [*map(str, first.examples)] == ['row 6 has "x"']
    assert second.n_unexpected == 1


@pytest.mark.slow
def test_many_failures_are_told_by_three_and_a_count():
    rules = [
        make_rule("expect_column_to_exist", f"id-{n}", column=f"c{n}") for n in range(5)
    ]

    assert refusal(AGES, *rules).endswith("And 2 more.")


@pytest.mark.slow
def test_names_with_signs_and_other_scripts_are_found():
    frame = pd.DataFrame({"키 (cm)": [1.0, np.nan], "a.b$c": ["x", "y"]})
    rules = [
        make_rule(
            "expect_column_values_to_not_be_null", f"{n}-there", "info", column=name
        )
        for n, name in enumerate(frame.columns)
    ]

    assert [outcome.status for outcome in validate(frame, *rules).outcomes] == [
        "failed",
        "met",
    ]


@pytest.mark.slow
def test_the_projects_suites_hold_for_the_tables_they_are_for():
    from assay.data.ingest import read_source
    from assay.study.sources import Source
    from tests.conftest import ROOT

    for name in ("digits", "breast-cancer"):
        text = (ROOT / "expectations" / f"{name}.json").read_text(encoding="utf-8")
        source = Source(name=f"builtin:{name}", path="", digest="0" * 64)
        frame = read_source(source).frame
        report = validate_table(
            frame, Suite(name=name, text=text), make_snapshot(frame)
        )

        assert not [
            warning for warning in report.warnings if warning.severity == "critical"
        ]
