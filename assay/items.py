"""Cells of several values as numbers: which of the common values a cell holds, and how many in all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.plans import ListColumn

_FEWEST_ROWS = 2  # with a value: what one row alone says is no use to another


@dataclass(frozen=True)
class Items:
    """A fitted column of lists.

    Attributes
    ----------
    known
        The values with an input of their own, the commonest first; all others share one more.
    centre, scale
        Of ``log(1 + n)``, where n is the number of values in a cell; a missing cell has none.
    """

    column: str
    separator: str
    known: tuple[str, ...]
    centre: float
    scale: float

    @property
    def n_inputs(self) -> int:
        return len(self.known) + 2

    def apply(self, column: "pd.Series[Any]") -> NDArray[np.float64]:
        """Return 1 for each known value that a cell holds, 1 for any other, and the scaled count.

        Shape (n_rows, n_inputs).
        """
        cells = held(column, self.separator)
        numbers = {value: number for number, value in enumerate(self.known)}
        found = np.zeros((len(cells), self.n_inputs))
        for row, cell in enumerate(cells):
            for value in cell:
                found[row, numbers.get(value, len(numbers))] = 1.0
        found[:, -1] = (_counts(cells) - self.centre) / self.scale
        return found

    def form(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "column": self.column,
            "separator": self.separator,
            "known": list(self.known),
            "centre": self.centre,
            "scale": self.scale,
        }


def unpack(form: dict[str, Any]) -> Items:
    """Return the column that a form describes."""
    return Items(**{**form, "known": tuple(form["known"])})


def fit(column: "pd.Series[Any]", plan: ListColumn) -> Items:
    """Fit a column of lists on training rows."""
    cells = held(column, plan.separator)
    counts = Counter(value for cell in cells for value in cell)
    common = sorted(
        (value for value, n in counts.items() if n >= _FEWEST_ROWS),
        key=lambda value: (-counts[value], value),
    )
    n = _counts(cells)
    return Items(
        column=plan.column,
        separator=plan.separator,
        known=tuple(common[: plan.most]),
        centre=float(n.mean()),
        scale=float(n.std()) or 1.0,
    )


def held(column: "pd.Series[Any]", separator: str) -> list[tuple[str, ...]]:
    """Return the values of each cell, each once, without blanks around; none where it is missing.

    Examples
    --------
    >>> held(pd.Series([", Drama, Comedy,Drama", None]), ",")
    [('Drama', 'Comedy'), ()]
    """
    known: dict[str, tuple[str, ...]] = {}
    for cell in column.dropna().unique():
        values = (value.strip() for value in str(cell).split(separator))
        known[cell] = tuple(dict.fromkeys(value for value in values if value))
    return [
        known[cell] if there else ()
        for cell, there in zip(column, column.notna(), strict=True)
    ]


def _counts(cells: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    return np.log1p(np.fromiter(map(len, cells), dtype=np.float64, count=len(cells)))
