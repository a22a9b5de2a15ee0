"""Calibrate: count how often the pipeline's words are right where the truth is known.

A repetition is one table taken to its verdict. From many come rates, each beside what it should be
and the range in which a rate of that many repetitions lies with a probability of 99 %.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.stats import binom, binomtest

from assay.calibrate.repetitions import Bounds, Repetition
from assay.calibrate.worlds import WORLDS, World
from assay.store.records import Record, Sentinel, circumstance
from assay.study.plans import SPENDING

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


# Rates -----------------------------------------------------------------------------------------------


class Rate(Record):
    """How often something happened, and how often it should."""

    world: str
    what: str
    hits: int
    n: int
    should: Literal["at most", "at least", "free"]
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


def rate(
    world: str,
    what: str,
    found: Sequence[bool],
    should: Literal["at most", "at least", "free"] = "free",
    nominal: float | None = None,
) -> Rate:
    """Count, and say between which rates 99 of 100 such counts would lie.

    Examples
    --------
    >>> counted = rate("w", "gate passes", [True] * 30 + [False] * 470, "at most", 0.05)
    >>> counted.rate, counted.band, counted.holds
    (0.06, (0.026, 0.076), True)
    """
    hits, n = int(sum(found)), len(found)
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


def rates(world: World, done: Sequence[Repetition]) -> list[Rate]:
    """Return every rate of one world that its repetitions can say something of."""
    name = world.name
    found = [*_gate_rates(world, done)]
    if world.kind == "comparison":
        found += _comparison_rates(name, done, curved=name == "curved")
    if world.planted is not None:
        hits = [world.planted in one.fired for one in done]
        found.append(rate(name, f"{world.planted} fires", hits))
    else:
        found += _false_alarms(name, done)
    return [one for one in found if one.n]


def _gate_rates(world: World, done: Sequence[Repetition]) -> list[Rate]:
    name = world.name
    passed = [one.passed["a"] for one in done if "a" in one.passed]
    if not passed or world.kind in ("leak", "comparison"):
        return []
    if world.kind == "signal":
        return [rate(name, "gate passes", passed)]
    earned = [one.outcome == "dl_earns" for one in done]
    if world.kind == "null":
        return [
            rate(name, "gate passes", passed, "at most", ALPHA),
            rate(name, "deep learning earns", earned, "at most", ALPHA),
        ]
    tested = [one for one in done if "a" in one.passed]
    either = [any(one.passed.values()) for one in tested]
    second = [one.passed.get("b", False) for one in tested]
    return [
        rate(name, "plan A or plan B passes", either, "at most", ALPHA),
        rate(name, "plan A passes", passed, "at most", ALPHA * SPENDING["a"]),
        rate(
            name,
            "plan A fails, plan B passes",
            second,
            "at most",
            ALPHA * SPENDING["b"],
        ),
        rate(name, "deep learning earns", earned, "at most", ALPHA),
    ]


def _comparison_rates(
    name: str, done: Sequence[Repetition], *, curved: bool
) -> list[Rate]:
    compared = [one for one in done if one.leads]
    if not compared:
        return []
    words = [one.outcome for one in compared]
    earned = [word == "dl_earns" for word in words]
    found = [
        rate(name, "deep learning earns", earned)
        if curved
        else rate(name, "deep learning earns", earned, "at most", ALPHA),
        rate(name, "deep learning not worth", [w == "dl_not_worth" for w in words]),
    ]
    for baseline in compared[0].leads:
        leads = [one.leads[baseline] for one in compared]
        found += _coverage(name, f"the gain over {baseline}", leads)
    claims = [one.claim for one in compared if one.claim is not None]
    return found + _coverage(name, "the net's score", claims)


def _coverage(name: str, what: str, bounds: Sequence[Bounds]) -> list[Rate]:
    """Count the intervals that hold the mean of all estimates, which stands for the truth.

    The mean over independent tables is the expected value of the procedure at this size; its own
    error is a tenth of one table's with 100 of them.
    """
    if len(bounds) < 2:
        return []
    truth = float(np.mean([one.estimate for one in bounds]))
    found = []
    for level, ends in (
        (0.90, [one.of_90 for one in bounds]),
        (0.95, [one.of_95 for one in bounds]),
    ):
        inside = [low <= truth <= high for low, high in filter(None, ends)]
        if inside:
            said = f"{level:.0%} interval of {what} holds"
            found.append(rate(name, said, inside, "at least", level))
    return found


def _false_alarms(name: str, done: Sequence[Repetition]) -> list[Rate]:
    return [
        rate(
            name,
            f"{sentinel} fires",
            [sentinel in one.fired for one in done if sentinel in one.looked_for],
            "at most",
            level,
        )
        for sentinel, level in _SENTINEL_LEVELS.items()
        if any(sentinel in one.looked_for for one in done)
    ]


# Telling ---------------------------------------------------------------------------------------------


class Calibration(Record):
    """Rates of one program, and what is needed to count them again."""

    command: str
    program: str
    lock: str
    seed: int
    repetitions: dict[str, int]
    cpu_s: float = circumstance("CPU seconds of all repetitions.")
    rates: tuple[Rate, ...]

    def summary(self) -> str:
        promised = [one for one in self.rates if one.should != "free"]
        outside = len(self.outside())
        if not promised:
            return "Nothing is promised of these rates."
        if outside:
            return (
                f"{outside} of {len(promised)} promised rates are outside their range."
            )
        return f"All {len(promised)} promised rates are where they should be."

    def outside(self) -> list[Rate]:
        """Return the rates that are not where they should be."""
        return [one for one in self.rates if not one.holds]


_HEADINGS = {
    "null": "Nothing to find: how often is noise called a signal?",
    "family": "Plan A and plan B: does the second ticket cost anything?",
    "signal": "Something to find: how often is it found?",
    "comparison": "Networks against simple models: words and intervals (3 folds drawn 3 times, 3 trials)",
    "leak": "Leaks: how often are they seen?",
}


def as_markdown(calibration: Calibration, worlds: Mapping[str, World] = WORLDS) -> str:
    """Return the page a person reads."""
    lines = [
        "# Calibration",
        "",
        "How often the pipeline's words are right, by simulation: tables are drawn whose truth is known, and each",
        "is taken to its verdict by the functions that `check` runs. Written by",
        "",
        f"    {calibration.command}",
        "",
        f"with seed {calibration.seed}, {sum(calibration.repetitions.values()):,} tables, program "
        f"`{calibration.program[:12]}`, lock `{calibration.lock[:12]}`, {calibration.cpu_s:,.0f} CPU-seconds.",
        "",
        "*Should be* is what the protocol promises; *99 %* is the range in which a rate of so many tables lies with",
        "a probability of 99 % if the promise holds exactly. Where nothing is promised it is the range of the true rate",
        "(Clopper & Pearson).",
        "",
        *_summary(calibration),
    ]
    for kind, heading in _HEADINGS.items():
        named = [
            one
            for one in calibration.rates
            if one.world in worlds and worlds[one.world].kind == kind
        ]
        if named:
            lines += ["", f"## {heading}", "", *_worlds(named, worlds)]
            lines += ["", *_table(named)]
    return "\n".join(lines) + "\n"


def _summary(calibration: Calibration) -> list[str]:
    outside = [
        f"- {one.world}, {one.what}: {one.rate:.3f}, should be {one.should} {one.nominal:g}"
        for one in calibration.outside()
    ]
    if not outside:
        return [f"**{calibration.summary()}**"]
    promised = sum(one.should != "free" for one in calibration.rates)
    chance = f"By chance about {0.005 * promised:.1f} of so many rates would be."
    return [f"**{calibration.summary()}** {chance}", "", *outside]


def _worlds(named: Sequence[Rate], worlds: Mapping[str, World]) -> list[str]:
    names = dict.fromkeys(one.world for one in named)
    return [f"- `{name}`: {worlds[name].truth}" for name in names]


def _table(named: Sequence[Rate]) -> list[str]:
    lines = [
        "| world | what | rate | of | should be | 99 % | |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
    ]
    for one in named:
        should = "" if one.nominal is None else f"{one.should} {one.nominal:g}"
        lines.append(
            f"| {one.world} | {one.what} | {one.rate:.3f} | {one.n} | {should} | "
            f"{one.band[0]:.3f} to {one.band[1]:.3f} | {'' if one.holds else '**outside**'} |"
        )
    return lines


def as_json(calibration: Calibration) -> str:
    return json.dumps(calibration.model_dump(mode="json"), indent=2) + "\n"
