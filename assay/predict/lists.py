"""Cells of several values as numbers: a multi-hot encoding of the common values, and how many values there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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

    def apply(self, cells: Iterable[object]) -> NDArray[np.float64]:
        """Return 1 for each known value that a cell holds, 1 for any other, and the scaled count.

        Shape (n_rows, n_inputs).
        """
        lists = held(cells, self.separator)
        numbers = {value: number for number, value in enumerate(self.known)}
        inputs = np.zeros((len(lists), self.n_inputs))
        for row, values in enumerate(lists):
            for value in values:
                inputs[row, numbers.get(value, len(numbers))] = 1.0
        inputs[:, -1] = (log_counts(lists) - self.centre) / self.scale
        return inputs

    def form(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "column": self.column,
            "separator": self.separator,
            "known": list(self.known),
            "centre": self.centre,
            "scale": self.scale,
        }


def held(cells: Iterable[object], separator: str) -> list[tuple[str, ...]]:
    """Return the values of each cell, each once, without blanks around; none where it is not a text.

    Examples
    --------
    >>> held([", Drama, Comedy,Drama", None], ",")
    [('Drama', 'Comedy'), ()]
    """
    cached: dict[str, tuple[str, ...]] = {}
    lists: list[tuple[str, ...]] = []
    for cell in cells:
        if not isinstance(cell, str):
            lists.append(())
            continue
        if cell not in cached:
            values = (value.strip() for value in cell.split(separator))
            cached[cell] = tuple(dict.fromkeys(value for value in values if value))
        lists.append(cached[cell])
    return lists


def log_counts(lists: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return ``log(1 + n)`` of the number of values of each cell."""
    return np.log1p(np.fromiter(map(len, lists), dtype=np.float64, count=len(lists)))
