"""Pictures of predicted classes: ROC, precision and recall, calibration."""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from markupsafe import Markup
from matplotlib.axes import Axes

from assay.judge.contributions import DEEP
from assay.report.account import Bin, Curve, Findings
from assay.report.canvas import (
    BLUE,
    COVER,
    LINE,
    NARROW,
    PAGE,
    SOFT,
    VERMILION,
    Canvas,
    Picture,
    short,
)
from assay.report.draw_comparison import colours
from assay.report.say import Say

_NAMED_LINES = 4  # of many classes: those with the least area, by name


def roc(findings: Findings, say: Say) -> Picture | None:
    """Return the ROC curves; None where there are none."""
    if not findings.roc:
        return None
    binary = len(findings.base_rates) == 1
    canvas = Canvas("roc", 240, NARROW)
    axes = canvas.axes
    axes.plot([0, 1], [0, 1], color=LINE, lw=1, ls=(0, (4, 3)))
    _curves(axes, findings.roc, say, binary=binary)
    _unit_square(
        axes, say.plain("behaviour.false_axis"), say.plain("behaviour.true_axis")
    )
    canvas.margins(left=46, right=14, bottom=36)
    caption = (
        say("behaviour.roc_binary", name=next(iter(findings.base_rates)))
        if binary
        else _with_named(say("behaviour.roc_multiclass"), findings.roc, say)
    )
    return Picture(
        canvas.svg(say.plain("behaviour.roc_alt", values=_areas(findings.roc, say))),
        caption,
        (say.plain("behaviour.of"), say.plain("behaviour.area")),
        tuple((say.model(curve.of), f"{curve.area:.4f}") for curve in findings.roc),
    )


def precision(findings: Findings, say: Say) -> Picture | None:
    """Return precision over recall; None where there is none."""
    if not findings.precision:
        return None
    binary = len(findings.base_rates) == 1
    canvas = Canvas("precision", 240, NARROW)
    axes = canvas.axes
    for rate in list(findings.base_rates.values())[: 1 if binary else 0]:
        axes.axhline(rate, color=LINE, lw=1, ls=(0, (4, 3)))
    ends = [y for curve in findings.precision for x, y in zip(curve.x, curve.y, strict=True) if x > 0.5]  # fmt: skip
    names: Literal["high", "low"] = "high" if fmean(ends or [1.0]) < 0.5 else "low"
    _curves(axes, findings.precision, say, binary=binary, names=names)
    _unit_square(
        axes,
        say.plain("behaviour.recall_axis"),
        say.plain("behaviour.precision_axis"),
    )
    canvas.margins(left=46, right=14, bottom=36)
    caption, rest = say("behaviour.precision_caption"), say("behaviour.dashed")
    rates = findings.base_rates
    return Picture(
        canvas.svg(
            say.plain("behaviour.precision_alt", values=_areas(findings.precision, say))
        ),
        Markup("{} {}").format(caption, rest)
        if binary
        else _with_named(caption, findings.precision, say),
        (
            say.plain("behaviour.of"),
            say.plain("behaviour.average_precision"),
            say.plain("behaviour.share"),
        ),
        tuple(
            (
                say.model(curve.of),
                f"{curve.area:.4f}",
                f"{rates.get(curve.of, next(iter(rates.values()))):.3f}",
            )
            for curve in findings.precision
        ),
    )


def _with_named(caption: Markup, curves: Sequence[Curve], say: Say) -> Markup:
    """Return a caption of many classes, which says how many of them have a name in the picture."""
    if len(curves) <= _NAMED_LINES:
        return caption
    return Markup("{} {}").format(caption, say("behaviour.least_named", n=_NAMED_LINES))


def _areas(curves: Sequence[Curve], say: Say) -> str:
    return "; ".join(
        say.plain(
            "behaviour.curve_value", name=say.model(curve.of), area=f"{curve.area:.3f}"
        )
        for curve in curves
    )


def _curves(
    axes: Axes,
    curves: Sequence[Curve],
    say: Say,
    *,
    binary: bool,
    names: Literal["high", "low"] = "low",
) -> None:
    """Draw the lines and write the name of each, or of the weakest of many classes, at the right."""
    colour = (
        colours([curve.of for curve in curves])
        if binary
        else {curve.of: SOFT for curve in curves}
    )
    weakest = sorted(curves, key=lambda curve: curve.area)[:_NAMED_LINES]
    named = list(curves) if binary else weakest
    if not binary:
        hues = (BLUE, VERMILION, "#009e73", "#cc79a7")
        colour |= {curve.of: hue for curve, hue in zip(named, hues, strict=False)}
    for curve in sorted(curves, key=lambda curve: curve in named):
        bold = curve.of == DEEP or (not binary and curve in named)
        axes.plot(
            curve.x,
            curve.y,
            color=colour[curve.of],
            lw=2.2 if bold else 1.3,
            alpha=1 if curve in named else 0.5,
        )
    start = 0.06 + 0.075 * len(named) if names == "low" else 0.99
    for place, curve in enumerate(sorted(named, key=lambda curve: -curve.area)):
        axes.annotate(
            f"{short(say.model(curve.of), 18)}: {curve.area:.3f}",
            (0.97, start - 0.075 * place),
            ha="right",
            va="top",
            color=colour[curve.of],
            fontweight="bold" if curve.of == DEEP else "normal",
            bbox=COVER,
        )


def _unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.03)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.set_xlabel(x)
    axes.set_ylabel(y, labelpad=4)
    axes.grid(color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)


def calibration(findings: Findings, say: Say) -> Picture | None:
    """Return predicted probabilities against observed frequencies; None where no class was predicted."""
    if not findings.calibration:
        return None
    binary = len(findings.base_rates) == 1
    canvas = Canvas("calibration", 250)
    canvas.axes.plot([0, 1], [0, 1], color=LINE, lw=1, ls=(0, (4, 3)))
    models = sorted(findings.calibration, key=lambda name: name == DEEP)
    seen = [(b.predicted, b.observed) for name in models for b in findings.calibration[name]]  # fmt: skip
    n_right = sum(x > 0.55 and y < 0.3 for x, y in seen)
    right = n_right <= sum(x < 0.45 and y > 0.7 for x, y in seen)
    for place, name in enumerate(models if right else models[::-1]):
        height = 0.06 + 0.075 * (place + 1) if right else 0.99 - 0.075 * place
        _draw_bins(canvas, findings, name, (0.97 if right else 0.03, height), say)
    _unit_square(
        canvas.axes,
        say.plain("behaviour.predicted_probability_axis"),
        say.plain("behaviour.observed_axis"),
    )
    canvas.margins(left=42, right=16, bottom=36)
    errors = "; ".join(
        say.plain("behaviour.curve_value", name=say.model(name), area=f"{error:.3f}")
        for name, error in findings.calibration_error.items()
    )
    return Picture(
        canvas.svg(say.plain("behaviour.calibration_alt", values=errors)),
        say("behaviour.calibration_binary", name=next(iter(findings.base_rates)))
        if binary
        else say("behaviour.calibration_multiclass"),
        (
            say.plain("behaviour.of"),
            say.plain("behaviour.bin_predicted"),
            say.plain("behaviour.bin_observed"),
            say.plain("data.rows"),
        ),
        tuple(
            _bin(say.model(name), b)
            for name in models[::-1]
            for b in findings.calibration[name]
        ),
    )


def _draw_bins(
    canvas: Canvas, findings: Findings, name: str, at: tuple[float, float], say: Say
) -> None:
    """Draw a model's bins, their areas by their rows, and its name with its mean distance."""
    bins, hue = findings.calibration[name], colours(list(findings.calibration))[name]
    predicted, observed = [b.predicted for b in bins], [b.observed for b in bins]
    sizes = [8 + 160 * b.n / findings.n_rows for b in bins]
    canvas.axes.plot(predicted, observed, color=hue, lw=1.2, alpha=0.45)
    canvas.axes.scatter(
        predicted, observed, sizes, color=hue, edgecolor=PAGE, lw=0.8, zorder=3
    )
    canvas.note(
        f"{say.model(name)}: {findings.calibration_error[name]:.3f}",
        at,
        shift=-1 if at[0] > 0.5 else 1,
        colour=hue,
        bold=name == DEEP,
    )


def _bin(name: str, b: Bin) -> tuple[str, ...]:
    return name, f"{b.predicted:.3f}", f"{b.observed:.3f}", f"{b.n:,}"
