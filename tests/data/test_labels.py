import pandas as pd
import pytest

from assay.errors import DataRefused, StudyError
from assay.study.plans import LabelRule, Study
from tests.data.test_clean import clean
from tests.factories import make_cleaning, make_plan, make_study


def test_at_least_makes_the_label_from_a_number_and_takes_the_column_away():
    frame = pd.DataFrame({"stars": [1, 4, 3.9, 5], "x": [1.5, 2.0, 3.0, 4.0]})
    rule = LabelRule(column="stars", at_least=4, positive="good", negative="bad")
    samples = clean(frame, make_cleaning(rule))

    assert samples.classes == ("bad", "good")
    assert samples.labels.tolist() == [0, 1, 0, 1]
    assert list(samples.features.columns) == ["x"]
    assert ("label made", 2) in [(str(step.what), step.n) for step in samples.log]


def test_one_of_makes_the_label_from_values_as_people_write_them():
    frame = pd.DataFrame({"digit": [1.0, 2.0, 7.0], "x": [1.5, 2.0, 3.0]})
    rule = LabelRule(column="digit", one_of=("1", "7"))

    assert clean(frame, make_cleaning(rule)).labels.tolist() == [1, 0, 1]


def test_a_rule_on_numbers_refuses_text_with_its_row():
    frame = pd.DataFrame({"stars": ["4", "Unrated", "2"], "x": [1, 2, 3]})

    with pytest.raises(
        DataRefused, match=r"stars >= 4' needs numbers, but row 2 has 'Unrated'"
    ):
        clean(frame, make_cleaning(LabelRule(column="stars", at_least=4)))


VIDEOS = pd.DataFrame(
    {
        "likes": [1.0, 30.0, 5.0, 0.0, 8.0],
        "views": [100.0, 100.0, 50.0, 0.0, 40.0],
        "x": [1.5, 2.0, 3.0, 4.0, 0.5],
    }
)


def test_a_quantile_makes_the_label_and_rows_without_a_value_go():
    rule = LabelRule(expression="likes / views", above_quantile=0.5)
    samples = clean(VIDEOS, make_cleaning(rule))
    steps = {str(step.what): step for step in samples.log}

    assert samples.labels.tolist() == [0, 1, 0, 1]  # .01 .3 .1 (0 / 0) .2: median .15
    assert samples.features.columns.tolist() == ["x"]
    assert steps["rows left out"].n == 1
    assert "0.15, the 0.5 quantile" in str(steps["label made"].why)


def test_an_expression_that_is_a_number_is_predicted_and_its_columns_are_not_shown():
    rule = LabelRule(expression="likes + views")
    samples = clean(VIDEOS, make_cleaning(rule, task="regression"))

    assert samples.labels.tolist() == [101, 130, 55, 0, 48]
    assert samples.features.columns.tolist() == ["x"]


def test_a_condition_makes_two_classes():
    rule = LabelRule(expression="likes > 4 and views < 90", positive="small hit")
    samples = clean(VIDEOS, make_cleaning(rule))

    assert samples.labels.tolist() == [0, 0, 1, 0, 1]
    assert samples.classes == ("no", "small hit")


def test_a_mapping_makes_classes_and_leaves_out_the_rest_by_name():
    frame = pd.DataFrame(
        {
            "style": ["Cup", "Bowl", "Can", "Pack", None, "Cup"],
            "x": [1.5, 2, 3, 4, 5, 6],
        }
    )
    rule = LabelRule(
        column="style", mapping={"Cup": "cup", "Bowl": "cup", "Pack": "pack"}
    )
    samples = clean(frame, make_cleaning(rule, positive="cup"))
    [left] = [step for step in samples.log if str(step.what) == "rows left out"]

    assert samples.classes == ("pack", "cup")
    assert samples.labels.tolist() == [1, 1, 0, 1]
    assert left.n == 2
    assert "without a class: Can (1)" in str(left.why)


def test_numbers_in_texts_make_a_label_and_others_are_missing():
    frame = pd.DataFrame({"stars": ["4", "Unrated", "2"], "x": [1.5, 2, 3]})
    rule = LabelRule(column="stars", at_least=4)

    assert clean(
        frame, make_cleaning(rule, clean={"numbers": ["stars"]})
    ).labels.tolist() == [1, 0]


def test_reckoning_with_texts_is_refused_with_the_row():
    frame = pd.DataFrame({"a": ["4", "x", "2"], "x": [1.5, 2, 3]})
    rule = LabelRule(expression="a * 2", at_least=4)

    with pytest.raises(DataRefused, match=r"'x' in row 2.*clean\.numbers"):
        clean(frame, make_cleaning(rule))


def test_a_rule_on_a_column_that_is_not_there_names_it():
    with pytest.raises(StudyError, match="'dislikes'"):
        clean(VIDEOS, make_cleaning(LabelRule(expression="dislikes > 0")))


@pytest.mark.parametrize(
    ("rule", "task", "said"),
    [
        ({"expression": "a / b"}, "binary", "is a number: compare it"),
        ({"expression": "a > b"}, "regression", "is a class"),
        ({"expression": "a > b", "at_least": 1}, "binary", "at_least does not go with"),
        ({"expression": "a + b", "one_of": ["1"]}, "binary", "one_of does not go with"),
        (
            {"column": "a", "expression": "b > 1"},
            "binary",
            "either column or expression",
        ),
        ({"column": "a", "mapping": {"1": "x", "2": "x"}}, "binary", "one class only"),
        (
            {"column": "a", "mapping": {"1": "x", "2": "y"}},
            "multiclass",
            "the classes x, y, but task",
        ),
        (
            {"column": "a", "at_least": 1, "above_quantile": 0.5},
            "binary",
            "give one of",
        ),
        ({"expression": "a +"}, "binary", "is not an expression"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule, task, said):
    metric = {"metric": "r2"} if task == "regression" else {}
    plan = make_plan() | {"target": rule, "task": task, "at_least": 0.6, **metric}
    values = make_study().model_dump(exclude={"overrides"}) | {"plan": {"a": plan}}

    with pytest.raises(ValueError, match=said):
        Study.model_validate(values)
