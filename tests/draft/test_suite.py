"""A drafted suite is met by the table it was drafted from, and told by the rules of validation."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.data.validate import validate_table
from assay.draft.suite import draft_suite
from assay.study.sources import Suite
from tests.draft_tables import drafted, every_kind
from tests.factories import make_snapshot

AWKWARD = pd.DataFrame(
    {
        "col. 'a' \"b\" $x": [*np.arange(39.0), 1e30],
        "How satisfied are you, all in all, " * 4 + "?": np.arange(40.0) ** 2,
        "음수": np.linspace(-5, 5, 40),
        "same": [3.0] * 39 + [np.nan],
        "when": pd.date_range("2020-01-01", periods=40, freq="h", tz="Asia/Seoul"),
        "plain when": pd.date_range("2020-01-01", periods=40),
        "flag": [True, False] * 20,
        "maybe": [True, None] * 20,
        "line\tbreak": ["a\nb", "c"] * 20,
        "y": ["넷", "둘", None, "둘"] * 10,
    }
)


def rules(frame, target, **asked):
    suite = json.loads(drafted(frame, target, **asked).suite("table"))
    assert suite["name"] == "table"
    return {rule["meta"]["id"]: rule for rule in suite["expectations"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frame", "target", "asked"),
    [
        (every_kind(), "bought", {}),
        (every_kind(), "price", {"order": "day"}),
        (every_kind(60), "town", {"unit": "customer_id"}),
        (AWKWARD, "y", {}),
        (AWKWARD, "음수", {"order": "when"}),
    ],
    ids=["classes", "in time", "few rows", "awkward", "awkward in time"],
)
def test_the_table_it_was_drafted_from_meets_every_expectation(frame, target, asked):
    text = drafted(frame, target, **asked).suite("table")
    report = validate_table(frame, Suite(name="table", text=text), make_snapshot(frame))

    assert [
        outcome.message for outcome in report.outcomes if outcome.status != "met"
    ] == []


def test_all_is_a_warning_but_the_target_being_there():
    found = rules(every_kind(), "bought")

    assert {
        rule["severity"] for id_, rule in found.items() if id_ != "bought-there"
    } == {"warning"}
    assert found["bought-there"]["severity"] == "critical"
    assert all(
        rule["meta"]["drafted"] and rule["meta"]["why"] for rule in found.values()
    )


def test_bounds_have_a_margin_and_stay_above_zero_where_all_values_do():
    frame = every_kind()
    found = rules(frame, "bought")

    assert found["rows"]["kwargs"] == {"min_value": 120, "max_value": 360}
    assert found["town-known"]["kwargs"]["value_set"] == ["Busan", "Daegu", "Seoul"]
    share = frame["age"].notna().mean()
    assert share - 0.021 < found["age-there"]["kwargs"]["mostly"] < share
    low, high = (
        found["age-range"]["kwargs"][key] for key in ("min_value", "max_value")
    )
    assert 0 <= low < frame["age"].min()
    assert frame["age"].max() < high


def test_one_absurd_value_does_not_stretch_the_range():
    values = pd.DataFrame(
        {"x": [*np.linspace(0, 1, 5000), 1e9], "y": ["a", "b", "a"] * 1667}
    )
    kwargs = rules(values, "y")["x-range"]["kwargs"]

    assert kwargs["max_value"] < 1e9
    assert 0.9 < kwargs["mostly"] < 1


def test_levels_that_are_rare_are_no_closed_set():
    frame = every_kind().assign(town=["Seoul"] * 239 + ["Jeju"])

    assert "town-known" not in rules(frame, "bought")


def test_dates_are_held_to_the_form_they_are_read_in():
    found = rules(every_kind(), "bought")

    assert found["day-date"]["kwargs"]["strftime_format"] == "%d.%m.%Y"
    assert found["seen-date"]["type"] == "expect_column_values_to_match_regex"
    assert (
        rules(AWKWARD, "y")["plain when-date"]["kwargs"]["max_value"]
        == "2020-03-19T00:00:00"
    )


def test_of_a_wide_table_only_the_target_has_expectations_of_its_own():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 70))).add_prefix("x")
    frame["y"] = ["a", "b"] * 25

    assert {*rules(frame, "y")} == {"rows", "columns", "y-there", "y-known"}


def test_a_suite_has_no_number_that_json_lacks():
    frame = pd.DataFrame({"x": [np.nan] * 30 + [1.0] * 10, "y": ["a", "b"] * 20})

    assert "NaN" not in draft_suite(frame, drafted(frame, "y").facts.roles, "table")
