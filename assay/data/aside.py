"""What no model is shown: columns that say which unit or when, that the study drops, or that only name the rows."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from assay.data import columns, labels
from assay.errors import DataRefused
from assay.store.records import CleanStep
from assay.study.plans import Cleaning
from assay.wording import Sentence

_SAME_ORDER = (
    0.99  # Spearman correlation with the row number, from which integers are an id
)
_FEWEST_ROWS = 3  # of which distinct values say that a column names rows


def set_aside(
    frame: pd.DataFrame, plan: Cleaning, log: list[CleanStep]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what models may be shown, dates in parts, and the columns set aside; the label's are in neither."""
    shown = columns.in_parts(
        frame.drop(columns=list(labels.made_from(plan))), plan.clean, plan.order
    )
    apart = columns_apart(plan)
    for name in apart:
        what = Sentence.of("data.clean.column_set_aside", column=name)
        of_unit = name == plan.unit
        why = Sentence.of("data.clean.says_unit" if of_unit else "data.clean.says_when")
        log.append(CleanStep(what=what, n=1, why=why))
    left_out = _left_out(shown, frame, plan)
    for name, why in left_out.items():
        what = Sentence.of("data.clean.column_left_out", column=name)
        log.append(CleanStep(what=what, n=1, why=why))
    names = [*apart, *left_out]
    return shown.drop(columns=names), shown[names]


def columns_apart(plan: Cleaning) -> list[str]:
    """Return the columns that say which unit a row is of and when it was, as the study declares them."""
    unit = [] if plan.unit == "row" else [plan.unit]
    return unit if plan.order is None else [*unit, plan.order]


def _left_out(
    shown: pd.DataFrame, frame: pd.DataFrame, plan: Cleaning
) -> dict[str, Sentence]:
    """Return the columns that the study drops, and those that name rows, each with why."""
    why: dict[str, Sentence] = {}
    apart = columns_apart(plan)
    for drop in plan.clean.drop:
        if drop.column in shown.columns and drop.column not in apart:
            why.setdefault(drop.column, Sentence.plain(drop.reason))
    declared = {*plan.clean.declared, *plan.clean.spellings}
    parts = shown.columns.difference(frame.columns)
    no_ids = {*declared, *parts, *apart, *why}
    return why | _ids(shown.drop(columns=list(no_ids), errors="ignore"))


def _ids(frame: pd.DataFrame) -> dict[str, Sentence]:
    """Return columns that name rows, each with why: distinct texts, or distinct integers in the rows' order."""
    ids = {}
    for name in map(str, frame.columns):
        column = frame[name]
        if len(column) < _FEWEST_ROWS or column.isna().any() or not column.is_unique:
            continue
        if not pd.api.types.is_numeric_dtype(column):
            ids[name] = Sentence.of("data.clean.id")
        elif (column % 1 == 0).all():
            along = spearmanr(column, np.arange(len(column))).statistic
            if abs(along) > _SAME_ORDER:
                ids[name] = Sentence.of("data.clean.id_in_order")
    return ids


def without_constants(
    features: pd.DataFrame, log: list[CleanStep], *, pixels: bool
) -> pd.DataFrame:
    """Leave out columns of one value; a pixel stays, or the others would lose their places.

    Raises
    ------
    DataRefused
        If no column is left.
    """
    constant = [
        name
        for name in features.columns
        if features[name].nunique(dropna=False) <= 1
        and not (pixels and pd.api.types.is_numeric_dtype(features[name]))
    ]
    if constant:
        names = tuple(map(str, constant))
        log.append(
            CleanStep(
                what=Sentence.of("data.clean.columns_left_out", columns=names),
                n=len(constant),
                why=Sentence.of("data.clean.one_value"),
            )
        )
    if len(constant) == len(features.columns):
        raise DataRefused("data.clean.no_features")
    return features.drop(columns=constant)
