"""Blocks: rows in order of time, cut into parts of about equal size."""

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused


def in_blocks(times: NDArray[np.int32], n_blocks: int, order: str) -> NDArray[np.int16]:
    """Return the block of each row, about equally many rows in each; rows of one time are together.

    Raises
    ------
    DataRefused
        If so many rows share a time, or so few are left, that a block would be empty.
    """
    n = len(times)
    number = np.zeros(n, dtype=np.int16)
    for block in range(1, n_blocks):
        number[_between_times(times, round(n * block / n_blocks)) :] += 1
    if len(np.unique(number)) < n_blocks:
        raise DataRefused("data.time.too_few", column=order, n=n, n_blocks=n_blocks)
    return number


def _between_times(times: NDArray[np.int32], at: int) -> int:
    """Return the first row of a time, the nearest to row ``at`` that has another time before it."""
    if not 0 < at < len(times):
        return at
    before = int(np.searchsorted(times, times[at], "left"))
    after = int(np.searchsorted(times, times[at], "right"))
    return before if before > 0 and at - before <= after - at else after
