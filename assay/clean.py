"""Clean: fixed rules that learn nothing from the rows, and a log of what went and why."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError
from assay.plans import Cleaning, LabelRule
from assay.records import Cleaned, CleanStep, Ref, ValidationReport


@dataclass(frozen=True)
class Samples:
    """Features, class codes, and the log of how they came about."""

    features: pd.DataFrame
    labels: NDArray[np.int32]
    classes: tuple[str, ...]
    log: tuple[CleanStep, ...]

    def record(self, features: Ref, labels: Ref) -> Cleaned:
        """Describe the samples once they are stored."""
        numeric = self.features.select_dtypes("number").columns
        return Cleaned(
            features=features,
            labels=labels,
            classes=self.classes,
            counts=tuple(
                int(n) for n in np.bincount(self.labels, minlength=len(self.classes))
            ),
            numeric=tuple(numeric),
            categorical=tuple(
                name for name in self.features.columns if name not in set(numeric)
            ),
            n_rows=len(self.labels),
            log=self.log,
        )


def clean_table(
    frame: pd.DataFrame, report: ValidationReport, plan: Cleaning
) -> Samples:
    """Turn a validated table into features and class codes.

    ``report`` is the evidence that the table was validated: refused data has none.

    Raises
    ------
    StudyError
        If the plan names a column that is not there.
    DataRefused
        If the target has one class, or not the number of classes its task needs, or no features
        are left.
    """
    log: list[CleanStep] = [_carried(report)] if report.warnings else []
    column = plan.target.column if isinstance(plan.target, LabelRule) else plan.target
    _need_columns(frame, [column, *(drop.column for drop in plan.clean.drop)])

    frame = _drop_rows(
        frame,
        frame[column].isna(),
        f"'{column}' is missing, so there is nothing to predict",
        log,
    )
    if frame.empty:
        raise DataRefused(f"The target '{column}' has no value in any row.")
    label = _label(frame[column], plan.target, log)
    frame = frame.drop(columns=column)
    for drop in plan.clean.drop:
        if drop.column in frame.columns:
            frame = frame.drop(columns=drop.column)
            log.append(
                CleanStep(what=f"column '{drop.column}' left out", n=1, why=drop.reason)
            )
    frame = _drop_constant(frame, log)
    if plan.clean.duplicates == "drop":
        copies = pd.concat([frame, label], axis=1).duplicated()
        frame, label = (
            _drop_rows(frame, copies, "an exact copy of an earlier row", log),
            label[~copies],
        )
    labels, classes = _codes(label, column, plan)
    features = pd.DataFrame(
        {str(name): _feature(frame[name]) for name in frame.columns}
    )
    return Samples(features.reset_index(drop=True), labels, classes, tuple(log))


def _carried(report: ValidationReport) -> CleanStep:
    said = "; ".join(outcome.message.rstrip(".") for outcome in report.warnings)
    return CleanStep(
        what="expectations not met, carried on", n=len(report.warnings), why=said
    )


def _need_columns(frame: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        if name not in frame.columns:
            raise StudyError(
                f"The study names a column {name!r}, but the table has: {', '.join(frame.columns)}."
            )


def _drop_rows(
    frame: pd.DataFrame, gone: "pd.Series[Any]", why: str, log: list[CleanStep]
) -> pd.DataFrame:
    if gone.any():
        log.append(CleanStep(what="rows left out", n=int(gone.sum()), why=why))
    return frame[~gone]


def _drop_constant(frame: pd.DataFrame, log: list[CleanStep]) -> pd.DataFrame:
    constant = [
        name for name in frame.columns if frame[name].nunique(dropna=False) <= 1
    ]
    if constant:
        log.append(
            CleanStep(
                what=f"columns left out: {', '.join(constant)}",
                n=len(constant),
                why="one value only",
            )
        )
    if len(constant) == len(frame.columns):
        raise DataRefused(
            "No feature column is left after cleaning; there is nothing to predict from."
        )
    return frame.drop(columns=constant)


def _label(
    column: "pd.Series[Any]", target: str | LabelRule, log: list[CleanStep]
) -> "pd.Series[Any]":
    """Return the label of every row as text."""
    if isinstance(target, str):
        return column.map(_spelled).astype(str)
    if target.at_least is not None:
        numbers = pd.to_numeric(column, errors="coerce")
        bad = column[numbers.isna()]
        if len(bad):
            raise DataRefused(
                f"The label rule '{target.column} >= {target.at_least:g}' needs numbers, but row {bad.index[0] + 1} "
                f"has {bad.iloc[0]!r}. Leave such rows out, or choose another rule."
            )
        holds = numbers >= target.at_least
        why = f"'{target.positive}' where {target.column} >= {target.at_least:g}"
    else:
        holds = column.map(_spelled).isin(target.one_of or ())
        why = f"'{target.positive}' where {target.column} is one of {', '.join(target.one_of or ())}"
    log.append(CleanStep(what="label made", n=int(holds.sum()), why=why))
    return holds.map({True: target.positive, False: target.negative}).astype(str)


def _spelled(value: object) -> str:
    """Spell a class as a person would: 3 rather than 3.0."""
    return (
        str(int(value))
        if isinstance(value, float) and value.is_integer()
        else str(value)
    )


def _codes(
    label: "pd.Series[Any]", column: str, plan: Cleaning
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    found = sorted(
        label.unique(),
        key=lambda name: (
            not name.isdecimal(),
            int(name) if name.isdecimal() else 0,
            name,
        ),
    )
    if len(found) < 2:
        raise DataRefused(
            f"The target '{column}' has one class ({', '.join(found) or 'none'}); two are needed to compare."
        )
    if plan.task == "binary" and len(found) != 2:
        raise DataRefused(
            f"The target '{column}' has {len(found)} classes, but task = 'binary'. Set task = 'multiclass'."
        )
    if plan.task == "multiclass" and len(found) > max(2, len(label) // 2):
        raise DataRefused(
            f"The target '{column}' has {len(found)} classes in {len(label)} rows: it is no class label."
        )
    if isinstance(plan.target, LabelRule):
        found = [plan.target.negative, plan.target.positive]
    elif plan.positive is not None:
        if plan.positive not in found:
            raise StudyError(
                f"positive = {plan.positive!r}, but '{column}' holds {', '.join(found[:6])}."
            )
        found = [*(name for name in found if name != plan.positive), plan.positive]
    codes = label.map({name: code for code, name in enumerate(found)})
    return codes.to_numpy(dtype=np.int32), tuple(found)


def _feature(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return numbers as float64 (missing as NaN) and everything else as text (missing as None)."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.astype("float64").reset_index(drop=True)
    text = column.astype(object).where(column.notna(), None)
    return (
        text.map(lambda value: value if value is None else str(value))
        .astype("str")
        .reset_index(drop=True)
    )
