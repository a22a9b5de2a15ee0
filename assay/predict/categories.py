"""Categories as numbers: which of the known levels a cell holds."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

ABSENT = "(missing)"  # the level of a cell without a value


def codes(cells: Iterable[object], known: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each cell's level; rare and unseen ones share the next number.

    Parameters
    ----------
    cells
        Texts; what is no text is missing.

    Examples
    --------
    >>> codes(["b", "z", None], ["(missing)", "a", "b"]).tolist()
    [2, 3, 0]
    """
    numbers = {level: number for number, level in enumerate(known)}
    absent, other = numbers.get(ABSENT, len(known)), len(known)
    found = [
        numbers.get(cell, other) if isinstance(cell, str) else absent for cell in cells
    ]
    return np.array(found, dtype=np.int64)


def one_hot(cells: Sequence[object], known: Sequence[str]) -> NDArray[np.bool_]:
    """Return a column for each known level and one for all others, shape (n_rows, n_known + 1)."""
    found = np.zeros((len(cells), len(known) + 1), dtype=bool)
    found[np.arange(len(cells)), codes(cells, known)] = True
    return found
