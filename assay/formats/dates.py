"""Dates as numbers: texts as moments, and a moment's parts, in training and in prediction alike.

Moments are ``datetime64[us]`` without a zone, in UTC where a text names a zone; NaT is missing.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assay.formats.usual_dates import ISO, numbers_of, pattern_of

EPOCH = np.datetime64("2000-01-01", "us")
CIRCLES = {"month": "year", "weekday": "week", "hour": "day"}
_YEAR = re.compile(r"%[YyG]")
_EARLY = re.compile(r"-[0-9]{4}|-[0-9]{1,3}(?![0-9])|0000")
_US = 1_000_000
_400_YEARS = 146_097 * 86_400 * _US
_NAT = int(np.iinfo(np.int64).min)
_ISO = re.compile(
    r"(?P<year>-?[0-9]{4}|-[0-9]{1,3}(?![0-9]))"
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


def moments(cells: Iterable[object], format_: str | None) -> Moments:
    """Return the moment of each text, NaT where a cell is not a text or not a date.

    Parameters
    ----------
    format_
        As strptime has it; None: ISO 8601.

    Raises
    ------
    ValueError
        If ``format_`` is not a format.

    Examples
    --------
    >>> moments(["2026-11-23T08:30+09:00", "soon", None], None).tolist()
    [datetime.datetime(2026, 11, 22, 23, 30), None, None]
    """
    cells = list(cells)
    texts = list({cell for cell in cells if isinstance(cell, str)})
    if format_ is not None:
        check_format(format_)
    pattern = ISO if format_ is None else pattern_of(format_)
    numbers = {} if pattern is None else numbers_of(texts, pattern)
    for text in texts:
        if text not in numbers:
            short = _shortened(text)
            numbers[text] = _iso(short) if format_ is None else _formatted(short, format_)  # fmt: skip
    of_cells = [numbers.get(cell, _NAT) if isinstance(cell, str) else _NAT for cell in cells]  # fmt: skip
    return np.array(of_cells, dtype=np.int64).view("datetime64[us]")


def moment_texts(dates: Moments) -> list[str | None]:
    """Write moments of any unit as pandas does, with as many digits as a moment has; None where one is missing.

    Examples
    --------
    >>> moment_texts(np.array(["2020-01-01", "1969-12-31T23:59:59.999999999"], "datetime64[ns]"))
    ['2020-01-01 00:00:00', '1969-12-31 23:59:59.999999999']
    """
    rounded = dates.astype("datetime64[us]")
    further = (dates - rounded).astype("timedelta64[ns]").astype(np.int64).tolist()
    texts = []
    for moment, ns in zip(rounded.tolist(), further, strict=True):
        if moment is None or not 0 < ns < 1000:
            texts.append(None if moment is None else str(moment))
        else:
            texts.append(f"{moment:%Y-%m-%d %H:%M:%S.%f}{ns:03}")
    return texts


def check_format(format_: str) -> None:
    """Refuse a format by which no date can be written and read again.

    Raises
    ------
    ValueError
        If a directive is unknown, occurs twice, or does not go with another.
    """
    with_year, text = _with_year(format_, datetime(2000, 1, 1, tzinfo=UTC).strftime(format_))  # fmt: skip
    try:
        datetime.strptime(text, with_year)
    except re.error as error:
        raise ValueError(str(error)) from None


def _shortened(cell: str) -> str:
    """Return a date to the microsecond, without blanks around; words whose date depends on today are none."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", cell.strip())
    return "" if text.casefold() in ("now", "today") else text


def _with_year(format_: str, text: str) -> tuple[str, str]:
    """Return a format and a text, with the year 1900 where the format has none."""
    if _YEAR.search(format_.replace("%%", "")):
        return format_, text
    return f"{format_} %Y", f"{text} 1900"


def _formatted(text: str, format_: str) -> int:
    """Return a date by a format; where that begins like ISO 8601, years before 1 are read too, as pandas does."""
    early = _EARLY.match(text) if _begins_as_iso(format_) else None
    if early is None:
        return _by_strptime(text, format_)
    n_cycles = (int(early[0]) - 2000) // 400
    later = f"{int(early[0]) - 400 * n_cycles}{text[early.end() :]}"
    number = _by_strptime(later, format_)
    return number if number == _NAT else number + n_cycles * _400_YEARS


@lru_cache
def _begins_as_iso(format_: str) -> bool:
    wholes = (
        f"%Y{between}%m{between}%d{mark}%H:%M:%S{end}"
        for between in ("-", "/", "\\", ".", " ", "")
        for mark in " T"
        for end in ("%z", ".%f%z")
    )
    return format_ != "%Y%m" and any(whole.startswith(format_) for whole in wholes)


def _by_strptime(text: str, format_: str) -> int:
    format_, text = _with_year(format_, text)
    try:
        moment = datetime.strptime(text, format_)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return _NAT
    return int(np.datetime64(moment, "us").astype(np.int64))


def _iso(text: str) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        return _NAT
    clock = _clock(match["clock"] or match["clock8"])
    year = int(match["year"])
    month = int(match["month"] or match["month8"] or 1)
    day = int(match["day"] or match["day8"] or 1)
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if clock is None or not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + leap:
        return _NAT
    return (_days_before(year, month) + day - 1) * 86_400 * _US + clock


def _days_before(year: int, month: int) -> int:
    """Return the days from 1970-01-01 to the first of a month."""
    months = np.datetime64((year - 1970) * 12 + month - 1, "M")
    return int(months.astype("datetime64[D]").astype(np.int64))


def _clock(text: str | None) -> int | None:
    """Return the microseconds from midnight to a time, in UTC; None: it is not a time."""
    if text is None:
        return 0
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = (
        int(match[name] or match[f"{name}4"] or 0)
        for name in ("hour", "minute", "second")
    )
    zone = _offset(match["zone"] or "")
    if match["zone"] and match["minute"] is None and len(match["hour"] or "") == 1:
        return None  # 8Z
    if hour > 23 or minute > 59 or second > 59 or zone is None:
        return None
    part = (match["part"] or match["part4"] or "").ljust(6, "0")[:6]
    return (hour * 3600 + (minute - zone) * 60 + second) * _US + int(part)


def _offset(text: str) -> int | None:
    """Return a zone's minutes ahead of UTC; None where there is no such zone."""
    match = _ZONE.fullmatch(text)
    if match is None:
        return 0
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if hour > 23 or minute > 59:
        return None
    return (hour * 60 + minute) * (-1 if match["sign"] == "-" else 1)


# Parts -------------------------------------------------------------------------------------------


def part_names(name: str, parts: Sequence[str], since: str | None) -> list[str]:
    """Return the columns that a date column becomes.

    Examples
    --------
    >>> part_names("sold", ("elapsed", "month"), "made")
    ['sold days since made', 'sold sine in year', 'sold cosine in year']
    """
    names = []
    for part in parts:
        if part == "elapsed":
            names.append(f"{name} days" + (f" since {since}" if since else ""))
        elif part == "year":
            names.append(f"{name} year")
        else:
            names += [
                f"{name} {wave} in {CIRCLES[part]}" for wave in ("sine", "cosine")
            ]
    return names


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
    columns: list[NDArray[np.float64]] = []
    for part in parts:
        if part == "elapsed":
            columns.append(_passed(dates, EPOCH if start is None else start))
        elif part == "year":
            numbers = years.astype(np.int64) + 1970.0
            columns.append(np.where(np.isnat(dates), np.nan, numbers))
        else:
            angle = 2 * np.pi * shares[part]
            columns += [np.sin(angle), np.cos(angle)]
    return columns


def _passed(later: Moments, earlier: "Moments | np.datetime64") -> NDArray[np.float64]:
    """Return the days between moments, NaN where one is missing."""
    passed = later - np.asarray(earlier).astype("datetime64[us]")
    seconds = passed.astype(np.int64) / 1_000_000
    return np.where(np.isnat(passed), np.nan, seconds) / 86400.0
