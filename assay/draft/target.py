"""What is to be predicted: which task the target's values make, and the smallest effect worth finding."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.draft.cells import amounts, dates
from assay.draft.column import listed, others_of
from assay.draft.folds import fewest_rows
from assay.errors import DataRefused
from assay.formats.numbers import spelled
from assay.store.records import Metric, Task
from assay.study.plans import SplitPlan
from assay.wording import Sentence, Value

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
    labelled : shape (n_rows,)
        Which rows have a target that counts.
    values : shape (n_labelled,)
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
    labelled: NDArray[np.bool_]
    values: NDArray[Any]
    why: tuple[Sentence, ...]

    @property
    def metric(self) -> Metric:
        return "r2" if self.task == "regression" else "auc"

    @property
    def at_least(self) -> float:
        return 0.1 if self.task == "regression" else 0.6


def _why(key: str, **values: Value) -> Sentence:
    return Sentence.of(f"draft.why.{key}", **values)


def aim_at(frame: pd.DataFrame, name: str, units: "pd.Series[Any] | None") -> Aim:
    """Choose the task that the values of column ``name`` make.

    Parameters
    ----------
    units
        The unit of each row where one is declared: a class needs enough of them.

    Raises
    ------
    DataRefused
        If the target has one value, or is a date, or texts too many to be classes, or if its classes
        are too rare; the message says what to do.
    """
    column = frame[name]
    labelled = column.notna().to_numpy()
    n_values, n_rows = int(column.nunique()), int(labelled.sum())
    if n_values < 2:
        key = "constant" if n_values else "empty"
        raise DataRefused(f"draft.target.{key}", target=name)
    if pd.api.types.is_bool_dtype(column):
        return _classes(frame, name, labelled, units, _why("true_or_false"))
    if pd.api.types.is_numeric_dtype(column):
        return _numbers(frame, name, labelled, units)
    texts = column.map(str, na_action="ignore")
    held = amounts(texts)
    if held is not None:
        counts = ~np.isnan(held.values)
        n_lost = int((labelled & ~counts).sum())
        why = _why("numbers_in_texts")
        if n_lost:
            why = _why("some_numbers_in_texts", n=n_lost, examples=others_of(held))
        values = held.values[counts]
        return _amount(name, counts, values, why, held.unit, in_texts=True)
    if pd.api.types.is_datetime64_any_dtype(column) or dates(texts) is not None:
        raise DataRefused("draft.target.dates", target=name)
    if n_values > min(_MOST_CLASSES, max(2, n_rows // 4)):
        raise DataRefused(
            "draft.target.too_many_texts",
            target=name,
            n=n_values,
            n_rows=n_rows,
            most=_MOST_CLASSES,
        )
    return _classes(frame, name, labelled, units, _why("texts", n=n_values))


def _numbers(
    frame: pd.DataFrame, name: str, labelled: NDArray[np.bool_], units: Any
) -> Aim:
    """Take whole numbers of few values for classes, unless one is so rare that only their order helps."""
    values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[labelled]
    distinct = np.unique(values)
    n = len(distinct)
    if n == 2:
        return _classes(frame, name, labelled, units, _why("two_numbers"))
    whole = bool((distinct % 1 == 0).all())
    if whole and n <= _FEW_NUMBERS:
        counts = _counts(_spelled(frame[name][labelled]), frame, units)
        if min(counts.values()) >= fewest_rows():
            return _classes(frame, name, labelled, units, _why("codes", n=n))
        why = _why("rare_codes", n=n, fewest=fewest_rows())
        return _amount(name, labelled, values, why)
    return _amount(name, labelled, values, _why("numbers", n=n))


def _amount(
    name: str,
    labelled: NDArray[np.bool_],
    values: NDArray[np.float64],
    why: Sentence,
    unit: str | None = None,
    *,
    in_texts: bool = False,
) -> Aim:
    if len(values) < fewest_rows():
        raise DataRefused(
            "draft.target.too_few_numbers",
            target=name,
            n=len(values),
            folds=SplitPlan().folds,
            fewest=fewest_rows(),
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
        labelled=labelled,
        values=values,
        why=(_why("number", reason=why),),
    )


def _classes(
    frame: pd.DataFrame,
    name: str,
    labelled: NDArray[np.bool_],
    units: Any,
    why: Sentence,
) -> Aim:
    labels = _spelled(frame[name][labelled])
    n_of = _counts(labels, frame, units)
    counts = labels.value_counts()
    enough = [label for label in sorted(n_of) if n_of[label] >= fewest_rows()]
    rare = {label: n_of[label] for label in sorted(n_of) if label not in enough}
    reasons = [_why("class", reason=why)]
    if rare:
        n_lost = int(sum(counts[label] for label in rare))
        if len(enough) < 2 or n_lost > _MOST_ROWS_LOST * len(labels):
            raise _too_rare(name, rare, units)
        named = listed([f"{label} ({n})" for label, n in rare.items()])
        folds = SplitPlan().folds
        reasons.append(_why("rare_classes", n=n_lost, folds=folds, classes=named))
    kept = labels.isin(enough).to_numpy()
    labelled = labelled.copy()
    labelled[labelled] = kept
    classes = tuple(enough)
    positive = _positive(classes, counts) if len(classes) == 2 else None
    if positive is not None:
        reasons.append(_why("positive", name=positive))
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
        labelled=labelled,
        values=codes.to_numpy(dtype=np.int64),
        why=tuple(reasons),
    )


def _too_rare(name: str, rare: dict[str, int], units: Any) -> DataRefused:
    label, n = min(rare.items(), key=lambda pair: pair[1])
    count = Sentence.of("draft.target.in_rows", n=n)
    if units is not None:
        count = Sentence.of("draft.target.in_units", n=n, unit=str(units.name))
    return DataRefused(
        "draft.target.rare_classes" if len(rare) > 1 else "draft.target.rare_class",
        label=label,
        target=name,
        count=count,
        folds=SplitPlan().folds,
        fewest=fewest_rows(),
        n_rare=len(rare),
    )


def _positive(classes: tuple[str, ...], counts: "pd.Series[Any]") -> str:
    """Return the class that says yes, or else the rarer one, which is mostly the one looked for."""
    yes = [label for label in classes if label.casefold() in _AFFIRMATIVE]
    if len(yes) == 1:
        return yes[0]
    return min(classes, key=lambda label: (counts[label], label))


def _counts(
    labels: "pd.Series[Any]", frame: pd.DataFrame, units: Any
) -> dict[str, int]:
    """Return for each class how many units have it, or rows.

    Where a column is continuous only different rows count: cleaning keeps copies together.
    """
    if units is not None:
        missing = pd.Series([f"row {row}" for row in labels.index], index=labels.index)
        names = units[labels.index].astype(object).fillna(missing).astype(str)
        pairs = pd.DataFrame({"label": labels, "unit": names}).drop_duplicates()
        counts = pairs["label"].value_counts()
    elif frame.nunique().max() > len(frame) / 2:
        counts = labels[~frame.loc[labels.index].duplicated()].value_counts()
    else:
        counts = labels.value_counts()
    return {str(label): int(n) for label, n in counts.items()}


def _spelled(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column.map(spelled).astype(str)
