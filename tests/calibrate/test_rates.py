"""Counting how often words are right: rates, their ranges, and what survives a crash."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from assay.calibrate.page import as_json, as_markdown
from assay.calibrate.rates import Calibration, rate, rates
from assay.calibrate.repetitions import Bounds, Repetition
from assay.calibrate.worlds import WORLDS
from assay.wording import LANGUAGES, Sentence, render, speak


def make_repetition(
    number: int = 0, world: str = "null-balanced", **changes
) -> Repetition:
    values = {
        "world": world,
        "number": number,
        "outcome": "no_signal",
        "plan": "a",
        "passed": {"a": False},
        "fired": (),
        "looked_for": ("single_column", "row_order"),
        "detectable": 0.66,
        "claim": None,
        "leads": {},
        "cpu_s": 0.5,
    } | changes
    return Repetition.model_validate(values)


def make_bounds(estimate: float, half: float) -> Bounds:
    return Bounds(
        estimate=estimate,
        of_90=(estimate - half, estimate + half),
        of_95=(estimate - 1.2 * half, estimate + 1.2 * half),
    )


# Rates -----------------------------------------------------------------------------------------------


def test_the_range_of_500_tables_at_a_level_of_5_percent():
    """By hand: Bin(500, .05) has mean 25 and sd 4.87; 2.576 sd either way is 12.4 to 37.6."""
    counted = rate("w", "x", [False] * 500, "at most", 0.05)

    assert counted.band == (0.026, 0.076)


@given(n=st.integers(20, 600), level=st.floats(0.01, 0.2))
def test_a_true_level_is_outside_its_range_in_at_most_1_of_200(n: int, level: float):
    """Each side of the range holds at most half a percent."""
    high = rate("w", "x", [False] * n, "at most", level).band[1]

    assert binom.sf(round(high * n), n, level) <= 0.005


def test_too_many_false_alarms_do_not_hold_and_too_few_do():
    assert not rate("w", "x", [True] * 40 + [False] * 460, "at most", 0.05).holds
    assert rate("w", "x", [False] * 500, "at most", 0.05).holds


def test_too_little_coverage_does_not_hold_and_too_much_does():
    assert not rate("w", "x", [True] * 80 + [False] * 20, "at least", 0.9).holds
    assert rate("w", "x", [True] * 100, "at least", 0.9).holds


def test_where_nothing_is_promised_the_range_is_that_of_the_true_rate():
    """Clopper & Pearson: no hit in 100 leaves 1 - .005 ** (1 / 100) possible."""
    counted = rate("w", "x", [False] * 100)

    assert counted.holds
    assert counted.band[0] == 0
    assert counted.band[1] == pytest.approx(1 - 0.005 ** (1 / 100))


def test_a_gate_counts_only_where_it_was_tested():
    done = [
        make_repetition(0, passed={"a": True}, outcome="inconclusive"),
        make_repetition(1),
        make_repetition(2, passed={}, outcome="suspect_leak", fired=("row_order",)),
    ]

    found = {str(rate.what): rate for rate in rates(WORLDS["null-balanced"], done)}

    assert (found["gate passes"].hits, found["gate passes"].n) == (1, 2)
    assert (found["row_order fires"].hits, found["row_order fires"].n) == (1, 3)
    assert found["row_order fires"].nominal == 0.02
    assert "duplicates fires" not in found  # nobody looked for them


def test_a_family_errs_if_either_plan_does():
    done = [
        make_repetition(0, "family", passed={"a": True}),
        make_repetition(1, "family", passed={"a": False, "b": True}, plan="b"),
        make_repetition(2, "family", passed={"a": False, "b": False}, plan="b"),
        make_repetition(3, "family", passed={"a": False, "b": False}, plan="b"),
    ]

    found = {str(rate.what): rate for rate in rates(WORLDS["family"], done)}

    assert found["plan A or plan B passes"].rate == 0.5
    assert found["plan A passes"].nominal == pytest.approx(0.035)
    assert found["plan A fails, plan B passes"].nominal == pytest.approx(0.015)


def test_an_interval_holds_if_the_mean_of_all_estimates_lies_in_it():
    """Estimates 0, 0, 0 and .4 have the mean .1; only the widths decide who holds it."""
    leads = [make_bounds(0.0, 0.2), make_bounds(0.0, 0.09), make_bounds(0.0, 0.05)]
    leads.append(make_bounds(0.4, 0.2))
    done = [
        make_repetition(
            n,
            "linear",
            outcome="inconclusive",
            passed={"a": True},
            leads={"logistic": one},
        )
        for n, one in enumerate(leads)
    ]

    found = {str(one.what): one for one in rates(WORLDS["linear"], done)}

    gain = "interval of the gain over logistic contains its mean"
    assert found[f"90% {gain}"].rate == 0.25
    assert found[f"95% {gain}"].rate == 0.5
    assert found["deep learning earns its cost"].nominal == 0.05


def test_a_planted_leak_is_counted_by_its_own_sentinel():
    done = [
        make_repetition(0, "leak-unit", fired=("undeclared_unit", "row_order")),
        make_repetition(1, "leak-unit", fired=("row_order",)),
    ]

    (found,) = rates(WORLDS["leak-unit"], done)

    assert (str(found.what), found.hits, found.n) == ("undeclared_unit fires", 1, 2)


# Telling ---------------------------------------------------------------------------------------------


def make_calibration(*found) -> Calibration:
    return Calibration(
        command="python flows/main.py calibrate",
        program="0" * 64,
        lock="1" * 64,
        seed=1,
        repetitions={"null-balanced": 500},
        cpu_s=12.0,
        rates=found,
    )


def test_the_page_says_whether_every_promise_holds():
    good = rate(
        "null-balanced", "gate passes", [True] * 20 + [False] * 480, "at most", 0.05
    )
    bad = rate(
        "null-balanced", "gate passes", [True] * 60 + [False] * 440, "at most", 0.05
    )

    assert "All 1 promised rates are within their range" in as_markdown(
        make_calibration(good)
    )
    page = as_markdown(make_calibration(bad))
    assert "1 of 1 promised rates are outside their range" in page
    assert "| 0.120 | 500 | at most 0.05 | 0.026 to 0.076 | **outside** |" in page
    assert str(WORLDS["null-balanced"].truth) in page


def test_where_nothing_is_promised_nothing_is_claimed():
    found = rate("leak-unit", "undeclared_unit fires", [True, True])

    assert "Nothing is promised about these rates." in as_markdown(
        make_calibration(found)
    )


def test_a_calibration_is_read_back_from_its_json():
    calibration = make_calibration(rate("null-balanced", "gate passes", [False, True]))

    assert Calibration.model_validate(json.loads(as_json(calibration))) == calibration


@pytest.fixture
def korean():
    speak("ko")
    yield
    speak("en")


def test_the_page_is_written_in_the_language_that_was_chosen(korean):
    passes = Sentence.of("calibrate.rate.gate_passes")
    counted = rate("null-balanced", passes, [False] * 500, "at most", 0.05)
    page = as_markdown(make_calibration(counted))

    assert page.startswith("# 보정")
    assert "| null-balanced | 게이트 통과 | 0.000 | 500 | 0.05 이하 |" in page


def test_every_world_says_what_is_true_in_both_languages():
    for world in WORLDS.values():
        assert all(render(world.truth, language) for language in LANGUAGES)
