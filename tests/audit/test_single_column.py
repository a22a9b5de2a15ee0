import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr
from sklearn.metrics import roc_auc_score

from assay.audit.sentinel import Case
from assay.audit.single_column import (
    column_aucs,
    correlation_p_value,
    detect,
    honest_correlation,
    leak_p_value,
    rank_correlation,
)
from assay.study.plans import AuditPlan
from tests.factories import make_labels, make_samples

SEED = 7


def of_auc(area: float, labels, seed: int = 0):
    """Return a normal column whose true AUC for class 1 is ``area``."""
    noise = np.random.default_rng(seed).normal(size=len(labels))
    return noise + np.sqrt(2) * norm.ppf(area) * (labels == 1)


def of_correlation(rho: float, labels, seed: int = 0):
    """Return a normal column that goes with normal labels as strongly as ``rho``."""
    noise = np.random.default_rng(seed).normal(size=len(labels))
    return rho * labels + np.sqrt(1 - rho**2) * noise


def named(labels, **columns) -> list[str]:
    """Return the columns that alarm."""
    flags = detect(Case.of(make_samples(labels, **columns), AuditPlan(), SEED)).flags
    return [column for flag in flags for column in flag.columns]


@pytest.mark.parametrize("counts", [(50, 50), (300, 300), (500, 40), (1000, 20)])
def test_an_exact_copy_of_the_target_alarms_either_way_round_and_as_text(counts):
    labels = make_labels(*counts)
    found = named(
        labels,
        copy=labels.astype(float),
        mirrored=-2.0 * labels,
        spelled=np.where(labels == 1, "y", "n"),
        honest=of_auc(0.8, labels),
    )

    assert found == ["copy", "mirrored", "spelled"]


def test_a_copy_of_one_class_of_many_alarms():
    labels = make_labels(60, 60, 60)

    assert named(labels, third=(labels == 2).astype(float)) == ["third"]


def test_honest_columns_do_not_alarm():
    """Twenty columns of true AUC .90 at each of three shapes, one of them 1:50, and not one alarm."""
    for counts in ((100, 100), (400, 200), (1000, 20)):
        labels = make_labels(*counts)
        columns = {f"x{n}": of_auc(0.9, labels, seed=n) for n in range(20)}

        assert named(labels, **columns) == []


@pytest.mark.parametrize("counts", [(50, 50), (1000, 20)])
def test_an_honest_column_of_the_bound_alarms_once_in_a_hundred_tables_at_most(counts):
    """Drawn 300 times beside 19 others; the bound for .01 at that many is 8 (binomial, 99 %)."""
    labels = make_labels(*counts)
    p = [
        leak_p_value(
            column_aucs(pd.Series(of_auc(0.95, labels, seed)), labels, SEED)[0][0],
            counts[1],
            sum(counts),
            0.95,
            SEED,
        )
        for seed in range(300)
    ]

    assert sum(20 * one <= 0.01 for one in p) <= 8


def test_columns_of_unique_texts_do_not_alarm():
    """Rates are counted on other folds' rows; on the row itself every name would be a leak."""
    labels = make_labels(100, 100)
    names = [f"name {n}" for n in range(200)]

    assert named(labels, name=names, x=of_auc(0.6, labels)) == []


def test_a_column_that_leaks_by_being_empty_is_seen():
    """Models are shown whether a cell was missing, so the sentinel must look at that too."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100).astype(np.int32)
    refund = np.where(labels == 1, generator.normal(size=200), np.nan)

    assert named(labels, refund=refund, x=generator.normal(size=200)) == ["refund"]


def test_evidence_and_answer_name_the_column_and_its_strength():
    labels = make_labels(100, 100)
    samples = make_samples(labels, copy=labels.astype(float))
    (flag,) = detect(Case.of(samples, AuditPlan(), SEED)).flags

    assert "AUC 1.0000" in str(flag.evidence)
    assert "columns = ['copy']" in str(flag.answer)
    assert "clean.drop" in str(flag.answer)


@given(st.integers(10, 60), st.integers(10, 60), st.data())
def test_the_leak_p_value_falls_as_the_auc_rises(n1, n0, data):
    low, high = sorted(data.draw(st.tuples(st.floats(0.5, 1), st.floats(0.5, 1))))
    p_low, p_high = (
        leak_p_value(area, n1, n1 + n0, 0.95, SEED) for area in (low, high)
    )

    assert 0 <= p_high <= p_low <= 1


def test_beyond_what_is_simulated_the_spread_shrinks_with_the_rows():
    """Ten times the rows make the same excess sqrt(10) times as many standard errors."""
    z = [norm.isf(leak_p_value(0.955, n, 2 * n, 0.95, SEED)) for n in (10_000, 100_000)]

    assert z[1] / z[0] == pytest.approx(np.sqrt(10), rel=0.2)


@given(st.integers(0, 999))
def test_a_columns_auc_ignores_direction_scale_and_order(seed):
    labels = make_labels(20, 30)
    column = pd.Series(of_auc(0.7, labels, seed))
    ((area, n_positive),) = column_aucs(column, labels, SEED)
    order = np.random.default_rng(seed).permutation(50)
    ((mixed, _),) = column_aucs(column[order], labels[order], SEED)

    assert n_positive == 30
    assert mixed == pytest.approx(area)
    assert column_aucs(-3 * column + 1, labels, SEED)[0][0] == pytest.approx(area)
    expected = roc_auc_score(labels, column)
    assert area == pytest.approx(max(expected, 1 - expected))


def test_ties_count_half():
    labels = np.array([0, 0, 1, 1], dtype=np.int32)

    assert column_aucs(pd.Series([1.0, 2.0, 2.0, 3.0]), labels, SEED)[0][0] == 0.875
    assert column_aucs(pd.Series([5.0, 5.0, 5.0, 5.0]), labels, SEED)[0][0] == 0.5


# Numbers to predict --------------------------------------------------------------------------


def test_a_number_in_other_units_alarms_either_way_round_and_rounded():
    labels = np.random.default_rng(0).normal(size=200)
    found = named(
        labels,
        fahrenheit=32 + 1.8 * labels,
        debt=-np.exp(labels),
        rounded=np.round(labels, 1),
        honest=of_correlation(0.9, labels, seed=1),
    )

    assert found == ["fahrenheit", "debt", "rounded"]


def test_honest_columns_of_a_number_do_not_alarm():
    """Twenty columns of the strength that counts as honest, at two sizes, and not one alarm."""
    for n in (100, 500):
        labels = np.random.default_rng(n).normal(size=n)
        columns = {f"x{k}": of_correlation(0.97, labels, seed=k) for k in range(20)}

        assert named(labels, **columns) == []


def test_an_honest_correlation_puts_two_rows_in_order_as_often_as_the_auc_says():
    generator = np.random.default_rng(0)
    x = generator.normal(size=400_000)
    y = of_correlation(honest_correlation(0.8), x, 1)

    right = np.mean((x[::2] > x[1::2]) == (y[::2] > y[1::2]))
    assert right == pytest.approx(0.8, abs=0.004)


def test_rank_correlation_is_spearmans():
    generator = np.random.default_rng(3)
    labels = generator.normal(size=80)
    x = pd.Series(np.round(of_correlation(-0.6, labels), 1))

    expected = abs(spearmanr(x, labels).statistic)
    assert rank_correlation(x, labels, SEED) == pytest.approx(expected)


@given(st.integers(10, 200), st.floats(0, 1), st.floats(0, 1))
def test_the_correlation_p_value_falls_as_the_correlation_rises(n, one, other):
    low, high = sorted((one, other))
    p_low, p_high = (correlation_p_value(rho, n, 0.95, SEED) for rho in (low, high))

    assert 0 <= p_high <= p_low <= 1


def test_levels_that_stay_inside_a_unit_say_nothing_of_other_units():
    """A title that a video keeps for days tells its own label, and no other video's."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(60, dtype=np.int32), 5)
    labels = rng.integers(0, 2, 60).astype(np.int32)[units]
    titles = pd.Series([f"title {unit}" for unit in units])

    ((by_row, _),) = column_aucs(titles, labels, SEED)
    ((by_unit, _),) = column_aucs(titles, labels, SEED, units)
    assert by_row > 0.95
    assert by_unit < 0.7
