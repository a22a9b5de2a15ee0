"""Pictures of the search: trials in the order tried, and how the winner learned."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.ticker import MaxNLocator

from assay.behaviour import Epochs
from assay.plans import LOSSES
from assay.records import FoldResult, Metric
from assay.report.drawing import (
    BLUE,
    LINE,
    PAGE,
    SOFT,
    Canvas,
    Picture,
)
from assay.report.pictures import colours, name_lines
from assay.report.wording import Say


def trials(results: Sequence[FoldResult], metric: Metric, say: Say) -> Picture | None:
    """Return the score of each trial in the order tried, by family, on the first repeat's folds."""
    by_model = trial_scores(results)
    if not by_model:
        return None
    colour = colours(list(by_model))
    canvas = Canvas("trials", 215)
    axes = canvas.axes
    ends, said, rows = [], [], []
    most = max(len(scores) for scores in by_model.values())
    for shift, (name, scores) in enumerate(by_model.items()):
        numbers = sorted(scores)
        means = [fmean(scores[n]) for n in numbers]
        nudge = 0.12 * (shift - (len(by_model) - 1) / 2)
        dots = [(n + 1 + nudge, one) for n in numbers for one in scores[n]]
        dots = dots[:: 1 + len(dots) // 200]
        axes.plot(*zip(*dots, strict=True), "o", color=colour[name], ms=3, alpha=0.35)
        axes.plot(
            [n + 1 for n in numbers],
            means,
            color=colour[name],
            marker="o",
            ms=4.5,
            mec=PAGE,
            mew=0.8,
        )
        best = max(range(len(means)), key=means.__getitem__)
        said.append(
            say.plain(
                "search.trial_said",
                name=say.model(name),
                score=f"{means[best]:.4f}",
                number=str(numbers[best] + 1),
            )
        )
        ends.append((name, numbers[-1] + 1.0, means[-1]))
        rows += [
            (say.model(name), str(n + 1), f"{mean:.4f}")
            for n, mean in zip(numbers, means, strict=True)
        ]
    name_lines(axes, ends, colour, say, most)
    axes.set_xlim(0.6, most + 0.4)
    axes.set_xticks(range(1, most + 1, 1 + most // 12))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(say.plain("search.trial_axis"))
    metric_name = say.plain(f"metric.{metric}")
    canvas.title(say.plain("search.score_axis", metric=metric_name))
    canvas.margins(left=46, right=66, top=24, bottom=34)
    negated = say.plain("search.negated") if metric in LOSSES else ""
    return Picture(
        canvas.svg(say.plain("search.trials_alt", said="; ".join(said))),
        say("search.trials_caption", negated=negated),
        (
            say.plain("search.model"),
            say.plain("search.trial"),
            say.plain("search.mean"),
        ),
        tuple(rows),
    )


def trial_scores(results: Sequence[FoldResult]) -> dict[str, dict[int, list[float]]]:
    """Return of each family and trial its scores on the first repeat's folds; failed ones are absent."""
    found: dict[str, dict[int, list[float]]] = {}
    for result in results:
        if result.place.repeat:
            continue
        for name, fit in result.models.items():
            for trial in fit.trials:
                if trial.score is not None:
                    scores = found.setdefault(name, {}).setdefault(trial.number, [])
                    scores.append(trial.score)
    return found


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
