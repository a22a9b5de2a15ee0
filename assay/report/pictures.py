"""Pictures of what decides: chance, the interval against each baseline, the folds."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from assay.contributions import DEEP
from assay.records import GateResult, Metric, Place
from assay.report.drawing import (
    AMBER,
    BLUE,
    GREEN,
    LINE,
    PAGE,
    PINK,
    SKY,
    SOFT,
    VERMILION,
    Canvas,
    Picture,
    apart,
    short,
)
from assay.report.wording import Say
from assay.verdict import DeepLearning
from assay.words import figure

_OF_MODELS = {DEEP: BLUE, "boosting": VERMILION, "logistic": GREEN, "linear": GREEN}
_OTHERS = (PINK, AMBER, SKY)


def colours(models: Sequence[str]) -> dict[str, str]:
    """Return a colour for each model, the same in every picture."""
    others = iter(_OTHERS * len(models))
    return {name: _OF_MODELS.get(name) or next(others) for name in models}


def chance(gate: GateResult, say: Say, n_bins: int = 24) -> Picture | None:
    """Return the permutation distribution with the observed score; None where nothing was tested."""
    if gate.score is None or not gate.null_scores:
        return None
    low, high = min(gate.null_scores), max(gate.null_scores)
    width = (high - low) / n_bins or 0.01
    counts = [0] * n_bins
    for null in gate.null_scores:
        counts[min(n_bins - 1, int((null - low) / width))] += 1
    statistic = say.plain(f"statistic.{gate.statistic}")
    canvas = Canvas("chance", 180)
    axes = canvas.axes
    lefts = [low + width * i for i in range(n_bins)]
    axes.bar(lefts, counts, width * 0.88, align="edge", color=SOFT, alpha=0.55)
    axes.axvline(gate.chance_level, color=LINE, linewidth=1)
    axes.axvline(gate.score, color=BLUE, linewidth=2)
    ends = min(low, gate.score), max(high, gate.score)
    pad = 0.04 * (ends[1] - ends[0]) or 0.02
    axes.set_xlim(ends[0] - pad, ends[1] + pad)
    axes.set_ylim(0, 1.28 * max(counts))
    near = gate.chance_level < ends[0] + 0.2 * (ends[1] - ends[0])
    axes.annotate(
        say.plain("gate.chance"),
        (gate.chance_level, 1.24 * max(counts)),
        (4 if near else -4, 0),
        textcoords="offset points",
        ha="left" if near else "right",
        va="top",
        color=SOFT,
        fontsize=9.5,
    )
    right = gate.score > sum(ends) / 2
    axes.annotate(
        say.plain("gate.observed", score=f"{gate.score:.3f}"),
        (gate.score, 1.24 * max(counts)),
        (-6 if right else 6, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=BLUE,
        fontweight="bold",
    )
    axes.set_xlabel(say.plain("gate.null_axis", statistic=statistic))
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    canvas.margins(left=12, bottom=36)
    said = {
        "n": str(len(gate.null_scores)),
        "statistic": statistic,
        "low": f"{low:.3f}",
        "high": f"{high:.3f}",
        "score": f"{gate.score:.3f}",
    }
    return Picture(
        canvas.svg(say.plain("gate.picture_alt", **said)),
        say("gate.picture_caption", n=said["n"]),
        (
            say.plain("gate.from"),
            say.plain("gate.to"),
            say.plain("gate.copies"),
        ),
        tuple(
            (f"{left:.4f}", f"{left + width:.4f}", str(n))
            for left, n in zip(lefts, counts, strict=True)
            if n
        ),
    )


def leads(deep: DeepLearning, metric: Metric, say: Say) -> Picture | None:
    """Return the net's gain over each baseline with its one-sided bounds, zero and the margin."""
    if not deep.against:
        return None

    def shown(value: float) -> str:
        return figure(metric, value, signed=True)

    canvas = Canvas("leads", 74 + 40 * len(deep.against))
    axes = canvas.axes
    for place, (name, one) in enumerate(deep.against.items()):
        y = len(deep.against) - place
        axes.plot([one.interval_95[0], one.interval_95[1]], [y, y], color=SOFT, lw=1)
        axes.plot([one.lower, one.upper], [y, y], color=BLUE, lw=4.5, alpha=0.55)
        axes.plot([one.delta], [y], "o", color=BLUE, ms=7, mec=PAGE, mew=1)
        axes.annotate(
            f"{say.plain('comparison.over', name=say.model(name))}  {shown(one.delta)}",
            (one.delta, y),
            (0, 8),
            textcoords="offset points",
            ha="center",
            bbox={"facecolor": PAGE, "edgecolor": "none", "pad": 1.5},
        )
    ends = [0.0, deep.margin]
    ends += [end for one in deep.against.values() for end in one.interval_95]
    pad = 0.22 * (max(ends) - min(ends))
    axes.set_xlim(min(ends) - pad, max(ends) + pad)
    axes.set_ylim(0.45, len(deep.against) + 1.05)
    top = len(deep.against) + 1.0
    axes.axvline(0, color=SOFT, lw=0.9)
    axes.axvline(deep.margin, color=VERMILION, lw=1.3, ls=(0, (4, 3)))
    _mark(axes, 0, top, say.plain("comparison.no_gain"), SOFT, "right")
    margin = say.plain("comparison.margin", margin=f"{deep.margin:g}")
    _mark(axes, deep.margin, top, margin, VERMILION, "left")
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    metric_name = say.plain(f"metric.{metric}")
    axes.set_xlabel(say.plain("comparison.gain_axis", metric=metric_name))
    canvas.margins(left=10, right=10, bottom=36)
    said = [
        say.plain(
            "comparison.lead_said",
            name=say.model(name),
            delta=shown(one.delta),
            low=shown(one.lower),
            high=shown(one.upper),
        )
        for name, one in deep.against.items()
    ]
    alt = say.plain(
        "comparison.leads_alt", margin=f"{deep.margin:g}", said="; ".join(said)
    )
    return Picture(canvas.svg(alt), say("comparison.leads_caption"), (), ())


def _mark(axes: Axes, x: float, y: float, text: str, colour: str, side: str) -> None:
    axes.annotate(
        text,
        (x, y),
        (-4 if side == "right" else 4, 0),
        textcoords="offset points",
        ha=side,
        va="top",
        color=colour,
        fontsize=9.5,
    )


def pairs(
    places: Sequence[Place],
    fold_scores: dict[str, tuple[float | None, ...]],
    metric: Metric,
    say: Say,
) -> Picture | None:
    """Return each model's score on each outer fold, the models of one fold joined.

    Parameters
    ----------
    places
        Repeat and fold of each score, in the order of ``fold_scores``.
    """
    models = [name for name in fold_scores if name != DEEP] + [DEEP]
    known = [
        i
        for i in range(len(places))
        if all(fold_scores[name][i] is not None for name in models)
    ]
    if len(models) < 2 or not known:
        return None
    colour = colours(models)
    columns = {
        name: [float(fold_scores[name][i] or 0.0) for i in known] for name in models
    }
    canvas = Canvas("pairs", 230)
    axes = canvas.axes
    for line in zip(*columns.values(), strict=True):
        axes.plot(range(len(models)), line, color=SOFT, lw=0.8, alpha=0.6)
    for x, (name, scores) in enumerate(columns.items()):
        axes.plot([x] * len(scores), scores, "o", color=colour[name], ms=4, alpha=0.7)
        axes.plot(
            [x], [fmean(scores)], "D", color=colour[name], ms=8, mec=PAGE, mew=1.2
        )
    axes.set_xlim(-0.35, len(models) - 0.65)
    axes.set_xticks(range(len(models)), [say.model(name) for name in models])
    for label, name in zip(axes.get_xticklabels(), models, strict=True):
        label.set_color(colour[name])
        label.set_fontweight("bold")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)
    name = say.plain(f"metric.{metric}")
    canvas.title(name)
    canvas.margins(left=46, top=24, bottom=24)
    return Picture(
        canvas.svg(say.plain("comparison.pairs_alt", metric=name, n=str(len(known)))),
        say("comparison.pairs_caption"),
        (
            say.plain("comparison.repeat"),
            say.plain("comparison.fold"),
            *map(say.model, models),
        ),
        tuple(
            (
                str(places[i].repeat + 1),
                str(places[i].fold + 1),
                *(figure(metric, columns[name][at]) for name in models),
            )
            for at, i in enumerate(known)
        ),
    )


def name_lines(
    axes: Axes,
    ends: list[tuple[str, float, float]],
    colour: dict[str, str],
    say: Say,
    x: float,
) -> None:
    """Write each line's name beside its right end, moved apart where they would touch."""
    low, high = axes.get_ylim()
    heights = apart([y for _, _, y in ends], 0.075 * (high - low))
    for (name, _, _), y in zip(ends, heights, strict=True):
        axes.annotate(
            short(say.model(name), 12),
            (x, y),
            (9, 0),
            textcoords="offset points",
            va="center",
            color=colour[name],
            fontweight="bold",
            annotation_clip=False,
        )
