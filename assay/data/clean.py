"""Clean: fixed rules that learn nothing from the rows, and a log of what went and why."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import spearmanr

from assay.data import columns, labels
from assay.data.samples import Samples
from assay.errors import DataRefused, StudyError
from assay.store.records import CleanStep, ValidationReport
from assay.study.plans import Cleaning, CleanPlan, ImagePlan

_SAME_ORDER = (
    0.99  # Spearman correlation with the row number, from which integers are an id
)
_LONG_GAP = 10  # times the usual step
_MANY_VALUES = 50  # more than a column of levels has


def clean_table(
    frame: pd.DataFrame, report: ValidationReport, plan: Cleaning
) -> Samples:
    """Turn a validated table into samples.

    ``report`` is the evidence that the table was validated: refused data has none.

    Raises
    ------
    StudyError
        If the plan names a column that is not there, or one of numbers as text, or an image that
        has not as many pixels as the table has columns of numbers.
    DataRefused
        If the target has one value, or not the number of classes its task needs; if a time is
        missing or no time; if no row has a unit; if no features are left.
    """
    log: list[CleanStep] = [_carried(report)] if report.warnings else []
    made_from = labels.made_from(plan)
    apart = [name for name in (plan.unit, plan.order) if name not in ("row", None)]
    declared = [*plan.clean.declared, *plan.clean.spellings]
    dropped = [drop.column for drop in plan.clean.drop]
    _need_columns(frame, [*made_from, *apart, *dropped, *declared])
    _need_text(frame, plan.clean)
    frame = columns.read(frame, plan.clean, log)
    label = labels.label_of(frame, plan, log)
    none = label.isna()
    why = labels.why_none(frame, plan, none)
    frame = _drop_rows(frame, none, why, log)
    if frame.empty:
        raise DataRefused(
            f"The target {labels.said(plan)} has no value in any row: {why}."
        )
    label = label[frame.index]
    shown = columns.in_parts(
        frame.drop(columns=list(made_from)), plan.clean, plan.order
    )
    parts = shown.columns.difference(frame.columns)
    features, aside = _shown_and_aside(shown, apart, plan, {*declared, *parts}, log)
    if plan.clean.duplicates == "drop":
        copies = pd.concat([features, label, frame[apart]], axis=1).duplicated()
        features = _drop_rows(features, copies, "an exact copy of an earlier row", log)
    if plan.order is not None:
        features = features.loc[_by_time(frame.loc[features.index, plan.order], plan)]
    rows = features.index
    codes, classes = labels.coded(label[rows], plan)
    image = plan.clean.image
    features = columns.typed(_drop_constant(features, log, pixels=image is not None))
    aside = aside.loc[rows]
    if image is not None:
        _need_pixels(features, image)
    units, unit = _units(features, aside, plan, log)
    return Samples(
        features=features,
        labels=codes,
        task=plan.task,
        classes=classes,
        units=units,
        times=_times(aside, plan, log),
        unit=unit,
        order=plan.order,
        aside=columns.typed(aside),
        log=tuple(log),
        image=image is not None,
    )


def _shown_and_aside(
    frame: pd.DataFrame,
    apart: list[str],
    plan: Cleaning,
    no_ids: set[str],
    log: list[CleanStep],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what models may be shown, and the columns that only say who, when or what was left out."""
    why: dict[str, str] = {}
    for name in apart:
        said = "says which rows belong together" if name == plan.unit else "says when"
        log.append(CleanStep(what=f"column '{name}' set aside", n=1, why=said))
    for drop in plan.clean.drop:
        if drop.column in frame.columns and drop.column not in apart:
            why.setdefault(drop.column, drop.reason)
    why |= _id_columns(
        frame.drop(columns=list(no_ids | {*apart, *why}), errors="ignore")
    )
    for name, reason in why.items():
        log.append(CleanStep(what=f"column '{name}' left out", n=1, why=reason))
    return frame.drop(columns=[*apart, *why]), frame[[*apart, *why]]


def _carried(report: ValidationReport) -> CleanStep:
    said = "; ".join(str(outcome.message).rstrip(".") for outcome in report.warnings)
    return CleanStep(
        what="expectations not met, carried on", n=len(report.warnings), why=said
    )


def _need_columns(frame: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        if name not in frame.columns:
            raise StudyError(
                f"The study names a column {name!r}, but the table has: {', '.join(frame.columns)}."
            )


def _need_text(frame: pd.DataFrame, plan: CleanPlan) -> None:
    for kind, names in (
        ("text", plan.text),
        ("lists", [one.column for one in plan.lists]),
        ("dates", [one.column for one in plan.dates if one.format is None]),
    ):
        for name in names:
            column = frame[name]
            if pd.api.types.is_numeric_dtype(column) and column.notna().any():
                todo = (
                    "Give their format, such as %Y%m%d"
                    if kind == "dates"
                    else "They are inputs as they are: leave it out"
                )
                raise StudyError(
                    f"clean.{kind} names {name!r}, but its values are numbers. {todo}."
                )


def _need_pixels(features: pd.DataFrame, image: ImagePlan) -> None:
    n_columns = len(features.select_dtypes("number").columns)
    if n_columns != image.n_pixels:
        raise StudyError(
            f"clean.image has {image.height} x {image.width} pixels of {image.channels} channel"
            f"{'s' * (image.channels > 1)}, which are {image.n_pixels} columns of numbers, but the table has "
            f"{n_columns} left. Correct its size, or name in clean.drop the columns that are no pixels."
        )
    missing = features.columns[features.isna().any()].intersection(
        features.select_dtypes("number").columns
    )
    if image.denoise != "none" and len(missing):
        raise DataRefused(
            f"clean.image.denoise takes the median of the pixels around, but {missing[0]} is missing in some rows. "
            f"Leave denoise out, or such rows out of the file."
        )


def _drop_rows(
    frame: pd.DataFrame, gone: "pd.Series[Any]", why: str, log: list[CleanStep]
) -> pd.DataFrame:
    if gone.any():
        log.append(CleanStep(what="rows left out", n=int(gone.sum()), why=why))
    return frame[~gone]


# What rows have to do with each other --------------------------------------------------------------


def _id_columns(features: pd.DataFrame) -> dict[str, str]:
    """Return columns that name rows, each with why: distinct texts, or distinct integers in the rows' order."""
    found = {}
    for name in map(str, features.columns):
        column = features[name]
        if len(column) < 3 or column.isna().any() or not column.is_unique:
            continue
        if not pd.api.types.is_numeric_dtype(column):
            found[name] = "an id: no two rows share a value"
        elif (column % 1 == 0).all():
            along = spearmanr(column, np.arange(len(column))).statistic
            if abs(along) > _SAME_ORDER:
                found[name] = (
                    "an id: no two rows share a value, and its order is the rows'"
                )
    return found


def _units(
    features: pd.DataFrame, aside: pd.DataFrame, plan: Cleaning, log: list[CleanStep]
) -> tuple[NDArray[np.int32] | None, str]:
    """Return the unit of each row, None where rows are independent, and what a unit is.

    Exact copies are one unit too (see :func:`_copies`). Rows in time have no units.
    """
    if plan.order is not None:
        return None, "row"
    n = len(features)
    declared = (
        np.arange(n)
        if plan.unit == "row"
        else _declared(aside[plan.unit], plan.unit, log)
    )
    copies = _copies(features)
    n_copies = n - len(np.unique(copies))
    if plan.unit == "row" and not n_copies:
        return None, "row"
    units = _joined(declared, copies)
    if n_copies:
        why = (
            "exact copies of other rows: they share a unit, so that no fold parts them"
        )
        log.append(CleanStep(what="rows kept together", n=n_copies, why=why))
    n_joined = len(np.unique(declared)) - len(np.unique(units))
    if plan.unit != "row" and n_joined:
        why = f"they hold exact copies of each other's rows, so '{plan.unit}' alone does not part them"
        log.append(CleanStep(what="units joined to others", n=n_joined, why=why))
    return units, plan.unit if plan.unit != "row" else "row with its copies"


def _declared(
    column: "pd.Series[Any]", name: str, log: list[CleanStep]
) -> NDArray[np.int64]:
    """Return the number of each row's declared unit.

    Raises
    ------
    DataRefused
        If no row has one.
    """
    units = np.array(pd.factorize(column)[0], dtype=np.int64)
    missing = units < 0
    if missing.all():
        raise DataRefused(
            f"The unit column '{name}' has no value in any row, so nothing says which rows belong together. "
            f"Declare another unit, or unit = 'row'."
        )
    if missing.any():
        units[missing] = units.max() + 1 + np.arange(missing.sum())
        why = f"'{name}' is missing: each of these rows counts as a unit of its own"
        log.append(CleanStep(what="units unknown", n=int(missing.sum()), why=why))
    return units


def _copies(features: pd.DataFrame) -> NDArray[np.int64]:
    """Return for each row the number of its group of equal rows.

    PROVIDED a column is continuous: in a table of few levels equal rows are ordinary, and keeping
    them together would take every cell out of its own training data (PROTOCOL section 5.2). A
    column is if it has more than n/2 values. Where most rows are copies none has; there it takes
    two columns of many values, each with more than half as many as there are different rows.
    """
    n = len(features)
    levels = sorted(features.nunique(dropna=False), reverse=True)
    grouped = features.groupby(list(features.columns), dropna=False, sort=False)
    groups = np.asarray(grouped.ngroup(), dtype=np.int64)
    many = max(_MANY_VALUES, (int(groups.max()) + 1) / 2)
    if levels[0] > n / 2 or (len(levels) > 1 and levels[1] > many):
        return groups
    return np.arange(n)


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return units in which rows of one group, by either grouping, are together."""
    n_first = int(first.max()) + 1
    size = n_first + int(second.max()) + 1
    links = coo_array(
        (np.ones(len(first)), (first, n_first + second)), shape=(size, size)
    )
    component = connected_components(links, directed=False)[1][first]
    return np.asarray(pd.factorize(component)[0], dtype=np.int32)


def _by_time(column: "pd.Series[Any]", plan: Cleaning) -> pd.Index:
    """Return the rows' index in order of time; rows of one time stay as the file has them."""
    return _moments(column, plan).sort_values(kind="stable").index


def _moments(column: "pd.Series[Any]", plan: Cleaning) -> "pd.Series[Any]":
    """Return times as numbers; dates as what passed since a fixed one.

    Raises
    ------
    DataRefused
        If a time is missing or is neither a number nor a date.
    """
    missing = column.index[column.isna()]
    if len(missing):
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataRefused(
            f"The order column '{plan.order}' has no value in row {missing[0] + 1}{others}, so when that was is not "
            f"known. Leave such rows out of the file, or declare another order."
        )
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64")
    numbers = pd.to_numeric(column, errors="coerce")
    finite = np.isfinite(numbers.astype("float64"))
    if finite.all():
        return numbers.astype("int64") if numbers.dtype == bool else numbers
    dates = pd.to_datetime(
        column.astype(str), errors="coerce", utc=True, format="ISO8601"
    )
    bad = dates.isna()
    if bad.any():
        row = column.index[bad & ~finite if (bad & ~finite).any() else bad][0]
        raise DataRefused(
            f"The order column '{plan.order}' has '{column[row]}' in row {row + 1}, but every row must have a number, "
            f"or every row a date such as 2026-11-23 or 2026-11-23T08:30. Write it in one of these forms."
        )
    return dates.astype("int64")


def _times(
    aside: pd.DataFrame, plan: Cleaning, log: list[CleanStep]
) -> NDArray[np.int32] | None:
    """Return the rank of each row's time, and note ties and gaps."""
    if plan.order is None:
        return None
    moments = _moments(aside[plan.order], plan)
    times = np.asarray(pd.factorize(moments)[0], dtype=np.int32)
    n_tied = len(times) - int(times.max()) - 1
    if n_tied:
        why = f"same '{plan.order}' as the row before: kept in the order of the file, and in one fold"
        log.append(CleanStep(what="rows with an equal time", n=n_tied, why=why))
    steps = np.diff(np.unique(moments.to_numpy()).astype(np.float64))
    usual = float(np.median(steps)) if len(steps) else 0.0
    n_gaps = int((steps > _LONG_GAP * usual).sum()) if usual else 0
    if n_gaps:
        why = (
            f"the longest step of '{plan.order}' is {steps.max() / usual:.3g} times the usual one; "
            f"rows are shifted by their number, as if evenly spaced"
        )
        log.append(CleanStep(what="gaps in time", n=n_gaps, why=why))
    return times


# Columns ----------------------------------------------------------------------------------


def _drop_constant(
    frame: pd.DataFrame, log: list[CleanStep], *, pixels: bool
) -> pd.DataFrame:
    """Leave out columns of one value; a pixel stays, or the others would lose their places."""
    constant = [
        name
        for name in frame.columns
        if frame[name].nunique(dropna=False) <= 1
        and not (pixels and pd.api.types.is_numeric_dtype(frame[name]))
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
