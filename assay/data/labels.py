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
from assay.study.plans import Cleaning, LabelRule

_MOST_DIGITS = 4000  # that Python reads as a number


def made_from(plan: Cleaning) -> tuple[str, ...]:
    """Return the columns that the label is made from, which are shown to no model."""
    return plan.target.reads if isinstance(plan.target, LabelRule) else (plan.target,)


def label_of(
    frame: pd.DataFrame, plan: Cleaning, log: list[CleanStep]
) -> "pd.Series[Any]":
    """Return the label of every row, missing where it has none: texts for classes, else numbers.

    Raises
    ------
    DataRefused
        If a rule or a regression needs a number where a row has none.
    """
    rule = plan.target
    if isinstance(rule, str):
        label = frame[rule]
        return label if plan.task == "regression" else label.map(spelled, "ignore")
    if rule.mapping is not None:
        return _mapped(frame[rule.reads[0]], rule.mapping)
    if rule.one_of is not None:
        cells = frame[rule.reads[0]].map(spelled, "ignore")
        holds = cells.isin(rule.one_of).where(cells.notna())
        return _named(holds, rule, f"is one of {', '.join(rule.one_of)}", log)
    if rule.expression is None:
        numbers = _numbers(frame[rule.reads[0]], rule)
    else:
        numbers = _of_expression(frame, rule.expression)
        if rule.gives_number:
            return numbers
    return _above(numbers, rule, log)


def _mapped(column: "pd.Series[Any]", classes: dict[str, str]) -> "pd.Series[Any]":
    return column.map(spelled, "ignore").map(classes)


def _above(
    numbers: "pd.Series[Any]", rule: LabelRule, log: list[CleanStep]
) -> "pd.Series[Any]":
    """Return the classes on either side of a bound; an expression that is a condition has its own."""
    if rule.above_quantile is not None and numbers.notna().any():
        bound = float(numbers.quantile(rule.above_quantile))
        said = f"> {bound:.6g}, the {rule.above_quantile:g} quantile of all rows that have it"
        return _named((numbers > bound).where(numbers.notna()), rule, said, log)
    if rule.at_least is not None:
        holds = (numbers >= rule.at_least).where(numbers.notna())
        return _named(holds, rule, f">= {rule.at_least:g}", log)
    return _named((numbers == 1).where(numbers.notna()), rule, "holds", log)


def _named(
    holds: "pd.Series[Any]", rule: LabelRule, said: str, log: list[CleanStep]
) -> "pd.Series[Any]":
    why = f"'{rule.positive}' where {rule.expression or rule.column} {said}"
    n = int(holds.eq(True).sum())  # missing is neither
    log.append(CleanStep(what="label made", n=n, why=why))
    return holds.map({True: rule.positive, False: rule.negative})


def _numbers(column: "pd.Series[Any]", rule: LabelRule) -> "pd.Series[Any]":
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    bad = column[numbers.isna() & column.notna()]
    if len(bad):
        how = (
            f">= {rule.at_least:g}"
            if rule.at_least is not None
            else f"above the {rule.above_quantile:g} quantile"
        )
        raise DataRefused(
            f"The label rule '{rule.column} {how}' needs numbers, but row {bad.index[0] + 1} has {bad.iloc[0]!r}. "
            f"Name the column in clean.numbers to count such cells as missing, or choose another rule."
        )
    return numbers


def _of_expression(frame: pd.DataFrame, text: str) -> "pd.Series[Any]":
    try:
        values = values_of(expression.parse(text), frame)
        values[np.abs(values) > MAX_NUMBER] = np.nan
        return pd.Series(values, index=frame.index)
    except ValueError as error:
        raise DataRefused(
            f"The label's expression {error}. Name the column in clean.numbers to count such cells as missing."
        ) from None


def why_none(frame: pd.DataFrame, plan: Cleaning, rows: "pd.Series[Any]") -> str:
    """Return why some rows have no label, in words."""
    rule = plan.target
    if isinstance(rule, LabelRule) and rule.expression is not None:
        return f"'{rule.expression}' has no value, so there is nothing to predict"
    column = made_from(plan)[0]
    if isinstance(rule, LabelRule) and rule.mapping is not None:
        others = frame.loc[rows, column].dropna().map(spelled).value_counts()
        if len(others):
            named = ", ".join(f"{name} ({n})" for name, n in others.head(5).items())
            more = f" and {len(others) - 5} others" if len(others) > 5 else ""
            return (
                f"'{column}' is missing or has a value without a class: {named}{more}"
            )
    return f"'{column}' is missing, so there is nothing to predict"


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
    target = said(plan)
    if plan.task != "regression":
        return _codes(label, target, plan)
    numbers = pd.to_numeric(label, errors="coerce").astype("float64")
    bad = label[~np.isfinite(numbers)]
    if len(bad):
        raise DataRefused(
            f"task = 'regression' needs numbers, but the target {target} has {bad.iloc[0]!r} in row "
            f"{bad.index[0] + 1}. Leave such rows out of the file, name the column in clean.numbers, or predict a class."
        )
    if numbers.nunique() < 2:
        raise DataRefused(
            f"The target {target} has one value ({numbers.iloc[0]:g}) in every row; there is nothing to predict."
        )
    return numbers.to_numpy(dtype=np.float64), ()


def said(plan: Cleaning) -> str:
    """Return how a sentence names what the label is made from."""
    rule = plan.target
    if isinstance(rule, str):
        return f"'{rule}'"
    return f"'{rule.expression or rule.column}'"


def _codes(
    label: "pd.Series[Any]", target: str, plan: Cleaning
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    found = sorted(
        label.unique(),
        key=lambda name: (
            not name.isdecimal(),
            int(name) if name.isdecimal() and len(name) <= _MOST_DIGITS else 0,
            name,
        ),
    )
    if len(found) < 2:
        raise DataRefused(
            f"The target {target} has one class ({', '.join(found) or 'none'}); two are needed to compare."
        )
    if plan.task == "binary" and len(found) != 2:
        raise DataRefused(
            f"The target {target} has {len(found)} classes, but task = 'binary'. Set task = 'multiclass'."
        )
    if plan.task == "multiclass" and len(found) > max(2, len(label) // 2):
        raise DataRefused(
            f"The target {target} has {len(found)} classes in {len(label)} rows: it is no class label."
        )
    if isinstance(plan.target, LabelRule) and plan.target.mapping is None:
        found = [plan.target.negative, plan.target.positive]
    elif plan.positive is not None:
        if plan.positive not in found:
            raise StudyError(
                f"positive = {plan.positive!r}, but {target} holds {', '.join(found[:6])}."
            )
        found = [*(name for name in found if name != plan.positive), plan.positive]
    codes = label.map({name: code for code, name in enumerate(found)})
    return codes.to_numpy(dtype=np.int32), tuple(found)
