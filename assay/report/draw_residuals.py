"""Pictures of predicted numbers: predicted over true, and errors."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from assay.report.account import Findings
from assay.report.canvas import (
    BLUE,
    LINE,
    NARROW,
    SOFT,
    Canvas,
    Picture,
)
from assay.report.say import Say


def points(findings: Findings, say: Say) -> Picture | None:
    """Return predicted over true; None where no number was predicted."""
    if not findings.points:
        return None
    canvas = Canvas("points", 240, NARROW)
    axes = canvas.axes
    true, predicted = zip(*findings.points, strict=True)
    ends = min(*true, *predicted), max(*true, *predicted)
    axes.plot(ends, ends, color=SOFT, lw=1, ls=(0, (4, 3)))
    axes.plot(true, predicted, "o", color=BLUE, ms=4, alpha=0.5)
    _plain_axes(axes, "behaviour.true_value_axis", "behaviour.predicted_axis", say)
    canvas.margins(left=56, bottom=36)
    n = str(len(true))
    low, high = f"{findings.errors[0]:.4g}", f"{findings.errors[-1]:.4g}"
    return Picture(
        canvas.svg(say.plain("behaviour.points_alt", n=n, low=low, high=high)),
        say("behaviour.points_caption", n=n),
        (
            say.plain("behaviour.true_value_axis"),
            say.plain("behaviour.predicted_axis"),
        ),
        tuple(
            (f"{a:.5g}", f"{b:.5g}") for a, b in findings.points[:: 1 + len(true) // 25]
        ),
    )


def residuals(findings: Findings, say: Say) -> Picture | None:
    """Return errors over predictions; None where no number was predicted."""
    if not findings.points:
        return None
    canvas = Canvas("residuals", 240, NARROW)
    axes = canvas.axes
    axes.axhline(0, color=SOFT, lw=1, ls=(0, (4, 3)))
    predicted = [p for _, p in findings.points]
    axes.plot(
        predicted, [p - t for t, p in findings.points], "o", color=BLUE, ms=4, alpha=0.5
    )
    _plain_axes(axes, "behaviour.predicted_axis", "behaviour.error_axis", say)
    canvas.margins(left=56, bottom=36)
    low, high = f"{findings.errors[1]:.4g}", f"{findings.errors[3]:.4g}"
    return Picture(
        canvas.svg(
            say.plain(
                "behaviour.residuals_alt", n=str(len(predicted)), low=low, high=high
            )
        ),
        say("behaviour.residuals_caption"),
        ("5 %", "25 %", "50 %", "75 %", "95 %"),
        (tuple(f"{error:.4g}" for error in findings.errors),),
    )


def _plain_axes(axes: Axes, x: str, y: str, say: Say) -> None:
    axes.set_xlabel(say.plain(x))
    axes.set_ylabel(say.plain(y))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)
