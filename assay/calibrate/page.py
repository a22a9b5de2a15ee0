"""The calibration page in Markdown, in the language that was chosen, and the rates as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from assay.calibrate.rates import Calibration, Rate
from assay.calibrate.worlds import WORLDS, Kind, World
from assay.wording import Sentence, Value

_COLUMNS = ("world", "what", "rate", "of", "promise", "range")


def as_markdown(calibration: Calibration, worlds: Mapping[str, World] = WORLDS) -> str:
    """Return the page: how it was made, a summary, and a table of rates for each kind of world."""
    lines = [
        *(f"# {_text('title')}", "", _text("what"), ""),
        *(f"    {calibration.command}", ""),
        _text(
            "facts",
            seed=calibration.seed,
            n_tables=sum(calibration.repetitions.values()),
            program=calibration.program[:12],
            lock=calibration.lock[:12],
            cpu_s=calibration.cpu_s,
        ),
        *("", _text("legend"), ""),
        *_summary(calibration),
    ]
    for kind in get_args(Kind):
        rates = [
            rate
            for rate in calibration.rates
            if rate.world in worlds and worlds[rate.world].kind == kind
        ]
        if rates:
            heading = Sentence.of(f"calibrate.page.heading.{kind}")
            lines += ["", f"## {heading}", "", *_truths(rates, worlds)]
            lines += ["", *_table(rates)]
    return "\n".join(lines) + "\n"


def _text(key: str, **values: Value) -> str:
    return str(Sentence.of(f"calibrate.page.{key}", **values))


def _summary(calibration: Calibration) -> Iterator[str]:
    outside = calibration.outside()
    if not outside:
        yield f"**{calibration.summary()}**"
        return
    chance = _text("chance", expected=0.005 * calibration.n_promised)
    yield f"**{calibration.summary()}** {chance}"
    yield ""
    for rate in outside:
        yield f"- {_text('outside', world=rate.world, what=rate.what, rate=rate.rate, promise=rate.promise)}"


def _truths(rates: Sequence[Rate], worlds: Mapping[str, World]) -> list[str]:
    names = dict.fromkeys(rate.world for rate in rates)
    return [f"- `{name}`: {worlds[name].truth}" for name in names]


def _table(rates: Sequence[Rate]) -> list[str]:
    columns = [Sentence.of(f"calibrate.page.column.{name}") for name in _COLUMNS]
    lines = [
        f"| {' | '.join(map(str, columns))} | |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
    ]
    for rate in rates:
        band = _text("range", low=rate.band[0], high=rate.band[1])
        mark = "" if rate.holds else f"**{_text('mark')}**"
        cells = (rate.world, rate.what, f"{rate.rate:.3f}", rate.n, rate.promise, band)
        lines.append(f"| {' | '.join(map(str, cells))} | {mark} |")
    return lines


def as_json(calibration: Calibration) -> str:
    return json.dumps(calibration.model_dump(mode="json"), indent=2) + "\n"
