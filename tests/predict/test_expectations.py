"""A suite's rules for single rows, held to what Great Expectations says of the same rows."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from assay.data.validate import validate_table
from assay.errors import DataRefused
from assay.formats import patterns
from assay.predict.expectations import rules_of
from assay.predict.parsing import Chunk, Words, typed
from assay.predict.schema import Column
from assay.predict.warnings import Remarks
from assay.wording import Sentence
from tests.bundle_factories import make_bundle
from tests.conftest import ROOT
from tests.factories import make_rule, make_snapshot, make_suite


def damaged() -> pd.DataFrame:
    """A table with something wrong in every column."""
    rng = np.random.default_rng(0)
    n = 60
    frame = pd.DataFrame(
        {
            "age": rng.integers(0, 100, n),
            "height": np.where(rng.random(n) < 0.2, np.nan, rng.normal(170, 10, n).round(1)),
            "weight": np.where(rng.random(n) < 0.2, np.nan, rng.normal(170, 10, n).round(1)),
            "code": rng.integers(1, 9, n),
            "member": rng.random(n) < 0.5,
            "asked": np.where(rng.random(n) < 0.2, None, rng.random(n) < 0.5),
            "town": rng.choice(["Busan", "Seoul ", " Daegu", "부산", "x\u3000", "", None], n),
            "day": rng.choice(["2020-01-02", "2.1.2020", "2020-13-01", None], n),
            "answer": np.where(np.arange(n) % 2, "yes", "no"),
        }
    )  # fmt: skip
    frame["town"] = frame["town"].astype("str")
    frame["day"] = frame["day"].astype("str")
    frame.loc[3, "weight"] = frame.loc[3, "height"] = 170.0
    return frame


def only_where(operator: str, name: str, value: object) -> dict:
    condition = {"type": "comparison", "column": {"name": name}}
    return {"row_condition": condition | {"operator": operator, "parameter": value}}


COLUMN = "expect_column_values_to_"
RULES = [
    (f"{COLUMN}not_be_null", {"column": "height"}),
    (f"{COLUMN}not_be_null", {"column": "town"}),
    (f"{COLUMN}not_be_null", {"column": "asked"}),
    (f"{COLUMN}be_null", {"column": "height"}),
    (f"{COLUMN}be_null", {"column": "town"}),
    (f"{COLUMN}be_between", {"column": "age", "min_value": 10, "max_value": 60}),
    (f"{COLUMN}be_between", {"column": "age", "min_value": 10, "strict_min": True}),
    (f"{COLUMN}be_between", {"column": "height", "max_value": 175.5}),
    (f"{COLUMN}be_between", {"column": "height", "min_value": 160, "max_value": 170, "strict_max": True}),
    (f"{COLUMN}be_in_set", {"column": "town", "value_set": ["Busan", "부산"]}),
    (f"{COLUMN}be_in_set", {"column": "age", "value_set": [1, 2, 3.0, 50, "60"]}),
    (f"{COLUMN}be_in_set", {"column": "code", "value_set": [1, 2, 3]}),
    (f"{COLUMN}be_in_set", {"column": "height", "value_set": [170.0, 171]}),
    (f"{COLUMN}be_in_set", {"column": "member", "value_set": [True]}),
    (f"{COLUMN}be_in_set", {"column": "asked", "value_set": [True]}),
    (f"{COLUMN}not_be_in_set", {"column": "town", "value_set": ["Busan", "부산"]}),
    (f"{COLUMN}not_be_in_set", {"column": "code", "value_set": [1, 2, 3]}),
    (f"{COLUMN}match_regex", {"column": "town", "regex": r"^\w+$"}),
    (f"{COLUMN}match_regex", {"column": "age", "regex": r"^\d$"}),
    (f"{COLUMN}match_regex", {"column": "height", "regex": r"\.0$"}),
    (f"{COLUMN}match_regex", {"column": "code", "regex": r"^[1-4]$"}),
    (f"{COLUMN}match_regex", {"column": "day", "regex": r"^\d{4}-\d{2}-\d{2}"}),
    (f"{COLUMN}not_match_regex", {"column": "town", "regex": r"^\s|\s$"}),
    (f"{COLUMN}not_match_regex", {"column": "town", "regex": r"(?=부)부"}),
    (f"{COLUMN}match_strftime_format", {"column": "day", "strftime_format": "%Y-%m-%d"}),
    ("expect_column_value_lengths_to_be_between", {"column": "town", "min_value": 2, "max_value": 5}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "height", "column_B": "weight"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "height", "column_B": "weight", "or_equal": True}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "height", "column_B": "weight", "ignore_row_if": "either_value_is_missing"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "height", "column_B": "weight", "ignore_row_if": "neither"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "height", "column_B": "weight"}),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["height", "weight", "age"]}),
    (f"{COLUMN}be_between", {"column": "height", "max_value": 165, **only_where("==", "town", "Busan")}),
    (f"{COLUMN}be_in_set", {"column": "town", "value_set": ["Busan"], **only_where(">=", "age", 50)}),
    (f"{COLUMN}not_be_null", {"column": "height", **only_where("!=", "town", "Busan")}),
    (f"{COLUMN}be_between", {"column": "age", "max_value": 50, **only_where("==", "member", True)}),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    clean = {"categories": ["code"]}
    return make_bundle(tmp_path_factory.mktemp("rules") / "b", damaged(), clean=clean)


def values_of(form, frame):
    cells = {
        name: column.to_numpy()
        if column.dtype.kind in "iuf"
        else [None if one is None or one != one else one for one in column.tolist()]
        for name, column in frame.items()
    }
    chunk = Chunk("t", len(frame), cells)
    return {one.name: typed(one, chunk, Words(())) for one in form.columns}, chunk


@pytest.mark.slow
def test_every_rule_for_single_rows_finds_the_rows_that_great_expectations_finds(made):
    frame = damaged()
    rules = [make_rule(kind, f"r{n}", "warning", **kwargs) for n, (kind, kwargs) in enumerate(RULES)]  # fmt: skip
    report = validate_table(frame, make_suite(*rules), make_snapshot(frame))
    ours = rules_of(make_suite(*rules).text, made.form)
    values, _ = values_of(made.form, frame)
    known = {rule.id: rule for rule in ours.asked}

    assert ours.not_asked == {}
    for outcome, (kind, kwargs) in zip(report.outcomes, RULES, strict=True):
        assert outcome.status != "unchecked", outcome.message
        broken = np.flatnonzero(~known[outcome.id].met(values))
        rows = [
            int(re.match(r"row (\d+) has", str(example))[1]) - 1
            for example in outcome.examples
        ]
        assert len(broken) == (outcome.n_unexpected or 0), (kind, kwargs)
        assert broken[: len(rows)].tolist() == rows, (kind, kwargs)


def test_a_critical_rule_refuses_and_names_line_value_and_reason(made):
    rule = make_rule(f"{COLUMN}be_between", "age-range", column="age", max_value=98)
    rules = rules_of(make_suite(rule).text, made.form)
    frame = damaged().head(3).assign(age=[5, 99, 100])
    values, chunk = values_of(made.form, frame)

    with pytest.raises(DataRefused) as refused:
        rules.check(values, chunk, Remarks())
    assert str(refused.value) == (
        "t, row 2: column age holds 99, which breaks the critical rule age-range: because of age-range. Correct it, or remove the row."
    )


@pytest.mark.parametrize(
    "changed", [{"severity": "warning"}, {"mostly": 0.9}], ids=["warning", "mostly"]
)
def test_a_warning_and_a_rule_that_some_rows_may_break_mark_the_row(made, changed):
    mostly = {"mostly": 0.9} if "mostly" in changed else {}
    rule = make_rule(f"{COLUMN}be_between", "age-range", changed.get("severity", "critical"), column="age", max_value=98, **mostly)  # fmt: skip
    rules = rules_of(make_suite(rule).text, made.form)
    values, chunk = values_of(made.form, damaged().head(2).assign(age=[99, 5]))
    remarks = Remarks()
    rules.check(values, chunk, remarks)

    assert remarks.joined(2) == ["age-range: because of age-range", ""]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (("expect_table_row_count_to_be_between", {"min_value": 1}), "a whole table"),
        ((f"{COLUMN}be_unique", {"column": "age"}), "a whole table"),
        (("expect_compound_columns_to_be_unique", {"column_list": ["age"]}), "a whole table"),
        (("expect_column_proportion_of_unique_values_to_be_between", {"column": "age"}), "a whole table"),
        ((f"{COLUMN}not_be_null", {"column": "answer"}), "does not need the column answer"),
        ((f"{COLUMN}be_json_parseable", {"column": "town"}), "does not support"),
        ((f"{COLUMN}be_between", {"column": "town", "min_value": 3}), "which holds texts"),
        ((f"{COLUMN}match_regex", {"column": "town", "regex": "("}), "arguments"),
        ((f"{COLUMN}be_between", {"column": "age", "min_value": 3, "new": 1}), "arguments"),
        ((f"{COLUMN}not_be_null", {"column": "age", **only_where("==", "answer", "yes")}), "does not need"),
        ((f"{COLUMN}not_be_null", {"column": "age", "row_condition": "town == 'x'"}), "condition"),
    ],
)  # fmt: skip
def test_what_is_not_asked_is_said_with_its_reason(made, rule, why):
    kind, kwargs = rule
    found = rules_of(make_suite(make_rule(kind, "it", **kwargs)).text, made.form)

    assert not found.asked
    assert why in str(found.not_asked["it"])


def test_a_rule_of_information_is_not_asked(made):
    rule = make_rule(f"{COLUMN}not_be_null", "it", "info", column="age")

    assert rules_of(make_suite(rule).text, made.form).not_asked == {
        "it": Sentence("predict.rule.info")
    }


def test_dates_of_a_typed_table_are_compared_as_dates(made):
    form = made.form
    day = Column("when", "moment", "date", {})
    form = type(form)(**{**form.__dict__, "columns": (day,)})
    rule = make_rule(f"{COLUMN}be_between", "it", column="when", min_value="2020-01-02")
    [asked] = rules_of(make_suite(rule).text, form).asked
    days = np.array(["2020-01-01", "2020-01-02", "NaT"], dtype="datetime64[us]")

    assert asked.met({"when": days}).tolist() == [False, True, True]


@pytest.mark.parametrize("text", ["[]", "{}", '{"expectations": [{"kwargs": {}}]}', "{"])  # fmt: skip
def test_what_is_no_suite_is_refused(made, text):
    with pytest.raises(ValueError, match=r"not a suite|Expecting"):
        rules_of(text, made.form)


def test_the_suites_of_the_project_say_of_each_rule_whether_it_is_asked(made):
    for path in sorted((ROOT / "expectations").glob("*.json")):
        text = path.read_text(encoding="utf-8")
        found = rules_of(text, made.form)
        ids = [load["meta"]["id"] for load in json.loads(text)["expectations"]]

        assert sorted([*(rule.id for rule in found.asked), *found.not_asked]) == sorted(ids)  # fmt: skip


def test_a_pattern_that_takes_for_ever_ends_prediction_in_a_sentence(tmp_path, monkeypatch):  # fmt: skip
    monkeypatch.setattr(patterns, "MAX_CPU_S", 1)
    table = damaged().assign(town=["a" * 40 + "!", "a" * 40 + "?"] * 30)
    rule = make_rule(f"{COLUMN}match_regex", "bad", "warning", column="town", regex="^(a+)+$")  # fmt: skip
    bundle = make_bundle(tmp_path / "b", table, (rule,)).opened()

    with pytest.raises(
        DataRefused, match=r"its pattern '\^\(a\+\)\+\$' takes more than"
    ):
        bundle.predict({name: table[name].tolist() for name in bundle.needed})


@pytest.mark.parametrize("regex", ["^[A-Z]{2}$", r"^\w+$", "a" * 9_999])
def test_a_pattern_of_few_choices_is_not_tried_elsewhere(monkeypatch, regex):
    monkeypatch.setattr(patterns, "n_sought", lambda *_: pytest.fail("a process"))

    assert patterns.is_quick(regex, {"Busan", "Seoul"})
