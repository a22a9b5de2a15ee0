"""Single cells: the number that a text holds, its unit, and how a value is written."""

import re
import unicodedata
from collections.abc import Iterable

from assay.formats.checks import MAX_NUMBER

_NO_UNIT = re.compile(
    r"[()\[\]{}<>\u2264\u2265~]"
)  # they change the meaning of a number
_NUMBER = re.compile(
    r"(?P<sign>[-+\u2212])?\s*(?P<before>[^\W\d_]{1,4}\s|[^\s\w.,+\u2212-]{1,3}\s*)?"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?P<power>[eE][+-]?\d{1,3})?"
    r"\s*(?P<after>[^\d\s][^\d]*)?"
)


def number_in(cell: str) -> tuple[float, str] | None:
    """Return the number that a text holds and its unit, empty if it has none; None where there is no number.

    Examples
    --------
    >>> number_in("1,000"), number_in("$4.50"), number_in("90 min"), number_in("-3e2"), number_in("12%")
    ((1000.0, ''), (4.5, '$'), (90.0, 'min'), (-300.0, ''), (12.0, '%'))
    >>> number_in("Unrated"), number_in("1,00"), number_in("3 of 4")
    (None, None, None)
    """
    match = _NUMBER.fullmatch(cell.strip())
    if match is None:
        return None
    digits = match["number"].replace(",", "") + (match["power"] or "")
    unit = " ".join(filter(None, ((match["before"] or "").strip(), match["after"])))
    sign = -1.0 if match["sign"] in ("-", "\u2212") else 1.0
    number = sign * float(digits)
    if abs(number) > MAX_NUMBER or _NO_UNIT.search(unit):
        return None
    return number, unit.strip()


def units_differ(units: Iterable[str]) -> bool:
    """Return whether numbers with these units cannot share a column; a currency sign may be left out.

    Examples
    --------
    >>> units_differ(["", "$"]), units_differ(["", "K"]), units_differ(["min", "h"]), units_differ(["kg"])
    (False, True, True, False)
    """
    distinct = set(units)
    only_signs = all(
        unit == "" or unicodedata.category(unit[0]) == "Sc" for unit in distinct
    )
    return len(distinct - {""} if only_signs else distinct) > 1


def spelled(value: object) -> str:
    """Write a value as a person would: 3 rather than 3.0.

    Examples
    --------
    >>> spelled(3.0), spelled(3.5), spelled("3.0"), spelled(True)
    ('3', '3.5', '3.0', 'True')
    """
    return (
        str(int(value))
        if isinstance(value, float) and value.is_integer()
        else str(value)
    )
