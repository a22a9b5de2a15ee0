"""Remarks on single rows: what in them is outside of what training saw.

Remarks are data, in the column ``remarks`` of the output: they are in English whatever language is chosen.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

_MOST = 5  # remarks on a row


class Remarks:
    """Sentences for some of the rows of a chunk."""

    def __init__(self) -> None:
        self._of: dict[int, list[str]] = {}

    def mark(
        self,
        rows: "NDArray[np.bool_] | Iterable[int]",
        remark: str | Callable[[int], str],
    ) -> None:
        """Remark on rows, given by a mask or by number: the same on all, or on each its own."""
        if isinstance(rows, np.ndarray):
            if not rows.any():
                return
            rows = np.flatnonzero(rows).tolist()
        for row in rows:
            text = remark if isinstance(remark, str) else remark(row)
            self._of.setdefault(row, []).append(text)

    def joined(self, n_rows: int) -> list[str]:
        """Return the remarks on every row, separated by semicolons; empty where there is none."""
        joined = [""] * n_rows
        for row, remarks in self._of.items():
            more = len(remarks) - _MOST
            shown = remarks[:_MOST] + [f"and {more} more"] * (more > 0)
            joined[row] = "; ".join(shown)
        return joined

    def __len__(self) -> int:
        return len(self._of)
