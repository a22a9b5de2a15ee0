"""The learner the sentinels share: closed forms agree with doing it the long way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score

from assay.audit.kernel_ridge import (
    FOLDS,
    MOST_ROWS,
    Learner,
    Ridge,
    dealt,
    dealt_rows,
    fold_strength,
    nth,
    pooled_strength,
    tail_of,
    targets_of,
)
from tests.factories import make_labels, make_samples

SEED = 7


def scored(n: int, n_groups: int, seed: int):
    """Return scores, binary targets and groups without meaning."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    labels[:2] = 0, 1
    scores = np.round(generator.normal(size=(n, 1)) + labels[:, None], 1)
    return scores, labels, generator.permutation(np.arange(n) % n_groups)


def auc(labels, scores) -> float:
    return roc_auc_score(labels, scores)


def test_leaving_a_fold_out_is_what_fitting_without_it_predicts():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(40, 3))
    targets = generator.normal(size=(40, 2))
    kernel = np.exp(-((points[:, None] - points[None]) ** 2).sum(axis=2))
    ridge = Ridge(np.linalg.inv(kernel + np.eye(40)))
    fold = dealt(np.ones(40, dtype=np.int64), generator)
    predicted = ridge.out_of_fold(targets, fold)

    for k in range(FOLDS):
        train, test = fold != k, fold == k
        long_way = KernelRidge(alpha=1.0, kernel="precomputed")
        long_way.fit(kernel[np.ix_(train, train)], targets[train])
        expected = long_way.predict(kernel[np.ix_(test, train)])
        assert predicted[test] == pytest.approx(expected)


def test_the_learner_learns_what_is_there_and_nothing_else():
    generator = np.random.default_rng(1)
    x = generator.normal(size=300)
    labels = (np.abs(x) > 0.7).astype(np.int32)  # no line tells these apart
    samples = make_samples(labels, x=x)
    learner = Learner(samples, SEED)
    fold = dealt_rows(samples, learner.rows, generator)
    one_group = np.zeros(300, dtype=np.int64)
    mixed = generator.permutation(labels)

    known, unknown = (
        fold_strength(
            learner.ridge(learner.rows).out_of_fold(targets, fold),
            targets,
            one_group,
            "binary",
        )
        for targets in (targets_of(labels, "binary"), targets_of(mixed, "binary"))
    )
    assert known > 0.99
    assert unknown == pytest.approx(0.5, abs=0.1)


def test_a_column_can_be_left_out_of_the_inputs():
    labels = make_labels(30, 30)
    samples = make_samples(labels, x=labels.astype(float), z=np.arange(60.0))
    without = make_samples(labels, z=np.arange(60.0))
    rows = np.arange(60)

    left_out = Learner(samples, SEED).ridge(rows, without="x").precision
    assert left_out == pytest.approx(Learner(without, SEED).ridge(rows).precision)


def test_of_many_rows_a_thousand_are_looked_at_classes_as_even_as_they_come():
    labels = make_labels(2900, 100)
    samples = make_samples(labels, x=np.arange(3000.0))
    rows = Learner(samples, SEED).rows

    assert len(np.unique(rows)) == MOST_ROWS
    assert np.bincount(labels[rows]).tolist() == [900, 100]


@given(st.integers(4, 60), st.integers(1, 6), st.integers(0, 999))
def test_strength_in_groups_is_the_mean_of_the_groups_aucs(n, n_groups, seed):
    scores, labels, groups = scored(n, n_groups, seed)
    parts = [
        auc(labels[groups == g], scores[groups == g])
        for g in np.unique(groups)
        if len(np.unique(labels[groups == g])) == 2
    ]
    found = fold_strength(scores, targets_of(labels, "binary"), groups, "binary")

    assert found == pytest.approx(np.mean(parts)) if parts else np.isnan(found)


@given(st.integers(4, 60), st.integers(1, 6), st.integers(0, 999))
def test_pooled_strength_counts_every_pair_of_a_group_once(n, n_groups, seed):
    scores, labels, groups = scored(n, n_groups, seed)
    same = groups[:, None] == groups[None, :]
    pairs = same & (labels[:, None] > labels[None, :])
    wins = np.sign(scores - scores.T) / 2 + 0.5
    found = pooled_strength(scores, targets_of(labels, "binary"), groups, "binary")

    assert found == pytest.approx(wins[pairs].mean() if pairs.any() else 0.5)


def test_of_many_classes_the_mean_of_one_against_the_rest_counts():
    labels = make_labels(20, 20, 20)
    scores = np.random.default_rng(0).normal(size=(60, 3)) + np.eye(3)[labels]
    groups = np.zeros(60, dtype=np.int64)
    expected = np.mean([auc(labels == k, scores[:, k]) for k in range(3)])

    for strength in (fold_strength, pooled_strength):
        found = strength(scores, targets_of(labels, "multiclass"), groups, "multiclass")
        assert found == pytest.approx(expected)


def test_of_numbers_the_correlation_inside_the_groups_counts():
    """Between the groups the scores rise with the target, inside them they fall."""
    groups = np.repeat([0, 1], 3)
    scores = np.array([3.0, 2.0, 1.0, 13.0, 12.0, 11.0])[:, None]
    targets = targets_of(np.array([1.0, 2.0, 3.0, 11.0, 12.0, 13.0]), "regression")
    everywhere = np.zeros(6, dtype=np.int64)

    assert pooled_strength(scores, targets, groups, "regression") == pytest.approx(-1)
    assert fold_strength(scores, targets, groups, "regression") == pytest.approx(-1)
    assert pooled_strength(scores, targets, everywhere, "regression") > 0.5


@given(st.lists(st.integers(1, 30), min_size=10, max_size=60), st.integers(0, 99))
def test_every_fold_gets_as_many_things_as_any_other(sizes, seed):
    fold = dealt(np.array(sizes), np.random.default_rng(seed))
    counts = np.bincount(fold, minlength=FOLDS)

    assert counts.sum() == len(sizes)
    assert np.ptp(counts) <= 1


def test_rows_are_dealt_as_they_belong_together():
    labels = make_labels(40, 20)
    rows, generator = np.arange(60), np.random.default_rng(0)
    plain = make_samples(labels, x=np.arange(60.0))
    of_units = make_samples(labels, x=np.arange(60.0), units=np.arange(60) // 3)
    in_time = make_samples(labels, x=np.arange(60.0), times=np.arange(60))

    for k in range(FOLDS):
        assert (labels[dealt_rows(plain, rows, generator) == k] == 1).sum() == 4
    unit_folds = dealt_rows(of_units, rows, generator).reshape(20, 3)
    assert (unit_folds == unit_folds[:, :1]).all()
    assert (np.diff(dealt_rows(in_time, rows, generator)) >= 0).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_the_nth_of_its_kind_is_counted_from_the_start(values):
    expected = [values[:place].count(value) for place, value in enumerate(values)]

    assert nth(np.array(values)).tolist() == expected


def test_a_tail_is_that_of_one_more_draw():
    """The observed value is a draw too: its distance has a t distribution, widened by the mean's error."""
    null = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    z = (5.0 - 2.0) / (null.std(ddof=1) * np.sqrt(1 + 1 / 5))

    assert tail_of(5.0, null) == pytest.approx(student.sf(z, 4))
    assert tail_of(2.0, null) == pytest.approx(0.5)


def test_where_all_draws_agree_only_what_is_above_them_is_unlikely():
    assert tail_of(1.0, np.ones(5)) == 1.0
    assert tail_of(1.1, np.ones(5)) == 0.0
