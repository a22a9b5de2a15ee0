"""Pictures of the search: trials in the order tried, and how the winner learned."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from assay.judge.sentences import METRICS
from assay.report.canvas import (
    BLUE,
    PAGE,
    SOFT,
    Canvas,
    Picture,
)
from assay.report.draw_comparison import colours, name_lines
from assay.report.say import Say
from assay.store.behaviour import Epochs
from assay.store.records import FoldResult, Metric
from assay.study.plans import LOSSES


def trials(results: Sequence[FoldResult], metric: Metric, say: Say) -> Picture | None:
    """Return the score of each trial in the order tried, by family, on the first repeat's folds."""
    by_model = trial_scores(results)
    if not by_model:
        return None
    canvas = Canvas("trials", 215)
    most = max(len(scores) for scores in by_model.values())
    means = {
        name: {n: fmean(scores[n]) for n in sorted(scores)}
        for name, scores in by_model.items()
    }
    _draw_trials(canvas.axes, by_model, means, say)
    canvas.axes.set_xlim(0.6, most + 0.4)
    canvas.axes.set_xticks(range(1, most + 1, 1 + most // 12))
    canvas.axes.set_xlabel(say.plain("search.trial_axis"))
    canvas.heights()
    metric_name = say.plain(METRICS[metric])
    canvas.title(say.plain("search.score_axis", metric=metric_name))
    canvas.margins(left=46, right=66, top=24, bottom=34)
    best = "; ".join(_best(name, by_trial, say) for name, by_trial in means.items())
    caption = "trials_caption_negated" if metric in LOSSES else "trials_caption"
    return Picture(
        canvas.svg(say.plain("search.trials_alt", values=best)),
        say(f"search.{caption}"),
        tuple(say.plain(f"search.{head}") for head in ("model", "trial", "mean")),
        tuple(
            (say.model(name), str(n + 1), f"{mean:.4f}")
            for name, by_trial in means.items()
            for n, mean in by_trial.items()
        ),
    )


def _draw_trials(
    axes: Axes,
    scores: dict[str, dict[int, list[float]]],
    means: dict[str, dict[int, float]],
    say: Say,
) -> None:
    """Draw a dot for each trial on each fold, no more than 200 of a family, and a line through the means."""
    colour, ends = colours(list(scores)), []
    for place, (name, by_trial) in enumerate(means.items()):
        nudge = 0.12 * (place - (len(means) - 1) / 2)
        dots = [(n + 1 + nudge, score) for n in by_trial for score in scores[name][n]]
        dots = dots[:: 1 + len(dots) // 200]
        x, y, hue = [n + 1 for n in by_trial], list(by_trial.values()), colour[name]
        axes.plot(*zip(*dots, strict=True), "o", color=hue, ms=3, alpha=0.35)
        axes.plot(x, y, color=hue, marker="o", ms=4.5, mec=PAGE, mew=0.8)
        ends.append((name, float(x[-1]), y[-1]))
    name_lines(axes, ends, colour, say, max(x for _, x, _ in ends) + nudge)


def _best(name: str, means: dict[int, float], say: Say) -> str:
    number = max(means, key=lambda n: means[n])
    best = {"score": f"{means[number]:.4f}", "number": str(number + 1)}
    return say.plain("search.best_trial", name=say.model(name), **best)


def trial_scores(results: Sequence[FoldResult]) -> dict[str, dict[int, list[float]]]:
    """Return of each family and trial its scores on the first repeat's folds; failed ones are absent."""
    by_model: dict[str, dict[int, list[float]]] = {}
    for result in results:
        if result.place.repeat:
            continue
        for name, fit in result.models.items():
            for trial in fit.trials:
                if trial.score is not None:
                    scores = by_model.setdefault(name, {}).setdefault(trial.number, [])
                    scores.append(trial.score)
    return by_model


def epochs(folds: Sequence[Epochs], say: Say) -> Picture | None:
    """Return how the winner learned on each outer fold."""
    shown = [fold for fold in folds if fold.stopping]
    if not shown:
        return None
    canvas = Canvas("epochs", 215)
    for fold in shown:
        _draw_epochs(canvas.axes, fold)
    for place, (key, colour) in enumerate((("stopping", BLUE), ("training", SOFT))):
        canvas.note(
            say.plain(f"search.{key}"),
            (1.0, 1.16 - 0.09 * place),
            shift=-1,
            colour=colour,
            bold=True,
            xycoords="axes fraction",
        )
    canvas.axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    canvas.axes.set_xlabel(say.plain("search.epoch_axis"))
    canvas.heights()
    canvas.title(say.plain("search.loss_axis"))
    canvas.margins(left=46, top=34, bottom=36)
    taken = [epoch for fold in shown for epoch in fold.best] or [0]
    ends = {"low": str(min(taken)), "high": str(max(taken))}
    return Picture(
        canvas.svg(say.plain("search.epochs_alt", **ends)),
        say("search.epochs_caption"),
        (
            say.plain("comparison.fold"),
            say.plain("search.epochs"),
            say.plain("search.taken"),
        ),
        tuple(
            (
                str(fold.fold + 1),
                str(len(fold.stopping)),
                ", ".join(map(str, fold.best)),
            )
            for fold in shown
        ),
    )


def _draw_epochs(axes: Axes, fold: Epochs) -> None:
    """Draw both losses of a fold, with a dot at the mean epoch its networks were taken from."""
    learned, stopped = (
        range(1, len(losses) + 1) for losses in (fold.training, fold.stopping)
    )
    axes.plot(learned, fold.training, color=SOFT, lw=1, alpha=0.5)
    axes.plot(stopped, fold.stopping, color=BLUE, lw=1.5, alpha=0.8)
    if fold.best:
        best = min(max(1, round(fmean(fold.best))), len(fold.stopping))
        axes.plot([best], [fold.stopping[best - 1]], "o", color=BLUE, ms=6, mec=PAGE)
