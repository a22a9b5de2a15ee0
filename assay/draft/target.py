"""What is to be predicted: which task the target's values make, and what would count as a finding."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.draft.cells import amounts, dates
from assay.draft.folds import fewest_rows
from assay.errors import DataRefused
from assay.formats.numbers import spelled
from assay.store.records import Metric, Task
from assay.study.plans import SplitPlan

_FEW_NUMBERS = 10  # whole numbers of more values are amounts, of fewer may be codes
_MOST_CLASSES = 50
_MOST_ROWS_LOST = 0.1  # with classes too rare to be learned
_AFFIRMATIVE = ("yes", "true", "1", "y", "t", "positive", "pos", "예", "네", "참")


@dataclass(frozen=True)
class Aim:
    """What a study predicts.

    Attributes
    ----------
    column
        The target's column.
    kept
        The classes that stay where others are too rare, else empty.
    positive
        The class of interest of two.
    in_texts
        Whether it is numbers that stand in texts, and ``unit`` the one to read where they mix several.
    known : shape (n_rows,)
        Which rows have a target that counts.
    values : shape (n_known,)
        Class codes, or numbers.
    why
        The reasons for the task, in sentences.
    """

    column: str
    task: Task
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    kept: tuple[str, ...]
    positive: str | None
    in_texts: bool
    unit: str | None
    known: NDArray[np.bool_]
    values: NDArray[Any]
    why: tuple[str, ...]

    @property
    def metric(self) -> Metric:
        return "r2" if self.task == "regression" else "auc"

    @property
    def at_least(self) -> float:
        return 0.1 if self.task == "regression" else 0.6


def aim_at(frame: pd.DataFrame, name: str, things: "pd.Series[Any] | None") -> Aim:
    """Choose the task that the values of column ``name`` make.

    Parameters
    ----------
    things
        What each row belongs to where a unit is declared: of a class there must be enough of them.

    Raises
    ------
    DataRefused
        If the target has one value, or is a date, or texts too many to be classes, or if its classes
        are too rare; the message says what to do.
    """
    column = frame[name]
    known = column.notna().to_numpy()
    if column.nunique() < 2:
        raise DataRefused(
            f"The target '{name}' has {column.nunique()} value; two are needed to tell anything apart. "
            f"Name another column with --target."
        )
    if pd.api.types.is_bool_dtype(column):
        return _classes(frame, name, known, things, "it is true or false")
    if pd.api.types.is_numeric_dtype(column):
        return _numbers(frame, name, known, things)
    texts = column.map(str, na_action="ignore")
    found = amounts(texts)
    if found is not None:
        there = ~np.isnan(found.values)
        lost = int((known & ~there).sum())
        others = ", ".join(map(repr, [*found.others, *found.not_numbers][:3]))
        why = "its texts hold numbers"
        if lost:
            why += (
                f", but {lost:,} rows hold something else ({others}) and are left out"
            )
        values = found.values[there]
        return _amount(name, there, values, why, found.unit, in_texts=True)
    if pd.api.types.is_datetime64_any_dtype(column) or dates(texts) is not None:
        raise DataRefused(
            f"The target '{name}' holds dates, which no model here predicts. Put what is to be known of them into a "
            f"column of numbers or classes, such as the days until then."
        )
    n = column.nunique()
    if n > min(_MOST_CLASSES, max(2, int(known.sum()) // 4)):
        raise DataRefused(
            f"The target '{name}' has {n} different texts in {int(known.sum())} rows: it is no class label, of which "
            f"there may be {_MOST_CLASSES}, each in several rows. Name another column with --target."
        )
    return _classes(frame, name, known, things, f"it holds {n} different texts")


def _numbers(
    frame: pd.DataFrame, name: str, known: NDArray[np.bool_], things: Any
) -> Aim:
    """Take whole numbers of few values for classes, unless one is so rare that only their order helps."""
    values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[known]
    distinct = np.unique(values)
    if len(distinct) == 2:
        return _classes(frame, name, known, things, "it holds two numbers")
    whole = bool((distinct % 1 == 0).all())
    if whole and len(distinct) <= _FEW_NUMBERS:
        counts = _counts(_spelled(frame[name][known]), frame, things)
        if min(counts.values()) >= fewest_rows():
            why = (
                f"it holds {len(distinct)} whole numbers, taken for names of classes. If they are amounts, "
                f"write task = 'regression', metric = 'r2' and at_least = 0.1"
            )
            return _classes(frame, name, known, things, why)
        why = (
            f"it holds {len(distinct)} whole numbers, some in fewer than {fewest_rows()} rows: too few for a class "
            f"of their own, but numbers have an order to learn from"
        )
        return _amount(name, known, values, why)
    return _amount(name, known, values, f"it holds {len(distinct)} different numbers")


def _amount(
    name: str,
    known: NDArray[np.bool_],
    values: NDArray[np.float64],
    why: str,
    unit: str | None = None,
    *,
    in_texts: bool = False,
) -> Aim:
    if len(values) < fewest_rows():
        raise DataRefused(
            f"The target '{name}' has a number in {len(values)} rows, but {SplitPlan().folds} outer and inner folds "
            f"need {fewest_rows()}. Bring more rows."
        )
    return Aim(
        column=name,
        task="regression",
        classes=(),
        counts=(),
        kept=(),
        positive=None,
        in_texts=in_texts,
        unit=unit,
        known=known,
        values=values,
        why=(f"A number is predicted: {why}.",),
    )


def _classes(
    frame: pd.DataFrame, name: str, known: NDArray[np.bool_], things: Any, why: str
) -> Aim:
    labels = _spelled(frame[name][known])
    held = _counts(labels, frame, things)
    counts = labels.value_counts()
    enough = [label for label in sorted(held) if held[label] >= fewest_rows()]
    rare = {label: held[label] for label in sorted(held) if label not in enough}
    reasons = []
    if rare:
        lost = int(sum(counts[label] for label in rare))
        if len(enough) < 2 or lost > _MOST_ROWS_LOST * len(labels):
            raise DataRefused(_too_rare(name, rare, things))
        shown = ", ".join(f"{label} ({n})" for label, n in [*rare.items()][:4])
        more = f" and {len(rare) - 4} more" if len(rare) > 4 else ""
        reasons.append(
            f"{lost} rows are left out, whose class is too rare for {SplitPlan().folds} outer and inner folds: "
            f"{shown}{more}. Give such a class another's name in the mapping to keep them."
        )
    kept = labels.isin(enough).to_numpy()
    known = known.copy()
    known[known] = kept
    classes = tuple(enough)
    positive = _positive(classes, counts) if len(classes) == 2 else None
    reasons.insert(0, f"A class is predicted: {why}.")
    if positive is not None:
        reasons.append(
            f"The class of interest is taken to be {positive!r}; scores are the same either way round."
        )
    codes = labels[kept].map({label: code for code, label in enumerate(classes)})
    return Aim(
        column=name,
        task="binary" if len(classes) == 2 else "multiclass",
        classes=classes,
        counts=tuple(int(counts[label]) for label in classes),
        kept=classes if rare else (),
        positive=positive,
        in_texts=False,
        unit=None,
        known=known,
        values=codes.to_numpy(dtype=np.int64),
        why=tuple(reasons),
    )


def _too_rare(name: str, rare: dict[str, int], things: Any) -> str:
    label, n = min(rare.items(), key=lambda pair: pair[1])
    what = "rows" if things is None else f"units ({things.name})"
    return (
        f"The class '{label}' of '{name}' is in {n} different {what}, but {SplitPlan().folds} outer and inner folds "
        f"need {fewest_rows()}{f', and {len(rare)} classes are as rare' if len(rare) > 1 else ''}. Bring more rows, or "
        f"join classes in the file."
    )


def _positive(classes: tuple[str, ...], counts: "pd.Series[Any]") -> str:
    """Return the class that says yes, or else the rarer one, which is mostly what is looked for."""
    yes = [label for label in classes if label.casefold() in _AFFIRMATIVE]
    if len(yes) == 1:
        return yes[0]
    return min(classes, key=lambda label: (counts[label], label))


def _counts(
    labels: "pd.Series[Any]", frame: pd.DataFrame, things: Any
) -> dict[str, int]:
    """Return for each class how many units have it, or rows.

    Where a column is continuous only different rows count: cleaning keeps copies together.
    """
    if things is not None:
        missing = pd.Series([f"row {row}" for row in labels.index], index=labels.index)
        rows = things[labels.index].astype(object).fillna(missing).astype(str)
        pairs = pd.DataFrame({"label": labels, "thing": rows}).drop_duplicates()
        found = pairs["label"].value_counts()
    elif frame.nunique().max() > len(frame) / 2:
        found = labels[~frame.loc[labels.index].duplicated()].value_counts()
    else:
        found = labels.value_counts()
    return {str(label): int(n) for label, n in found.items()}


def _spelled(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column.map(spelled).astype(str)
