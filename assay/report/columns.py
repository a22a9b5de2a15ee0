"""Pictures of what a model looks at: columns shuffled, columns set, and rows learned from."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from assay.behaviour import AtRows, Dependence, Importance
from assay.contributions import DEEP
from assay.records import Metric
from assay.report.drawing import (
    BLUE,
    LINE,
    NARROW,
    PAGE,
    SOFT,
    Canvas,
    Picture,
    short,
)
from assay.report.pictures import colours, name_lines
from assay.report.wording import Say
from assay.words import figure


def importances(
    found: Sequence[Importance], metric: Metric, say: Say, most: int = 12
) -> Picture | None:
    """Return what the score loses where a column is shuffled, the largest first."""
    shown = sorted(found, key=lambda one: -one.drop)[:most]
    if not shown:
        return None
    canvas = Canvas("importances", 52 + 19 * len(shown))
    axes = canvas.axes
    axes.axvline(0, color=SOFT, lw=0.9)
    for place, one in enumerate(shown):
        y = -place
        axes.barh(y, one.drop, 0.62, color=BLUE, alpha=0.75)
        axes.plot([one.low, one.high], [y, y], color=SOFT, lw=1.2)
    axes.set_yticks(
        [-place for place in range(len(shown))],
        [short(one.column, 18) for one in shown],
    )
    axes.tick_params(axis="y", labelcolor="#010101")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    name = say.plain(f"metric.{metric}")
    axes.set_xlabel(f"{say.plain('behaviour.drop')}: {name}")
    canvas.margins(left=122, right=14, bottom=38)
    said = "; ".join(f"{one.column} {figure(metric, one.drop)}" for one in shown)
    return Picture(
        canvas.svg(say.plain("behaviour.importance_alt", metric=name, said=said)),
        say("behaviour.importance_caption", metric=name),
        (
            say.plain("behaviour.column"),
            say.plain("behaviour.drop"),
            say.plain("behaviour.low"),
            say.plain("behaviour.high"),
        ),
        tuple(
            (one.column, *(figure(metric, v) for v in (one.drop, one.low, one.high)))
            for one in sorted(found, key=lambda one: -one.drop)[:40]
        ),
    )


def dependence(one: Dependence, number: int, say: Say) -> Picture:
    """Return the mean prediction over the values of one column, with where the rows lie."""
    canvas = Canvas(f"dependence{number}", 170, NARROW)
    _draw_dependence(canvas.axes, one)
    canvas.axes.grid(axis="y", color=LINE, lw=0.5)
    canvas.axes.spines["left"].set_visible(False)
    canvas.axes.set_xlabel(short(one.column, 40))
    canvas.margins(left=48, bottom=36)
    ends = {"low": f"{min(one.predicted):.4g}", "high": f"{max(one.predicted):.4g}"}
    return Picture(
        canvas.svg(say.plain("behaviour.dependence_alt", column=one.column, **ends)),
        say("behaviour.probability_of", name=one.of)
        if one.of
        else say("behaviour.predicted_value"),
        tuple(
            say.plain(f"behaviour.{head}")
            for head in ("value", "prediction", "rows_near")
        ),
        tuple(
            (f"{v:.5g}" if isinstance(v, float) else str(v), f"{p:.4g}", f"{s:.3f}")
            for v, p, s in zip(one.values, one.predicted, one.shares, strict=True)
        ),
    )


def _draw_dependence(axes: Axes, one: Dependence) -> None:
    """Draw predictions over values, of words as dots only; below, as bars, where the rows are."""
    numeric = all(isinstance(value, float | int) for value in one.values)
    x = [float(v) for v in one.values] if numeric else list(range(len(one.values)))
    low, high = min(one.predicted), max(one.predicted)
    pad = 0.25 * (high - low) or 0.1 * abs(high) or 0.1
    floor, tallest = low - 1.8 * pad, max(one.shares) or 1.0
    tops = [floor + 1.2 * pad * share / tallest for share in one.shares]
    axes.vlines(x, floor, tops, color=SOFT, lw=3, alpha=0.5)
    width = 1.8 if numeric else 0
    axes.plot(x, one.predicted, color=BLUE, marker="o", ms=3.5, lw=width)
    axes.set_ylim(floor, high + pad)
    ticks = MaxNLocator(4).tick_values(low, high)
    axes.set_yticks([tick for tick in ticks if low - pad < tick < high + pad])
    if numeric:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.set_xticks(x, [short(str(v), 9) for v in one.values])


def more_rows(found: Sequence[AtRows], metric: Metric, say: Say) -> Picture | None:
    """Return scores over the number of rows learned from."""
    if len(found) < 2:
        return None
    models = sorted(found[-1].scores, key=lambda name: name == DEEP)
    colour = colours(models)
    canvas = Canvas("rows", 205)
    axes = canvas.axes
    x = [one.n_rows for one in found]
    lines = {name: [one.scores[name] for one in found] for name in models}
    for name, y in lines.items():
        axes.plot(x, y, color=colour[name], marker="o", ms=4.5, mec=PAGE, mew=0.8, lw=2)
    ends = [(name, float(x[-1]), y[-1]) for name, y in lines.items()]
    name_lines(axes, ends, colour, say, x[-1])
    axes.set_xlim(0, 1.02 * x[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    canvas.heights()
    axes.set_xlabel(say.plain("behaviour.rows_axis"))
    name = say.plain(f"metric.{metric}")
    canvas.title(name)
    canvas.margins(left=46, right=66, top=24, bottom=36)
    said = "; ".join(
        f"{say.model(m)} {figure(metric, y[0])} ({x[0]}) – {figure(metric, y[-1])} ({x[-1]})"
        for m, y in lines.items()
    )
    return Picture(
        canvas.svg(say.plain("behaviour.more_data_alt", metric=name, said=said)),
        say("behaviour.more_data_caption"),
        (say.plain("behaviour.rows"), *map(say.model, models)),
        tuple(
            (f"{one.n_rows:,}", *(figure(metric, one.scores[m]) for m in models))
            for one in found
        ),
    )
