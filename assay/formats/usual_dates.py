"""Dates of digits and separators, many at once, in a third of the time.

A text in another form, or that is not a day of the calendar, is left to the caller.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,6}))?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_FIELDS = {
    "%Y": r"(?P<year>[0-9]{4})",
    "%m": r"(?P<month>[0-9]{1,2})",
    "%d": r"(?P<day>[0-9]{1,2})",
    "%H": r"(?P<hour>[0-9]{1,2})",
    "%M": r"(?P<minute>[0-9]{1,2})",
    "%S": r"(?P<second>[0-9]{1,2})",
    "%f": r"(?P<part>[0-9]{1,6})",
}
_DATE = {"%Y", "%m", "%d"}


def pattern_of(format_: str) -> re.Pattern[str] | None:
    """Return the pattern of a format of digits that separators keep apart; None for any other format.

    Examples
    --------
    >>> pattern_of("%d/%m/%Y").fullmatch("3/11/2020")["month"]
    '11'
    >>> pattern_of("%Y%m%d"), pattern_of("%d %B %Y")
    (None, None)
    """
    pieces = re.split(r"(%.)", format_)
    between, directives = pieces[2:-1:2], pieces[1::2]
    plain = set(directives) <= _FIELDS.keys() and set(directives) >= _DATE
    if not plain or len(set(directives)) < len(directives) or not all(between):
        return None
    literals = pieces[::2]
    if any(character.isdigit() or character == "%" for character in "".join(literals)):
        return None
    return re.compile("".join(_FIELDS.get(p) or re.escape(p) for p in pieces))


def numbers_of(texts: Sequence[str], pattern: re.Pattern[str]) -> dict[str, int]:
    """Return microseconds from 1970 in UTC of the texts that match and are dates; others are left out."""
    matched, rows = [], []
    for text in texts:
        match = pattern.fullmatch(text)
        if match:
            matched.append(text)
            rows.append(match.groups("0"))
    if not rows:
        return {}
    fields = dict(zip(pattern.groupindex, zip(*rows, strict=True), strict=True))

    def field(name: str) -> NDArray[np.int64]:
        digits = fields.get(name)
        if digits is None:
            return np.zeros(len(rows), dtype=np.int64)
        return np.array(list(map(int, digits)), dtype=np.int64)

    year, month, day = map(field, ("year", "month", "day"))
    hour, minute, second = map(field, ("hour", "minute", "second"))
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = first.astype("datetime64[D]") + (day - 1)
    is_date = (year > 0) & (month >= 1) & (month <= 12) & (day > 0)
    is_date &= days.astype("datetime64[M]") == first
    is_date &= (hour < 24) & (minute < 60) & (second < 60)
    offset, is_zone = _offsets(fields.get("zone", ("0",) * len(rows)))
    seconds = ((days.astype(np.int64) * 24 + hour) * 60 + minute - offset) * 60 + second
    if "part" in fields:
        fields["part"] = tuple(part.ljust(6, "0") for part in fields["part"])
    numbers = (seconds * 1_000_000 + field("part")).tolist()
    every = zip(matched, numbers, (is_date & is_zone).tolist(), strict=True)
    return {text: number for text, number, is_valid in every if is_valid}


def _offsets(zones: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each zone's minutes ahead of UTC, and whether it is a zone; ``Z`` and ``0`` are UTC."""
    minutes, valid = {"Z": 0, "0": 0}, {"Z": True, "0": True}
    for zone in set(zones) - minutes.keys():
        hours, rest = int(zone[1:3]), int(zone[4:6])
        minutes[zone] = (hours * 60 + rest) * (-1 if zone[0] == "-" else 1)
        valid[zone] = hours < 24 and rest < 60
    return (
        np.array([minutes[zone] for zone in zones], dtype=np.int64),
        np.array([valid[zone] for zone in zones], dtype=bool),
    )
