import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from assay.audit.row_order import _worth, detect, line_of, order_tests
from assay.audit.sentinel import Case
from assay.data.samples import Samples
from assay.study.plans import AuditPlan
from tests.factories import make_labels, make_samples

SEED = 7


def seen(samples: Samples, plan: AuditPlan | None = None, seed: int = SEED):
    return detect(Case.of(samples, plan or AuditPlan(), seed))


def drawn(n: int, seed: int, **known) -> Samples:
    """Return rows that were drawn one by one."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n).astype(np.int32)
    return make_samples(labels, x=generator.normal(size=n), **known)


def compared(samples: Samples):
    line = line_of(samples, np.arange(samples.n_rows), SEED)
    return order_tests(line, 99, np.random.default_rng(SEED))


def test_rows_in_random_order_alarm_no_more_often_than_the_level_says():
    """Of 100 tables at most 6 alarm: .02 each, 99 % of the binomial."""
    alarms = sum(len(seen(drawn(60, seed), seed=seed).flags) for seed in range(100))

    assert alarms <= binom.ppf(0.99, 100, 0.02)


def test_a_file_sorted_by_its_target_alarms_and_says_so():
    generator = np.random.default_rng(0)
    labels = np.sort(make_labels(60, 60))
    (flag,) = seen(make_samples(labels, x=generator.normal(size=120))).flags

    assert "sorted by the target" in str(flag.evidence)
    assert "among rows of one label no order is seen" in str(flag.evidence)
    assert "folds are shuffled" in str(flag.answer)


def test_an_order_inside_the_classes_of_a_sorted_file_is_seen():
    labels = np.sort(make_labels(100, 100))
    x = np.repeat(np.random.default_rng(0).normal(size=40), 5)  # five rows of a speaker
    (flag,) = seen(make_samples(labels, x=x)).flags

    assert "sorted by the target" in str(flag.evidence)
    assert "one label neighbouring rows differ" in str(flag.evidence)


def test_the_evidence_says_what_the_order_is_worth():
    """Five rows of a speaker know each other's label; whole stretches of the file do not."""
    generator = np.random.default_rng(0)
    labels = np.repeat(generator.integers(0, 2, 60), 5).astype(np.int32)
    x = np.repeat(generator.normal(size=(60, 4)), 5, axis=0)
    columns = {f"x{k}": column for k, column in enumerate(x.T)}
    (flag,) = seen(make_samples(labels, **columns)).flags

    near, far = (
        float(str(flag.evidence).split(before)[1].split()[0].rstrip(","))
        for before in ("folds score AUC ", "stretches of the file ")
    )
    assert near > 0.85
    assert far < 0.7


def test_declared_units_that_stand_together_are_no_news():
    generator = np.random.default_rng(0)
    unit = np.arange(200) // 5
    labels = generator.integers(0, 2, 40)[unit].astype(np.int32)
    x = generator.normal(size=40)[unit]

    assert len(seen(make_samples(labels, x=x)).flags) == 1
    assert seen(make_samples(labels, x=x, units=unit)).flags == ()


def test_units_in_order_alarm_though_their_rows_are_declared():
    unit = np.arange(300) // 5
    x = np.linspace(0, 1, 60)[unit]
    labels = np.random.default_rng(0).integers(0, 2, 60)[unit].astype(np.int32)

    assert len(seen(make_samples(labels, x=x, units=unit)).flags) == 1


def test_a_declared_order_is_not_looked_for():
    report = seen(drawn(60, 0, times=np.arange(60), order="day"))

    assert report.looked_for == report.flags == ()
    assert "'day'" in str(report.not_looked_for["row_order"])


def test_a_column_that_runs_with_the_rows_is_named_and_suggested():
    """A dropped date does not alarm by itself, but it tells what the order is."""
    n = 200
    drift = np.random.default_rng(0).normal(size=n) + np.linspace(-1, 1, n)
    labels = make_labels(100, 100)
    days = pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d").to_numpy()

    assert seen(drawn(n, 1, aside={"day": days})).flags == ()
    (flag,) = seen(make_samples(labels, x=drift, aside={"day": days})).flags
    assert "'x' follows the row number" in str(flag.evidence)
    assert "'day' follows the row number too" in str(flag.evidence)
    assert "order = 'day'" in str(flag.answer)


def test_a_feature_that_is_a_date_counts_as_one():
    days = pd.date_range("2020-01-01", periods=40).strftime("%Y-%m-%d").to_numpy()
    samples = drawn(120, 2, day=np.repeat(days, 3))

    assert "'day' follows the row number" in str(seen(samples).flags[0].evidence)


def test_each_test_sees_its_own_kind_of_order():
    n = 200
    generator = np.random.default_rng(0)
    flat = generator.normal(size=n)
    pairs = np.repeat(generator.permutation(np.arange(n) % 2)[: n // 2], 2)
    half = (np.arange(n) >= n / 2).astype(np.int32)

    assert compared(make_samples(pairs.astype(np.int32), x=flat))["labels"].p <= 0.01
    assert compared(make_samples(half, x=flat))["tenths"].p <= 0.01
    labels = make_labels(100, 100)
    rising = compared(make_samples(labels, x=flat + np.linspace(0, 2, n)))
    assert rising["columns"].p <= 0.01
    twins = compared(make_samples(labels, x=np.repeat(flat[:100], 2)))
    assert twins["rows"].p <= 0.01
    assert twins["rows"].ratio < 0.8


def test_a_class_of_one_row_in_fifty_is_not_taken_for_sorted():
    labels = (np.arange(300) < 6).astype(np.int32)
    labels = np.random.default_rng(0).permutation(labels)
    x = np.linspace(0, 1, 300)
    (flag,) = seen(make_samples(labels, x=x)).flags

    assert "sorted by the target" not in str(flag.evidence)


def test_numbers_to_predict_are_looked_at_too():
    generator = np.random.default_rng(0)
    walk = np.cumsum(generator.normal(size=200))
    samples = make_samples(walk, x=generator.normal(size=200))

    assert "neighbouring labels differ" in str(seen(samples).flags[0].evidence)
    assert seen(make_samples(generator.permutation(walk), x=walk * 0.0)).flags == ()


def test_a_stricter_level_draws_enough_permutations_to_be_reached():
    labels = np.sort(make_labels(60, 60))
    samples = make_samples(labels, x=np.random.default_rng(0).normal(size=120))

    assert len(seen(samples, AuditPlan(row_order=0.005)).flags) == 1


@pytest.mark.parametrize("n", [10_000, 25_000])
def test_a_long_file_is_looked_at_in_stretches(n: int):
    line = line_of(drawn(n, 0), np.arange(n), SEED)

    assert len(line.tenth) == 10_000
    assert np.bincount(line.tenth).tolist() == [1000] * 10
    assert line.apart.sum() == (9 if n > 10_000 else 0)


def test_a_long_file_sorted_by_its_target_is_looked_at_inside_the_classes():
    labels = np.repeat(np.arange(6), 2000).astype(np.int32)
    samples = make_samples(labels, x=np.random.default_rng(0).normal(size=12_000))

    assert "one label no order is seen" in str(seen(samples).flags[0].evidence)


def test_too_few_rows_are_not_looked_at():
    assert "30 are needed" in str(seen(drawn(20, 0)).not_looked_for["row_order"])


def test_what_the_order_is_worth_is_told_with_units_whole_on_both_sides():
    """Sixty units that return each day for five days, each known by its columns, labels by unit.

    Stretches of rows would be days, in which every unit is known from the others.
    """
    generator = np.random.default_rng(5)
    units = np.tile(np.arange(60, dtype=np.int32), 5)
    labels = generator.permutation(np.repeat([0, 1], 30)).astype(np.int32)[units]
    places = generator.normal(size=(60, 12))[units]
    named = {f"x{k}": places[:, k] for k in range(12)}
    samples = make_samples(labels, units=units, unit="video", **named)
    near, far = _worth(Case.of(samples, AuditPlan(), SEED))

    assert abs(near - far) < 0.2
    assert max(near, far) < 0.7
