"""Remarks on single rows: what about them is outside of what training saw."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

_MOST = 5  # said of one row


class Remarks:
    """Sentences for some of the rows of a chunk."""

    def __init__(self) -> None:
        self._of: dict[int, list[str]] = {}

    def mark(
        self,
        rows: "NDArray[np.bool_] | Iterable[int]",
        said: str | Callable[[int], str],
    ) -> None:
        """Say something of rows, given by a mask or by number: the same of all, or of each its own."""
        if isinstance(rows, np.ndarray):
            if not rows.any():
                return
            rows = np.flatnonzero(rows).tolist()
        for row in rows:
            known = said if isinstance(said, str) else said(row)
            self._of.setdefault(row, []).append(known)

    def joined(self, n_rows: int) -> list[str]:
        """Return the remarks of every row, parted by semicolons; empty where there is none."""
        found = [""] * n_rows
        for row, said in self._of.items():
            more = len(said) - _MOST
            shown = said[:_MOST] + [f"and {more} more"] * (more > 0)
            found[row] = "; ".join(shown)
        return found

    def __len__(self) -> int:
        return len(self._of)
