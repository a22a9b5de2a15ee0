"""Dates as numbers: texts as moments, and a moment's parts.

Moments are ``datetime64[us]`` without a zone, in UTC where a text names one; NaT is a missing one.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

EPOCH = np.datetime64("2000-01-01", "us")
# The directives whose meaning depends on nothing but the text.
DIRECTIVES = frozenset("aAbBdfGHIjmMpSuUVwWyYz%")
CIRCLES = {"month": "year", "weekday": "week", "hour": "day"}
_WITH_YEAR = re.compile(r"%[YyG]")
_US = 1_000_000
_ISO = re.compile(
    r"(?P<year>-?[0-9]{4})"
    r"(?:(?P<mark>[-./\\ ])(?P<month>[0-9]{1,2})(?:(?P=mark)(?P<day>[0-9]{1,2})(?P<clock>[T ].+)?)?"
    r"|(?P<month8>[0-9]{2})(?P<day8>[0-9]{2})(?P<clock8>[T ].+)?)?"
)
_CLOCK = re.compile(
    r"[T ](?:(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2})(?:\.(?P<part>[0-9]*))?)?)?"
    r"|(?P<hour4>[0-9]{2})(?P<minute4>[0-9]{2})(?:(?P<second4>[0-9]{2})(?:\.(?P<part4>[0-9]*))?)?)"
    r"(?P<zone> *(?:Z|[+-][0-9]{1,2}(?::?[0-9]{2})?))?"
)
_ZONE = re.compile(r" *(?P<sign>[+-])(?P<hour>[0-9]{1,2}):?(?P<minute>[0-9]{2})?")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Moments = NDArray[np.datetime64]


def moments(cells: Iterable[str | None], format_: str | None) -> Moments:
    """Return the moment each text says, NaT where it says none.

    Parameters
    ----------
    format_
        As strptime has it; None: ISO 8601.

    Examples
    --------
    >>> moments(["2026-11-23T08:30+09:00", "soon", None], None).tolist()
    [datetime.datetime(2026, 11, 22, 23, 30), None, None]
    """
    known: dict[str, int | None] = {}
    found = []
    for cell in cells:
        if cell is not None and cell not in known:
            text = shortened(cell)
            known[cell] = _iso(text) if format_ is None else _formatted(text, format_)
        found.append(None if cell is None else known[cell])
    nat = np.iinfo(np.int64).min
    numbers = [nat if one is None else one for one in found]
    return np.array(numbers, dtype=np.int64).view("datetime64[us]")


def shortened(cell: str) -> str:
    """Return a date to the microsecond, without blanks around; words that mean another moment each day are none."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", cell.strip())
    return "" if text.casefold() in ("now", "today") else text


def _formatted(text: str, format_: str) -> int | None:
    if not _WITH_YEAR.search(format_.replace("%%", "")):
        text, format_ = f"{text} 1900", f"{format_} %Y"
    try:
        found = datetime.strptime(text, format_)
    except (ValueError, re.error):  # of which the latter says that a format is none
        return None
    if found.tzinfo is not None:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return int(np.datetime64(found, "us").astype(np.int64))


def _iso(text: str) -> int | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    clock = _clock(found["clock"] or found["clock8"])
    year = int(found["year"])
    month = int(found["month"] or found["month8"] or 1)
    day = int(found["day"] or found["day8"] or 1)
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if clock is None or not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + leap:
        return None
    return (_days_before(year, month) + day - 1) * 86_400 * _US + clock


def _days_before(year: int, month: int) -> int:
    """Return the days from 1970 to the first of a month."""
    months = np.datetime64((year - 1970) * 12 + month - 1, "M")
    return int(months.astype("datetime64[D]").astype(np.int64))


def _clock(text: str | None) -> int | None:
    """Return the microseconds since midnight that a clock's time says, in UTC; None: it is none."""
    if text is None:
        return 0
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (
        int(found[name] or found[f"{name}4"] or 0)
        for name in ("hour", "minute", "second")
    )
    zone = _offset(found["zone"] or "")
    if found["zone"] and found["minute"] is None and len(found["hour"] or "") == 1:
        return None  # 8Z
    if hour > 23 or minute > 59 or second > 59 or zone is None:
        return None
    part = (found["part"] or found["part4"] or "").ljust(6, "0")[:6]
    return (hour * 3600 + (minute - zone) * 60 + second) * _US + int(part)


def _offset(text: str) -> int | None:
    """Return a zone's minutes ahead of UTC; None where there is no such zone."""
    found = _ZONE.fullmatch(text)
    if found is None:
        return 0
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 23 or minute > 59:
        return None
    return (hour * 60 + minute) * (-1 if found["sign"] == "-" else 1)


# Parts -------------------------------------------------------------------------------------------


def part_names(name: str, parts: Sequence[str], since: str | None) -> list[str]:
    """Return the columns that a date column becomes.

    Examples
    --------
    >>> part_names("sold", ("elapsed", "month"), "made")
    ['sold days since made', 'sold sine in year', 'sold cosine in year']
    """
    found = []
    for part in parts:
        if part == "elapsed":
            found.append(f"{name} days" + (f" since {since}" if since else ""))
        elif part == "year":
            found.append(f"{name} year")
        else:
            found += [
                f"{name} {wave} in {CIRCLES[part]}" for wave in ("sine", "cosine")
            ]
    return found


def parts_of(
    dates: Moments, parts: Sequence[str], start: Moments | None
) -> list[NDArray[np.float64]]:
    """Return a date's parts as numbers, NaN where it is missing: those of :func:`part_names`, in their order.

    Days passed since ``start`` (None: 2000-01-01) and the year as they are; the place in the year, the
    week and the day as sine and cosine, so that December lies beside January.
    """
    days, years = dates.astype("datetime64[D]"), dates.astype("datetime64[Y]")
    in_day = _passed(dates, days)
    since_monday = (days.astype(np.int64) + 3) % 7
    since_newyear = (days - years.astype("datetime64[D]")).astype(np.int64)
    shares = {
        "month": (since_newyear + in_day) / 366,
        "weekday": (since_monday + in_day) / 7,
        "hour": in_day,
    }
    found: list[NDArray[np.float64]] = []
    for part in parts:
        if part == "elapsed":
            found.append(_passed(dates, EPOCH if start is None else start))
        elif part == "year":
            numbers = years.astype(np.int64) + 1970.0
            found.append(np.where(np.isnat(dates), np.nan, numbers))
        else:
            angle = 2 * np.pi * shares[part]
            found += [np.sin(angle), np.cos(angle)]
    return found


def _passed(later: Moments, earlier: "Moments | np.datetime64") -> NDArray[np.float64]:
    """Return the days between moments, NaN where one is missing."""
    passed = later - np.asarray(earlier).astype("datetime64[us]")
    seconds = passed.astype(np.int64) / 1_000_000
    return np.where(np.isnat(passed), np.nan, seconds) / 86400.0
