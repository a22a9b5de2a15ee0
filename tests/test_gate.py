from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from assay.errors import DataRefused
from assay.gate import (
    betting_wealth,
    chance_gate,
    detectable,
    needed_rows,
    permutation_p_value,
    stopping_point,
)
from assay.plans import CleanPlan, GatePlan, Gating, SplitPlan
from assay.progress import Step, listening
from assay.samples import Samples
from assay.split import draw_folds
from tests.model_factories import (
    line_table,
    noise_table,
    number_table,
    samples_of,
    steady,
    xor_table,
)

pytestmark = pytest.mark.slow

ALPHAS = [0.05, 0.035, 0.015]


def gating(alpha=0.05, **changed):
    plan = GatePlan.model_validate(
        {"permutations": 99, "steps": 60, "hidden": 8, **changed}
    )
    return Gating(gate=plan, clean=CleanPlan(), smallest_effect=0.6, alpha=alpha)


def gate(table, alpha=0.05, seed=3, split=None, clean=None, known=None, **changed):
    """Return the gate's result on a table, or on samples, whose folds are drawn as a check draws them."""
    samples = table if isinstance(table, Samples) else samples_of(table, **known or {})
    folds = draw_folds(samples, SplitPlan.model_validate(split or {}), seed)
    plan = gating(alpha, **changed)
    if clean is not None:
        plan = plan.model_copy(update={"clean": CleanPlan.model_validate(clean)})
    if samples.task == "regression":
        plan = plan.model_copy(update={"smallest_effect": 0.2})
    return chance_gate(samples, folds.outer[0], folds.inner[0], plan, seed)


# The p-value -----------------------------------------------------------------------------------


def test_p_value_counts_ties_as_evidence_for_chance():
    """A null score equal to the observed one counts against the hypothesis."""
    assert permutation_p_value(0.5, np.array([0.5, 0.4, 0.3])) == 0.5


@steady
@given(
    st.floats(0, 1), arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))
)
def test_p_value_is_never_zero_and_ignores_order(observed, null_scores):
    p = permutation_p_value(observed, null_scores)

    assert 1 / (null_scores.size + 1) <= p <= 1
    assert p == permutation_p_value(observed, null_scores[::-1])


@steady
@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_p_value_falls_as_the_observed_score_rises(null_scores, one, other):
    low, high = sorted((one, other))

    assert permutation_p_value(high, null_scores) <= permutation_p_value(
        low, null_scores
    )


@pytest.mark.parametrize("n", [4, 19])
def test_p_value_of_exchangeable_scores_is_uniform(n):
    """Whichever of n + 1 different scores is the observed one, p takes each k / (n + 1) once."""
    scores = np.random.default_rng(0).normal(size=n + 1)
    found = [permutation_p_value(scores[i], np.delete(scores, i)) for i in range(n + 1)]

    assert sorted(found) == pytest.approx([k / (n + 1) for k in range(1, n + 2)])


@pytest.mark.parametrize("bad", [np.array([]), np.array([0.5, np.nan])])
def test_p_value_refuses_what_is_no_null_distribution(bad):
    with pytest.raises(ValueError, match="at least one score"):
        permutation_p_value(0.5, bad)


# The bet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(
    ("t", "at_least"), [(0, 0), (1, 0), (1, 1), (30, 0), (30, 2), (80, 5)]
)
def test_wealth_is_the_mixture_of_bets_integrated(t, at_least, alpha):
    """Likelihood of the exceedances under rates uniform on [0, c], against rates uniform on [0, 1]."""
    c = 0.7 * alpha

    def likelihood(p):
        return p**at_least * (1 - p) ** (t - at_least)

    bet = quad(likelihood, 0, c, epsabs=0, epsrel=1e-10)[0] / c
    peak = [at_least / t] if t else None
    chance = quad(likelihood, 0, 1, points=peak, epsabs=0, epsrel=1e-10)[0]

    assert betting_wealth(t, at_least, alpha) == pytest.approx(bet / chance, rel=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("t", [0, 1, 10, 60])
def test_expected_wealth_is_one_where_every_rank_is_equally_likely(t, alpha):
    """Under chance the number of exceedances after t permutations is uniform on 0 ... t."""
    expected = np.mean([betting_wealth(t, n, alpha) for n in range(t + 1)])

    assert expected == pytest.approx(1)


@pytest.mark.parametrize("alpha", ALPHAS)
@steady
@given(st.integers(0, 200), st.integers(0, 200))
def test_wealth_is_a_martingale_under_chance(alpha, t, n):
    """The next permutation exceeds with probability (n + 1) / (t + 2); what wealth is expected then is today's."""
    n = min(n, t)
    p = (n + 1) / (t + 2)
    after = p * betting_wealth(t + 1, n + 1, alpha) + (1 - p) * betting_wealth(
        t + 1, n, alpha
    )

    assert after == pytest.approx(betting_wealth(t, n, alpha), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("alpha", "first"), [(0.05, 33), (0.035, 48), (0.015, 114)])
def test_without_an_exceedance_the_test_first_rejects_after(alpha, first):
    """.3 > (1 - .7 alpha)^(t + 1): 48 permutations at the alpha of a plan A."""
    assert stopping_point(1.0, np.zeros(first - 1), alpha)[0] is None
    number, p_value = stopping_point(1.0, np.zeros(first + 20), alpha)

    assert number == first
    assert alpha * 0.9 < p_value <= alpha


def test_scores_that_chance_often_reaches_are_accepted_early():
    number, p_value = stopping_point(0.5, np.full(100, 0.6), 0.05)

    assert number < 10
    assert p_value == 1.0


@steady
@given(arrays(np.bool_, st.integers(1, 300)), st.sampled_from(ALPHAS))
def test_the_test_stops_where_the_wealth_first_leaves_its_bounds(exceeds, alpha):
    number, p_value = stopping_point(0.5, exceeds.astype(float), alpha)
    path = [
        betting_wealth(t, int(n), alpha)
        for t, n in enumerate(np.cumsum(exceeds), start=1)
    ]
    left = [t for t, w in enumerate(path, start=1) if w >= 1 / alpha or w < alpha]

    assert number == (left[0] if left else None)
    assert p_value == pytest.approx(1 / max(1.0, *path[: number or len(path)]))
    assert (p_value <= alpha) == any(
        w >= 1 / alpha for w in path[: number or len(path)]
    )


@steady
@given(arrays(np.bool_, st.integers(2, 200)), st.data())
def test_how_many_are_drawn_at_once_does_not_move_the_stop(exceeds, data):
    """The gate draws in batches; the answer must be the one of drawing singly."""
    scores = exceeds.astype(float)
    whole = stopping_point(0.5, scores, 0.05)
    for cut in range(1, len(scores)):
        part = stopping_point(0.5, scores[:cut], 0.05)
        if part[0] is not None:
            assert part == whole
            break


def chances_of_stopping(alpha, most):
    """Probability of rejecting and expected number of permutations, by summation over all paths."""
    alive, rejected, expected = {0: 1.0}, 0.0, 0.0
    for t in range(1, most + 1):
        expected += sum(alive.values())
        reached = dict.fromkeys(range(max(alive) + 2), 0.0)
        for n, weight in alive.items():
            p = (n + 1) / (
                t + 1
            )  # Laplace's rule: t scores so far, the observed one among them
            reached[n + 1] += weight * p
            reached[n] += weight * (1 - p)
        alive = {}
        for n, weight in reached.items():
            if weight == 0:
                continue
            wealth = betting_wealth(t, n, alpha)
            if wealth >= 1 / alpha:
                rejected += weight
            elif wealth >= alpha:
                alive[n] = weight
        if not alive:
            break
    return rejected, expected


@pytest.mark.parametrize("alpha", ALPHAS)
def test_chance_is_called_a_signal_at_most_as_often_as_alpha_says(alpha):
    """Exact, for ranks that are all equally likely and at most 499 permutations."""
    rejected, _ = chances_of_stopping(alpha, 499)

    assert 0.8 * alpha < rejected <= alpha


def test_the_protocols_table_of_the_bet_is_reproduced():
    """PROTOCOL T4, betting with c = .7 alpha: .046 rejected, 24 permutations on average."""
    rejected, expected = chances_of_stopping(0.05, 999)

    assert rejected == pytest.approx(0.046, abs=0.003)
    assert expected == pytest.approx(24, abs=2)


def test_simulated_chance_is_rejected_at_most_as_often_as_alpha_says():
    generator = np.random.default_rng(8)
    scores = generator.random((400, 300))
    rejected = [stopping_point(row[0], row[1:], 0.05)[1] <= 0.05 for row in scores]

    assert 0.02 <= np.mean(rejected) <= 0.07


# What can be found -----------------------------------------------------------------------------


def test_what_is_detectable_is_measured_from_the_mean_of_the_null_scores():
    """By hand: mean .52, standard deviation .02, z = 1.645 + .842 at alpha .05."""
    null = np.array([0.50, 0.52, 0.54])

    assert detectable(null, 0.05) == pytest.approx(0.52 + 2.4865 * 0.02, abs=1e-4)


def test_the_rows_needed_bring_what_is_detectable_down_to_the_smallest_effect():
    """By hand: .0697 above chance on 100 rows; it shrinks with the root, so .1 takes 48.6."""
    null = np.array([0.50, 0.52, 0.54])

    assert needed_rows(100, null, 0.5, gating()) == 49


@steady
@given(
    arrays(np.float64, st.integers(5, 40), elements=st.floats(0.3, 0.7)),
    st.integers(60, 5000),
)
def test_more_rows_are_needed_the_wider_chance_spreads(null, n):
    wider = null.mean() + 2 * (null - null.mean())

    assert needed_rows(n, wider, 0.5, gating()) >= needed_rows(n, null, 0.5, gating())


# The gate --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xor():
    return gate(xor_table(160, seed=0), alpha=0.035, steps=100, hidden=16)


def test_a_signal_no_line_sees_passes(xor):
    assert xor.passed
    assert xor.word == "signal"
    assert xor.p_value <= 0.035
    assert xor.needed_rows is None
    assert xor.scores["net"] > 0.7 > xor.scores["logistic"]


def test_the_statistic_is_the_largest_model_and_the_spread_is_that_of_the_null_scores(
    xor,
):
    z = norm.ppf(1 - 0.035) + norm.ppf(0.8)

    null = np.array(xor.null_scores)

    assert set(xor.scores) == {"logistic", "net"}
    assert xor.score == max(xor.scores.values())
    assert xor.statistic == "auc"
    assert xor.detectable == pytest.approx(null.mean() + z * null.std(ddof=1))
    assert xor.permutations <= len(xor.null_scores)


def test_a_strong_signal_stops_as_soon_as_the_bet_can(xor):
    assert xor.permutations == 48
    assert len(xor.null_scores) == 48


def test_the_same_gate_twice_is_the_same_gate():
    one, again = (gate(line_table(80, seed=1), permutations=39) for _ in range(2))

    assert one.essence_digest() == again.essence_digest()


def test_noise_mostly_does_not_pass_and_says_how_many_rows_are_needed():
    found = [gate(noise_table(70, seed), seed=seed) for seed in range(5)]

    assert sum(one.passed for one in found) <= 1
    for one in found:
        if not one.passed:
            null = np.array(one.null_scores)
            assert one.needed_rows == needed_rows(70, null, 0.5, gating())
            assert one.word == (
                "no_signal" if one.needed_rows <= 70 else "underpowered"
            )


def test_without_stopping_every_permutation_counts():
    found = gate(line_table(80, seed=1), permutations=39, stop="never")

    assert found.permutations == 39
    assert len(found.null_scores) == 39
    assert found.p_value == permutation_p_value(
        found.score, np.array(found.null_scores)
    )
    assert found.passed


def test_more_classes_than_two_are_tested_alike():
    found = gate(line_table(90, seed=2, n_classes=3), permutations=39, stop="never")

    assert found.passed
    assert 0.4 < np.mean(found.null_scores) < 0.6


def test_a_number_is_tested_by_the_rank_correlation_of_its_predictions():
    found = gate(number_table(120, seed=1), permutations=39, stop="never")
    features, numbers = number_table(120, seed=1)
    noise = gate((features, np.sort(numbers)), permutations=39)

    assert found.passed
    assert (found.statistic, found.chance_level) == ("spearman", 0.0)
    assert found.score > 0.4
    assert not noise.passed


def test_units_of_a_number_in_a_rare_unit_of_measurement_are_tested_alike():
    """No rank notices units of measurement, so no score may."""
    features, numbers = number_table(80, seed=2)
    one = gate((features, numbers), permutations=39)
    other = gate((features, 1e9 + 1e4 * numbers), permutations=39)

    assert one.score == pytest.approx(other.score, abs=1e-3)


def test_one_positive_in_fifty_is_tested_without_a_crash():
    features, _ = noise_table(550, seed=0)
    labels = np.zeros(550, dtype=np.int32)
    labels[::50] = 1
    features.iloc[labels == 1, 0] += 3.0

    assert gate((features, labels)).passed


def units_of(n_units: int, size: int) -> np.ndarray:
    return np.repeat(np.arange(n_units, dtype=np.int32), size)


def fingerprinted(n_units: int, seed: int) -> Samples:
    """Units of 5 rows that look alike and share a label that nothing tells of."""
    generator = np.random.default_rng(seed)
    units = units_of(n_units, 5)
    features, _ = noise_table(len(units), seed)
    features += 3 * generator.normal(size=(n_units, features.shape[1]))[units]
    labels = generator.permutation(np.arange(n_units) % 2)[units].astype(np.int32)
    return samples_of((features, labels), units=units, unit="speaker")


def test_a_unit_that_is_declared_is_no_signal_and_one_that_is_not_looks_like_one():
    declared = [gate(fingerprinted(30, seed), seed=seed) for seed in range(3)]
    hidden = replace(fingerprinted(30, 0), units=None, unit="row")

    assert sum(one.passed for one in declared) <= 1
    assert gate(hidden).passed


@pytest.mark.parametrize("scheme", ["forward", "blocks"])
def test_a_signal_in_time_passes_and_shifts_are_what_it_is_held_against(scheme):
    features, labels = line_table(150, seed=4)
    times = np.arange(150, dtype=np.int32)
    known = {"times": times, "order": "day"}

    found = gate((features, labels), known=known, split={"time": scheme})

    assert found.passed
    assert len(found.null_scores) <= 121  # shifts of 15 to 135 rows


def test_a_series_too_short_to_be_shifted_often_enough_is_not_tested():
    """Of 60 rows there are 49 shifts; at alpha .015 the bet takes 114 to win."""
    known = {"times": np.arange(60, dtype=np.int32), "order": "day"}
    found = gate(line_table(60, seed=4), alpha=0.015, known=known, permutations=999)

    assert found.word == "underpowered"
    assert "49 shifts in time, but 114 can reject chance at alpha 0.015" in found.remark


def test_blocks_of_time_with_one_class_each_are_not_tested():
    features, _ = line_table(100, seed=4)
    labels = (np.arange(100) >= 50).astype(np.int32)
    known = {"times": np.arange(100, dtype=np.int32), "order": "day"}

    found = gate((features, labels), known=known, split={"time": "blocks", "folds": 2})

    assert found.word == "underpowered"
    assert "test parts with rows of two classes" in found.remark


def test_few_units_are_not_tested_and_say_so():
    found = gate(fingerprinted(18, seed=1))

    assert found.word == "underpowered"
    assert found.remark == (
        "18 units (speaker), but 20 are needed; "
        "9 units (speaker) of the class 'class 0', but 10 are needed"
    )


def test_an_outlier_rule_that_leaves_nothing_is_refused_in_words():
    narrow = {"rule": "iqr", "factor": 1e-6, "columns_needed": 1}

    with pytest.raises(DataRefused, match=r"clean\.outliers leaves"):
        gate(noise_table(80, seed=1, n_columns=20), clean={"outliers": narrow})


@pytest.mark.parametrize(
    ("counts", "needed"),
    [((30, 29), 60), ((191, 9), 223), ((40, 7), 68), ((52, 8), 75)],
)
def test_too_few_rows_are_not_tested_at_all(counts, needed):
    """PROTOCOL section 1: 60 rows and 10 of the smallest class; both, at the same shares."""
    labels = np.repeat(np.array([0, 1], dtype=np.int32), counts)
    features, _ = noise_table(len(labels), 0)
    found = gate((features, labels))

    assert found.word == "underpowered"
    assert found.p_value is None
    assert found.null_scores == ()
    assert found.needed_rows == needed


def test_the_gate_says_how_far_it_is():
    heard = []
    with listening(heard.append):
        gate(line_table(60, seed=1), permutations=39, stop="never")

    assert heard
    assert heard[-1].done == 39
    assert all(event == Step("permutations", event.done, 39) for event in heard)
