"""What stands for a missing cell: words in a text, and the numbers, truths and moments that these words spell.

A declared word counts in every kind of file. A text is compared as it stands, a value by what it is:
``missing = ["-1"]`` means a cell -1 as well as a cell -1.0, and in single precision -999.9 is -999.9.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import MISSING, is_number
from assay.formats.dates import moments

TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}  # fmt: skip


class Words:
    """The words that stand for a missing cell.

    Attributes
    ----------
    declared
        Those of the study, which count in every file.
    every
        These and the usual ones, which count where a file has no other way to say so.
    of_values
        Whether any of those declared spells a number.
    """

    def __init__(self, declared: Iterable[str]) -> None:
        self.declared = frozenset(declared)
        self.every = self.declared | frozenset(MISSING)
        numbers = [word for word in self.declared if _is_value(word)]
        self.truths = frozenset(
            TRUTHS[word] for word in self.declared if word in TRUTHS
        )
        self.of_values = bool(numbers)
        self._floats = frozenset(map(float, numbers))
        self._wholes = frozenset(
            _whole(word) for word in numbers if float(word).is_integer()
        )
        dates = moments(self.declared.difference(numbers), None)
        self._moments = np.sort(dates[~np.isnat(dates)])

    def of_text(self) -> list[str]:
        """Return the words that are no numbers: what they spell is missing in every column of a text file."""
        return [word for word in self.every if not _is_value(word)]

    def hold(self, cell: Any) -> bool:
        """Return whether a value, which is not the text of a text file, stands for a missing one."""
        if cell is None or isinstance(cell, str):
            return cell is None or cell in self.declared
        if isinstance(cell, bool):
            return cell in self.truths
        if isinstance(cell, int):
            return cell in self._wholes
        if isinstance(cell, float):
            return cell != cell or cell in self._floats
        if isinstance(cell, date):
            moment = cell if isinstance(cell, datetime) else datetime.combine(cell, time())  # fmt: skip
            return np.datetime64(moment, "us") in self._moments
        return False

    def among(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which numbers, or moments, stand for missing ones; each kind of them in its own precision."""
        kind = values.dtype.kind
        if kind == "M":
            rounded = values.astype("datetime64[us]")
            whole = rounded.astype(values.dtype) == values
            return np.asarray(whole & np.isin(rounded, self._moments))
        if kind == "f":
            with np.errstate(over="ignore"):
                meant = np.array(sorted(self._floats)).astype(values.dtype)
            return np.isin(values, meant)
        bounds = np.iinfo(values.dtype)
        inside = [n for n in self._wholes if bounds.min <= n <= bounds.max]
        return np.isin(values, np.array(inside, dtype=values.dtype))


def _is_value(word: str) -> bool:
    """Return whether a word spells a number; ``nan`` does not."""
    return is_number(word) and float(word) == float(word)


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:  # 9.0, 1e3
        return int(float(word))
