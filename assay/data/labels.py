"""Labels: what is predicted in each row, taken from a column or made by the study's rule."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.evaluate import values_of
from assay.errors import DataRefused, StudyError
from assay.formats.checks import MAX_NUMBER
from assay.formats.numbers import spelled
from assay.store.records import CleanStep
from assay.study import expression
from assay.study.invalid import Invalid
from assay.study.plans import Cleaning, LabelRule
from assay.wording import Sentence

_MOST_DIGITS = 4000  # that Python reads as a number
_MOST_NAMED = 5
_MADE = Sentence.of("data.label.made")


def made_from(plan: Cleaning) -> tuple[str, ...]:
    """Return the columns that the label is made from, which are shown to no model."""
    return plan.target.reads if isinstance(plan.target, LabelRule) else (plan.target,)


def name_of(plan: Cleaning) -> str:
    """Return the column or the expression that the label is made from."""
    rule = plan.target
    return rule if isinstance(rule, str) else str(rule.expression or rule.column)


def make(frame: pd.DataFrame, plan: Cleaning, log: list[CleanStep]) -> "pd.Series[Any]":
    """Return the label of the rows that have one: texts for classes, else numbers.

    Raises
    ------
    DataRefused
        If no row has a label, or a rule or a regression needs a number where a row has none.
    """
    label = _label(frame, plan, log)
    missing = label.isna()
    why = _why_missing(frame[missing], plan)
    if missing.any():
        what = Sentence.of("data.clean.rows_left_out")
        log.append(CleanStep(what=what, n=int(missing.sum()), why=why))
    if missing.all():
        raise DataRefused("data.label.none", target=name_of(plan), why=why)
    return label[~missing]


def _label(
    frame: pd.DataFrame, plan: Cleaning, log: list[CleanStep]
) -> "pd.Series[Any]":
    rule = plan.target
    if isinstance(rule, str):
        label = frame[rule]
        return label if plan.task == "regression" else label.map(spelled, "ignore")
    if rule.mapping is not None:
        return frame[rule.reads[0]].map(spelled, "ignore").map(rule.mapping)
    if rule.one_of is not None:
        cells = frame[rule.reads[0]].map(spelled, "ignore")
        holds = cells.isin(rule.one_of).where(cells.notna())
        why = _class_where("data.label.one_of", rule, values=rule.one_of)
        return _two_classes(holds, rule, why, log)
    if rule.expression is None:
        numbers = _numbers(frame[rule.reads[0]], rule)
    else:
        numbers = _of_expression(frame, rule.expression)
        if rule.gives_number:
            return numbers
    return _above(numbers, rule, log)


def _above(
    numbers: "pd.Series[Any]", rule: LabelRule, log: list[CleanStep]
) -> "pd.Series[Any]":
    """Return the classes on either side of a bound; an expression that is a condition has its own."""
    if rule.above_quantile is not None and numbers.notna().any():
        bound = float(numbers.quantile(rule.above_quantile))
        holds = numbers > bound
        why = _class_where(
            "data.label.above_quantile", rule, bound=bound, quantile=rule.above_quantile
        )
    elif rule.at_least is not None:
        holds = numbers >= rule.at_least
        why = _class_where("data.label.at_least", rule, bound=rule.at_least)
    else:
        holds = numbers == 1
        why = _class_where("data.label.holds", rule)
    return _two_classes(holds.where(numbers.notna()), rule, why, log)


def _class_where(
    key: str, rule: LabelRule, **values: float | tuple[str, ...]
) -> Sentence:
    source = str(rule.expression or rule.column)
    return Sentence.of(key, positive=rule.positive, source=source, **values)


def _two_classes(
    holds: "pd.Series[Any]", rule: LabelRule, why: Sentence, log: list[CleanStep]
) -> "pd.Series[Any]":
    n = int(holds.eq(True).sum())  # missing is neither
    log.append(CleanStep(what=_MADE, n=n, why=why))
    return holds.map({True: rule.positive, False: rule.negative})


def _numbers(column: "pd.Series[Any]", rule: LabelRule) -> "pd.Series[Any]":
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    bad = column[numbers.isna() & column.notna()]
    if len(bad):
        key, bound = "data.label.bound_needs_numbers", rule.at_least
        if bound is None:
            key, bound = "data.label.quantile_needs_numbers", rule.above_quantile
        raise DataRefused(
            key,
            column=str(rule.column),
            bound=float(bound or 0),
            row=int(bad.index[0]) + 1,
            cell=repr(bad.iloc[0]),
        )
    return numbers


def _of_expression(frame: pd.DataFrame, text: str) -> "pd.Series[Any]":
    try:
        values = values_of(expression.parse(text), frame)
    except ValueError as error:
        reason = error.sentence if isinstance(error, Invalid) else str(error)
        raise DataRefused("data.label.no_value", reason=reason) from None
    values[np.abs(values) > MAX_NUMBER] = np.nan
    return pd.Series(values, index=frame.index)


def _why_missing(rows: pd.DataFrame, plan: Cleaning) -> Sentence:
    """Return why these rows have no label."""
    rule = plan.target
    if isinstance(rule, LabelRule) and rule.expression is not None:
        return Sentence.of("data.label.expression_missing", source=rule.expression)
    (column,) = made_from(plan)
    if isinstance(rule, LabelRule) and rule.mapping is not None:
        counts = rows[column].dropna().map(spelled).value_counts()
        if len(counts):
            return _unmapped(column, counts)
    return Sentence.of("data.label.missing", source=column)


def _unmapped(column: str, counts: "pd.Series[int]") -> Sentence:
    values = tuple(
        Sentence.of("data.label.value_count", value=str(value), n=int(n))
        for value, n in counts.head(_MOST_NAMED).items()
    )
    n_more = len(counts) - _MOST_NAMED
    if n_more <= 0:
        return Sentence.of("data.label.unmapped", column=column, values=values)
    return Sentence.of(
        "data.label.unmapped_many", column=column, values=values, n_more=n_more
    )


# Codes -------------------------------------------------------------------------------------------


def coded(
    label: "pd.Series[Any]", plan: Cleaning
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return class codes and class names, or the numbers to predict and no names.

    Raises
    ------
    DataRefused
        If there is one value only, or not the number of classes that the task needs.
    StudyError
        If the positive class is not among them.
    """
    if plan.task == "regression":
        return _as_numbers(label, name_of(plan)), ()
    classes = _classes(label, plan)
    codes = label.map({name: code for code, name in enumerate(classes)})
    return codes.to_numpy(dtype=np.int32), tuple(classes)


def _as_numbers(label: "pd.Series[Any]", target: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(label, errors="coerce").astype("float64")
    bad = label[~np.isfinite(numbers)]
    if len(bad):
        raise DataRefused(
            "data.label.no_number",
            target=target,
            cell=repr(bad.iloc[0]),
            row=int(bad.index[0]) + 1,
        )
    if numbers.nunique() < 2:
        raise DataRefused(
            "data.label.one_number", target=target, value=float(numbers.iloc[0])
        )
    return np.asarray(numbers, dtype=np.float64)


def _classes(label: "pd.Series[Any]", plan: Cleaning) -> list[str]:
    """Return the classes in the order of their codes: as numbers where they are, the positive one last."""
    classes: list[str] = sorted(label.unique(), key=_numbers_first)
    _need_classes(classes, len(label), plan)
    if isinstance(plan.target, LabelRule) and plan.target.mapping is None:
        return [plan.target.negative, plan.target.positive]
    if plan.positive is None:
        return classes
    if plan.positive not in classes:
        raise StudyError(
            "data.label.no_positive",
            positive=plan.positive,
            target=name_of(plan),
            classes=tuple(classes[:6]),
        )
    return [*(name for name in classes if name != plan.positive), plan.positive]


def _numbers_first(name: str) -> tuple[bool, int, str]:
    number = int(name) if name.isdecimal() and len(name) <= _MOST_DIGITS else 0
    return not name.isdecimal(), number, name


def _need_classes(classes: list[str], n_rows: int, plan: Cleaning) -> None:
    target, n_classes = name_of(plan), len(classes)
    if n_classes < 2:
        raise DataRefused("data.label.one_class", target=target, name=classes[0])
    if plan.task == "binary" and n_classes != 2:
        raise DataRefused("data.label.not_binary", target=target, n=n_classes)
    if plan.task == "multiclass" and n_classes > max(2, n_rows // 2):
        raise DataRefused(
            "data.label.no_classes", target=target, n=n_classes, n_rows=n_rows
        )
