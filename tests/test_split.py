import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import DataRefused
from assay.plans import SplitPlan
from assay.split import Folds, stratified_folds
from tests.factories import NOWHERE, make_cleaned, make_labels


def split(labels, seed: int = 7, **plan: int) -> Folds:
    return stratified_folds(labels, make_cleaned(labels), SplitPlan(**plan), seed)


counts = st.lists(st.integers(8, 30), min_size=2, max_size=4)
plans = st.fixed_dictionaries(
    {
        "folds": st.integers(2, 5),
        "repeats": st.integers(1, 3),
        "inner_folds": st.integers(2, 4),
    }
)


def shares_agree(labels, number, folds) -> bool:
    """Return whether each class has the same count in every fold, give or take one."""
    return all(
        np.ptp(np.bincount(number[labels == code], minlength=folds)) <= 1
        for code in np.unique(labels)
    )


@given(counts, plans, st.integers(0, 999))
def test_every_row_is_tested_once_per_repeat_and_classes_keep_their_shares(
    counts, plan, seed
):
    labels = make_labels(*counts)
    folds = split(labels, seed, **plan)

    assert folds.outer.shape == (plan["repeats"], len(labels))
    for outer in folds.outer:
        assert set(outer) == set(range(plan["folds"]))
        assert shares_agree(labels, outer, plan["folds"])


@given(counts, plans, st.integers(0, 999))
def test_inner_folds_cover_the_training_part_and_nothing_of_the_test_part(
    counts, plan, seed
):
    labels = make_labels(*counts)
    folds = split(labels, seed, **plan)

    for outer, inner in zip(folds.outer, folds.inner, strict=True):
        for fold in range(plan["folds"]):
            train = outer != fold
            assert np.array_equal(inner[fold] == -1, ~train)
            assert set(inner[fold][train]) == set(range(plan["inner_folds"]))
            assert shares_agree(labels[train], inner[fold][train], plan["inner_folds"])


@given(st.integers(1, 3), st.integers(1, 3))
def test_a_repeat_draws_the_same_however_many_follow(repeats, more):
    """A seed belongs to a place, not to a moment."""
    labels = make_labels(30, 30)
    few, many = split(labels, repeats=repeats), split(labels, repeats=repeats + more)

    assert np.array_equal(many.outer[:repeats], few.outer)
    assert np.array_equal(many.inner[:repeats], few.inner)


def test_repeats_and_seeds_draw_different_folds():
    labels = make_labels(30, 30)
    one, other = split(labels, repeats=2), split(labels, seed=8, repeats=2)

    assert not np.array_equal(one.outer[0], one.outer[1])
    assert not np.array_equal(one.outer, other.outer)
    assert np.array_equal(one.outer, split(labels, repeats=2).outer)


def test_outer_folds_do_not_depend_on_the_inner_ones():
    labels = make_labels(30, 30)

    assert np.array_equal(
        split(labels, inner_folds=2).outer, split(labels, inner_folds=5).outer
    )


@pytest.mark.parametrize(("n_rows", "repeats"), [(499, 5), (500, 3)])
def test_few_rows_are_split_more_often(n_rows, repeats):
    assert len(split(make_labels(n_rows - 200, 200)).outer) == repeats


def test_a_class_smaller_than_the_folds_is_refused_with_both_numbers():
    with pytest.raises(
        DataRefused, match=r"'class 1', has 4 rows; 5 outer folds need at least 5"
    ):
        split(make_labels(40, 4))


def test_a_class_too_small_for_the_inner_folds_is_refused_with_both_numbers():
    with pytest.raises(
        DataRefused, match=r"has 6 rows, .* as few as 4; 5 inner folds need 5"
    ):
        split(make_labels(40, 6))


@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 12))
def test_a_rarest_class_is_either_in_every_fold_or_refused(folds, inner_folds, n):
    labels = make_labels(40, n)
    try:
        drawn = split(labels, folds=folds, inner_folds=inner_folds, repeats=1)
    except DataRefused:
        return
    for fold in range(folds):
        inside = drawn.inner[0, fold][(drawn.outer[0] != fold) & (labels == 1)]
        assert set(inside) == set(range(inner_folds))


def test_the_record_tells_the_counts():
    record = split(make_labels(30, 30), folds=4, repeats=2, inner_folds=3).record(
        NOWHERE, NOWHERE
    )

    assert (record.folds, record.repeats, record.inner_folds) == (4, 2, 3)
