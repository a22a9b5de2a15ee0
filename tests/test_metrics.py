import typing
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ConstantInputWarning, spearmanr
from sklearn import metrics as theirs

from assay.judge.intervals import clt_split
from assay.metrics import (
    EPSILON,
    auc,
    chance_score,
    detectable_auc,
    detectable_spearman,
    goodness,
    row_parts,
    score,
    spearman,
    statistic,
)
from assay.store.records import Metric
from assay.study.plans import LOSSES, METRICS_OF
from tests.model_factories import as_probabilities, predicted, steady

METRICS = typing.get_args(Metric)
OF_CLASSES = METRICS_OF["binary"]
OF_NUMBERS = METRICS_OF["regression"]

# The four rows of the docstring: positives .35 and .8, negatives .1 and .4.
LABELS = np.array([0, 0, 1, 1], dtype=np.int32)
FOUR = as_probabilities(np.array([0.1, 0.4, 0.35, 0.8]))
NUMBERS = np.array([1.0, 2.0, 4.0, 9.0])
NEAR = np.array([[1.0], [3.0], [4.0], [6.0]])  # errors 0, 1, 0, 3


@st.composite
def numbers(draw, least=3):
    """Labels and predictions of a number, with many ties."""
    n = draw(st.integers(least, 30))
    few = st.lists(st.integers(-4, 4), min_size=n, max_size=n)
    return np.array(draw(few), dtype=float), np.array(draw(few), dtype=float)[:, None]


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


def parts_of(metric, labels, predictions, folds=None, units=None):
    """Row parts; without folds one fold, without units rows."""
    rows = np.arange(len(labels))
    return row_parts(
        metric,
        labels,
        predictions,
        np.zeros(len(labels), dtype=np.int16) if folds is None else folds,
        rows if units is None else units,
    )


# Scores ----------------------------------------------------------------------------------------


@steady
@given(predicted())
def test_auc_of_two_classes_is_that_of_scikit_learn(case):
    labels, probabilities = case

    assert auc(labels, probabilities) == pytest.approx(
        theirs.roc_auc_score(labels, probabilities[:, 1]), abs=1e-12
    )


@steady
@given(predicted(n_classes=4))
def test_auc_of_more_classes_is_the_macro_one_vs_rest_of_scikit_learn(case):
    labels, probabilities = case
    other = theirs.roc_auc_score(
        labels, probabilities, multi_class="ovr", average="macro"
    )

    assert auc(labels, probabilities) == pytest.approx(other, abs=1e-12)


@steady
@given(st.integers(2, 4).flatmap(predicted))
def test_losses_of_classes_are_those_of_scikit_learn(case):
    labels, p = case
    brier = theirs.brier_score_loss(
        labels, p[:, 1] if p.shape[1] == 2 else p, labels=range(p.shape[1])
    )

    assert score("log_loss", labels, p) == pytest.approx(theirs.log_loss(labels, p))
    assert score("brier", labels, p) == pytest.approx(brier)
    assert score("accuracy", labels, p) == theirs.accuracy_score(labels, p.argmax(1))


@steady
@given(numbers())
def test_scores_of_numbers_are_those_of_scikit_learn(case):
    labels, p = case
    assume(np.ptp(labels) > 0)

    assert score("r2", labels, p) == pytest.approx(theirs.r2_score(labels, p))
    assert score("squared_error", labels, p) == theirs.mean_squared_error(labels, p)
    assert score("absolute_error", labels, p) == theirs.mean_absolute_error(labels, p)


@steady
@given(numbers())
def test_spearman_is_that_of_scipy(case):
    labels, p = case
    assume(np.ptp(labels) > 0)
    assume(np.ptp(p) > 0)

    assert spearman(labels, p) == pytest.approx(spearmanr(labels, p[:, 0]).statistic)


@pytest.mark.filterwarnings("error", category=ConstantInputWarning)
def test_spearman_of_a_constant_is_zero():
    """A model that says one thing for all ranks nothing, rightly or wrongly."""
    assert spearman(NUMBERS, np.ones((4, 1))) == 0
    assert spearman(np.ones(4), NEAR) == 0


def test_scores_worked_by_hand():
    """Row 2 has probability .35 for its class, row 4 .8; (0 + 1 + 0 + 9) / 4 against a variance of 9.5."""
    assert score("accuracy", LABELS, FOUR) == 0.75
    assert score("log_loss", LABELS, FOUR) == pytest.approx(
        -np.log(0.9 * 0.6 * 0.35 * 0.8) / 4
    )
    assert score("brier", LABELS, FOUR) == pytest.approx(
        (0.01 + 0.16 + 0.4225 + 0.04) / 4
    )
    assert score("r2", NUMBERS, NEAR) == pytest.approx(1 - 2.5 / 9.5)
    assert score("squared_error", NUMBERS, NEAR) == 2.5
    assert score("absolute_error", NUMBERS, NEAR) == 1.0


@steady
@given(predicted())
def test_auc_of_swapped_classes_is_the_same(case):
    """Calling the other class positive turns scores and labels round together."""
    labels, probabilities = case
    turned = auc(1 - labels, probabilities[:, ::-1])

    assert turned == pytest.approx(auc(labels, probabilities), abs=1e-12)


@steady
@given(predicted(n_classes=3), st.randoms(use_true_random=False))
def test_no_metric_looks_at_the_order_of_rows(case, random):
    labels, p = case
    order = random.sample(range(len(labels)), len(labels))
    value = np.log(p[:, :1])

    for metric in METRICS:
        y, told = (labels, p) if metric in OF_CLASSES else (labels * 1.5, value)
        assert score(metric, y[order], told[order]) == pytest.approx(
            score(metric, y, told), abs=1e-12
        )


@pytest.mark.parametrize("metric", METRICS)
def test_goodness_is_higher_for_the_better_predictions(metric):
    labels = LABELS if metric in OF_CLASSES else NUMBERS
    good = (
        as_probabilities(LABELS * 0.98 + 0.01) if labels is LABELS else NUMBERS[:, None]
    )
    poor = good[::-1]

    assert goodness(metric, labels, good) > goodness(metric, labels, poor)
    assert (score(metric, labels, good) > score(metric, labels, poor)) == (
        metric not in LOSSES
    )


def test_the_statistic_of_the_gate_is_auc_or_for_numbers_spearman():
    assert statistic(LABELS, FOUR, "binary") == 0.75
    assert statistic(NUMBERS, NEAR, "regression") == 1.0


def test_a_class_absent_from_the_rows_is_left_out_of_the_mean():
    """A test part without class 2 is scored on the classes it has."""
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]])
    labels = np.array([0, 1, 0], dtype=np.int32)

    assert auc(labels, probabilities) == 1.0


def test_rows_that_cannot_tell_have_no_score():
    """One class has no AUC, equal labels no variance to explain."""
    assert np.isnan(auc(np.zeros(3, dtype=np.int32), np.full((3, 2), 0.5)))
    assert np.isnan(score("r2", np.full(3, 0.1), np.ones((3, 1))))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("metric", METRICS)
def test_a_prediction_that_is_not_finite_is_refused(metric, bad):
    labels, predictions = (LABELS, FOUR) if metric in OF_CLASSES else (NUMBERS, NEAR)
    predictions = predictions.copy()
    predictions[2] = bad

    with pytest.raises(ValueError, match="not finite"):
        score(metric, labels, predictions)
    with pytest.raises(ValueError, match="not finite"):
        parts_of(metric, labels, predictions)
    with pytest.raises(ValueError, match="not finite"):
        spearman(labels, predictions)


def test_a_tie_for_the_most_probable_class_goes_to_the_first():
    even = np.full((2, 2), 0.5)

    assert score("accuracy", np.array([0, 1], dtype=np.int32), even) == 0.5


def test_a_class_called_impossible_costs_no_more_than_a_float32_network_can_say():
    sure = np.array([[1.0, 0.0]])

    assert score("log_loss", LABELS[2:3], sure) == pytest.approx(-np.log(EPSILON))


# Chance ----------------------------------------------------------------------------------------


def test_chance_worked_by_hand():
    """Shares .7, .2, .1; numbers 1, 2, 4, 9 with mean 4, median 3."""
    labels = np.array([0] * 7 + [1] * 2 + [2], dtype=np.int32)
    shares = np.array([0.7, 0.2, 0.1])

    assert chance_score("auc", labels) == 0.5
    assert chance_score("accuracy", labels) == 0.7
    assert chance_score("log_loss", labels) == pytest.approx(-shares @ np.log(shares))
    assert chance_score("brier", labels) == pytest.approx(1 - shares @ shares)
    assert chance_score("brier", LABELS) == 0.25
    assert chance_score("r2", NUMBERS) == 0
    assert chance_score("squared_error", NUMBERS) == 9.5
    assert chance_score("absolute_error", NUMBERS) == (2 + 1 + 1 + 6) / 4


@steady
@given(predicted(n_classes=3), st.integers(0, 39))
def test_no_constant_prediction_of_classes_beats_chance(case, row):
    labels, p = case
    constant = np.tile(p[row % len(p)], (len(labels), 1))

    for metric in OF_CLASSES:
        chance = chance_score(metric, labels) * (-1 if metric in LOSSES else 1)
        assert goodness(metric, labels, constant) <= chance + 1e-12


@steady
@given(numbers(), st.floats(-5, 5))
def test_no_constant_prediction_of_a_number_beats_chance(case, value):
    labels, p = case
    assume(np.ptp(labels) > 0)

    for metric in OF_NUMBERS:
        chance = chance_score(metric, labels) * (-1 if metric in LOSSES else 1)
        assert goodness(metric, labels, np.full_like(p, value)) <= chance + 1e-12


# What rows add ---------------------------------------------------------------------------------


@steady
@given(predicted(n_classes=3), st.integers(1, 3))
def test_parts_average_to_the_score_of_the_repeat(case, n_folds):
    """Over rows, but for AUC over the folds that have one."""
    labels, p = case
    folds, units = np.arange(len(labels)) % n_folds, np.arange(len(labels)) // 3
    areas = np.array([auc(labels[folds == f], p[folds == f]) for f in range(n_folds)])
    assume(np.isfinite(areas).any())

    for metric in ("accuracy", "log_loss", "brier"):
        assert parts_of(metric, labels, p, folds).mean() == pytest.approx(
            score(metric, labels, p)
        )
    assert parts_of("auc", labels, p, folds, units).mean() == pytest.approx(
        np.nanmean(areas)
    )


@steady
@given(numbers())
def test_parts_of_numbers_average_to_the_pooled_score(case):
    labels, p = case
    assume(np.ptp(labels) > 0)

    for metric in OF_NUMBERS:
        assert parts_of(metric, labels, p).mean() == pytest.approx(
            score(metric, labels, p), abs=1e-9
        )


def test_parts_of_four_rows_worked_by_hand():
    """V10 = (1/2, 1), V01 = (1, 1/2), AUC = 3/4; N = 4, k = 1, 2 on each side, each times sqrt(2/1)."""
    parts = parts_of("auc", LABELS, FOUR)

    assert parts == pytest.approx(0.75 + np.sqrt(2) * np.array([0.5, -0.5, -0.5, 0.5]))


def test_parts_of_units_worked_by_hand():
    """Positives of unit 7 and twice unit 8: shares 1/3, 2/3 of the side, so c is sqrt(1/2) times 3/2 and 3."""
    labels = np.array([0, 0, 1, 1, 1], dtype=np.int32)
    p = as_probabilities(np.array([0.1, 0.4, 0.2, 0.6, 0.3]))
    parts = parts_of("auc", labels, p, units=np.array([5, 6, 7, 8, 8]))
    v10, area = np.array([0.5, 1.0, 0.5]), 2 / 3
    v01 = np.array([1.0, 1 / 3])
    c10, c01 = np.sqrt(1 / 2) * np.array([1.5, 3.0, 3.0]), np.sqrt(1 / 2) * 2
    expected = np.concatenate([c01 * (v01 - area) / 2, c10 * (v10 - area) / 3]) * 5

    assert parts == pytest.approx(area + expected - expected.mean())


@steady
@given(predicted(), st.integers(0, 2**32 - 1))
def test_on_one_fold_the_variance_of_two_models_and_their_difference_is_delongs(
    case, seed
):
    """S10 / n1 + S01 / n0 of placements counted pair by pair (DeLong et al. 1988, eq. 3-5)."""
    labels, p = case
    labels = np.concatenate([labels, [0, 1]]).astype(np.int32)  # two of each side
    p = np.vstack([p, [[0.4, 0.6], [0.6, 0.4]]])
    other = as_probabilities(
        np.random.default_rng(seed).integers(1, 8, size=len(p)) / 8
    )
    placed = [placements(labels, of[:, 1]) for of in (p, other)]
    covariance = sum(
        np.cov([one[side] for one in placed]) / len(placed[0][side]) for side in (0, 1)
    )

    parts = np.array([parts_of("auc", labels, of) for of in (p, other)])
    deviations = (parts - parts.mean(axis=1, keepdims=True)) / len(labels)
    found = deviations @ deviations.T

    assert found == pytest.approx(covariance, abs=1e-12)
    assert deviations[0] @ deviations[0] == pytest.approx(covariance[0, 0], abs=1e-12)
    difference = deviations[0] - deviations[1]
    assert difference @ difference == pytest.approx(
        covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], abs=1e-12
    )


def test_delong_of_five_rows_worked_in_fractions():
    """Positives .9 .4 .3, negatives .1 .35: V10 = 1, 1, 1/2, V01 = 1, 2/3, so S10 = 1/12 and S01 = 1/18."""
    labels = np.array([1, 1, 1, 0, 0], dtype=np.int32)
    p = as_probabilities(np.array([0.9, 0.4, 0.3, 0.1, 0.35]))
    parts = parts_of("auc", labels, p)
    variance = Fraction(1, 12) / 3 + Fraction(1, 18) / 2

    assert parts.mean() == pytest.approx(5 / 6)
    assert ((parts - 5 / 6) ** 2).sum() / 25 == pytest.approx(float(variance))


@steady
@given(predicted(n_classes=3), st.integers(2, 4))
def test_parts_of_auc_are_delongs_placements_scaled_to_the_mean_over_folds(case, k):
    """PROTOCOL step 4, with the n / (n - 1) of DeLong's variance: sqrt(n1 / (n1 - 1)) (V10 - AUC) N / (k n1)."""
    labels, p = case
    labels, p = np.tile(labels, k), np.tile(p, (k, 1))
    n, folds = len(labels), np.repeat(np.arange(k), len(labels) // k)
    parts = parts_of("auc", labels, p, folds) - auc(labels[folds == 0], p[folds == 0])
    first = folds == 0
    expected = np.zeros(first.sum())
    for code in range(3):
        side = labels[first] == code
        for of, placed in zip(
            (side, ~side), placements(side.astype(int), p[first, code]), strict=True
        ):
            n_side = of.sum()
            scale = np.sqrt(n_side / max(1, n_side - 1)) * n / (k * n_side)
            expected[of] += (placed - placed.mean()) * scale / 3

    assert parts[first] == pytest.approx(expected, abs=1e-9)


def test_a_part_is_what_a_little_more_weight_on_its_row_does_to_the_mean_fold_auc():
    """The parts are N times the derivative of the score in a row's weight, so their mean square is its variance."""
    generator = np.random.default_rng(3)
    labels = (np.arange(31) % 3 == 0).astype(np.int32)
    scores = np.round(generator.normal(size=31) + labels, 1)
    fold = np.arange(31) % 2
    parts = parts_of("auc", labels, as_probabilities(1 / (1 + np.exp(-scores))), fold)

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
        side = np.count_nonzero((labels == labels[row]) & (fold == fold[row]))
        factor = np.sqrt(side / (side - 1))
        assert parts[row] - parts.mean() == pytest.approx(31 * factor * slope, abs=1e-6)


def test_parts_of_r2_are_what_a_little_more_weight_on_a_row_does_to_it():
    """Also to the variance it is measured against: without that R2 of .9 would look twice as sure as it is."""
    generator = np.random.default_rng(4)
    labels = generator.normal(size=15)
    predictions = (labels + 0.5 * generator.normal(size=15))[:, None]
    parts = parts_of("r2", labels, predictions)

    def weighted(w):
        mean = np.average(labels, weights=w)
        mse = np.average((labels - predictions[:, 0]) ** 2, weights=w)
        return 1 - mse / np.average((labels - mean) ** 2, weights=w)

    for row in range(15):
        nudge = 1e-6 * (np.arange(15) == row)
        slope = (weighted(1 + nudge) - weighted(1 - nudge)) / 2e-6
        assert parts[row] - parts.mean() == pytest.approx(15 * slope, abs=1e-6)


@pytest.mark.parametrize(("share", "without"), [(0.1, (0.99, 1.0)), (0.9, (0.7, 0.83))])
def test_intervals_from_the_parts_of_r2_hold_it_as_often_as_they_say(share, without):
    """90 % of them; squared errors over a fixed variance would hold nearly always, or far too seldom."""
    generator = np.random.default_rng(6)
    n, n_times = 300, 1000
    held = np.zeros(2)
    for _ in range(n_times):
        told = generator.normal(scale=np.sqrt(share), size=n)
        labels = told + generator.normal(scale=np.sqrt(1 - share), size=n)
        fixed = 1 - (labels - told) ** 2 / labels.var()
        for way, parts in enumerate((parts_of("r2", labels, told[:, None]), fixed)):
            found = clt_split(np.column_stack([parts, parts]), 0.05)
            held[way] += found.lower <= share <= found.upper

    assert 0.87 <= held[0] / n_times <= 0.93
    assert without[0] <= held[1] / n_times <= without[1]


def test_a_fold_of_one_class_has_no_say_in_the_auc():
    """Its rows add nothing, and the mean is over the other folds."""
    labels = np.concatenate([LABELS, [1, 1]]).astype(np.int32)
    p = np.vstack([FOUR, FOUR[:2]])
    parts = parts_of("auc", labels, p, np.array([0, 0, 0, 0, 1, 1]))

    assert parts.mean() == pytest.approx(0.75)
    assert parts[4:] == pytest.approx(0.75)
    assert parts[:4] - 0.75 == pytest.approx(
        (parts_of("auc", LABELS, FOUR) - 0.75) * 6 / 4
    )


def test_without_a_fold_of_two_classes_there_is_no_auc():
    with pytest.raises(ValueError, match="two classes"):
        parts_of("auc", LABELS, FOUR, np.array([0, 0, 1, 1]))


def test_parts_of_more_classes_are_the_mean_over_one_vs_rest_problems():
    generator = np.random.default_rng(5)
    labels = (np.arange(24) % 3).astype(np.int32)
    probabilities = generator.dirichlet(np.ones(3), size=24)
    folds = np.arange(24) // 12
    one_by_one = [
        parts_of(
            "auc",
            (labels == k).astype(np.int32),
            as_probabilities(probabilities[:, k]),
            folds,
        )
        for k in range(3)
    ]

    parts = parts_of("auc", labels, probabilities, folds)

    assert parts == pytest.approx(np.mean(one_by_one, axis=0))


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


@pytest.mark.parametrize(
    ("found", "none"),
    [
        (lambda n: detectable_auc(n, n, 0.05), 0.5),
        (lambda n: detectable_spearman(n, 0.05), 0),
    ],
)
def test_more_rows_find_smaller_effects_and_no_effect_is_beyond_one(found, none):
    effects = [found(n) for n in (3, 10, 100, 10_000)]

    assert effects == sorted(effects, reverse=True)
    assert effects[0] == 1.0
    assert effects[-1] > none


def test_out_of_fold_rank_correlations_of_noise_spread_about_as_wide_as_taken_for():
    """1.3 times 1 / sqrt(n - 1), because each fold's model has learned from the others' rows."""
    generator = np.random.default_rng(7)
    n, found, fold = 100, [], np.arange(100) % 5
    for _ in range(600):
        x, labels = generator.normal(size=(n, 5)), generator.normal(size=n)
        predicted = np.empty((n, 1))
        for f in range(5):
            known, told = x[fold != f], labels[fold != f]
            slopes = np.linalg.solve(known.T @ known + np.eye(5), known.T @ told)
            predicted[fold == f, 0] = x[fold == f] @ slopes
        found.append(spearman(labels, predicted))

    assert 1.2 <= np.std(found) * np.sqrt(n - 1) <= 1.45


def test_a_detectable_correlation_is_about_two_and_a_half_widened_errors():
    """(1.645 + .842) 1.3 / sqrt(99)"""
    assert detectable_spearman(100, alpha=0.05) == pytest.approx(0.3249, abs=1e-4)
