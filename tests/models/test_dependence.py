import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.models.dependence import dependence, grid_of


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
def test_a_grid_of_numbers_holds_values_of_the_column_and_every_row_is_nearest_to_one(
    numbers,
):
    found = grid_of(pd.Series(numbers))

    if len(set(numbers)) < 2:
        assert found is None
        return
    if found is not None:
        assert 2 <= len(found.values) <= 12
        assert set(found.values) <= set(numbers)
        assert list(found.values) == sorted(found.values)
        assert sum(found.shares) == pytest.approx(1)


def test_many_values_are_asked_at_twelve_quantiles_without_the_outermost():
    found = grid_of(pd.Series(np.arange(1000.0)))

    assert found is not None
    assert len(found.values) == 12
    assert found.values[0] == pytest.approx(19, abs=1)
    assert found.values[-1] == pytest.approx(979, abs=1)


def test_levels_are_the_commonest_the_first_by_name_of_equal_ones():
    column = pd.Series(["b", "a", "b", None, "c", "a"] + [f"z{i}" for i in range(20)])
    found = grid_of(column)

    assert found is not None
    assert found.values[:3] == ("a", "b", "c")
    assert len(found.values) == 12
    assert found.shares[0] == 2 / 26


def test_a_column_of_one_value_has_no_grid():
    assert grid_of(pd.Series([1.0, np.nan, 1.0])) is None
    assert grid_of(pd.Series(["a", "a", None])) is None
    assert grid_of(pd.Series([np.nan, np.nan])) is None


def test_the_dependence_of_a_sum_on_one_of_its_terms_is_a_line():
    features = pd.DataFrame(
        np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"]
    )
    grid = grid_of(features["a"])
    assert grid is not None
    found = dependence(
        lambda rows: (2 * rows[["a"]] + rows[["b"]].to_numpy()).to_numpy(),
        features,
        "a",
        grid,
    )

    expected = 2 * np.array(grid.values) + features["b"].mean()
    assert [one for (one,) in found.predicted] == pytest.approx(expected.tolist())
    assert found.shares == grid.shares


def test_a_level_is_set_as_text_and_nothing_else_is_changed():
    features = pd.DataFrame({"town": ["a", "b", "a"], "n": [1.0, 2.0, 3.0]})
    features["town"] = features["town"].astype("str")
    grid = grid_of(features["town"])
    assert grid is not None

    def predict(rows: pd.DataFrame):
        assert rows.dtypes.equals(features.dtypes)
        assert rows["n"].tolist() == [1.0, 2.0, 3.0] * 2
        return np.column_stack([rows["town"] == "a", rows["town"] == "b"]).astype(float)

    assert dependence(predict, features, "town", grid).predicted == (
        (1.0, 0.0),
        (0.0, 1.0),
    )
