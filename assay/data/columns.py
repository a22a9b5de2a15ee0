"""Columns whose cells are no plain values, read by fixed rules: each row alone decides what it becomes."""

from typing import Any

import pandas as pd

from assay.errors import DataRefused, StudyError
from assay.formats.dates import moments, part_names, parts_of
from assay.formats.numbers import number_in, spelled, units_differ
from assay.store.records import CleanStep
from assay.study.plans import CleanPlan, DateColumn, NumberColumn
from assay.wording import Sentence

_MOST_UNITS_NAMED = 5


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
    for name, spellings in plan.spellings.items():
        frame[name] = _respelled(frame[name], spellings, log)
    for number in plan.numbers:
        frame[number.column] = _as_numbers(frame[number.column], number, log)
    for name in plan.categories:
        frame[name] = frame[name].map(spelled, "ignore").astype(object)
    for date in plan.dates:
        frame[date.column] = _as_moments(frame[date.column], date, log)
    return frame


def _respelled(
    column: "pd.Series[Any]", spellings: dict[str, str], log: list[CleanStep]
) -> "pd.Series[Any]":
    name = str(column.name)
    if pd.api.types.is_numeric_dtype(column):
        raise StudyError("data.column.spellings_of_numbers", column=name)
    n_changed = int(column.isin(list(spellings)).sum())
    pairs = tuple(
        Sentence.of("data.column.spelling", old=old, new=new)
        for old, new in spellings.items()
    )
    key = "data.column.respelled" if n_changed else "data.column.no_such_spelling"
    log.append(
        CleanStep(
            what=Sentence.of(key, column=name),
            n=n_changed or len(spellings),
            why=Sentence.of("data.column.spellings", spellings=pairs),
        )
    )
    return column.replace(spellings)


# Numbers in texts ----------------------------------------------------------------------------------


def _as_numbers(
    column: "pd.Series[Any]", plan: NumberColumn, log: list[CleanStep]
) -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(column):
        return column
    cells = column.dropna().map(str)
    parsed = {
        cell: number
        for cell in cells.unique()
        if (number := number_in(cell)) is not None
    }
    if plan.unit is None:
        _need_one_unit(str(column.name), [unit for _, unit in parsed.values()])
    wanted = None if plan.unit is None else plan.unit.casefold()
    numbers = {
        cell: number
        for cell, (number, unit) in parsed.items()
        if wanted is None or unit.casefold() == wanted
    }
    values = cells.map(numbers).astype("float64").reindex(column.index)
    return _checked(column, values, _numbers_of(plan.unit), log)


def _need_one_unit(column: str, units: list[str]) -> None:
    spellings = {unit.casefold(): unit for unit in units}
    if units_differ(spellings):
        named = sorted(spellings.values())
        more = len(named) > _MOST_UNITS_NAMED
        raise DataRefused(
            "data.column.many_units" if more else "data.column.units",
            column=column,
            units=tuple(
                repr(unit) if unit else Sentence.of("data.column.no_unit")
                for unit in named[:_MOST_UNITS_NAMED]
            ),
        )


def _numbers_of(unit: str | None) -> Sentence:
    if unit is None:
        return Sentence.of("data.column.numbers")
    if not unit:
        return Sentence.of("data.column.numbers_without_unit")
    return Sentence.of("data.column.numbers_of", unit=unit)


def _checked(
    column: "pd.Series[Any]",
    values: "pd.Series[Any]",
    kind: Sentence,
    log: list[CleanStep],
) -> "pd.Series[Any]":
    """Return the values after noting how the column was read; refuse it where hardly any cell has one."""
    name = str(column.name)
    bad = column[column.notna() & values.isna()]
    n_read = int(values.notna().sum())
    if n_read < len(bad):
        raise DataRefused(
            "data.column.unreadable",
            column=name,
            kind=kind,
            n=n_read,
            total=n_read + len(bad),
            row=int(bad.index[0]) + 1,
            cell=repr(bad.iloc[0]),
        )
    why = Sentence.of("data.column.declared")
    if len(bad):
        why = Sentence.of(
            "data.column.declared_but", n=len(bad), cell=repr(bad.iloc[0])
        )
    what = Sentence.of("data.column.read_as", column=name, kind=kind)
    log.append(CleanStep(what=what, n=n_read, why=why))
    return values


# Dates -------------------------------------------------------------------------------------------


def _as_moments(
    column: "pd.Series[Any]", plan: DateColumn, log: list[CleanStep]
) -> "pd.Series[Any]":
    parsed = column
    if not pd.api.types.is_datetime64_any_dtype(column):
        parsed = _parsed(column.map(spelled, "ignore").astype(object), plan)
    if getattr(parsed.dtype, "tz", None) is not None:
        parsed = parsed.dt.tz_convert("UTC").dt.tz_localize(None)
    kind = Sentence.of("data.column.dates")
    if plan.format:
        kind = Sentence.of("data.column.dates_written", format=plan.format)
    return _checked(column, parsed.astype("datetime64[us]"), kind, log)


def _parsed(cells: "pd.Series[Any]", plan: DateColumn) -> "pd.Series[Any]":
    try:
        return pd.Series(moments(cells, plan.format), cells.index)
    except ValueError as error:
        raise StudyError(
            "data.column.no_date_format",
            format=repr(plan.format),
            column=plan.column,
            reason=str(error),
        ) from None


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
    for name, columns in parts.items():
        for part in columns:
            if part in frame.columns:
                raise StudyError("data.column.part_exists", column=name, part=part)
    kept = frame.drop(columns=list(parts))
    every = {
        part: values for columns in parts.values() for part, values in columns.items()
    }
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
