import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from sklearn.preprocessing import (
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
)

from assay.predict.scaling import bent, powered
from assay.preprocess.scaling import Scaling, fit
from assay.study.plans import CleanPlan
from tests.preprocess.test_fit import numbers


def drawn(seed: int, n_rows: int = 300) -> np.ndarray:
    """Columns of three shapes: skewed, of few values, and with both signs."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            rng.lognormal(size=n_rows),
            rng.integers(0, 5, n_rows),
            rng.normal(size=n_rows) ** 3,
        ]
    )


@given(st.integers(0, 10_000))
def test_ranks_become_the_normal_deviates_scikit_learn_gives(seed):
    train, test = drawn(seed), drawn(seed + 1, 50)
    theirs = QuantileTransformer(
        n_quantiles=256, output_distribution="normal", subsample=None
    ).fit(train)
    ours, _ = fit(numbers(train), CleanPlan(scale="quantile"))

    inside = (test > train.min(axis=0)) & (test < train.max(axis=0))
    assert inside.sum() > 100
    np.testing.assert_allclose(
        ours.apply(test)[inside], theirs.transform(test)[inside], atol=1e-6
    )


def test_equal_values_at_an_end_get_the_middle_of_their_ranks():
    column = np.repeat([0.0, 1.0], [100, 200])[:, None]
    ours, _ = fit(numbers(column), CleanPlan(scale="quantile"))

    np.testing.assert_allclose(
        ours.apply(np.array([[0.0], [1.0]]))[:, 0], ndtri([1 / 6, 2 / 3]), atol=0.02
    )


@given(st.integers(0, 10_000))
def test_powers_and_what_they_give_are_scikit_learns(seed):
    """Of columns in units of their own, and cells no higher than any that was seen."""
    train, test = drawn(seed), drawn(seed + 1, 50)
    test = np.clip(test, train.min(axis=0), train.max(axis=0))
    robust = RobustScaler().fit(train)
    theirs = PowerTransformer().fit(robust.transform(train))
    ours, _ = fit(numbers(train), CleanPlan(scale="power"))

    expected = theirs.transform(robust.transform(test))
    np.testing.assert_allclose(ours.apply(test), expected, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-30, 1e-27, 1e-3, 1e20])
def test_a_power_is_the_same_in_any_unit(unit):
    train = drawn(4)
    first, _ = fit(numbers(train), CleanPlan(scale="power"))
    other, _ = fit(numbers(train * unit), CleanPlan(scale="power"))

    np.testing.assert_allclose(other.apply(train * unit), first.apply(train), atol=1e-6)


@pytest.mark.parametrize("scale", ["robust", "standard", "quantile", "power"])
@pytest.mark.parametrize("far", [1e8, 1e10, 1e38, 1e200])
def test_a_cell_far_beyond_what_was_seen_is_an_extreme_and_nothing_else(scale, far):
    years = 2024 - np.floor(np.random.default_rng(0).exponential(3, (100, 1)))
    ours, _ = fit(numbers(years), CleanPlan(scale=scale))
    usual = bent(ours.apply(years)).max()

    assert usual <= bent(ours.apply(np.array([[far]])))[0, 0] <= 3


def test_a_column_without_a_value_is_0_also_where_it_has_one_later():
    ours, gaps = fit(numbers(np.full((9, 1), np.nan)), CleanPlan())

    assert (
        ours.apply(np.array([[100.0], [np.nan], [-1e6]])).ravel().tolist() == [0.0] * 3
    )
    assert gaps.tolist() == [True]


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.7, 1.0, 2.0, 3.0])
def test_every_power_goes_up_and_leaves_zero_where_it_is(power):
    x = np.linspace(-3, 3, 61)[:, None]
    found = powered(x, np.array([power]))[:, 0]

    assert (np.diff(found) > 0).all()
    assert abs(found[30]) < 1e-12


@pytest.mark.parametrize("scale", ["robust", "standard", "quantile", "power"])
def test_cells_beyond_the_bounds_are_drawn_in_to_them(scale):
    train = drawn(5)
    ours, _ = fit(numbers(train), CleanPlan(scale=scale, clip=0.05))
    low, high = np.quantile(train, [0.05, 0.95], axis=0)

    np.testing.assert_array_equal(ours.apply(low[None] - 9), ours.apply(low[None]))
    np.testing.assert_array_equal(ours.apply(high[None] + 9), ours.apply(high[None]))
    np.testing.assert_array_equal(ours.drawn_in(high[None] + 9), high[None])
    assert np.isnan(ours.drawn_in(np.full((1, 3), np.nan))).all()


@pytest.mark.parametrize("scale", ["robust", "standard", "quantile", "power"])
@pytest.mark.parametrize(
    "values", [[7.0] * 6, [np.nan] * 6, [1e-300, 2e-300, 0.0], [1e30, -1e30, 5.0]]
)
def test_columns_of_one_value_of_none_and_of_extremes_stay_finite(scale, values):
    column = np.array(values)[:, None]
    ours, gaps = fit(numbers(column), CleanPlan(scale=scale))

    assert np.isfinite(ours.apply(column)).all()
    assert gaps.tolist() == [bool(np.isnan(column).any())]


@pytest.mark.parametrize("scale", ["robust", "quantile", "power"])
def test_a_scaling_comes_back_from_its_arrays(scale):
    train = drawn(2)
    ours, _ = fit(numbers(train), CleanPlan(scale=scale, clip=0.01))

    np.testing.assert_array_equal(
        Scaling.of(ours.arrays()).apply(train), ours.apply(train)
    )


def test_a_table_without_numbers_has_an_empty_scaling():
    ours, gaps = fit(numbers(np.empty((4, 0))), CleanPlan(scale="quantile"))

    assert ours.apply(np.empty((4, 0))).shape == (4, 0)
    assert len(gaps) == 0
