"""The bet against chance, and the p-value of a fixed number of permutations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad

from assay.gate.betting import (
    _wealth,
    betting_wealth,
    next_batch,
    permutation_p_value,
    stopping_point,
)
from tests.model_factories import steady

ALPHAS = [0.05, 0.035, 0.015]


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

    # SciPy's tail of the binomial distribution loses digits below 1e-270; a bet is lost at alpha.
    assert after == pytest.approx(betting_wealth(t, n, alpha), rel=1e-9, abs=1e-250)


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
    path = _wealth(np.arange(1, len(exceeds) + 1), np.cumsum(exceeds), alpha)
    left = 1 + np.flatnonzero((path >= 1 / alpha) | (path < alpha))
    until = path[:number]

    assert number == (left[0] if len(left) else None)
    assert p_value == pytest.approx(1 / max(1.0, *until))
    assert (p_value <= alpha) == (until >= 1 / alpha).any()


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
    weights, rejected, expected = np.ones(1), 0.0, 0.0  # by the number of exceedances
    for t in range(1, most + 1):
        expected += weights.sum()
        # Laplace's rule: t scores so far, the observed one among them
        p = (np.arange(len(weights)) + 1) / (t + 1)
        weights = np.append(weights * (1 - p), 0.0) + np.append(0.0, weights * p)
        wealth = _wealth(np.array(t), np.arange(len(weights)), alpha)
        rejected += weights[wealth >= 1 / alpha].sum()
        weights[(wealth >= 1 / alpha) | (wealth < alpha)] = 0.0
        weights = np.trim_zeros(weights, "b")
        if not len(weights):
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


@pytest.mark.parametrize(
    ("shift", "rate", "drawn"), [(2, 0.617, 95), (3, 0.897, 65), (4, 0.985, 39)]
)
def test_the_bet_finds_an_effect_as_often_and_as_soon_as_the_protocol_says(
    shift, rate, drawn
):
    """PROTOCOL T4: a normal statistic, shifted by so many standard deviations; at most 999."""
    generator = np.random.default_rng(shift)
    observed = shift + generator.normal(size=1500)
    found = [stopping_point(one, generator.normal(size=999), 0.05) for one in observed]

    error = 3 * np.sqrt(rate * (1 - rate) / 1500)
    assert np.mean([p <= 0.05 for _, p in found]) == pytest.approx(rate, abs=error)
    assert np.mean([n or 999 for n, _ in found]) == pytest.approx(drawn, rel=0.15)


# Batches -----------------------------------------------------------------------------------------


def test_as_many_are_drawn_as_could_decide():
    """At alpha .035 the bet wins after 48 without an exceedance: of 40 drawn, 8 more could do."""
    assert next_batch(1.0, np.zeros(40), 0.035) == 8
    assert next_batch(1.0, np.zeros(48), 0.035) == 0
    assert next_batch(0.5, np.full(40, 0.6), 0.035) == 0
