import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, t

from assay.judge.intervals import Interval, clt_split, nadeau_bengio, needed_rows
from tests.model_factories import steady

contributions = arrays(
    np.float64,
    st.tuples(st.integers(2, 12), st.integers(2, 5)),
    elements=st.floats(-1, 1),
)


def interval(estimate=0.0, error=0.01, n_rows=500, z=1.6449):
    """An interval as clt_split gives it, with chosen figures."""
    return Interval(
        estimate,
        error,
        estimate - z * error,
        estimate + z * error,
        (estimate - 1.96 * error, estimate + 1.96 * error),
        n_rows,
        "by hand",
    )


# CLT-split -------------------------------------------------------------------------------------


def test_clt_split_worked_by_hand():
    """Rows average 1, 2, 6 (variance 7); repeats average 2 and 4 (variance 2): SE^2 = 7/3 + 2."""
    found = clt_split(np.array([[0.0, 2.0], [1.0, 3.0], [5.0, 7.0]]), alpha=0.05)

    assert found.estimate == 3.0
    assert found.error**2 == pytest.approx(7 / 3 + 2)
    assert found.lower == pytest.approx(3 - 1.6448536 * found.error)
    assert found.upper == pytest.approx(3 + 1.6448536 * found.error)
    assert found.interval_95[1] == pytest.approx(3 + 1.959964 * found.error)
    assert "2 repeats" in found.method


@steady
@given(contributions, st.floats(-2, 2), st.floats(0.1, 3))
def test_clt_split_moves_and_stretches_with_what_it_is_handed(d, shift, factor):
    before, after = clt_split(d, 0.05), clt_split(shift + factor * d, 0.05)

    assert after.estimate == pytest.approx(shift + factor * before.estimate, abs=1e-9)
    assert after.error == pytest.approx(factor * before.error, abs=1e-9)


@steady
@given(contributions)
def test_a_lead_and_its_reverse_have_mirrored_bounds(d):
    lead, back = clt_split(d, 0.05), clt_split(-d, 0.05)

    assert (back.lower, back.upper) == pytest.approx(
        (-lead.upper, -lead.lower), abs=1e-12
    )


@steady
@given(contributions)
def test_a_smaller_alpha_gives_wider_bounds(d):
    loose, strict = clt_split(d, 0.05), clt_split(d, 0.015)

    assert strict.lower <= loose.lower <= loose.upper <= strict.upper
    assert strict.interval_95 == loose.interval_95


@pytest.mark.parametrize("shape", [(1, 3), (5, 1)])
def test_clt_split_refuses_what_has_no_variance(shape):
    with pytest.raises(ValueError, match="two of each"):
        clt_split(np.zeros(shape), 0.05)


def test_clt_split_refuses_rows_that_are_all_of_one_unit():
    with pytest.raises(ValueError, match="1 units"):
        clt_split(np.zeros((5, 3)), 0.05, np.full(5, 3))


def test_clt_split_covers_the_truth_on_independent_rows():
    """95 % intervals cover, and one-sided 5 % bounds miss, about as often as they say."""
    generator = np.random.default_rng(11)
    n_times, rows, repeats = 1500, 80, 3
    covered = missed = 0
    for _ in range(n_times):
        own = generator.normal(size=(rows, 1))
        found = clt_split(own + generator.normal(scale=0.3, size=(rows, repeats)), 0.05)
        covered += found.interval_95[0] <= 0 <= found.interval_95[1]
        missed += found.lower > 0

    assert 0.93 <= covered / n_times <= 0.98
    assert 0.02 <= missed / n_times <= 0.065


def test_clt_split_stays_honest_where_each_draw_of_folds_moves_the_whole_mean():
    generator = np.random.default_rng(12)
    n_times, covered = 1000, 0
    for _ in range(n_times):
        draw = generator.normal(scale=0.2, size=(1, 3))
        found = clt_split(draw + generator.normal(size=(80, 3)), 0.05)
        covered += found.interval_95[0] <= 0 <= found.interval_95[1]

    assert covered / n_times >= 0.93


# Units -----------------------------------------------------------------------------------------


def test_units_of_unequal_size_worked_by_hand():
    """Means 1 2 6 3, in all 3: unit sums -3 (2 rows), 3, 0, moved -3/2, 1, 0: 2/3 (9/4 + 1) + 2.

    Sizes 2, 1, 1 weigh as much as 16/6 equal units, so there are 10/6 degrees of freedom.
    """
    d = np.array([[0.0, 2.0], [1.0, 3.0], [5.0, 7.0], [2.0, 4.0]])
    found = clt_split(d, alpha=0.05, units=np.array([4, 4, 9, 1]))

    assert found.estimate == 3.0
    assert found.error**2 == pytest.approx(2 / 3 * (9 / 4 + 1) + 2)
    assert found.freedom == pytest.approx(10 / 6)
    assert found.lower == pytest.approx(3 - t.ppf(0.95, 10 / 6) * found.error)


@st.composite
def in_units(draw, least=1, most=4):
    """Contributions of rows in two to six units, in a mixed order."""
    sizes = st.integers(least, most)
    counts = draw(st.lists(sizes, min_size=2, max_size=6))
    units = draw(st.permutations(np.repeat(np.arange(len(counts)), counts).tolist()))
    cells = arrays(np.float64, (len(units), 2), elements=st.floats(-1, 1))
    return draw(cells), np.array(units)


@steady
@given(contributions)
def test_units_of_one_row_have_the_error_of_rows(d):
    rows, units = clt_split(d, 0.05), clt_split(d, 0.05, np.arange(len(d)) * 3)

    assert units.error == pytest.approx(rows.error, abs=1e-12)
    assert units.freedom == pytest.approx(len(d) - 1)


@steady
@given(in_units())
def test_the_error_is_the_jackknife_of_the_mean_over_units(case):
    """The mean, worked out again without each unit (Efron & Stein 1981), about the mean of all."""
    d, units = case
    found = clt_split(d, 0.05, units)
    m = len(np.unique(units))
    without = np.array([d[units != u].mean() for u in np.unique(units)])
    between = d.mean(axis=0).var(ddof=1)

    assert found.error**2 == pytest.approx(
        (m - 1) / m * ((without - d.mean()) ** 2).sum() + between, abs=1e-12
    )


@steady
@given(st.integers(1, 4).flatmap(lambda size: in_units(size, size)))
def test_units_of_equal_size_have_the_cluster_robust_error(case):
    """Liang & Zeger 1986: m / (m - 1) sum_u s_u^2 / n^2, and Student's t with m - 1."""
    d, units = case
    found, m = clt_split(d, 0.05, units), len(np.unique(units))
    rows = d.mean(axis=1) - d.mean()
    sums = np.array([rows[units == u].sum() for u in np.unique(units)])
    between = d.mean(axis=0).var(ddof=1)

    assert found.error**2 == pytest.approx(
        m / (m - 1) * (sums**2).sum() / len(d) ** 2 + between, abs=1e-12
    )
    assert found.freedom == pytest.approx(m - 1)


@steady
@given(in_units(), st.integers(0, 100))
def test_names_of_units_and_the_order_of_rows_do_not_matter(case, shift):
    d, units = case
    renamed = clt_split(d[::-1], 0.05, 7 * units[::-1] + shift)

    assert renamed.error == pytest.approx(clt_split(d, 0.05, units).error, abs=1e-12)


def test_by_unit_the_truth_is_covered_where_by_row_it_is_not():
    """Thirty units of one to nine rows that share half of their spread."""
    generator = np.random.default_rng(13)
    n_times, by_row, by_unit = 1000, 0, 0
    for _ in range(n_times):
        units = np.repeat(np.arange(30), generator.integers(1, 10, size=30))
        own = generator.normal(size=30)[units] + generator.normal(size=len(units))
        d = np.column_stack([own, own])
        low, high = clt_split(d, 0.05).interval_95
        by_row += low <= 0 <= high
        low, high = clt_split(d, 0.05, units).interval_95
        by_unit += low <= 0 <= high

    assert by_row / n_times < 0.8
    assert 0.93 <= by_unit / n_times <= 0.975


# Nadeau-Bengio ---------------------------------------------------------------------------------


def test_nadeau_bengio_worked_by_hand():
    """Mean .2, variance .005 over 5 folds: SE^2 = (1/5 + 1/4) .005, t with 4 degrees of freedom."""
    values = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    found = nadeau_bengio(values, test_share=1 / 4, n_rows=100, alpha=0.05)

    assert found.estimate == pytest.approx(0.2)
    assert found.error**2 == pytest.approx(0.00225)
    assert found.lower == pytest.approx(0.2 - 2.131847 * math.sqrt(0.00225))
    assert found.interval_95[1] == pytest.approx(0.2 + 2.776445 * math.sqrt(0.00225))
    assert "one repeat" in found.method


@steady
@given(arrays(np.float64, st.integers(2, 12), elements=st.floats(-1, 1)))
def test_nadeau_bengio_is_wider_than_the_plain_t_interval_of_the_folds(values):
    k = len(values)
    found = nadeau_bengio(values, 1 / (k - 1), 100, 0.05)
    plain = t.ppf(0.95, k - 1) * values.std(ddof=1) / math.sqrt(k)

    assert found.upper - found.estimate >= plain - 1e-12
    assert found.upper - found.estimate == pytest.approx(
        plain * math.sqrt((2 * k - 1) / (k - 1))
    )


@steady
@given(
    arrays(np.float64, st.integers(2, 12), elements=st.floats(-1, 1)),
    st.floats(0.01, 2),
)
def test_nadeau_bengio_is_the_published_corrected_variance(values, share):
    """(1/J + n2/n1) S^2, S^2 with J - 1 (Nadeau & Bengio 2003), whatever the shares."""
    found = nadeau_bengio(values, share, 100, 0.05)
    j = len(values)
    squares = sum((value - values.mean()) ** 2 for value in values) / (j - 1)

    assert found.error**2 == pytest.approx((1 / j + share) * squares)
    assert found.freedom == j - 1


def test_one_fold_has_no_variance():
    with pytest.raises(ValueError, match="needs two"):
        nadeau_bengio(np.array([0.5]), 0.25, 100, 0.05)


# Support ---------------------------------------------------------------------------------------


@steady
@given(st.floats(-0.2, 0.2), st.floats(0, 0.1), st.floats(0.001, 0.1))
def test_degrees_of_support_add_to_one(estimate, error, margin):
    shares = interval(estimate, error).support(-margin, margin)

    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0


def test_support_for_better_is_the_tail_of_the_normal():
    better, within, worse = interval(0.03, 0.01).support(-0.02, 0.02)

    assert better == pytest.approx(norm.cdf(1.0))
    assert worse == pytest.approx(norm.cdf(-5.0))
    assert within == pytest.approx(norm.cdf(-1.0) - norm.cdf(-5.0))


def test_without_spread_all_support_is_in_one_place():
    assert interval(0.05, 0.0).support(-0.02, 0.02) == (1, 0, 0)
    assert interval(0.02, 0.0).support(-0.02, 0.02) == (0, 1, 0)
    assert interval(-0.05, 0.0).support(-0.02, 0.02) == (0, 0, 1)


@pytest.mark.parametrize("alpha", [0.05, 0.035, 0.015])
@pytest.mark.parametrize("r", [1, 3])
def test_a_bound_above_the_margin_and_support_beyond_one_minus_alpha_are_the_same_event(
    r, alpha
):
    """Benavoli et al. 2017: the corrected t test and its posterior reject together, also with one repeat."""
    values = np.array([0.05, 0.03, 0.06, 0.02, 0.04])
    d = np.random.default_rng(1).normal(0.04, 0.2, size=(60, r))
    found = nadeau_bengio(values, 0.25, 60, alpha) if r == 1 else clt_split(d, alpha)
    at_the_bound = found.support(-1, found.lower)[0]

    assert at_the_bound == pytest.approx(1 - alpha)


# Needed rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "exact", "rows"),
    [(0.02, 4600, 5000), (0.05, 740, 800), (0.01, 18_500, 20_000)],
)
def test_needed_rows_are_those_of_the_protocol_rounded_up_to_one_digit(
    gap, exact, rows
):
    """PROTOCOL step 5, V = .3: 4 600, 740 and 18 500."""
    margin, n = 0.02, 400
    far = interval(margin - gap, math.sqrt(0.3 / n), n)

    assert needed_rows(far, margin, alpha=0.05) == rows
    assert 0.3 * ((norm.ppf(0.95) + norm.ppf(0.8)) / gap) ** 2 == pytest.approx(
        exact, rel=0.01
    )


def test_a_lead_at_the_margin_counts_as_half_the_margin_away():
    on_it, near = interval(0.02, 0.02), interval(0.0245, 0.02)

    assert needed_rows(on_it, 0.02, 0.05) == needed_rows(near, 0.02, 0.05)
    assert needed_rows(interval(0.05, 0.02), 0.02, 0.05) < needed_rows(
        on_it, 0.02, 0.05
    )


def test_without_spread_there_is_nothing_to_extrapolate():
    assert needed_rows(interval(0.0, 0.0), 0.02, 0.05) is None


@steady
@given(st.floats(-0.1, 0.1), st.floats(1e-4, 0.1), st.integers(200, 100_000))
def test_an_open_comparison_never_asks_for_fewer_rows_than_it_has(estimate, error, n):
    """Where the lead lies at the margin itself, no number of rows is promised."""
    first = interval(estimate, error, n)
    assume(first.lower <= 0.02 <= first.upper)
    rows = needed_rows(first, 0.02, 0.05)

    assert rows is None or rows > n


@steady
@given(st.floats(-0.1, 0.1), st.floats(1e-3, 0.1))
def test_needed_rows_do_not_depend_on_how_many_were_looked_at(estimate, error):
    """V = n SE^2 is the variance of one row: four times the rows at half the error ask for the same."""
    first = interval(estimate, error, 500)
    assume(not first.lower <= 0.02 <= first.upper)
    four = dataclasses.replace(first, n_rows=2000, error=error / 2)

    assert needed_rows(four, 0.02, 0.05) == pytest.approx(
        needed_rows(first, 0.02, 0.05), rel=1e-6
    )
