import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.clean import clean_table
from assay.errors import DataRefused, StudyError
from assay.plans import Cleaning, CleanPlan, LabelRule
from assay.records import ExpectationOutcome
from tests.factories import NOWHERE, make_cleaning, make_report, make_table


def clean(frame, plan: Cleaning | None = None, report=None):
    return clean_table(frame, report or make_report(), plan or make_cleaning())


def test_labels_are_codes_of_the_sorted_classes():
    table = make_table()
    samples = clean(table)

    assert samples.classes == ("no", "yes")
    assert samples.labels.dtype == np.int32
    assert [samples.classes[code] for code in samples.labels] == table.answer.tolist()
    assert list(samples.features.columns) == ["height", "weight", "town"]


def test_the_positive_class_comes_last():
    samples = clean(make_table(), make_cleaning(positive="no"))

    assert samples.classes == ("yes", "no")
    assert samples.labels[0] == 1


@given(st.lists(st.sampled_from(["2", "10", "9", "a", "²", "٣", "B"]), min_size=2))
def test_classes_sort_as_numbers_where_they_are_numbers(names):
    names = [*names, *names, "2", "10", "2", "10"]
    frame = pd.DataFrame({"x": np.arange(len(names)), "answer": names})
    classes = clean(frame, make_cleaning(task="multiclass")).classes

    assert set(classes) == set(names)
    numbers = [int(name) for name in classes if name.isdecimal()]
    assert numbers == sorted(numbers)
    assert classes[: len(numbers)] == tuple(n for n in classes if n.isdecimal())


def test_whole_numbers_are_classes_without_a_point():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "answer": [0.0, 1.0, np.nan]})

    assert clean(frame).classes == ("0", "1")


# Rules that make a label -----------------------------------------------------------------------


def test_at_least_makes_the_label_from_a_number_and_takes_the_column_away():
    frame = pd.DataFrame({"stars": [1, 4, 3.9, 5], "x": [1.0, 2.0, 3.0, 4.0]})
    rule = LabelRule(column="stars", at_least=4, positive="good", negative="bad")
    samples = clean(frame, make_cleaning(rule))

    assert samples.classes == ("bad", "good")
    assert samples.labels.tolist() == [0, 1, 0, 1]
    assert list(samples.features.columns) == ["x"]
    assert ("label made", 2) in [(step.what, step.n) for step in samples.log]


def test_one_of_makes_the_label_from_values_as_people_write_them():
    frame = pd.DataFrame({"digit": [1.0, 2.0, 7.0], "x": [1.0, 2.0, 3.0]})
    rule = LabelRule(column="digit", one_of=("1", "7"))

    assert clean(frame, make_cleaning(rule)).labels.tolist() == [1, 0, 1]


def test_a_rule_on_numbers_refuses_text_with_its_row():
    frame = pd.DataFrame({"stars": ["4", "Unrated", "2"], "x": [1, 2, 3]})

    with pytest.raises(
        DataRefused, match=r"stars >= 4' needs numbers, but row 2 has 'Unrated'"
    ):
        clean(frame, make_cleaning(LabelRule(column="stars", at_least=4)))


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["yes"] * 4, r"has one class \(yes\)"),
        (["a", "b", "c", "a"], "has 3 classes, but task = 'binary'"),
    ],
)
def test_a_target_that_is_not_binary_is_refused(answers, said):
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "answer": answers})

    with pytest.raises(DataRefused, match=said):
        clean(frame)


def test_a_target_without_any_value_is_refused():
    with pytest.raises(DataRefused):
        clean(make_table().assign(answer=None))


def test_a_column_of_names_is_no_class_label():
    frame = make_table().assign(answer=lambda t: [f"name {n}" for n in range(len(t))])

    with pytest.raises(DataRefused, match="60 classes in 60 rows"):
        clean(frame, make_cleaning(task="multiclass"))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (make_cleaning("Answer"), "'Answer', but the table has: height, weight"),
        (
            make_cleaning(
                clean=CleanPlan.model_validate(
                    {"drop": [{"column": "age", "reason": "r"}]}
                )
            ),
            "'age', but the table has",
        ),
        (
            make_cleaning(positive="maybe"),
            "positive = 'maybe', but 'answer' holds no, yes",
        ),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused(plan, said):
    with pytest.raises(StudyError, match=said):
        clean(make_table(), plan)


@pytest.mark.parametrize(
    "columns", [["height", "weight", "town"], ["town", "height", "weight", "town"]]
)
def test_a_table_without_features_is_refused(columns):
    plan = CleanPlan.model_validate(
        {"drop": [{"column": name, "reason": "r"} for name in columns]}
    )

    with pytest.raises(DataRefused, match="No feature column"):
        clean(make_table(), make_cleaning(clean=plan))


# What is left out ----------------------------------------------------------------------------


def test_rows_without_a_target_go_and_are_counted():
    table = make_table()
    table.loc[[0, 7], "answer"] = None
    samples = clean(table)

    assert len(samples.features) == len(samples.labels) == len(table) - 2
    assert [step.n for step in samples.log if step.what == "rows left out"] == [2]


def test_dropped_and_constant_columns_go_with_their_reasons():
    plan = CleanPlan.model_validate(
        {"drop": [{"column": "weight", "reason": "measured after the answer"}] * 2}
    )
    table = make_table().assign(unit="cm", nothing=np.nan)
    samples = clean(table, make_cleaning(clean=plan))

    assert list(samples.features.columns) == ["height", "town"]
    assert [(step.what, step.why) for step in samples.log] == [
        ("column 'weight' left out", "measured after the answer"),
        ("columns left out: unit, nothing", "one value only"),
    ]


def test_copies_go_only_where_the_plan_says_so():
    table = pd.concat([make_table(20), make_table(20)], ignore_index=True)
    drop = make_cleaning(clean=CleanPlan(duplicates="drop"))

    assert len(clean(table).labels) == 40
    assert clean(table, drop).labels.tolist() == clean(make_table(20)).labels.tolist()


def test_rows_that_differ_in_the_label_only_are_no_copies():
    frame = pd.DataFrame({"x": [1.0, 1.0, 2.0], "answer": ["a", "b", "a"]})
    drop = make_cleaning(clean=CleanPlan(duplicates="drop"))

    assert len(clean(frame, drop).labels) == 3


def test_a_target_may_have_any_name():
    table = make_table().rename(columns={"answer": "self"})
    plan = make_cleaning("self", clean=CleanPlan(duplicates="drop"))

    assert clean(table, plan).classes == ("no", "yes")


# Kinds -----------------------------------------------------------------------------------------


def test_numbers_become_floats_and_everything_else_text():
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "gap": [1.5, np.nan, 2.5],
            "flag": [True, False, True],
            "word": ["a", None, "b"],
            "mixed": [True, None, False],
            "day": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "kind": pd.Categorical(["x", "y", None]),
            "answer": ["p", "q", "p"],
        }
    )
    samples = clean(frame)
    record = samples.record(NOWHERE, NOWHERE)

    assert record.numeric == ("n", "gap", "flag")
    assert record.categorical == ("word", "mixed", "day", "kind")
    assert set(samples.features[list(record.numeric)].dtypes) == {np.dtype("float64")}
    assert samples.features["flag"].tolist() == [1.0, 0.0, 1.0]
    assert set(map(str, samples.features[list(record.categorical)].dtypes)) == {"str"}
    assert samples.features.isna().sum().to_dict() == {
        "n": 0, "gap": 1, "flag": 0, "word": 1, "mixed": 1, "day": 1, "kind": 1,
    }  # fmt: skip
    assert record.counts == (2, 1)
    assert record.n_rows == 3


def test_what_validation_carried_stands_in_the_log():
    outcome = ExpectationOutcome(
        id="i",
        expectation="e",
        column=None,
        severity="warning",
        status="failed",
        why="w",
        message="Too many rows.",
        n_unexpected=None,
        examples=(),
    )

    assert (
        clean(make_table(), report=make_report(outcome)).log[0].why == "Too many rows"
    )


@given(st.integers(0, 99))
def test_cleaning_leaves_the_table_it_was_handed(seed):
    table = make_table(12, seed)
    before = table.copy()
    clean(table, make_cleaning(clean=CleanPlan(duplicates="drop")))

    pd.testing.assert_frame_equal(table, before)
