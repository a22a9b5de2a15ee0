"""Rates: how often verdicts, alarms and intervals are right where the truth is known.

A repetition is one table taken to its verdict. Many repetitions give rates, each with what the protocol
promises and the range in which a rate of that many repetitions lies with a probability of 99 %.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.stats import binom, binomtest

from assay.calibrate.repetitions import Bounds, Repetition
from assay.calibrate.worlds import World
from assay.store.records import Record, Sentinel, Text, circumstance
from assay.study.plans import SPENDING
from assay.wording import Sentence, Value

_CONFIDENCE = 0.99
_SENTINEL_LEVELS: dict[Sentinel, float] = {
    "single_column": 0.01,
    "duplicates": 0.01,
    "row_order": 0.02,
    "undeclared_unit": 0.01,
    "confounder": 0.01,
    "self_test": 0.01,
}
ALPHA = 0.05
Promise = Literal["at most", "at least", "free"]


class Rate(Record):
    """How often something happened, and how often it should."""

    world: str
    what: Text
    hits: int
    n: int
    should: Promise
    nominal: float | None
    band: tuple[float, float] = Field(
        description="99 %: around the nominal rate, or (free) of the true rate, Clopper & Pearson 1934."
    )

    @property
    def rate(self) -> float:
        return self.hits / self.n

    @property
    def holds(self) -> bool:
        """Whether the rate is not beyond its band on the wrong side."""
        match self.should:
            case "at most":
                return self.rate <= self.band[1]
            case "at least":
                return self.rate >= self.band[0]
        return True

    @property
    def promise(self) -> Sentence:
        """What the rate should be; empty where nothing is promised."""
        if self.nominal is None:
            return Sentence.plain("")
        key = self.should.replace(" ", "_")
        return Sentence.of(f"calibrate.promise.{key}", nominal=self.nominal)


def rate(
    world: str,
    what: Sentence,
    outcomes: Sequence[bool],
    should: Promise = "free",
    nominal: float | None = None,
) -> Rate:
    """Count, and compute the range in which 99 of 100 such counts would lie.

    Examples
    --------
    >>> passes = Sentence.of("calibrate.rate.gate_passes")
    >>> counted = rate("w", passes, [True] * 30 + [False] * 470, "at most", 0.05)
    >>> counted.rate, counted.band, counted.holds
    (0.06, (0.026, 0.076), True)
    """
    hits, n = int(sum(outcomes)), len(outcomes)
    if nominal is None:
        ci = binomtest(hits, n).proportion_ci(_CONFIDENCE)
        band = (float(ci.low), float(ci.high))
    else:
        low, high = binom.interval(_CONFIDENCE, n, nominal)
        band = (float(low) / n, float(high) / n)
    return Rate(
        world=world,
        what=what,
        hits=hits,
        n=n,
        should=should,
        nominal=nominal,
        band=band,
    )


def _event(key: str, **values: Value) -> Sentence:
    return Sentence.of(f"calibrate.rate.{key}", **values)


def rates(world: World, done: Sequence[Repetition]) -> list[Rate]:
    """Return every rate of one world that its repetitions determine."""
    name = world.name
    counted = _gate_rates(world, done)
    if world.kind == "comparison":
        counted += _comparison_rates(name, done, curved=name == "curved")
    if world.planted is not None:
        fired = [world.planted in repetition.fired for repetition in done]
        counted.append(rate(name, _event("fires", sentinel=world.planted), fired))
    else:
        counted += _false_alarms(name, done)
    return [item for item in counted if item.n]


def _gate_rates(world: World, done: Sequence[Repetition]) -> list[Rate]:
    name = world.name
    tested = [repetition.passed for repetition in done if "a" in repetition.passed]
    if not tested or world.kind in ("leak", "comparison"):
        return []
    passed = [plans["a"] for plans in tested]
    if world.kind == "signal":
        return [rate(name, _event("gate_passes"), passed)]
    earned = [repetition.outcome == "dl_earns" for repetition in done]
    earns = rate(name, _event("earns"), earned, "at most", ALPHA)
    if world.kind == "null":
        return [rate(name, _event("gate_passes"), passed, "at most", ALPHA), earns]
    either = [any(plans.values()) for plans in tested]
    second = [plans.get("b", False) for plans in tested]
    level_a, level_b = ALPHA * SPENDING["a"], ALPHA * SPENDING["b"]
    return [
        rate(name, _event("either_passes"), either, "at most", ALPHA),
        rate(name, _event("a_passes"), passed, "at most", level_a),
        rate(name, _event("b_passes"), second, "at most", level_b),
        earns,
    ]


def _comparison_rates(
    name: str, done: Sequence[Repetition], *, curved: bool
) -> list[Rate]:
    compared = [repetition for repetition in done if repetition.leads]
    if not compared:
        return []
    outcomes = [repetition.outcome for repetition in compared]
    earned = [outcome == "dl_earns" for outcome in outcomes]
    not_worth = [outcome == "dl_not_worth" for outcome in outcomes]
    counted = [
        rate(name, _event("earns"), earned)
        if curved
        else rate(name, _event("earns"), earned, "at most", ALPHA),
        rate(name, _event("not_worth"), not_worth),
    ]
    for baseline in compared[0].leads:
        gains = [repetition.leads[baseline] for repetition in compared]
        counted += _coverage(name, _event("gain", baseline=baseline), gains)
    claims = [repetition.claim for repetition in compared if repetition.claim]
    return counted + _coverage(name, _event("net_score"), claims)


def _coverage(name: str, what: Sentence, bounds: Sequence[Bounds]) -> list[Rate]:
    """Count the intervals that contain the mean of all estimates, which stands for the truth.

    The mean over independent tables is the expected value of the procedure at this size; with 100
    tables, its own error is a tenth of one table's.
    """
    if len(bounds) < 2:
        return []
    truth = float(np.mean([bound.estimate for bound in bounds]))
    counted = []
    for level, intervals in (
        (0.90, [bound.of_90 for bound in bounds]),
        (0.95, [bound.of_95 for bound in bounds]),
    ):
        inside = [low <= truth <= high for low, high in filter(None, intervals)]
        if inside:
            holds = _event("coverage", level=level, what=what)
            counted.append(rate(name, holds, inside, "at least", level))
    return counted


def _false_alarms(name: str, done: Sequence[Repetition]) -> list[Rate]:
    counted = []
    for sentinel, level in _SENTINEL_LEVELS.items():
        fired = [
            sentinel in repetition.fired
            for repetition in done
            if sentinel in repetition.looked_for
        ]
        if fired:
            event = _event("fires", sentinel=sentinel)
            counted.append(rate(name, event, fired, "at most", level))
    return counted


class Calibration(Record):
    """Rates of one program, and what is needed to count them again."""

    command: str
    program: str
    lock: str
    seed: int
    repetitions: dict[str, int]
    cpu_s: float = circumstance("CPU seconds of all repetitions.")
    rates: tuple[Rate, ...]

    @property
    def n_promised(self) -> int:
        return sum(rate.should != "free" for rate in self.rates)

    def summary(self) -> str:
        outside, promised = len(self.outside()), self.n_promised
        key = "outside" if outside else "all_inside" if promised else "none_promised"
        counts: dict[str, Value] = {"n": promised} if promised else {}
        counts |= {"n_outside": outside} if outside else {}
        return str(Sentence.of(f"calibrate.summary.{key}", **counts))

    def outside(self) -> list[Rate]:
        """Return the rates that are outside their range."""
        return [rate for rate in self.rates if not rate.holds]
