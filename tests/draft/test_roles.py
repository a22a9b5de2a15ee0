"""What a column is taken for, and what is done with it."""

import numpy as np
import pandas as pd
import pytest

from assay.draft import cells
from assay.draft.leaks import score_alone
from assay.draft.roles import picture_in
from assay.errors import DataRefused, StudyError
from tests.draft_tables import drafted, every_kind

KINDS = {
    "order_id": "id",
    "customer_id": "entity",
    "age": "number",
    "price": "number_in_text",
    "length": "number_in_text",
    "town": "category",
    "genres": "list",
    "day": "date",
    "seen": "date",
    "member": "yes_no",
    "review": "text",
    "제목": "text",
    "photo": "image_file",
    "fixed": "constant",
    "rare": "mostly_missing",
    "paid": "leak",
    "twice": "number",
    "copy": "copy",
    "bought": "target",
}
LEFT_OUT = {
    "id", "entity", "image_file", "constant", "mostly_missing", "leak", "copy",
}  # fmt: skip


@pytest.fixture(scope="module")
def roles():
    every_role = drafted(every_kind(), "bought").facts.roles
    return {role.column: role for role in every_role}


@pytest.mark.parametrize(("column", "word"), KINDS.items())
def test_every_kind_of_column_has_its_role(roles, column, word):
    assert roles[column].word == word
    assert bool(roles[column].left_out) == (word in LEFT_OUT)
    assert str(roles[column].seen)
    assert str(roles[column].title)


def test_how_a_column_is_read_is_found(roles):
    assert roles["length"].how == {"unit": "min"}
    assert "Seasons" in str(roles["length"].remark)
    assert roles["day"].how == {"format": "%d.%m.%Y"}
    assert roles["seen"].how == {}
    assert (roles["customer_id"].asks, roles["day"].asks) == ("unit", "order")


def test_a_declared_unit_or_order_is_set_aside_and_asks_no_more():
    by_unit = drafted(every_kind(), "bought", unit="customer_id").facts.roles
    in_time = drafted(every_kind(), "bought", order="day").facts.roles

    assert {role.column: role.word for role in by_unit}["customer_id"] == "unit"
    order = next(role for role in in_time if role.word == "order")
    assert (order.column, order.reading, order.how) == (
        "day",
        "dates",
        {"format": "%d.%m.%Y"},
    )
    assert not any(role.asks for role in (*by_unit, *in_time))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"target": "gone"},
            "--target gone: the table has no such column. Its columns: order_id",
        ),
        ({"unit": "gone"}, "--unit gone"),
        ({"unit": "bought"}, "--unit bought: --target names it already"),
        ({"unit": "town", "order": "day"}, "cannot both be given"),
        (
            {"order": "town"},
            "is read neither as a number nor as a date",
        ),
    ],
)
def test_columns_that_cannot_be_what_they_are_named_for_are_refused(asked, said):
    with pytest.raises(StudyError, match=said):
        drafted(every_kind(), **{"target": "bought"} | asked)


def test_an_order_with_gaps_is_refused():
    with pytest.raises(DataRefused, match=r"--order age: rows without a value: \d+"):
        drafted(every_kind(), "bought", order="age")


def test_a_table_with_nothing_to_predict_from_is_refused_with_the_reasons():
    table = every_kind()[["order_id", "fixed", "bought"]]

    with pytest.raises(DataRefused, match=r"order_id: an id.*fixed: one value only"):
        drafted(table, "bought")


def test_a_wide_table_is_read_in_good_time():
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(2000, 200)))
    table.columns = [f"x{k}" for k in table.columns]
    table["y"] = random.choice(["a", "b", "c"], 2000)

    assert {role.word for role in drafted(table, "y").facts.roles} == {
        "number",
        "target",
    }


def test_columns_named_as_pixels_are_offered_as_an_image():
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.integers(0, 255, (60, 64))).add_prefix("pixel")
    table["label"] = ["a", "b"] * 30

    offer = str(picture_in(drafted(table, "label").facts.roles))
    incomplete = drafted(table.drop(columns="pixel7"), "label")

    assert "height = 8, width = 8, channels = 1 }" in offer
    assert picture_in(incomplete.facts.roles) is None


# Cells -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1,000", "2,500", "3"], [1000, 2500, 3]),
        (["$4.50", "$1,200", "$7"], [4.5, 1200, 7]),
        (["12%", "5.5%", "-3%"], [12, 5.5, -3]),
        (["3 kg", "2.5 kg", "4 kg"], [3, 2.5, 4]),
        (["₩1,000", "₩2,000", "₩3,500"], [1000, 2000, 3500]),
    ],
)
def test_numbers_are_found_in_texts(texts, values):
    found = cells.amounts(pd.Series(texts), few=2)

    assert found is not None
    assert found.values.tolist() == values


@pytest.mark.parametrize(
    "texts",
    [
        ["1st", "2nd", "3rd", "4th"],
        ["A1", "B2", "C3", "D4"],
        ["2020-01-02", "2020-01-03", "2020-01-04"],
        ["20-29", "30-39", "40-49"],
        ["3 cats", "4 dogs", "5 cows", "6 hens"],
        ["room 1", "room 2", "room 3"],
        ["Seoul", "Busan", "Daegu"],
    ],
)
def test_texts_that_are_no_amounts_are_left_as_they_are(texts):
    assert cells.amounts(pd.Series(texts), few=2) is None


@pytest.mark.parametrize(
    ("texts", "format_"),
    [
        (["2020-01-02", "2021-12-31"], None),
        (["2020-01-02T08:30:00Z", "2021-12-31T23:59:59Z"], None),
        (["13/01/2020", "02/12/2021"], "%d/%m/%Y"),
        (["01/13/2020", "12/02/2021"], "%m/%d/%Y"),
        (["2020/01/02", "2021/12/31"], "%Y/%m/%d"),
        (["September 25, 2020", "May 3, 2021"], "%B %d, %Y"),
        (["2020년 1월 2일", "2021년 12월 31일"], "%Y년 %m월 %d일"),
        (["1/13/2020 4:05 PM", "12/2/2021 11:00 AM"], "%m/%d/%Y %I:%M %p"),
    ],
)
def test_dates_are_found_with_their_format(texts, format_):
    found = cells.dates(pd.Series(texts))

    assert found is not None
    assert found.format == format_


@pytest.mark.parametrize(
    "texts", [["12:30", "14:45"], ["010-1234-5678"], ["1.5", "2.5"], ["1999-00"]]
)
def test_what_only_looks_like_a_date_is_none(texts):
    assert cells.dates(pd.Series(texts)) is None


def test_a_sentence_is_no_list_and_a_name_with_a_comma_neither():
    sentences = ["Good, I liked it", "Bad, it was cold", "Fine, but too much salt"]
    names = ["Braund, Mr. Owen", "Heikkinen, Miss Laina", "Allen, Mr. William"]

    assert cells.separator(pd.Series(sentences)) is None
    assert cells.separator(pd.Series(names)) is None
    assert cells.separator(pd.Series(["a|b", "b", "a|c", "c"])) == "|"


# Leaks -----------------------------------------------------------------------------------------


def labels(n=300, n_classes=3):
    return np.random.default_rng(5).integers(0, n_classes, n)


def test_a_recoded_target_tells_it_and_noise_does_not():
    codes = labels()
    renamed = pd.Series([f"kind {7 * code % 3}" for code in codes])
    noise = pd.Series(np.random.default_rng(6).normal(size=300))

    assert score_alone(renamed, codes, classes=True) == 1
    assert score_alone(pd.Series(codes * -4.5), codes, classes=True) == 1
    assert score_alone(noise, codes, classes=True) < 0.7


def test_a_column_of_many_levels_tells_nothing_by_having_many():
    """Rates come from the other half of the rows: a level of its own in each row is no leak."""
    unique = pd.Series([f"id {k}" for k in range(300)])

    assert score_alone(unique, labels(), classes=True) < 0.7


def test_gaps_tell_too():
    codes = labels(n_classes=2)
    column = pd.Series(np.where(codes == 1, np.nan, 3.0 + np.arange(300) % 40))

    assert score_alone(column, codes, classes=True) > 0.99


def test_a_number_is_told_by_its_copy_in_other_units_only():
    values = np.random.default_rng(7).normal(size=300)

    assert score_alone(pd.Series(values * 2.2 + 32), values, classes=False) == 1
    assert (
        score_alone(
            pd.Series(values + np.random.default_rng(8).normal(size=300)),
            values,
            classes=False,
        )
        < 0.9
    )
