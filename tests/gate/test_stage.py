from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from assay.data.samples import Samples
from assay.data.split import draw_folds
from assay.errors import DataRefused
from assay.gate import statistic
from assay.gate.betting import stopping_point
from assay.gate.stage import (
    chance_gate,
    detectable,
    needed_rows,
    permutation_p_value,
)
from assay.store.progress import Step, listening
from assay.study.plans import CleanPlan, GatePlan, Gating, SplitPlan
from tests.model_factories import (
    line_table,
    noise_table,
    number_table,
    samples_of,
    shuffled_folds,
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


# The bet -----------------------------------------------------------------------------------------


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
    assert "49 time shifts instead of the 114 needed" in str(found.remark)


def test_blocks_of_time_with_one_class_each_are_not_tested():
    features, _ = line_table(100, seed=4)
    labels = (np.arange(100) >= 50).astype(np.int32)
    known = {"times": np.arange(100, dtype=np.int32), "order": "day"}

    found = gate((features, labels), known=known, split={"time": "blocks", "folds": 2})

    assert found.word == "underpowered"
    assert "test sets with rows of two classes" in str(found.remark)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_training_parts_without_a_class_are_no_crash(n_classes):
    """The first block of time holds one class, and shifts put such blocks anywhere."""
    features, labels = noise_table(120, seed=3)
    labels = np.where(np.arange(120) < 40, 0, labels)
    labels[100::4] = n_classes - 1
    known = {"times": np.arange(120, dtype=np.int32), "order": "day"}

    found = gate((features, labels.astype(np.int32)), known=known)

    assert np.isfinite(found.null_scores).all()
    assert not found.passed


def test_units_that_cannot_exchange_labels_are_told_of():
    """Sizes 1 to 21: in its fold none has a partner, so only turns inside them are left."""
    units = np.repeat(np.arange(21, dtype=np.int32), np.arange(1, 22))
    features, labels = noise_table(len(units), seed=3)
    found = gate((features, labels), known={"units": units, "unit": "brand"})

    assert "231 of 231 rows are in units (brand) without another" in str(found.remark)
    assert gate(noise_table(80, seed=3)).remark is None


def test_few_units_are_not_tested_and_say_so():
    found = gate(fingerprinted(18, seed=1))

    assert found.word == "underpowered"
    assert str(found.remark) == (
        "18 units (speaker) instead of at least 20, "
        "9 units (speaker) of the class 'class 0' instead of at least 10"
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


def test_a_very_large_training_part_is_learned_from_in_part(monkeypatch):
    """The same rows for every labelling; what is tested is every row all the same."""
    monkeypatch.setattr(statistic, "_MAX_ROWS", 90)
    samples = samples_of(line_table(300, 1))
    outer = shuffled_folds(samples.labels, 3, 1)
    inner = np.stack([np.where(outer == k, -1, 0) for k in range(3)]).astype(np.int16)
    gating = Gating(gate=GatePlan(), clean=CleanPlan(), smallest_effect=0.6, alpha=0.05)
    held = statistic.GateStatistic(samples, outer, inner, gating, seed=7)
    again = statistic.GateStatistic(samples, outer, inner, gating, seed=7)

    for number, (fold, same) in enumerate(zip(held.folds, again.folds, strict=True)):
        assert len(fold.train) == len(fold.rows) == 90
        assert np.array_equal(fold.train, same.train)
        assert np.array_equal(fold.test, np.flatnonzero(outer == number))
    assert held.scores([samples.labels]).max() > 0.8
