"""Columns whose cells are no plain values, read by fixed rules: each row alone decides what it becomes."""

from typing import Any

import pandas as pd

from assay.errors import DataRefused, StudyError
from assay.formats.dates import moments, part_names, parts_of
from assay.formats.numbers import number_in, spelled, units_differ
from assay.store.records import CleanStep
from assay.study.plans import CleanPlan, DateColumn, NumberColumn


def read(frame: pd.DataFrame, plan: CleanPlan, log: list[CleanStep]) -> pd.DataFrame:
    """Return the table with declared spellings, numbers, categories and dates read; dates as moments without a zone.

    Raises
    ------
    StudyError
        If spellings are declared for a column of numbers.
    DataRefused
        If less than half the cells hold a number, or a date; if numbers have several units and none
        is declared.
    """
    frame = frame.copy(deep=False)
    for name, words in plan.spellings.items():
        frame[name] = _respelled(frame[name], words, log)
    for number in plan.numbers:
        frame[number.column] = _as_numbers(frame[number.column], number, log)
    for name in plan.categories:
        frame[name] = frame[name].map(spelled, "ignore").astype(object)
    for date in plan.dates:
        frame[date.column] = _as_moments(frame[date.column], date, log)
    return frame


def _respelled(
    column: "pd.Series[Any]", words: dict[str, str], log: list[CleanStep]
) -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(column):
        raise StudyError(
            f"clean.spellings names {column.name!r}, but its values are numbers."
        )
    changed = int(column.isin(list(words)).sum())
    said = ", ".join(f"{old!r} as {new!r}" for old, new in words.items())
    if not changed:
        what = f"spellings of '{column.name}' that no cell has"
        log.append(CleanStep(what=what, n=len(words), why=said))
    else:
        log.append(
            CleanStep(
                what=f"cells of '{column.name}' spelled anew", n=changed, why=said
            )
        )
    return column.replace(words)


# Numbers in texts ----------------------------------------------------------------------------------


def _as_numbers(
    column: "pd.Series[Any]", plan: NumberColumn, log: list[CleanStep]
) -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(column):
        return column
    cells = column.dropna().map(str)
    known = {cell: number_in(cell) for cell in cells.unique()}
    units = {found[1].casefold(): found[1] for found in known.values() if found}
    named = sorted(units.values())
    if plan.unit is None and units_differ(units):
        raise DataRefused(
            f"The column '{column.name}' holds numbers with the units {', '.join(map(_unit_said, named[:5]))}"
            f"{' and others' if len(named) > 5 else ''}. Declare in clean.numbers the unit whose cells count."
        )
    wanted = None if plan.unit is None else plan.unit.casefold()
    numbers = {
        cell: found[0]
        for cell, found in known.items()
        if found and (wanted is None or found[1].casefold() == wanted)
    }
    read_ = cells.map(numbers).astype("float64").reindex(column.index)
    said = "numbers"
    if plan.unit is not None:
        said += f" of {plan.unit}" if plan.unit else " without a unit"
    return _told(column, read_, said, log)


def _unit_said(unit: str) -> str:
    return repr(unit) if unit else "none"


def _told(
    column: "pd.Series[Any]",
    found: "pd.Series[Any]",
    said: str,
    log: list[CleanStep],
) -> "pd.Series[Any]":
    """Note how a column was read, and refuse it where hardly any cell can be."""
    bad = column[column.notna() & found.isna()]
    n_known = int(found.notna().sum())
    if n_known < len(bad):
        raise DataRefused(
            f"The column '{column.name}' is declared to hold {said}, but only {n_known} of "
            f"{n_known + len(bad)} cells do; row {bad.index[0] + 1} has {bad.iloc[0]!r}. Read it in another way."
        )
    why = "as the study says"
    if len(bad):
        why += f"; {len(bad)} cells hold none and count as missing, such as {bad.iloc[0]!r}"
    log.append(
        CleanStep(what=f"column '{column.name}' read as {said}", n=n_known, why=why)
    )
    return found


# Dates -------------------------------------------------------------------------------------------


def _as_moments(
    column: "pd.Series[Any]", plan: DateColumn, log: list[CleanStep]
) -> "pd.Series[Any]":
    if pd.api.types.is_datetime64_any_dtype(column):
        found = column
    else:
        cells = column.map(spelled, "ignore").astype(object)
        try:
            found = pd.Series(moments(cells, plan.format), column.index)
        except ValueError as error:
            raise StudyError(
                f"clean.dates: {plan.format!r} is no format for {plan.column!r}: {error}."
            ) from None
    if getattr(found.dtype, "tz", None) is not None:
        found = found.dt.tz_convert("UTC").dt.tz_localize(None)
    said = f"dates written {plan.format}" if plan.format else "dates"
    return _told(column, found.astype("datetime64[us]"), said, log)


def in_parts(frame: pd.DataFrame, plan: CleanPlan, order: str | None) -> pd.DataFrame:
    """Return the table with each date column, but for that of the order, replaced by its parts as numbers.

    What they are says :func:`assay.formats.dates.parts_of`.

    Raises
    ------
    StudyError
        If a column already has the name of a part.
    """
    parts = {
        date.column: _parts(frame, date) for date in plan.dates if date.column != order
    }
    for name, made in parts.items():
        for part in made:
            if part in frame.columns:
                raise StudyError(
                    f"The date column {name!r} would become {part!r}, but the table has a column of that name."
                )
    kept = frame.drop(columns=list(parts))
    every = {part: values for made in parts.values() for part, values in made.items()}
    return pd.concat([kept, pd.DataFrame(every, index=frame.index)], axis=1)


def _parts(frame: pd.DataFrame, plan: DateColumn) -> dict[str, "pd.Series[Any]"]:
    start = None if plan.since is None else frame[plan.since].to_numpy()
    values = parts_of(frame[plan.column].to_numpy(), plan.parts, start)
    return {
        name: pd.Series(numbers, index=frame.index)
        for name, numbers in zip(names_of_parts(plan), values, strict=True)
    }


def names_of_parts(plan: DateColumn) -> tuple[str, ...]:
    """Return the columns that a date column becomes."""
    return tuple(part_names(plan.column, plan.parts, plan.since))


# Types -------------------------------------------------------------------------------------------


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of numbers and texts, its rows numbered from 0."""
    typed = {str(name): _feature(frame[name]) for name in frame.columns}
    return pd.DataFrame(typed, index=range(len(frame)))


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
