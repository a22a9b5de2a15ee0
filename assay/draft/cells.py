"""What the cells of a column of texts hold: numbers, dates, lists, sentences, names of images."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.formats.numbers import number_in, units_differ

NEARLY_ALL = 0.95  # of the cells must be of a kind; 'Unrated' among numbers is a gap
_MOST_LOOKED_AT = 5_000  # distinct texts; of more, evenly spaced ones
_MAIN_UNIT = 0.6  # of the numbers must have the commonest unit
_FEW_VALUES = 10  # '3 doors' and '5 doors' are levels, not amounts
_ORDINALS = {"st", "nd", "rd", "th"}
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%m/%d/%y", "%d/%m/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y",
    "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%b %Y", "%B %Y", "%Y년 %m월 %d일",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_LIST_SEPARATORS = (",", "|", ";")
_IMAGE = re.compile(r".+\.(?:jpe?g|png|gif|bmp|tiff?|webp)", re.IGNORECASE)
_HANGUL = re.compile(r"[가-힣]")


@dataclass(frozen=True)
class Amounts:
    """Texts that hold numbers.

    Attributes
    ----------
    values : shape (n_rows,)
        The number of each cell that has the main unit, NaN elsewhere.
    unit
        The main unit where there are several, else None.
    others
        The other units, the commonest first.
    not_numbers
        The commonest texts that are no numbers.
    """

    values: NDArray[np.float64]
    unit: str | None
    others: tuple[str, ...]
    not_numbers: tuple[str, ...]


def amounts(column: "pd.Series[Any]", few: int = _FEW_VALUES) -> Amounts | None:
    """Return the numbers that texts hold, or None if most hold none, or no more than ``few`` different ones.

    Examples
    --------
    >>> lengths = amounts(pd.Series(["90 min", "105 min", "2 Seasons"]), few=1)
    >>> lengths.unit, lengths.others, lengths.values[:2]
    ('min', ('Seasons',), array([ 90., 105.]))
    """
    counts = column.value_counts()
    parsed = {text: _amount(text) for text in counts.index}
    units, spellings = Counter[str](), {"": ""}
    for text, amount in parsed.items():
        if amount is not None:
            units[amount[1].casefold()] += int(counts[text])
            spellings.setdefault(amount[1].casefold(), amount[1])
    if not units or units.total() < NEARLY_ALL * counts.sum() or _ORDINALS & {*units}:
        return None
    main, n_main = units.most_common(1)[0]
    several = units_differ(units)
    if several and n_main < _MAIN_UNIT * units.total():
        return None
    numbers = {
        text: amount[0]
        for text, amount in parsed.items()
        if amount and (not several or amount[1].casefold() == main)
    }
    if len(set(numbers.values())) <= few:
        return None
    others = [spellings[unit] for unit, _ in units.most_common()[1:]]
    return Amounts(
        values=column.map(numbers).to_numpy(dtype=np.float64),
        unit=spellings[main] if several else None,
        others=tuple(others) if several else (),
        not_numbers=tuple(text for text, amount in parsed.items() if amount is None)[
            :3
        ],
    )


def _amount(text: str) -> tuple[float, str] | None:
    """Return a text's number and unit; None for a name with a number, such as 'room 12'."""
    first = text.strip()[:3]
    return None if first[:1].isalpha() and not first.isupper() else number_in(text)


@dataclass(frozen=True)
class Dates:
    """Texts that are dates: the format they have, and another that would read them all too.

    ``format`` is None for ISO 8601.
    """

    format: str | None
    also: str | None = None


def dates(column: "pd.Series[Any]") -> Dates | None:
    """Return how the dates of a column are written, or None if they are no dates.

    Examples
    --------
    >>> dates(pd.Series(["September 25, 2020", "June 2, 2021"])).format
    '%B %d, %Y'
    >>> dates(pd.Series(["1/2/2020", "2/3/2020"])).also
    '%d/%m/%Y'
    """
    texts = _some(column)
    if not sum(map(_could_be_a_date, texts)) >= NEARLY_ALL * len(texts):
        return None
    if all(map(_ISO.fullmatch, texts)) and _read(texts, "ISO8601"):
        return Dates(None)
    formats = [day + clock for day in _DAYS for clock in _CLOCKS]
    fitting = [
        format_
        for format_ in formats
        if _read(texts[:20], format_) and _read(texts, format_)
    ]
    return Dates(*fitting[:2]) if fitting else None


def moments(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the dates of a column as moments in UTC, read in the format they have; numbers as they are."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True)
    texts = column.map(str, na_action="ignore")
    written = dates(texts)
    format_ = (written.format if written is not None else None) or "ISO8601"
    return pd.to_datetime(texts.str.strip(), format=format_, errors="coerce", utc=True)


def _could_be_a_date(text: str) -> bool:
    return 6 <= len(text) <= 32 and sum(map(str.isdigit, text)) >= 3


def _read(texts: list[str], format_: str) -> bool:
    """Return whether nearly all texts are dates of a format."""
    times = pd.to_datetime(pd.Series(texts), format=format_, errors="coerce", utc=True)
    return bool(times.notna().mean() >= NEARLY_ALL)


def separator(column: "pd.Series[Any]") -> str | None:
    """Return what stands between several values in a cell, or None if cells hold one.

    Values are short and come again in other cells; the parts of a sentence do not.

    Examples
    --------
    >>> separator(pd.Series(["Drama, Comedy", "Comedy", "Drama, Action", "Action"]))
    ','
    """
    texts = _some(column)
    for mark in _LIST_SEPARATORS:
        if sum(mark in text for text in texts) < 0.25 * len(texts):
            continue
        cells = [{part.strip() for part in text.split(mark)} - {""} for text in texts]
        counts = Counter(part for cell in cells for part in cell)
        again = sum(n for n in counts.values() if n > 1) / max(1, counts.total())
        n_words = sum(len(part.split()) for part in counts) / max(1, len(counts))
        numeric = sum(number_in(part) is not None for part in counts)
        if again >= 0.5 and n_words <= 4 and numeric < 0.5 * len(counts):
            return mark
    return None


def are_words(column: "pd.Series[Any]") -> bool:
    """Return whether cells are titles or sentences rather than names, in English or Korean."""
    texts = _some(column)
    n_words = [len(text.split()) for text in texts]
    n_hangul = [len(_HANGUL.findall(text)) for text in texts]
    return bool(np.mean(n_words) >= 3 or np.mean(n_hangul) >= 8)


def are_images(column: "pd.Series[Any]") -> bool:
    """Return whether cells are names of image files."""
    texts = _some(column)
    return bool(texts) and all(map(_IMAGE.fullmatch, texts))


def _some(column: "pd.Series[Any]") -> list[str]:
    """Return the distinct texts of a column, evenly spaced ones if there are many."""
    distinct = [str(text).strip() for text in column.dropna().unique()]
    step = -(-len(distinct) // _MOST_LOOKED_AT) or 1
    return distinct[::step]
