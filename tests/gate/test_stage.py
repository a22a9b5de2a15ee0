from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from assay.data.samples import Samples
from assay.data.split import draw_folds
from assay.errors import DataRefused
from assay.gate import statistic
from assay.gate.betting import permutation_p_value
from assay.gate.power import needed_rows
from assay.gate.stage import chance_gate
from assay.store.progress import Step, listening
from assay.study.plans import CleanPlan, GatePlan, Gating, SplitPlan
from assay.wording import Sentence
from tests.model_factories import (
    line_table,
    noise_table,
    number_table,
    samples_of,
    shuffled_folds,
    xor_table,
)

pytestmark = pytest.mark.slow


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
    first, again = (gate(line_table(80, seed=1), permutations=39) for _ in range(2))

    assert first.essence_digest() == again.essence_digest()


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
    first = gate((features, numbers), permutations=39)
    other = gate((features, 1e9 + 1e4 * numbers), permutations=39)

    assert first.score == pytest.approx(other.score, abs=1e-3)


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


def test_an_outlier_rule_that_leaves_nothing_is_refused_in_words():
    narrow = {"rule": "iqr", "factor": 1e-6, "columns_needed": 1}

    with pytest.raises(DataRefused, match=r"clean\.outliers leaves"):
        gate(noise_table(80, seed=1, n_columns=20), clean={"outliers": narrow})


def test_the_gate_says_how_far_it_is():
    heard = []
    with listening(heard.append):
        gate(line_table(60, seed=1), permutations=39, stop="never")

    assert heard
    assert heard[-1].done == 39
    assert all(
        event == Step(Sentence.of("gate.permutations"), event.done, 39)
        for event in heard
    )


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
