import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.permute import relabelled
from assay.data.split import Folds, draw_folds
from assay.errors import DataRefused
from assay.study.plans import SplitPlan
from tests.factories import NOWHERE, make_labels, make_samples


def split(labels, seed: int = 7, known=None, **plan) -> Folds:
    samples = make_samples(np.asarray(labels), **(known or {}))
    return draw_folds(samples, SplitPlan(**plan), seed)


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


# Rows ------------------------------------------------------------------------------------------


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
        assert np.ptp(np.bincount(outer)) <= 1


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


@given(st.integers(20, 80), plans, st.integers(0, 999))
def test_folds_for_a_number_do_not_look_at_it(n, plan, seed):
    values = np.random.default_rng(seed).normal(size=n)
    first, other = (split(labels, seed, **plan) for labels in (values, values**3 - 7))

    assert np.array_equal(first.outer, other.outer)
    assert np.array_equal(first.inner, other.inner)
    assert first.scheme == "shuffled"
    assert all(np.ptp(np.bincount(outer)) <= 1 for outer in first.outer)


@given(st.integers(1, 3), st.integers(1, 3))
def test_a_repeat_draws_the_same_however_many_follow(repeats, more):
    """A seed belongs to a place, not to a moment."""
    labels = make_labels(30, 30)
    few, many = split(labels, repeats=repeats), split(labels, repeats=repeats + more)

    assert np.array_equal(many.outer[:repeats], few.outer)
    assert np.array_equal(many.inner[:repeats], few.inner)


def test_repeats_and_seeds_draw_different_folds():
    labels = make_labels(30, 30)
    first, other = split(labels, repeats=2), split(labels, seed=8, repeats=2)

    assert not np.array_equal(first.outer[0], first.outer[1])
    assert not np.array_equal(first.outer, other.outer)
    assert np.array_equal(first.outer, split(labels, repeats=2).outer)


def test_outer_folds_do_not_depend_on_the_inner_ones():
    labels = make_labels(30, 30)

    assert np.array_equal(
        split(labels, inner_folds=2).outer, split(labels, inner_folds=5).outer
    )


def test_every_arrangement_with_the_same_shares_is_equally_likely():
    """Four rows of each of two classes in two folds: 6 x 6 arrangements, about 50 of 1,800 draws each."""
    labels = make_labels(4, 4)
    drawn = [
        tuple(split(labels, seed, folds=2, inner_folds=2, repeats=1).outer[0].tolist())
        for seed in range(1800)
    ]

    assert len(set(drawn)) == 36
    assert all(25 <= drawn.count(arrangement) <= 80 for arrangement in set(drawn))


@given(counts, st.integers(0, 999), st.integers(0, 9))
def test_the_shares_of_a_fold_do_not_tell_which_row_came_first(counts, seed, number):
    """What a fold gets of each class depends on the counts alone, so that a relabelling could have
    been drawn with the same folds. scikit-learn's StratifiedKFold goes by order of appearance."""
    labels = make_labels(*counts)
    samples = make_samples(labels)
    shuffled = relabelled(samples, np.zeros(len(labels), np.int16), seed, number)
    first, other = (
        split(of, seed, folds=3, inner_folds=2, repeats=1).outer[0]
        for of in (labels, shuffled)
    )

    for code in range(len(counts)):
        assert np.array_equal(
            np.bincount(first[labels == code], minlength=3),
            np.bincount(other[shuffled == code], minlength=3),
        )


@pytest.mark.parametrize(("n_rows", "repeats"), [(499, 5), (500, 3)])
def test_few_rows_are_split_more_often(n_rows, repeats):
    assert len(split(make_labels(n_rows - 200, 200)).outer) == repeats


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((40, 4), "'class 1' is in 4 rows, too few for 5 outer and 5 inner"),
        ((40, 6), "'class 1' is in 6 rows, too few for 5 outer and 5 inner"),
        ((3, 3), "There are 6 rows, too few for 5 outer and 5 inner folds"),
    ],
)
def test_a_class_too_small_for_the_folds_is_refused_with_the_numbers(counts, said):
    with pytest.raises(DataRefused, match=said):
        split(make_labels(*counts))


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
    assert (record.scheme, record.unit) == ("stratified", "row")


# Units -----------------------------------------------------------------------------------------


def some_units(seed: int, n_units: int = 40, most: int = 12):
    """Units of unequal size in a mixed order of rows."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, most, size=n_units)
    units = generator.permutation(np.repeat(np.arange(n_units), sizes))
    return np.unique(units, return_inverse=True)[1].astype(np.int32), generator


@pytest.mark.parametrize("kind", ["one label each", "mixed", "number"])
@given(st.integers(0, 999))
def test_no_fold_parts_a_unit(kind, seed):
    units, generator = some_units(seed)
    labels = {
        "one label each": (np.arange(40) % 2).astype(np.int32)[units],
        "mixed": generator.permutation(np.arange(len(units)) % 2).astype(np.int32),
        "number": generator.normal(size=len(units)),
    }[kind]
    folds = split(labels, seed, {"units": units, "unit": "person"})

    for drawn in (*folds.outer, *folds.inner.reshape(-1, len(units))):
        numbers = [set(drawn[units == unit]) for unit in range(40)]
        assert all(len(number) == 1 for number in numbers)
    assert folds.unit == "person"


@given(st.integers(0, 999))
def test_units_of_one_label_are_spread_by_label_and_not_by_size(seed):
    """Sizes must not decide, or labels could not be exchanged between units of unequal size."""
    units, _ = some_units(seed)
    of_units = (np.arange(40) % 4 == 0).astype(np.int32)
    folds = split(of_units[units], seed, {"units": units})

    first = np.unique(units, return_index=True)[1]
    assert shares_agree(of_units, folds.outer[0][first], 5)


@given(st.integers(0, 999))
def test_folds_of_units_hold_about_as_many_rows(seed):
    units, generator = some_units(seed)
    for labels in (
        generator.normal(size=len(units)),
        generator.permutation(np.arange(len(units)) % 2).astype(np.int32),
    ):
        rows = np.bincount(split(labels, seed, {"units": units}).outer[0])
        assert np.ptp(rows) <= 11  # no more than the largest unit


@given(st.integers(0, 999))
def test_a_rare_class_in_a_few_mixed_units_is_in_every_fold(seed):
    units, generator = some_units(seed)
    labels = generator.integers(0, 2, size=len(units)).astype(np.int32)
    rare = generator.choice(40, size=8, replace=False)
    labels[np.isin(units, rare) & (generator.random(len(units)) < 0.5)] = 2
    for unit in rare:
        labels[np.flatnonzero(units == unit)[0]] = 2
    folds = split(labels, seed, {"units": units}, inner_folds=4)

    for outer, inner in zip(folds.outer, folds.inner, strict=True):
        assert set(outer[labels == 2]) == set(range(5))
        assert all(set(inside[labels == 2]) >= set(range(4)) for inside in inner)


@given(st.integers(0, 999), st.integers(0, 20))
def test_what_a_fold_holds_of_mixed_units_survives_every_relabelling(seed, number):
    """Else a relabelling could not have been drawn with these folds, and the gate were not exact."""
    units, generator = some_units(seed, n_units=30, most=4)
    labels = generator.integers(0, 2, size=len(units)).astype(np.int32)
    labels[np.isin(units, [0, 1, 2])] = 0
    folds = split(labels, seed, {"units": units}, repeats=1).outer[0]
    samples = make_samples(labels, units=units)
    again = relabelled(samples, folds, seed, number)

    assert _signatures(labels, units, folds) == _signatures(again, units, folds)


def _signatures(labels, units, folds):
    return sorted(
        (int(folds[rows][0]), len(rows), int(labels[rows].sum()))
        for rows in (np.flatnonzero(units == unit) for unit in range(units.max() + 1))
    )


def test_too_few_units_are_refused_with_the_numbers():
    units = np.arange(60, dtype=np.int32) % 6
    with pytest.raises(DataRefused, match=r"There are 6 units \(brand\), too few"):
        split(make_labels(30, 30), known={"units": units, "unit": "brand"})


def test_a_class_in_too_few_units_is_refused_with_the_numbers():
    units = np.repeat(np.arange(20, dtype=np.int32), 3)
    labels = (units < 4).astype(np.int32)
    with pytest.raises(DataRefused, match=r"'class 1' is in 4 units \(brand\), too"):
        split(labels, known={"units": units, "unit": "brand"})


# Time ------------------------------------------------------------------------------------------


def in_time(times, **plan) -> Folds:
    times = np.asarray(times)
    labels = (np.arange(len(times)) % 2).astype(np.int32)
    return split(labels, known={"times": times, "order": "day"}, **plan)


some_times = st.lists(st.integers(0, 3), min_size=60, max_size=120).map(
    lambda steps: np.unique(np.cumsum(steps), return_inverse=True)[1]
)


def both_ways(time, times, folds, gap):
    try:
        return in_time(times, time=time, folds=folds, gap=gap, inner_folds=2)
    except DataRefused:
        return None


@pytest.mark.parametrize("time", ["forward", "blocks"])
@given(some_times, st.integers(2, 6), st.integers(0, 5))
def test_rows_of_one_time_are_never_parted(time, times, folds, gap):
    drawn = both_ways(time, times, folds, gap)
    if drawn is None:
        return
    tested = drawn.outer[0]
    for time_ in np.unique(times):
        assert len(set(tested[times == time_])) == 1
    for fold, inner in enumerate(drawn.inner[0]):
        learned = set(times[inner >= 0])
        assert not learned & set(times[tested == fold])
        for number in range(2):
            assert not set(times[inner == number]) & set(times[inner == 1 - number])


@given(some_times, st.integers(2, 6), st.integers(0, 5))
def test_forward_folds_learn_only_from_rows_before_the_gap(times, folds, gap):
    drawn = both_ways("forward", times, folds, gap)
    if drawn is None:
        return
    rows = np.arange(len(times))
    for fold, inner in enumerate(drawn.inner[0]):
        first = rows[drawn.outer[0] == fold].min()
        assert np.array_equal(rows[inner >= 0], np.arange(first - gap))
        assert np.array_equal(inner == -1, drawn.outer[0] == fold)
        latest_first = inner[inner >= 0]
        assert np.all(np.diff(latest_first) <= 0)
        assert set(latest_first) == {0, 1}


@given(some_times, st.integers(2, 6), st.integers(0, 5))
def test_blocks_learn_from_all_rows_but_the_gap_on_either_side(times, folds, gap):
    drawn = both_ways("blocks", times, folds, gap)
    if drawn is None:
        return
    rows = np.arange(len(times))
    assert set(drawn.outer[0]) == set(range(folds))
    for fold, inner in enumerate(drawn.inner[0]):
        test = rows[drawn.outer[0] == fold]
        near = (rows >= test.min() - gap) & (rows <= test.max() + gap)
        assert np.array_equal(inner >= 0, ~near)


@given(some_times, st.integers(2, 6))
def test_the_first_block_is_tested_by_blocks_and_never_forward(times, folds):
    forward, blocks = (both_ways(way, times, folds, 0) for way in ("forward", "blocks"))
    if forward is not None:
        assert forward.outer[0][0] == -1
        assert set(forward.outer[0]) == set(range(-1, folds))
        assert np.all(np.diff(forward.outer[0]) >= 0)
    if blocks is not None:
        assert np.all(np.diff(blocks.outer[0]) >= 0)


def test_blocks_of_single_times_are_of_equal_size():
    assert np.bincount(in_time(range(120), time="blocks").outer[0]).tolist() == [24] * 5
    assert np.bincount(in_time(range(120)).outer[0] + 1).tolist() == [20] * 6


def test_a_cut_among_equal_times_goes_to_the_nearer_side():
    """Half of 60 is row 30. Rows 28-39 share a time: two rows back, not ten on."""
    times = [*range(28), *[28] * 12, *range(29, 49)]
    tested = in_time(times, time="blocks", folds=2, inner_folds=2).outer[0]

    assert np.flatnonzero(np.diff(tested)).tolist() == [27]


def test_many_rows_of_the_first_time_make_a_longer_first_block():
    times = [*[0] * 25, *range(1, 36)]
    tested = in_time(times, time="blocks", folds=3, inner_folds=2).outer[0]

    assert np.bincount(tested).tolist() == [25, 15, 20]


def test_time_is_cut_the_same_way_whatever_the_labels_and_the_seed():
    folds = [
        split(
            labels, seed, {"times": np.arange(60), "order": "day"}, folds=3, repeats=4
        )
        for seed, labels in ((1, make_labels(30, 30)), (2, make_labels(50, 10)))
    ]

    assert np.array_equal(folds[0].outer, folds[1].outer)
    assert np.array_equal(folds[0].inner, folds[1].inner)
    assert len(folds[0].outer) == 1
    assert (folds[0].scheme, folds[0].unit) == ("forward", "time of day")


@pytest.mark.parametrize(
    ("times", "plan"),
    [
        ([0] * 30 + [1] * 30, {}),
        (range(60), {"gap": 10}),
        (range(60), {"time": "blocks", "gap": 30}),
        (range(12), {"folds": 5, "inner_folds": 5}),
    ],
)
def test_too_few_times_for_the_folds_are_refused(times, plan):
    with pytest.raises(DataRefused, match="'day' has too few different times"):
        in_time(times, **plan)
