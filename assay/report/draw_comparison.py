"""Pictures of what decides: chance, the interval against each baseline, the folds."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes

from assay.judge.contributions import DEEP
from assay.judge.sentences import METRICS, figure
from assay.report.canvas import (
    AMBER,
    BLUE,
    GREEN,
    LINE,
    PAGE,
    PINK,
    SKY,
    SOFT,
    VERMILION,
    WIDTH,
    Canvas,
    Picture,
    apart,
    short,
)
from assay.report.say import Say
from assay.store.records import STATISTICS, GateResult, Metric, Place
from assay.store.verdict import Against, DeepLearning

_OF_MODELS = {DEEP: BLUE, "boosting": VERMILION, "logistic": GREEN, "linear": GREEN}
_OTHERS = (PINK, AMBER, SKY)
_LETTER = 7.5  # of the page's letters about the widest: units a letter


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
    lefts = [low + width * i for i in range(n_bins)]
    facts = {
        "n": str(len(gate.null_scores)),
        "statistic": say.plain(STATISTICS[gate.statistic]),
        "low": f"{low:.3f}",
        "high": f"{high:.3f}",
        "score": f"{gate.score:.3f}",
    }
    canvas = Canvas("chance", 180)
    canvas.axes.bar(lefts, counts, width * 0.88, align="edge", color=SOFT, alpha=0.55)
    _mark_scores(canvas, gate.chance_level, gate.score, (low, high), max(counts), say)
    canvas.along(say.plain("gate.null_axis", statistic=facts["statistic"]))
    canvas.margins(left=12, bottom=36)
    return Picture(
        canvas.svg(say.plain("gate.picture_alt", **facts)),
        say("gate.picture_caption", n=facts["n"]),
        tuple(map(say.plain, ("gate.from", "gate.to", "gate.copies"))),
        tuple(
            (f"{left:.4f}", f"{left + width:.4f}", str(n))
            for left, n in zip(lefts, counts, strict=True)
            if n
        ),
    )


def _mark_scores(
    canvas: Canvas,
    chance_level: float,
    score: float,
    null: tuple[float, float],
    tallest: int,
    say: Say,
) -> None:
    """Draw chance and the observed score as lines through all heights, each with its name."""
    axes, left, right = canvas.axes, min(null[0], score), max(null[1], score)
    axes.axvline(chance_level, color=LINE, linewidth=1)
    axes.axvline(score, color=BLUE, linewidth=2)
    pad = 0.04 * (right - left) or 0.02
    axes.set_xlim(left - pad, right + pad)
    axes.set_ylim(0, 1.28 * tallest)
    canvas.note(
        say.plain("gate.chance"),
        (chance_level, 1.24 * tallest),
        shift=4 if chance_level < left + 0.2 * (right - left) else -4,
        colour=SOFT,
    )
    canvas.note(
        say.plain("gate.observed", score=f"{score:.3f}"),
        (score, 1.24 * tallest),
        shift=-6 if score > (left + right) / 2 else 6,
        colour=BLUE,
        bold=True,
    )


def leads(deep: DeepLearning, metric: Metric, say: Say) -> Picture | None:
    """Return the net's gain over each baseline with its one-sided bounds, zero and the margin."""
    if not deep.against:
        return None
    canvas = Canvas("leads", 74 + 40 * len(deep.against))
    for place, (name, lead) in enumerate(deep.against.items()):
        gain = figure(metric, lead.delta, signed=True)
        over = say.plain("comparison.over", name=say.model(name))
        _draw_lead(canvas.axes, len(deep.against) - place, lead, f"{over}  {gain}")
    _mark_margin(canvas, deep, say)
    metric_name = say.plain(METRICS[metric])
    canvas.along(say.plain("comparison.gain_axis", metric=metric_name))
    canvas.margins(left=10, right=10, bottom=36)
    gains = "; ".join(
        say.plain(
            "comparison.gain_of",
            name=say.model(name),
            delta=figure(metric, lead.delta, signed=True),
            low=figure(metric, lead.lower, signed=True),
            high=figure(metric, lead.upper, signed=True),
        )
        for name, lead in deep.against.items()
    )
    alt = say.plain("comparison.gains_alt", margin=f"{deep.margin:g}", values=gains)
    return Picture(canvas.svg(alt), say("comparison.gains_caption"), (), ())


def _draw_lead(axes: Axes, y: float, lead: Against, name: str) -> None:
    """Draw the 95 % interval thin, the bounds thick, the gain as a dot, and its name above."""
    axes.plot(lead.interval_95, [y, y], color=SOFT, lw=1)
    axes.plot([lead.lower, lead.upper], [y, y], color=BLUE, lw=4.5, alpha=0.55)
    axes.plot([lead.delta], [y], "o", color=BLUE, ms=7, mec=PAGE, mew=1)
    axes.annotate(
        name,
        (lead.delta, y),
        (0, 8),
        textcoords="offset points",
        ha="center",
        bbox={"facecolor": PAGE, "edgecolor": "none", "pad": 1.5},
    )


def _mark_margin(canvas: Canvas, deep: DeepLearning, say: Say) -> None:
    """Draw zero and the margin as lines through all intervals, each with its name."""
    axes, top = canvas.axes, len(deep.against) + 1.0
    ends = [0.0, deep.margin]
    ends += [end for lead in deep.against.values() for end in lead.interval_95]
    pad = 0.22 * (max(ends) - min(ends))
    nothing = say.plain("comparison.no_gain")
    margin = say.plain("comparison.margin", margin=f"{deep.margin:g}")
    left, share = min(ends) - pad, (10 + _LETTER * len(margin)) / WIDTH
    right = (deep.margin - share * left) / (1 - share)  # where its name just fits
    axes.set_xlim(left, max(right, max(ends) + pad))
    axes.set_ylim(0.45, top + 0.05)
    axes.axvline(0, color=SOFT, lw=0.9)
    axes.axvline(deep.margin, color=VERMILION, lw=1.3, ls=(0, (4, 3)))
    canvas.note(nothing, (0, top), shift=-4, colour=SOFT)
    canvas.note(margin, (deep.margin, top), shift=4, colour=VERMILION)


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
    scored = [
        i
        for i in range(len(places))
        if all(fold_scores[name][i] is not None for name in models)
    ]
    if len(models) < 2 or not scored:
        return None
    columns = {
        name: [float(fold_scores[name][i] or 0.0) for i in scored] for name in models
    }
    canvas = Canvas("pairs", 230)
    _draw_pairs(canvas.axes, columns, say)
    canvas.heights()
    name = say.plain(METRICS[metric])
    canvas.title(name)
    canvas.margins(left=46, top=24, bottom=24)
    return Picture(
        canvas.svg(say.plain("comparison.pairs_alt", metric=name, n=str(len(scored)))),
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
            for at, i in enumerate(scored)
        ),
    )


def _draw_pairs(axes: Axes, columns: dict[str, list[float]], say: Say) -> None:
    """Draw a column of dots for each model, those of one fold joined, with means as diamonds."""
    colour = colours(list(columns))
    for line in zip(*columns.values(), strict=True):
        axes.plot(range(len(columns)), line, color=SOFT, lw=0.8, alpha=0.6)
    for x, (name, scores) in enumerate(columns.items()):
        hue = colour[name]
        axes.plot([x] * len(scores), scores, "o", color=hue, ms=4, alpha=0.7)
        axes.plot([x], [fmean(scores)], "D", color=hue, ms=8, mec=PAGE, mew=1.2)
    axes.set_xlim(-0.35, len(columns) - 0.65)
    axes.set_xticks(range(len(columns)), [say.model(name) for name in columns])
    for label, name in zip(axes.get_xticklabels(), columns, strict=True):
        label.set_color(colour[name])
        label.set_fontweight("bold")


def name_lines(
    axes: Axes,
    ends: list[tuple[str, float, float]],
    colour: dict[str, str],
    say: Say,
    x: float,
) -> None:
    """Write each line's name to the right of ``x``, at the height of its end, moved apart where they would touch."""
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
