import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from assay.metrics import (
    accuracy,
    auc,
    chance_score,
    detectable_auc,
    row_parts,
    score,
)
from tests.model_factories import as_probabilities, predicted, steady

# The four rows of the docstring: positives .35 and .8, negatives .1 and .4.
LABELS = np.array([0, 0, 1, 1], dtype=np.int32)
FOUR = as_probabilities(np.array([0.1, 0.4, 0.35, 0.8]))


def placements(labels, scores):
    """V10 and V01 by looking at every pair: the share of the other side that a row is right of."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    pairs = np.array(
        [[1.0 if x > y else 0.5 if x == y else 0.0 for y in negative] for x in positive]
    )
    return pairs.mean(axis=1), pairs.mean(axis=0)


def weighted_auc(positive, scores, weights):
    """AUC of rows that count ``weights`` times."""
    above, share = 0.0, 0.0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            pair = weights[i] * weights[j]
            share += pair
            above += pair * ((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
    return above / share


# AUC -------------------------------------------------------------------------------------------


@steady
@given(predicted())
def test_auc_of_two_classes_is_that_of_scikit_learn(case):
    labels, probabilities = case

    assert auc(labels, probabilities) == pytest.approx(
        roc_auc_score(labels, probabilities[:, 1]), abs=1e-12
    )


@steady
@given(predicted(n_classes=4))
def test_auc_of_more_classes_is_the_macro_one_vs_rest_of_scikit_learn(case):
    labels, probabilities = case
    theirs = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")

    assert auc(labels, probabilities) == pytest.approx(theirs, abs=1e-12)


@steady
@given(predicted())
def test_auc_of_swapped_classes_is_the_same(case):
    """Calling the other class positive turns scores and labels round together."""
    labels, probabilities = case
    turned = auc(1 - labels, probabilities[:, ::-1])

    assert turned == pytest.approx(auc(labels, probabilities), abs=1e-12)


@steady
@given(predicted(), st.randoms(use_true_random=False))
def test_auc_and_accuracy_ignore_the_order_of_rows(case, random):
    labels, probabilities = case
    order = random.sample(range(len(labels)), len(labels))

    for metric in ("auc", "accuracy"):
        assert score(metric, labels[order], probabilities[order]) == pytest.approx(
            score(metric, labels, probabilities), abs=1e-12
        )


def test_auc_of_equal_predictions_is_chance():
    assert auc(LABELS, np.full((4, 2), 0.5)) == 0.5


def test_a_class_absent_from_the_rows_is_left_out_of_the_mean():
    """A test part without class 2 is scored on the classes it has."""
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]])
    labels = np.array([0, 1, 0], dtype=np.int32)

    assert auc(labels, probabilities) == 1.0


def test_auc_of_one_class_is_refused():
    with pytest.raises(ValueError, match="two classes"):
        auc(np.zeros(3, dtype=np.int32), np.full((3, 2), 0.5))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_is_refused(bad):
    probabilities = FOUR.copy()
    probabilities[2] = bad

    with pytest.raises(ValueError, match="not finite"):
        auc(LABELS, probabilities)


def test_a_tie_for_the_most_probable_class_goes_to_the_first():
    even = np.full((2, 2), 0.5)

    assert accuracy(np.array([0, 1], dtype=np.int32), even) == 0.5


def test_chance_is_one_half_for_auc_and_the_commonest_class_for_accuracy():
    labels = np.array([0] * 7 + [1] * 2 + [2], dtype=np.int32)

    assert chance_score("auc", labels) == 0.5
    assert chance_score("accuracy", labels) == 0.7


# What rows contribute --------------------------------------------------------------------------


def test_parts_of_four_rows_worked_by_hand():
    """V10 = (1/2, 1), V01 = (1, 1/2), AUC = 3/4; with N = 4, k = 1 and 2 on each side: times 2."""
    parts = row_parts("auc", LABELS, FOUR, folds=1, n_rows=4)

    assert parts.tolist() == [0.5, -0.5, -0.5, 0.5]


@steady
@given(predicted())
def test_delong_variance_is_that_of_the_placements_counted_pair_by_pair(case):
    """var(AUC) = S10 / n1 + S01 / n0, from O(n1 n0) comparisons."""
    labels, probabilities = case
    labels = np.concatenate([labels, [0, 1]]).astype(np.int32)  # two of each side
    probabilities = np.vstack([probabilities, [[0.4, 0.6], [0.6, 0.4]]])
    v10, v01 = placements(labels, probabilities[:, 1])
    expected = v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)

    weights = row_parts("auc", labels, probabilities, 1, len(labels)) / len(labels)
    sides = (labels == 1, labels == 0)
    found = sum(
        (weights[side] ** 2).sum() * n / (n - 1) for side in sides if (n := side.sum())
    )

    assert found == pytest.approx(expected, abs=1e-12)


@steady
@given(predicted(), st.integers(2, 10), st.integers(1, 5))
def test_parts_are_centred_on_each_side_and_scaled_to_the_mean_over_folds(
    case, k, more
):
    """PROTOCOL step 4: (V10 - AUC) N / (k n1) and (V01 - AUC) N / (k n0)."""
    labels, probabilities = case
    n_rows = more * len(labels)
    parts = row_parts("auc", labels, probabilities, folds=k, n_rows=n_rows)
    v10, v01 = placements(labels, probabilities[:, 1])
    area = auc(labels, probabilities)

    assert parts[labels == 1] == pytest.approx((v10 - area) * n_rows / (k * len(v10)))
    assert parts[labels == 0] == pytest.approx((v01 - area) * n_rows / (k * len(v01)))
    assert parts[labels == 1].sum() == pytest.approx(0, abs=1e-9)
    assert parts[labels == 0].sum() == pytest.approx(0, abs=1e-9)


def test_a_part_is_what_a_little_more_weight_on_its_row_does_to_the_mean_fold_auc():
    """The parts are N times the derivative of the score in a row's weight, so their mean square is its variance."""
    generator = np.random.default_rng(3)
    labels = (np.arange(31) % 3 == 0).astype(np.int32)
    scores = np.round(generator.normal(size=31) + labels, 1)
    fold = np.arange(31) % 2
    probabilities = as_probabilities(1 / (1 + np.exp(-scores)))
    parts = np.empty(31)
    for f in (0, 1):
        of = fold == f
        parts[of] = row_parts("auc", labels[of], probabilities[of], folds=2, n_rows=31)

    def mean_auc(weights):
        return np.mean(
            [
                weighted_auc(
                    labels[fold == f] == 1, scores[fold == f], weights[fold == f]
                )
                for f in (0, 1)
            ]
        )

    step = 1e-6
    for row in range(31):
        nudge = step * (np.arange(31) == row)
        slope = (mean_auc(1 + nudge) - mean_auc(1 - nudge)) / (2 * step)
        assert parts[row] == pytest.approx(31 * slope, abs=1e-6)


def test_parts_of_more_classes_are_the_mean_over_one_vs_rest_problems():
    generator = np.random.default_rng(5)
    labels = (np.arange(24) % 3).astype(np.int32)
    probabilities = generator.dirichlet(np.ones(3), size=24)
    one_by_one = [
        row_parts(
            "auc",
            (labels == k).astype(np.int32),
            as_probabilities(probabilities[:, k]),
            5,
            120,
        )
        for k in range(3)
    ]

    parts = row_parts("auc", labels, probabilities, folds=5, n_rows=120)

    assert parts == pytest.approx(np.mean(one_by_one, axis=0))


@steady
@given(predicted(n_classes=3))
def test_parts_of_accuracy_are_one_where_the_row_is_right(case):
    labels, probabilities = case
    parts = row_parts("accuracy", labels, probabilities, folds=5, n_rows=100)

    assert set(parts.tolist()) <= {0.0, 1.0}
    assert parts.mean() == accuracy(labels, probabilities)


# What can be found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_positive", "n_negative", "area"),
    [
        (30, 30, 0.73),
        (50, 50, 0.68),
        (100, 100, 0.63),
        (500, 500, 0.56),
        (2500, 2500, 0.525),
        (10, 200, 0.79),
        (50, 1000, 0.63),
    ],
)
def test_detectable_auc_is_that_of_the_protocol(n_positive, n_negative, area):
    """PROTOCOL pitfall 10, to the digits it gives."""
    assert detectable_auc(n_positive, n_negative, alpha=0.05) == pytest.approx(
        area, abs=0.005
    )


def test_more_rows_find_smaller_effects_and_no_effect_is_beyond_one():
    found = [detectable_auc(n, n, alpha=0.05) for n in (3, 10, 100, 10_000)]

    assert found == sorted(found, reverse=True)
    assert found[0] == 1.0
    assert found[-1] > 0.5
