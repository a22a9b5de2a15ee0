"""Columns whose cells are no plain values, read by fixed rules: each row alone decides what it becomes."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from assay.errors import DataRefused, StudyError
from assay.labels import spelled
from assay.plans import CleanPlan, DateColumn, NumberColumn
from assay.readers.table import MAX_NUMBER
from assay.records import CleanStep

EPOCH = pd.Timestamp("2000-01-01")
_NO_UNIT = re.compile(r"[()\[\]{}<>\u2264\u2265~]")  # they change what a number says
_CIRCLES = {"month": "year", "weekday": "week", "hour": "day"}
_NUMBER = re.compile(
    r"(?P<sign>[-+\u2212])?\s*(?P<before>[^\W\d_]{1,4}\s|[^\s\w.,+\u2212-]{1,3}\s*)?"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?P<power>[eE][+-]?\d{1,3})?"
    r"\s*(?P<after>[^\d\s][^\d]*)?"
)


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


def number_in(cell: str) -> tuple[float, str] | None:
    """Return the number that a text holds and its unit, empty if it has none; None where there is no number.

    Examples
    --------
    >>> number_in("1,000"), number_in("$4.50"), number_in("90 min"), number_in("-3e2"), number_in("12%")
    ((1000.0, ''), (4.5, '$'), (90.0, 'min'), (-300.0, ''), (12.0, '%'))
    >>> number_in("Unrated"), number_in("1,00"), number_in("3 of 4")
    (None, None, None)
    """
    found = _NUMBER.fullmatch(cell.strip())
    if found is None:
        return None
    digits = found["number"].replace(",", "") + (found["power"] or "")
    unit = " ".join(filter(None, ((found["before"] or "").strip(), found["after"])))
    sign = -1.0 if found["sign"] in ("-", "\u2212") else 1.0
    number = sign * float(digits)
    if abs(number) > MAX_NUMBER or _NO_UNIT.search(unit):
        return None
    return number, unit.strip()


def units_differ(units: Iterable[str]) -> bool:
    """Return whether cells of these units cannot stand in one column; a currency's sign may be left out.

    Examples
    --------
    >>> units_differ(["", "$"]), units_differ(["", "K"]), units_differ(["min", "h"]), units_differ(["kg"])
    (False, True, True, False)
    """
    known = set(units)
    signs = all(unit == "" or unicodedata.category(unit[0]) == "Sc" for unit in known)
    return len(known - {""} if signs else known) > 1


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
        cells = column.map(_date_spelled, "ignore").astype(object)
        try:
            found = pd.to_datetime(
                cells, format=plan.format or "ISO8601", errors="coerce", utc=True
            )
        except (ValueError, re.error) as error:
            raise StudyError(
                f"clean.dates: {plan.format!r} is no format for {plan.column!r}: {error}."
            ) from None
    if getattr(found.dtype, "tz", None) is not None:
        found = found.dt.tz_convert("UTC").dt.tz_localize(None)
    said = f"dates written {plan.format}" if plan.format else "dates"
    return _told(column, found.astype("datetime64[us]"), said, log)


def _date_spelled(cell: object) -> str:
    """Spell a date to the microsecond: one cell finer than that would narrow the years of all."""
    return re.sub(r"(\.\d{6})\d+", r"\1", spelled(cell).strip())


def in_parts(frame: pd.DataFrame, plan: CleanPlan, order: str | None) -> pd.DataFrame:
    """Return the table with each date column, but for that of the order, replaced by its parts as numbers.

    Days passed (with ``since``: from another date) and the year as they are; the place in the year,
    the week and the day as sine and cosine, so that December lies beside January.

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
    moments = frame[plan.column]
    day = moments.dt.normalize()
    in_day = _days(moments - day)
    share = {
        "month": (moments.dt.day_of_year - 1 + in_day) / 366,
        "weekday": (moments.dt.day_of_week + in_day) / 7,
        "hour": in_day,
    }
    found: list[pd.Series[Any]] = []
    for part in plan.parts:
        if part == "elapsed":
            start = EPOCH if plan.since is None else frame[plan.since]
            found.append(_days(moments - start))
        elif part == "year":
            found.append(moments.dt.year.astype("float64"))
        else:
            angle = 2 * np.pi * share[part].astype("float64")
            found += [np.sin(angle), np.cos(angle)]
    return dict(zip(names_of_parts(plan), found, strict=True))


def names_of_parts(plan: DateColumn) -> tuple[str, ...]:
    """Return the columns that a date column becomes.

    Examples
    --------
    >>> names_of_parts(DateColumn(column="day", parts=("elapsed", "month")))
    ('day days', 'day sine in year', 'day cosine in year')
    """
    found: list[str] = []
    for part in plan.parts:
        if part == "elapsed":
            since = f" since {plan.since}" if plan.since else ""
            found.append(f"{plan.column} days{since}")
        elif part == "year":
            found.append(f"{plan.column} year")
        else:
            circle = _CIRCLES[part]
            found += [
                f"{plan.column} {curve} in {circle}" for curve in ("sine", "cosine")
            ]
    return tuple(found)


def _days(passed: "pd.Series[Any]") -> "pd.Series[Any]":
    days: pd.Series[Any] = passed.dt.total_seconds().astype("float64") / 86400.0
    return days
