"""Categories as numbers: which of the fitted levels a cell holds."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

ABSENT = "(missing)"  # the level of a cell without a value


def codes(cells: Iterable[object], levels: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each cell's level; rare and unseen ones share the next number.

    Parameters
    ----------
    cells
        Texts; anything else is missing.

    Examples
    --------
    >>> codes(["b", "z", None], ["(missing)", "a", "b"]).tolist()
    [2, 3, 0]
    """
    numbers = {level: number for number, level in enumerate(levels)}
    absent, other = numbers.get(ABSENT, len(levels)), len(levels)
    of_cells = [
        numbers.get(cell, other) if isinstance(cell, str) else absent for cell in cells
    ]
    return np.array(of_cells, dtype=np.int64)


def one_hot(cells: Sequence[object], levels: Sequence[str]) -> NDArray[np.bool_]:
    """Return a column for each level and a last one for all others, shape (n_rows, n_levels + 1)."""
    columns = np.zeros((len(cells), len(levels) + 1), dtype=bool)
    columns[np.arange(len(cells)), codes(cells, levels)] = True
    return columns
