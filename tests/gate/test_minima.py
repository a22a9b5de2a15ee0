"""Too little data to test: what is missing, and how many rows would have enough."""

import numpy as np
import pytest

from assay.data.split import draw_folds
from assay.gate.minima import untested
from assay.study.plans import CleanPlan, GatePlan, Gating, SplitPlan
from tests.model_factories import line_table, noise_table, samples_of


def result_of(table, alpha=0.05, split=None, **known):
    samples = samples_of(table, **known)
    folds = draw_folds(samples, SplitPlan.model_validate(split or {}), 3)
    plan = Gating(
        gate=GatePlan(permutations=999),
        clean=CleanPlan(),
        smallest_effect=0.6,
        alpha=alpha,
    )
    return untested(samples, folds.outer[0], plan)


def test_enough_data_is_tested():
    assert result_of(line_table(60, seed=1)) is None


def test_a_series_too_short_to_be_shifted_often_enough_is_not_tested():
    """Of 60 rows there are 49 shifts; at alpha .015 the bet takes 114 to win."""
    times = np.arange(60, dtype=np.int32)
    result = result_of(line_table(60, seed=4), alpha=0.015, times=times, order="day")

    assert result.word == "underpowered"
    assert "49 time shifts instead of the 114 needed" in str(result.remark)


def test_blocks_of_time_with_one_class_each_are_not_tested():
    features, _ = line_table(100, seed=4)
    labels = (np.arange(100) >= 50).astype(np.int32)
    times, split = np.arange(100, dtype=np.int32), {"time": "blocks", "folds": 2}

    result = result_of((features, labels), split=split, times=times, order="day")

    assert result.word == "underpowered"
    assert "test sets with rows of two classes" in str(result.remark)


def test_few_units_are_not_tested_and_say_so():
    units = np.repeat(np.arange(18, dtype=np.int32), 5)
    features, _ = noise_table(90, seed=1)
    result = result_of((features, units % 2), units=units, unit="speaker")

    assert result.word == "underpowered"
    assert str(result.remark) == (
        "18 units (speaker) instead of at least 20, "
        "9 units (speaker) of the class 'class 0' instead of at least 10"
    )


@pytest.mark.parametrize(
    ("counts", "needed"),
    [((30, 29), 60), ((191, 9), 223), ((40, 7), 68), ((52, 8), 75)],
)
def test_too_few_rows_are_not_tested_at_all(counts, needed):
    """PROTOCOL section 1: 60 rows and 10 of the smallest class; both, at the same shares."""
    labels = np.repeat(np.array([0, 1], dtype=np.int32), counts)
    features, _ = noise_table(len(labels), 0)
    result = result_of((features, labels))

    assert result.word == "underpowered"
    assert result.p_value is None
    assert result.null_scores == ()
    assert result.needed_rows == needed
