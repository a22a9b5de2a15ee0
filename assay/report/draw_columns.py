"""Pictures of what a model looks at: columns shuffled, columns set, and rows learned from."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from assay.judge.contributions import DEEP
from assay.judge.sentences import METRICS, figure
from assay.report.canvas import (
    BLUE,
    INK,
    LINE,
    NARROW,
    PAGE,
    SOFT,
    Canvas,
    Picture,
    short,
)
from assay.report.draw_comparison import colours, name_lines
from assay.report.say import Say
from assay.store.behaviour import AtRows, Dependence, Importance
from assay.store.records import Metric

# As :mod:`assay.models.importance` names a block of an image.
_BLOCK = re.compile(r"pixels of rows (\d+)-(\d+), columns (\d+)-(\d+)")


def importances(
    columns: Sequence[Importance], metric: Metric, say: Say, most: int = 12
) -> Picture | None:
    """Return what the score loses where a column is shuffled, the largest first."""
    columns = [
        importance for importance in columns if not _BLOCK.fullmatch(importance.column)
    ]
    shown = sorted(columns, key=lambda importance: -importance.drop)[:most]
    if not shown:
        return None
    canvas = Canvas("importances", 52 + 19 * len(shown))
    axes = canvas.axes
    axes.axvline(0, color=SOFT, lw=0.9)
    for place, importance in enumerate(shown):
        y = -place
        axes.barh(y, importance.drop, 0.62, color=BLUE, alpha=0.75)
        axes.plot([importance.low, importance.high], [y, y], color=SOFT, lw=1.2)
    axes.set_yticks(
        [-place for place in range(len(shown))],
        [short(importance.column, 18) for importance in shown],
    )
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    name = say.plain(METRICS[metric])
    axes.set_xlabel(f"{say.plain('behaviour.drop')}: {name}")
    canvas.margins(left=122, right=14, bottom=38)
    return _losses(
        canvas, shown, columns, metric, say, ("behaviour.importance_caption", "column")
    )


def _lost(columns: Sequence[Importance], metric: Metric) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            importance.column,
            *(
                figure(metric, v)
                for v in (importance.drop, importance.low, importance.high)
            ),
        )
        for importance in sorted(columns, key=lambda importance: -importance.drop)[:40]
    )


def blocks(columns: Sequence[Importance], metric: Metric, say: Say) -> Picture | None:
    """Return what the score loses where a block of an image's pixels is shuffled, each in its place."""
    places = [_BLOCK.fullmatch(importance.column) for importance in columns]
    placed = [
        (importance, tuple(map(int, place.groups())))
        for importance, place in zip(columns, places, strict=True)
        if place
    ]
    if not placed:
        return None
    canvas = Canvas("blocks", 250)
    axes, most = canvas.axes, max(importance.drop for importance, _ in placed)
    for importance, (top, bottom, left, right) in placed:
        share = max(0.0, importance.drop / most) if most > 0 else 0.0
        corner, width, height = (left - 1, top - 1), right - left + 1, bottom - top + 1
        shade = (BLUE, 0.06 + 0.64 * share)
        axes.add_patch(Rectangle(corner, width, height, fc=shade, ec=PAGE, lw=1.5))
        middle = corner[0] + width / 2, corner[1] + height / 2
        text = figure(metric, importance.drop)
        text = text if float(text) else text.lstrip("-")
        axes.annotate(text, middle, ha="center", va="center")
    edges = [{0}, {0}]
    for _, (_, bottom, _, right) in placed:
        edges[0].add(right)
        edges[1].add(bottom)
    axes.set_xlim(0, max(edges[0]))
    axes.set_ylim(max(edges[1]), 0)
    axes.set_xticks(sorted(edges[0]))
    axes.set_yticks(sorted(edges[1]))
    axes.set_aspect("equal", anchor="W")
    axes.spines[:].set_visible(False)
    canvas.margins(left=34, bottom=28)
    largest = sorted(
        (importance for importance, _ in placed),
        key=lambda importance: -importance.drop,
    )
    return _losses(
        canvas, largest, largest, metric, say, ("behaviour.blocks_caption", "block")
    )


def _losses(
    canvas: Canvas,
    shown: Sequence[Importance],
    columns: Sequence[Importance],
    metric: Metric,
    say: Say,
    words: tuple[str, str],
) -> Picture:
    """Return a drawing of what shuffling costs, with its figures; ``words``: of its caption and of a row's head."""
    name = say.plain(METRICS[metric])
    losses = "; ".join(
        f"{importance.column} {figure(metric, importance.drop)}" for importance in shown
    )
    heads = (words[1], "drop", "low", "high")
    return Picture(
        canvas.svg(say.plain("behaviour.importance_alt", metric=name, values=losses)),
        say(words[0], metric=name),
        tuple(say.plain(f"behaviour.{head}") for head in heads),
        _lost(columns, metric),
    )


def dependence(curve: Dependence, number: int, say: Say) -> Picture:
    """Return the mean prediction over the values of one column, with where the rows lie."""
    if all(isinstance(value, float | int) for value in curve.values):
        canvas = Canvas(f"dependence{number}", 170, NARROW)
        _draw_numbers(canvas.axes, curve)
        canvas.axes.grid(axis="y", color=LINE, lw=0.5)
        canvas.axes.set_xlabel(short(curve.column, 40))
        canvas.margins(left=48, bottom=36)
    else:
        canvas = Canvas(f"dependence{number}", 60 + 16 * len(curve.values), NARROW)
        _draw_levels(canvas.axes, curve)
        canvas.axes.grid(axis="x", color=LINE, lw=0.5)
        canvas.title(short(curve.column, 40))
        canvas.margins(left=98, top=24, bottom=24)
    canvas.axes.spines["left"].set_visible(False)
    ends = {"low": f"{min(curve.predicted):.4g}", "high": f"{max(curve.predicted):.4g}"}
    return Picture(
        canvas.svg(say.plain("behaviour.dependence_alt", column=curve.column, **ends)),
        say("behaviour.probability_of", name=curve.of)
        if curve.of
        else say("behaviour.predicted_value"),
        tuple(
            say.plain(f"behaviour.{head}")
            for head in ("value", "prediction", "rows_near")
        ),
        tuple(
            (f"{v:.5g}" if isinstance(v, float) else str(v), f"{p:.4g}", f"{s:.3f}")
            for v, p, s in zip(curve.values, curve.predicted, curve.shares, strict=True)
        ),
    )


def _draw_numbers(axes: Axes, curve: Dependence) -> None:
    """Draw predictions over the values of a column of numbers; below, as bars, where the rows are."""
    x = [float(value) for value in curve.values]
    room = _room(curve)
    axes.vlines(x, room.floor, room.ends, color=SOFT, lw=3, alpha=0.5)
    axes.plot(x, curve.predicted, color=BLUE, marker="o", ms=3.5, lw=1.8)
    axes.set_ylim(room.floor, max(curve.predicted) + room.pad)
    axes.set_yticks(_ticks(curve, room.pad))
    axes.xaxis.set_major_locator(MaxNLocator(5))


def _draw_levels(axes: Axes, curve: Dependence) -> None:
    """Draw a line for each level, with the prediction as a dot; from the left, as bars, where the rows are."""
    y = [-place for place in range(len(curve.values))]
    room = _room(curve)
    axes.hlines(y, room.floor, room.ends, color=SOFT, lw=3, alpha=0.5)
    axes.plot(curve.predicted, y, color=BLUE, marker="o", ms=4.5, lw=0)
    axes.set_xlim(room.floor, max(curve.predicted) + room.pad)
    axes.set_ylim(y[-1] - 0.6, 0.6)
    axes.set_yticks(y, [short(str(value), 14) for value in curve.values])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_xticks(_ticks(curve, room.pad))


class _Room(NamedTuple):
    """How much is free beyond the predictions; where bars below them begin, and where each ends."""

    pad: float
    floor: float
    ends: list[float]


def _room(curve: Dependence) -> _Room:
    low, high = min(curve.predicted), max(curve.predicted)
    pad = 0.25 * (high - low) or 0.1 * abs(high) or 0.1
    floor, tallest = low - 1.8 * pad, max(curve.shares) or 1.0
    ends = [floor + 1.2 * pad * share / tallest for share in curve.shares]
    return _Room(pad, floor, ends)


def _ticks(curve: Dependence, pad: float) -> list[float]:
    low, high = min(curve.predicted), max(curve.predicted)
    ticks = MaxNLocator(4).tick_values(low, high)
    return [tick for tick in ticks if low - pad < tick < high + pad]


def more_rows(portions: Sequence[AtRows], metric: Metric, say: Say) -> Picture | None:
    """Return scores over the number of rows learned from."""
    if len(portions) < 2:
        return None
    models = sorted(portions[-1].scores, key=lambda name: name == DEEP)
    colour = colours(models)
    canvas = Canvas("rows", 205)
    axes = canvas.axes
    x = [portion.n_rows for portion in portions]
    lines = {name: [portion.scores[name] for portion in portions] for name in models}
    for name, y in lines.items():
        axes.plot(x, y, color=colour[name], marker="o", ms=4.5, mec=PAGE, mew=0.8, lw=2)
    ends = [(name, float(x[-1]), y[-1]) for name, y in lines.items()]
    name_lines(axes, ends, colour, say, x[-1])
    axes.set_xlim(0, 1.02 * x[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    canvas.heights()
    axes.set_xlabel(say.plain("behaviour.rows_axis"))
    name = say.plain(METRICS[metric])
    canvas.title(name)
    canvas.margins(left=46, right=66, top=24, bottom=36)
    changes = "; ".join(
        f"{say.model(m)} {figure(metric, y[0])} ({x[0]}) – {figure(metric, y[-1])} ({x[-1]})"
        for m, y in lines.items()
    )
    return Picture(
        canvas.svg(say.plain("behaviour.more_data_alt", metric=name, values=changes)),
        say("behaviour.more_data_caption"),
        (say.plain("behaviour.rows"), *map(say.model, models)),
        tuple(
            (
                f"{portion.n_rows:,}",
                *(figure(metric, portion.scores[m]) for m in models),
            )
            for portion in portions
        ),
    )
