import numpy as np
import pandas as pd

from assay.predict.decoding import decoded
from assay.predict.lists import Items, held
from assay.preprocess.fit import fit as prepare
from assay.preprocess.fit import unpack as prepared
from assay.preprocess.lists import fit
from assay.study.plans import CleanPlan, ListColumn

CAST = pd.Series(
    ["Kim, Lee", "Lee ,Park,", None, "Kim, Lee, Lee", "", "Choi"], name="cast"
)
PLAN = ListColumn(column="cast", most=64)


def test_values_of_two_rows_or_more_have_an_input_and_the_others_share_one():
    items = fit(CAST, PLAN)
    found = items.apply(pd.Series(["Park, Kim", "Lee", None, "Lee, Kim, Lee"]))

    assert items.known == ("Lee", "Kim")
    assert found[:, :3].tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]]


def test_the_count_of_a_cell_is_standardised_over_the_training_rows():
    items = fit(CAST, PLAN)
    counts = items.apply(CAST)[:, -1]

    np.testing.assert_allclose([counts.mean(), counts.std()], [0, 1], atol=1e-12)
    assert counts[2] == counts[4] == counts.min()


def test_no_more_values_than_wanted_and_ties_go_by_name():
    column = pd.Series(["b,a"] * 3 + ["c"] * 5)

    assert fit(column, ListColumn(column="x", most=2)).known == ("c", "a")


def test_another_separator_parts_and_a_comma_then_does_not():
    assert held(pd.Series(["먹방|ASMR, live"]), "|") == [("먹방", "ASMR, live")]


def test_a_column_without_a_value_teaches_nothing_and_stays_finite():
    items = fit(pd.Series([None, None], dtype=object), PLAN)

    assert np.isfinite(items.apply(CAST)).all()


def test_lists_stand_in_a_preparation_between_levels_and_texts_and_come_back():
    table = pd.DataFrame(
        {"x": np.arange(6.0), "cast": CAST.astype("str"), "town": list("aabbcc")}
    )
    plan = CleanPlan(lists=["cast"])
    preparation = prepare(table, plan)
    inputs = preparation.apply(table)

    assert preparation.categorical == ("town",)
    assert preparation.n_inputs == 1 + 4 + 4
    np.testing.assert_array_equal(inputs[:, 5:8], fit(CAST, PLAN).apply(CAST)[:, :3])
    np.testing.assert_array_equal(prepared(preparation.packed()).apply(table), inputs)
    assert preparation.trees(table, inputs).shape == (6, 1 + 1 + 4)


def test_an_item_form_comes_back():
    items = fit(CAST, PLAN)

    assert decoded(Items, items.form()) == items
