"""Pictures of how the models behave: curves, calibration, columns, rows, epochs, errors."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from assay.behaviour import AtRows, Dependence, Epochs, Importance
from assay.contributions import DEEP
from assay.records import Metric
from assay.report.drawing import (
    BLUE,
    LINE,
    NARROW,
    PAGE,
    SOFT,
    VERMILION,
    Canvas,
    Picture,
    apart,
    short,
)
from assay.report.pictures import colours
from assay.report.record import Bin, Curve, Findings
from assay.report.wording import Say
from assay.words import figure

_NAMED_LINES = 4  # of many classes: those with the least area, by name


# Classes ---------------------------------------------------------------------------------------


def roc(found: Findings, say: Say) -> Picture | None:
    """Return the ROC curves; None where there are none."""
    if not found.roc:
        return None
    binary = len(found.base_rates) == 1
    canvas = Canvas("roc", 240, NARROW)
    axes = canvas.axes
    axes.plot([0, 1], [0, 1], color=LINE, lw=1, ls=(0, (4, 3)))
    _curves(axes, found.roc, say, binary=binary, low=True)
    _unit_square(
        axes, say.plain("behaviour.false_axis"), say.plain("behaviour.true_axis")
    )
    canvas.margins(left=42, right=16, bottom=36)
    caption = (
        say("behaviour.roc_binary", name=next(iter(found.base_rates)))
        if binary
        else say("behaviour.roc_multiclass")
    )
    return Picture(
        canvas.svg(say.plain("behaviour.roc_alt", said=_areas(found.roc, say))),
        caption,
        (say.plain("behaviour.of"), say.plain("behaviour.area")),
        tuple((say.model(one.of), f"{one.area:.4f}") for one in found.roc),
    )


def precision(found: Findings, say: Say) -> Picture | None:
    """Return precision over recall; None where there is none."""
    if not found.precision:
        return None
    binary = len(found.base_rates) == 1
    canvas = Canvas("precision", 240, NARROW)
    axes = canvas.axes
    for rate in list(found.base_rates.values())[: 1 if binary else 0]:
        axes.axhline(rate, color=LINE, lw=1, ls=(0, (4, 3)))
    _curves(axes, found.precision, say, binary=binary, low=True)
    _unit_square(
        axes,
        say.plain("behaviour.recall_axis"),
        say.plain("behaviour.precision_axis"),
    )
    canvas.margins(left=42, right=16, bottom=36)
    rates = found.base_rates
    return Picture(
        canvas.svg(
            say.plain("behaviour.precision_alt", said=_areas(found.precision, say))
        ),
        say("behaviour.precision_caption"),
        (
            say.plain("behaviour.of"),
            say.plain("behaviour.average_precision"),
            say.plain("behaviour.share"),
        ),
        tuple(
            (
                say.model(one.of),
                f"{one.area:.4f}",
                f"{rates.get(one.of, next(iter(rates.values()))):.3f}",
            )
            for one in found.precision
        ),
    )


def _areas(curves: Sequence[Curve], say: Say) -> str:
    return "; ".join(
        say.plain(
            "behaviour.curve_said", name=say.model(one.of), area=f"{one.area:.3f}"
        )
        for one in curves
    )


def _curves(
    axes: Axes, curves: Sequence[Curve], say: Say, *, binary: bool, low: bool
) -> None:
    """Draw the lines and write a name at each, or at the weakest of many classes."""
    colour = (
        colours([one.of for one in curves])
        if binary
        else {one.of: SOFT for one in curves}
    )
    weakest = sorted(curves, key=lambda one: one.area)[:_NAMED_LINES]
    named = list(curves) if binary else weakest
    if not binary:
        hues = (BLUE, VERMILION, "#009e73", "#cc79a7")
        colour |= {one.of: hue for one, hue in zip(named, hues, strict=False)}
    for one in sorted(curves, key=lambda one: one in named):
        bold = one.of == DEEP or (not binary and one in named)
        axes.plot(
            one.x,
            one.y,
            color=colour[one.of],
            lw=2.2 if bold else 1.3,
            alpha=1 if one in named else 0.5,
        )
    start = 0.06 + 0.075 * len(named) if low else 0.94
    for place, one in enumerate(sorted(named, key=lambda one: -one.area)):
        axes.annotate(
            f"{short(say.model(one.of), 18)}  {one.area:.3f}",
            (0.97, start - 0.075 * place),
            ha="right",
            va="top",
            color=colour[one.of],
            fontweight="bold" if one.of == DEEP else "normal",
        )


def _unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.03)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.set_xlabel(x)
    axes.set_ylabel(y, labelpad=2)
    axes.grid(color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)


def calibration(found: Findings, say: Say) -> Picture | None:
    """Return said probabilities against what came true; None where no class was predicted."""
    if not found.calibration:
        return None
    binary = len(found.base_rates) == 1
    colour = colours(list(found.calibration))
    canvas = Canvas("calibration", 250)
    axes = canvas.axes
    axes.plot([0, 1], [0, 1], color=LINE, lw=1, ls=(0, (4, 3)))
    models = sorted(found.calibration, key=lambda name: name == DEEP)
    for place, name in enumerate(models):
        bins = found.calibration[name]
        said, seen = [b.predicted for b in bins], [b.observed for b in bins]
        axes.plot(said, seen, color=colour[name], lw=1.2, alpha=0.45)
        sizes = [8 + 160 * b.n / found.n_rows for b in bins]
        axes.scatter(
            said, seen, sizes, color=colour[name], edgecolor=PAGE, lw=0.8, zorder=3
        )
        axes.annotate(
            f"{say.model(name)}  {found.calibration_error[name]:.3f}",
            (0.97, 0.06 + 0.075 * (place + 1)),
            ha="right",
            va="top",
            color=colour[name],
            fontweight="bold" if name == DEEP else "normal",
        )
    _unit_square(
        axes, say.plain("behaviour.said_axis"), say.plain("behaviour.seen_axis")
    )
    canvas.margins(left=42, right=16, bottom=36)
    said_errors = "; ".join(
        say.plain("behaviour.curve_said", name=say.model(name), area=f"{error:.3f}")
        for name, error in found.calibration_error.items()
    )
    caption = (
        say("behaviour.calibration_binary", name=next(iter(found.base_rates)))
        if binary
        else say("behaviour.calibration_multiclass")
    )
    return Picture(
        canvas.svg(say.plain("behaviour.calibration_alt", said=said_errors)),
        caption,
        (
            say.plain("behaviour.of"),
            say.plain("behaviour.bin_said"),
            say.plain("behaviour.bin_seen"),
            say.plain("data.rows"),
        ),
        tuple(
            _bin(say.model(name), b)
            for name in models[::-1]
            for b in found.calibration[name]
        ),
    )


def _bin(name: str, one: Bin) -> tuple[str, ...]:
    return name, f"{one.predicted:.3f}", f"{one.observed:.3f}", f"{one.n:,}"


# Numbers ---------------------------------------------------------------------------------------


def points(found: Findings, say: Say) -> Picture | None:
    """Return predicted over true; None where no number was predicted."""
    if not found.points:
        return None
    canvas = Canvas("points", 240, NARROW)
    axes = canvas.axes
    true, said = zip(*found.points, strict=True)
    ends = min(*true, *said), max(*true, *said)
    axes.plot(ends, ends, color=SOFT, lw=1, ls=(0, (4, 3)))
    axes.plot(true, said, "o", color=BLUE, ms=4, alpha=0.5)
    _plain_axes(axes, "behaviour.true_value_axis", "behaviour.predicted_axis", say)
    canvas.margins(left=56, bottom=36)
    n = str(len(true))
    low, high = f"{found.errors[0]:.4g}", f"{found.errors[-1]:.4g}"
    return Picture(
        canvas.svg(say.plain("behaviour.points_alt", n=n, low=low, high=high)),
        say("behaviour.points_caption", n=n),
        (
            say.plain("behaviour.true_value_axis"),
            say.plain("behaviour.predicted_axis"),
        ),
        tuple(
            (f"{a:.5g}", f"{b:.5g}") for a, b in found.points[:: 1 + len(true) // 25]
        ),
    )


def residuals(found: Findings, say: Say) -> Picture | None:
    """Return errors over predictions; None where no number was predicted."""
    if not found.points:
        return None
    canvas = Canvas("residuals", 240, NARROW)
    axes = canvas.axes
    axes.axhline(0, color=SOFT, lw=1, ls=(0, (4, 3)))
    said = [p for _, p in found.points]
    axes.plot(said, [p - t for t, p in found.points], "o", color=BLUE, ms=4, alpha=0.5)
    _plain_axes(axes, "behaviour.predicted_axis", "behaviour.error_axis", say)
    canvas.margins(left=56, bottom=36)
    low, high = f"{found.errors[1]:.4g}", f"{found.errors[3]:.4g}"
    return Picture(
        canvas.svg(
            say.plain("behaviour.residuals_alt", n=str(len(said)), low=low, high=high)
        ),
        say("behaviour.residuals_caption"),
        ("5 %", "25 %", "50 %", "75 %", "95 %"),
        (tuple(f"{error:.4g}" for error in found.errors),),
    )


def _plain_axes(axes: Axes, x: str, y: str, say: Say) -> None:
    axes.set_xlabel(say.plain(x))
    axes.set_ylabel(say.plain(y))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)


# Columns and rows ------------------------------------------------------------------------------


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
    axes = canvas.axes
    numeric = all(isinstance(value, float | int) for value in one.values)
    x = [float(v) for v in one.values] if numeric else list(range(len(one.values)))
    low, high = min(one.predicted), max(one.predicted)
    pad = 0.25 * (high - low) or 0.1 * abs(high) or 0.1
    tallest = max(one.shares) or 1.0
    floor = low - 1.8 * pad
    for at, share in zip(x, one.shares, strict=True):
        axes.plot(
            [at, at],
            [floor, floor + 1.2 * pad * share / tallest],
            color=SOFT,
            lw=3,
            alpha=0.5,
        )
    axes.plot(
        x, one.predicted, color=BLUE, marker="o", ms=3.5, lw=1.8 if numeric else 0
    )
    axes.set_ylim(floor, high + pad)
    ticks = MaxNLocator(4).tick_values(low, high)
    axes.set_yticks([tick for tick in ticks if low - pad < tick < high + pad])
    if numeric:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.set_xticks(x, [short(str(v), 9) for v in one.values])
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(short(one.column, 40))
    canvas.margins(left=48, bottom=36)
    of = (
        say("behaviour.probability_of", name=one.of)
        if one.of
        else say("behaviour.predicted_value")
    )
    return Picture(
        canvas.svg(
            say.plain(
                "behaviour.dependence_alt",
                column=one.column,
                low=f"{low:.4g}",
                high=f"{high:.4g}",
            )
        ),
        of,
        (
            say.plain("behaviour.value"),
            say.plain("behaviour.prediction"),
            say.plain("behaviour.rows_near"),
        ),
        tuple(
            (f"{v:.5g}" if isinstance(v, float) else str(v), f"{p:.4g}", f"{s:.3f}")
            for v, p, s in zip(one.values, one.predicted, one.shares, strict=True)
        ),
    )


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
    low, high = axes.get_ylim()
    heights = apart([lines[name][-1] for name in models], 0.075 * (high - low))
    for name, y_at in zip(models, heights, strict=True):
        axes.annotate(
            short(say.model(name), 12),
            (x[-1], y_at),
            (9, 0),
            textcoords="offset points",
            va="center",
            color=colour[name],
            fontweight="bold",
            annotation_clip=False,
        )
    axes.set_xlim(0, x[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)
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


def epochs(found: Sequence[Epochs], say: Say) -> Picture | None:
    """Return how the winner learned on each outer fold."""
    shown = [one for one in found if one.stopping]
    if not shown:
        return None
    canvas = Canvas("epochs", 205)
    axes = canvas.axes
    for one in shown:
        at = range(1, len(one.stopping) + 1)
        axes.plot(
            range(1, len(one.training) + 1), one.training, color=SOFT, lw=1, alpha=0.5
        )
        axes.plot(at, one.stopping, color=BLUE, lw=1.5, alpha=0.8)
        best = min(max(1, round(fmean(one.best))), len(one.stopping)) if one.best else 1
        axes.plot([best], [one.stopping[best - 1]], "o", color=BLUE, ms=6, mec=PAGE)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(say.plain("search.epoch_axis"))
    canvas.title(say.plain("search.loss_axis"))
    for place, (key, colour) in enumerate((("stopping", BLUE), ("training", SOFT))):
        axes.annotate(
            say.plain(f"search.{key}"),
            (0.98, 0.97 - 0.09 * place),
            xycoords="axes fraction",
            ha="right",
            va="top",
            color=colour,
            fontweight="bold",
        )
    canvas.margins(left=46, top=24, bottom=36)
    taken = [epoch for one in shown for epoch in one.best] or [0]
    return Picture(
        canvas.svg(
            say.plain("search.epochs_alt", low=str(min(taken)), high=str(max(taken)))
        ),
        say("search.epochs_caption"),
        (
            say.plain("comparison.fold"),
            say.plain("search.epochs"),
            say.plain("search.taken"),
        ),
        tuple(
            (
                str(one.fold + 1),
                str(len(one.stopping)),
                ", ".join(map(str, one.best)),
            )
            for one in shown
        ),
    )
