"""What out-of-fold predictions show: ROC and precision-recall, calibration, confusion, worst errors.

Every row was predicted by models that never saw it; where it was predicted in several repeats, the
mean is taken. All of it describes, and nothing here decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.judge.contributions import DEEP
from assay.report.account import Bin, Curve, Findings, Wrong
from assay.report.examples import Pixels, example
from assay.store.records import Cleaned

Array = NDArray[np.float64]
MOST_POINTS = 100  # of a curve
_MOST_CLASSES = 12  # with a curve of their own
_MOST_WRONG, _MOST_VALUES, _MOST_LETTERS = 10, 6, 80
_MOST_EXAMPLES = 8


@dataclass(frozen=True)
class Predicted:
    """The tested rows of a run.

    Attributes
    ----------
    rows : shape (n,)
        Which of the cleaned rows they are.
    labels : shape (n,)
        int32 class codes, or float64 values.
    by_model : each of shape (n, n_classes) or (n, 1)
        Mean prediction over the repeats.
    """

    rows: NDArray[np.intp]
    labels: Labels
    by_model: dict[str, Array]
    repeats: int


def predicted(
    labels: Labels,
    outer: NDArray[np.int16],
    predictions: Mapping[str, Sequence[Sequence[Array]]],
) -> Predicted:
    """Return the mean prediction of each tested row.

    Parameters
    ----------
    outer : shape (repeats, n_rows)
        Test fold of each row; -1: in none.
    predictions
        Of each model, repeat and fold the predictions of the test rows, in row order.
    """
    rows = np.flatnonzero((outer >= 0).all(axis=0))
    means: dict[str, Array] = {}
    for name, by_repeat in predictions.items():
        total = np.zeros((outer.shape[1], by_repeat[0][0].shape[1]))
        for folds, by_fold in zip(outer, by_repeat, strict=True):
            for fold, answer in enumerate(by_fold):
                total[folds == fold] += answer
        means[name] = total[rows] / len(outer)
    return Predicted(rows, labels[rows], means, len(outer))


def findings(
    tested: Predicted,
    cleaned: Cleaned,
    features: pd.DataFrame,
    leading: Sequence[str] = (),
    pixels: Pixels | None = None,
) -> Findings:
    """Return what the predictions show.

    Parameters
    ----------
    features
        All cleaned rows, for the values of those that went most wrong.
    leading
        Columns whose values are shown first.
    pixels
        How the numbers among the features are an image; None: they are not.
    """
    shown = [name for name in leading if name in features.columns]
    shown += [str(name) for name in features.columns if name not in shown]
    columns = [] if pixels else shown[:_MOST_VALUES]
    common = Findings(
        repeats=tested.repeats,
        n_rows=len(tested.rows),
        unshown=len(features.columns) - len(columns),
    )
    if cleaned.task == "regression":
        return common.model_copy(update=_of_numbers(tested, features[columns]))
    names = cleaned.classes
    described = _of_classes(tested, names) | {
        "wrong": _wrong_classes(tested, names, features[columns])
    }
    if pixels:
        described |= _pictures(tested, names, features, pixels)
    return common.model_copy(update=described)


# Classes ---------------------------------------------------------------------------------------


def _of_classes(tested: Predicted, names: Sequence[str]) -> dict[str, object]:
    """Return the curves: of each model where there are two classes, else of the net for each class."""
    net = tested.by_model[DEEP]
    if len(names) == 2:
        wanted = [
            (model, tested.labels == 1, p[:, 1]) for model, p in tested.by_model.items()
        ]
        rates = {names[1]: float(np.mean(tested.labels == 1))}
    else:
        counts = np.bincount(tested.labels, minlength=len(names))
        asked = sorted(np.argsort(-counts, kind="stable")[:_MOST_CLASSES])
        wanted = [(names[k], tested.labels == k, net[:, k]) for k in asked]
        rates = {names[k]: float(counts[k] / counts.sum()) for k in asked}
    wanted = [case for case in wanted if 0 < case[1].sum() < len(case[1])]
    bins = {model: _bins(tested.labels, p) for model, p in tested.by_model.items()}
    matrix = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(matrix, (tested.labels, net.argmax(axis=1)), 1)
    return {
        "roc": tuple(roc(*case) for case in wanted),
        "precision": tuple(precision(*case) for case in wanted),
        "base_rates": rates,
        "calibration": bins,
        "calibration_error": {
            model: sum(b.n * abs(b.predicted - b.observed) for b in of)
            / max(1, sum(b.n for b in of))
            for model, of in bins.items()
        },
        "confusion": tuple(tuple(int(n) for n in row) for row in matrix),
    }


def _steps(
    truth: NDArray[np.bool_], score: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many members and others score at least each distinct score, from the highest down."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    members = np.cumsum(truth[order], dtype=float)[last]
    return members, np.arange(1.0, len(score) + 1)[last] - members


def roc(of: str, truth: NDArray[np.bool_], score: Array) -> Curve:
    """Return the true positive rate over the false positive rate, with the area under it.

    Examples
    --------
    >>> roc("net", np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])).area
    0.75
    """
    members, others = _steps(truth, score)
    x = np.append(0.0, others / others[-1])
    y = np.append(0.0, members / members[-1])
    return _curve(of, x, y, float(np.trapezoid(y, x)))


def precision(of: str, truth: NDArray[np.bool_], score: Array) -> Curve:
    """Return precision over recall; the area is the average precision, a sum of steps.

    Examples
    --------
    >>> round(precision("net", np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])).area, 4)
    0.8333
    """
    members, others = _steps(truth, score)
    recall, right = members / members[-1], members / (members + others)
    area = float(np.sum(np.diff(recall, prepend=0.0) * right))
    return _curve(of, recall, right, area)


def _curve(of: str, x: Array, y: Array, area: float) -> Curve:
    """Return a line thinned to points that lie evenly along it; both ends stay."""
    if len(x) > MOST_POINTS:
        along = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
        at = np.linspace(0, along[-1], MOST_POINTS)
        kept = np.unique(np.append(np.searchsorted(along, at[:-1]), len(x) - 1))
        x, y = x[kept], y[kept]
    return Curve(of=of, x=_short(x), y=_short(y), area=area)


def _short(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)


def _bins(labels: Labels, p: Array, n_bins: int = 10) -> tuple[Bin, ...]:
    """Return predicted probabilities and observed frequencies: of the second of two classes, else of the likeliest one."""
    confidence = p[:, 1] if p.shape[1] == 2 else p.max(axis=1)
    true = labels == 1 if p.shape[1] == 2 else p.argmax(axis=1) == labels
    place = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return tuple(
        Bin(
            predicted=float(confidence[place == k].mean()),
            observed=float(true[place == k].mean()),
            n=int((place == k).sum()),
        )
        for k in range(n_bins)
        if (place == k).any()
    )


def _wrong_classes(
    tested: Predicted, names: Sequence[str], values: pd.DataFrame
) -> tuple[Wrong, ...]:
    p = tested.by_model[DEEP]
    called, sure = p.argmax(axis=1), p.max(axis=1)
    missed = np.flatnonzero(called != tested.labels)
    worst = missed[np.argsort(-sure[missed], kind="stable")][:_MOST_WRONG]
    return tuple(
        Wrong(
            row=int(tested.rows[i]),
            truth=names[tested.labels[i]],
            said=names[called[i]],
            by=float(sure[i]),
            values=_values(values, int(tested.rows[i])),
        )
        for i in worst
    )


def _values(table: pd.DataFrame, row: int) -> dict[str, str]:
    return {str(name): _text(value) for name, value in table.iloc[row].items()}


def _text(value: object) -> str:
    if value is None or value is pd.NA or value != value:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"


def _pictures(
    tested: Predicted, names: Sequence[str], features: pd.DataFrame, pixels: Pixels
) -> dict[str, object]:
    """Return the images that were most surely called wrong, and of each class the most surely right one."""
    p = tested.by_model[DEEP]
    called, sure = p.argmax(axis=1), p.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    wrong = [i for i in order if called[i] != tested.labels[i]][:_MOST_EXAMPLES]
    right: dict[int, int] = {}
    for i in order:
        if called[i] == tested.labels[i]:
            right.setdefault(int(called[i]), int(i))

    def shown(i: int) -> object:
        row = int(tested.rows[i])
        truth, predicted_name = names[tested.labels[i]], names[called[i]]
        return example(features, pixels, row, truth, predicted_name, float(sure[i]))

    return {
        "wrong_examples": tuple(map(shown, wrong)),
        "right_examples": tuple(shown(right[k]) for k in sorted(right))[
            :_MOST_EXAMPLES
        ],
    }


# Numbers ---------------------------------------------------------------------------------------


def _of_numbers(tested: Predicted, values: pd.DataFrame) -> dict[str, object]:
    answer = tested.by_model[DEEP][:, 0]
    error = answer - tested.labels
    by_truth = np.argsort(tested.labels, kind="stable")
    some = by_truth[np.unique(np.linspace(0, len(answer) - 1, 200).round().astype(int))]
    worst = np.argsort(-np.abs(error), kind="stable")[:_MOST_WRONG]
    return {
        "points": tuple((float(tested.labels[i]), float(answer[i])) for i in some),
        "errors": tuple(map(float, np.quantile(error, [0.05, 0.25, 0.5, 0.75, 0.95]))),
        "wrong": tuple(
            Wrong(
                row=int(tested.rows[i]),
                truth=f"{tested.labels[i]:.6g}",
                said=f"{answer[i]:.6g}",
                by=float(error[i]),
                values=_values(values, int(tested.rows[i])),
            )
            for i in worst
        ),
    }
