import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.split import draw_folds
from assay.errors import DataRefused
from assay.models.learning_curve import training_subset
from assay.study.plans import SplitPlan
from tests.factories import make_labels, make_samples

SHARES = [Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1)]


def in_folds(samples, **plan):
    return draw_folds(samples, SplitPlan(**plan), 3).inner[0]


def subsets(samples, inner, seed=5):
    return [training_subset(samples, inner, share, seed) for share in SHARES]


@given(seed=st.integers(0, 99))
def test_subsets_are_nested_and_hold_about_so_much_of_each_class_and_inner_fold(seed):
    samples = make_samples(make_labels(300, 500), x=np.arange(800.0))
    inner = in_folds(samples)[0]
    found = subsets(samples, inner, seed)

    for smaller, larger in itertools.pairwise(found):
        assert ((smaller < 0) | (smaller == larger)).all()
    for share, subset in zip(SHARES, found, strict=True):
        assert np.array_equal(subset == -1, inner == -1)
        for k in range(5):
            for code in range(2):
                among = (inner == k) & (samples.labels == code)
                n = (subset[among] >= 0).sum()
                assert abs(n - float(share) * among.sum()) < 1
    assert found[-1] is inner


def test_the_same_seed_draws_the_same_rows_and_another_does_not():
    samples = make_samples(make_labels(200, 200), x=np.arange(400.0))
    inner = in_folds(samples)[0]
    first, again, other = (
        training_subset(samples, inner, Fraction(1, 4), seed) for seed in (5, 5, 6)
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_units_are_taken_whole():
    units = np.repeat(np.arange(150), 4)
    samples = make_samples(
        make_labels(300, 300), x=np.arange(600.0), units=units, unit="person"
    )
    inner = in_folds(samples)[0]
    subset = training_subset(samples, inner, Fraction(1, 2), 5)

    by_unit = (subset >= 0).reshape(150, 4)
    assert (by_unit.all(axis=1) | ~by_unit.any(axis=1)).all()
    assert by_unit.any(axis=1).sum() == pytest.approx(60, abs=5)


@pytest.mark.parametrize("time", ["forward", "blocks"])
def test_of_rows_in_time_the_nearest_to_the_test_part_stay_in_inner_blocks_of_their_own(
    time,
):
    times = np.arange(480)
    samples = make_samples(
        make_labels(240, 240), x=np.arange(480.0), times=times, order="day"
    )
    inner = in_folds(samples, time=time, gap=4)[2]
    subset = training_subset(samples, inner, Fraction(1, 4), 5)
    test, before = np.flatnonzero(inner == -1), np.flatnonzero(inner >= 0)
    kept = np.flatnonzero(subset >= 0)

    assert len(kept) == round(len(before) / 4)
    assert set(kept) < set(before)
    away = np.maximum(test[0] - before, before - test[-1])
    assert np.isin(before[away < np.sort(away)[len(kept) - 1]], kept).all()
    assert (np.diff(subset[kept]) <= 0).all()  # the latest block is the first fold
    assert set(subset[kept]) == set(inner[before])


@pytest.mark.parametrize(
    ("counts", "said"),
    [((100, 100), "rows are fewer than 40"), ((60, 700), "the class 'class 0' has")],
)
def test_a_subset_of_too_few_rows_is_refused_with_the_number(counts, said):
    samples = make_samples(make_labels(*counts), x=np.arange(float(sum(counts))))

    with pytest.raises(DataRefused, match=said):
        training_subset(samples, in_folds(samples)[0], Fraction(1, 8), 5)


def test_a_series_that_is_too_coarse_for_inner_folds_is_refused():
    times = np.arange(480) // 30
    samples = make_samples(
        make_labels(240, 240), x=np.arange(480.0), times=times, order="day"
    )

    with pytest.raises(DataRefused, match="too few different times"):
        training_subset(samples, in_folds(samples)[4], Fraction(1, 8), 5)


def test_numbers_to_predict_need_rows_and_no_classes():
    labels = np.random.default_rng(0).normal(size=400)
    samples = make_samples(labels, x=np.arange(400.0))
    inner = in_folds(samples)[0]

    assert (
        training_subset(samples, inner, Fraction(1, 4), 5) >= 0
    ).sum() == pytest.approx(80, abs=5)
    with pytest.raises(DataRefused):
        training_subset(samples, inner, Fraction(1, 16), 5)
