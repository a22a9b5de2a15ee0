"""How the deep model behaves: what it looks at, how it answers, whether more rows would help.

Descriptions for a reader, computed after the verdict and from models fitted anew with what the search
chose: no score or word of a verdict rests on them. Each outer fold of the first repeat is described by
itself; :func:`behaviour_of` puts the folds together.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from pydantic import Field

from assay.store.records import Place, Record, Text, circumstance
from assay.wording import Sentence, as_sentence

_MOST_SHOWN, _MOST_DEPENDENCES = 40, 6


class Importance(Record):
    """What the score loses where one column of the test rows is shuffled (Breiman 2001; Fisher et al. 2019)."""

    column: str
    drop: float = Field(
        description="Mean over the outer folds, in the metric's units; positive: worse without it."
    )
    low: float = Field(description="The smallest of the outer folds.")
    high: float


class Dependence(Record):
    """The mean prediction with one column set to each of some values (Friedman 2001)."""

    column: str
    of: str = Field(description="The class whose probability it is; empty: a number.")
    values: tuple[float, ...] | tuple[str, ...]
    predicted: tuple[float, ...]
    shares: tuple[float, ...] = Field(
        description="Of the rows, which are nearest to each value."
    )


class AtRows(Record):
    """Mean scores on the outer test parts after learning from so many rows."""

    n_rows: int
    scores: dict[str, float] = Field(description="The net and a simple model.")


class Epochs(Record):
    """The course of training of the winner on one outer fold, mean over its networks.

    A network that has stopped counts on with its last losses. The losses are those that training makes
    small: cross-entropy, or the error of a number in standard units.
    """

    fold: int
    training: tuple[float, ...] = Field(description="Loss on the rows learned from.")
    stopping: tuple[float, ...] = Field(
        description="Loss on the rows that decide when to stop."
    )
    best: tuple[int, ...] = Field(
        description="The epoch each network was taken from, counted from 1."
    )


class Behaviour(Record):
    """How the deep model behaves on the first repeat's outer folds."""

    importances: tuple[Importance, ...] = Field(description="The largest first.")
    dependences: tuple[Dependence, ...] = Field(
        description="Of the most important columns, the first first."
    )
    at_rows: tuple[AtRows, ...] = Field(description="From few rows to all.")
    epochs: tuple[Epochs, ...]
    not_asked: dict[str, Text] = Field(
        default_factory=dict,
        description="What was left out, as a key of the wording or in words, and why.",
    )

    def summary(self) -> Sentence:
        return _most_important([drop.column for drop in self.importances])


def _most_important(columns: Sequence[str]) -> Sentence:
    if not columns:
        return Sentence("records.no_importances")
    return Sentence.of("records.importances", columns=tuple(columns[:3]))


# One outer fold ------------------------------------------------------------------------------------


class FoldDependence(Record):
    """The mean predictions of one outer fold with one column set to each of some values."""

    column: str
    values: tuple[float, ...] | tuple[str, ...]
    predicted: tuple[tuple[float, ...], ...] = Field(
        description="For each value the probability of each class, or one number."
    )
    shares: tuple[float, ...]


class FoldBehaviour(Record):
    """How the deep model behaves on one outer fold."""

    place: Place
    drops: dict[str, float] = Field(
        description="What the score loses, by column; empty where it cannot be told."
    )
    dependences: tuple[FoldDependence, ...]
    at_rows: dict[str, AtRows] = Field(
        description="By the portion learned from, 1/8 to 1."
    )
    epochs: Epochs
    not_asked: dict[str, Text]
    seconds: float = circumstance("How long it took.")

    def summary(self) -> Sentence:
        columns = sorted(self.drops, key=lambda name: -self.drops[name])
        return Sentence.of(
            "records.fold_importances",
            fold=self.place.fold + 1,
            importances=_most_important(columns),
        )


def behaviour_of(
    folds: Sequence[FoldBehaviour],
    classes: Sequence[str],
    not_asked: Mapping[str, Sentence | str],
) -> Behaviour:
    """Put the folds together: means, and the range over the folds.

    Parameters
    ----------
    classes
        Of the target; none for a number.
    not_asked
        What was asked of no fold, and why.
    """
    importances = _importances(folds)
    left_out = {what: as_sentence(why) for what, why in not_asked.items()}
    for fold in folds:
        left_out |= fold.not_asked
    n_more = len(importances) - _MOST_SHOWN
    if n_more > 0:
        left_out["records.less_important"] = Sentence.of(
            "records.smaller_drops", n=n_more
        )
    return Behaviour(
        importances=tuple(importances[:_MOST_SHOWN]),
        dependences=tuple(_dependences(folds, classes, importances)),
        at_rows=tuple(_at_rows(folds)),
        epochs=tuple(fold.epochs for fold in folds),
        not_asked=left_out,
    )


def _importances(folds: Sequence[FoldBehaviour]) -> list[Importance]:
    """Return the columns of which every fold that has drops has one, the largest mean first."""
    by_fold = [fold.drops for fold in folds if fold.drops]
    importances = []
    for column in by_fold[0] if by_fold else ():
        drops = [fold[column] for fold in by_fold if column in fold]
        if len(drops) == len(by_fold):
            low, high = min(drops), max(drops)
            importances.append(
                Importance(column=column, drop=fmean(drops), low=low, high=high)
            )
    return sorted(importances, key=lambda importance: -importance.drop)


def _dependences(
    folds: Sequence[FoldBehaviour],
    classes: Sequence[str],
    importances: Sequence[Importance],
) -> list[Dependence]:
    by_column: dict[str, list[FoldDependence]] = {}
    for fold in folds:
        for dependence in fold.dependences:
            by_column.setdefault(dependence.column, []).append(dependence)
    dependences = [
        _dependence(by_column[column.column], classes)
        for column in importances
        if column.drop > 0 and len(by_column.get(column.column, ())) == len(folds)
    ]
    return dependences[:_MOST_DEPENDENCES]


def _dependence(
    by_fold: Sequence[FoldDependence], classes: Sequence[str]
) -> Dependence:
    """Return the mean over folds, of the class that moves most; of two classes it is the second."""
    first = by_fold[0]
    n_outputs = len(first.predicted[0])
    curves = [
        [
            fmean(fold.predicted[value][output] for fold in by_fold)
            for value in range(len(first.values))
        ]
        for output in range(n_outputs)
    ]
    shown = (
        n_outputs - 1
        if n_outputs <= 2
        else max(range(n_outputs), key=lambda k: max(curves[k]) - min(curves[k]))
    )
    return Dependence(
        column=first.column,
        of=classes[shown] if classes else "",
        values=first.values,
        predicted=tuple(curves[shown]),
        shares=first.shares,
    )


def _at_rows(folds: Sequence[FoldBehaviour]) -> list[AtRows]:
    """Return the portions that every fold has, with mean scores over the folds that have some."""
    portions = [
        portion
        for portion in (folds[0].at_rows if folds else ())
        if all(portion in fold.at_rows for fold in folds)
    ]
    means = []
    for portion in portions:
        by_fold = [fold.at_rows[portion] for fold in folds]
        scores = _mean_scores([at.scores for at in by_fold if at.scores])
        n_rows = round(fmean(at.n_rows for at in by_fold))
        means.append(AtRows(n_rows=n_rows, scores=scores))
    return sorted((at for at in means if at.scores), key=lambda at: at.n_rows)


def _mean_scores(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    if not scores:
        return {}
    return {name: fmean(fold[name] for fold in scores) for name in scores[0]}
