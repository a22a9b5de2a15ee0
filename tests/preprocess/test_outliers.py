import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import StudyError
from assay.preprocess.outliers import kept_rows, plausible_labels
from assay.study.plans import OutlierPlan
from tests.preprocess.test_fit import features, matrices, numbers

# Numbers ---------------------------------------------------------------------------------------


def test_rows_beyond_the_fences_go():
    train = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0, 4.0, 5.0, 100.0], "town": list("aabbcc")}
    )
    plan = OutlierPlan(rule="iqr", factor=3.0)

    assert kept_rows(train, plan).tolist() == [True] * 5 + [False]
    assert kept_rows(train, OutlierPlan()).all()


def test_a_row_stays_while_fewer_columns_are_out_than_are_needed():
    train = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 100], "y": [1.0, 2, 3, 4, -90, -90]})
    plan = OutlierPlan(rule="iqr", columns_needed=2)

    assert kept_rows(train, plan).all()
    far = train.assign(y=[1.0, 2, 3, 4, 5, -90])
    assert kept_rows(far, plan).tolist() == [True] * 5 + [False]


@given(matrices, st.floats(0.5, 5))
def test_a_wider_fence_keeps_every_row_a_narrower_one_keeps(matrix, factor):
    matrix[:, np.isnan(matrix).all(axis=0)] = 0.0
    narrow = kept_rows(numbers(matrix), OutlierPlan(rule="iqr", factor=factor))
    wide = kept_rows(numbers(matrix), OutlierPlan(rule="iqr", factor=2 * factor))

    assert (wide | ~narrow).all()


def test_missing_cells_and_columns_without_spread_are_no_outliers():
    train = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0], "rare": [0.0, 0.0, 0.0, 9.0]})

    assert kept_rows(train, OutlierPlan(rule="iqr")).all()


def test_a_rule_that_needs_more_cells_than_there_are_columns_is_refused():
    plan = OutlierPlan(rule="iqr", columns_needed=3)

    with pytest.raises(StudyError, match="columns_needed = 3, but the table has 2"):
        kept_rows(pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]}), plan)


def test_a_table_of_text_has_no_outliers():
    assert kept_rows(features()[["town"]], OutlierPlan(rule="iqr")).all()


def test_the_median_and_its_deviations_find_what_lies_far_out():
    """The MAD of 1 to 5 and 100 about 3.5 is 1.5: beyond 3 scaled ones is beyond 3.5 + 6.67."""
    train = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0, 100.0]})
    just = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0, 10.0]})
    plan = OutlierPlan(rule="mad", factor=3.0)

    assert kept_rows(train, plan).tolist() == [True] * 5 + [False]
    assert kept_rows(just, plan).all()


def test_an_isolation_forest_leaves_out_its_share_the_strangest_rows():
    matrix = np.random.default_rng(3).normal(size=(200, 3))
    matrix[17], matrix[99, 1], matrix[5, 0] = 30.0, -25.0, np.nan
    plan = OutlierPlan(rule="isolation_forest", share=0.01)
    kept = kept_rows(numbers(matrix), plan)

    assert np.flatnonzero(~kept).tolist() == [17, 99]
    assert (kept == kept_rows(numbers(matrix), plan)).all()
    assert kept_rows(numbers(matrix[:50]), plan).all()  # half a row is none


@pytest.mark.parametrize("rule", ["iqr", "mad", "isolation_forest"])
def test_columns_without_a_value_take_no_row_with_them(rule):
    empty = numbers(np.full((20, 2), np.nan))
    beside = empty.assign(x2=np.arange(20.0))
    plan = OutlierPlan(rule=rule, share=0.01)

    assert kept_rows(empty, plan).all()
    assert kept_rows(beside, plan).all()


def test_the_order_of_rows_decides_nothing_and_equal_rows_go_together():
    rng = np.random.default_rng(3)
    matrix = np.round(rng.normal(size=(300, 2)), 1)
    matrix[:10] = 9.0
    plan = OutlierPlan(rule="isolation_forest", share=0.05)
    order = rng.permutation(300)
    kept = kept_rows(numbers(matrix), plan)

    assert (kept_rows(numbers(matrix[order]), plan) == kept[order]).all()
    assert kept[:10].all() or not kept[:10].any()
    assert 0 < (~kept).sum() <= 15


# Labels ----------------------------------------------------------------------------------------


def planted(n_wrong: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 150).astype(np.int32)
    inputs = (rng.normal(size=(300, 4)) + 2.0 * labels[:, None]).astype(np.float32)
    wrong = rng.choice(300, n_wrong, replace=False)
    labels[wrong] = 1 - labels[wrong]
    return inputs, labels, wrong


def test_labels_that_the_other_rows_contradict_are_found():
    inputs, labels, wrong = planted(20)
    plausible = plausible_labels(inputs, labels)

    assert (~plausible[wrong]).sum() >= 14
    assert (~plausible).sum() <= 26


def test_labels_that_agree_with_their_rows_are_plausible():
    inputs, labels, _ = planted(0)

    assert plausible_labels(inputs, labels).mean() > 0.97


@pytest.mark.parametrize("n_rare", [1, 3, 4])
def test_a_class_of_few_rows_keeps_them(n_rare):
    inputs, labels, _ = planted(0)
    labels[:n_rare] = 2

    plausible = plausible_labels(inputs, labels)
    without = plausible_labels(inputs[n_rare:], labels[n_rare:])
    assert plausible[:n_rare].all()
    assert plausible[n_rare:].sum() >= without.sum() - 3  # and takes no others with it


@pytest.mark.parametrize("n_rows", [1, 3, 9])
def test_too_few_rows_to_hold_any_out_are_plausible(n_rows):
    assert plausible_labels(
        np.zeros((n_rows, 2), np.float32), np.arange(n_rows) % 2
    ).all()


def test_units_that_are_labelled_wrongly_throughout_are_found_when_held_out_whole():
    """Forty units of ten like rows: with others of its unit in training each row seems right."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(40, dtype=np.int32), 10)
    truth = (np.arange(40) % 2).astype(np.int32)
    inputs = (rng.normal(size=(40, 4)) + 2.5 * truth[:, None])[units]
    inputs = (inputs + rng.normal(0, 0.05, inputs.shape)).astype(np.float32)
    wrong = np.isin(units, [3, 8, 21, 30])
    labels = np.where(wrong, 1 - truth[units], truth[units]).astype(np.int32)

    assert (~plausible_labels(inputs, labels, units))[wrong].mean() > 0.7
