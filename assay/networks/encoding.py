"""Piecewise linear encoding of numeric columns (Gorishniy, Rubachev & Babenko 2022).

Each piece of a column is an input that rises from 0 to 1 between two of the column's quantiles, so
that the first layer can follow any curve ("On embeddings for numerical features in tabular deep
learning").
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NARROWEST_PIECE = 1e-3  # in standard deviations of its column; narrower pieces merge
_FEWEST_PIECES = 3  # of a column worth encoding: two levels need none


@dataclass(frozen=True)
class Encoding:
    """Where the pieces of the leading input columns begin, and how steeply they rise.

    Attributes
    ----------
    edges, slopes : shape (n_columns, n_pieces)
        Input x of a column becomes ``clip((x - edge) * slope, 0, 1) - 0.5`` for each piece. Columns
        with fewer pieces have slopes of 0 in the remaining places.
    """

    edges: NDArray[np.float32]
    slopes: NDArray[np.float32]

    @property
    def sizes(self) -> tuple[int, int]:
        """How many columns, and into how many pieces each."""
        n_columns, n_pieces = self.slopes.shape
        return n_columns, n_pieces

    def apply(self, inputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the inputs, followed by the pieces of the leading columns."""
        pieces = self.pieces(inputs[:, : len(self.slopes)])
        return np.concatenate([inputs, pieces], axis=1)

    def pieces(
        self, columns: NDArray[np.floating[Any]], first: int = 0
    ) -> NDArray[np.float64]:
        """Return the pieces of some encoded columns, of which ``first`` is the number of the first."""
        numbers = slice(first, first + columns.shape[1])
        leading = columns[:, :, None].astype(np.float64)
        rising = (leading - self.edges[numbers]) * self.slopes[numbers]
        return (np.clip(rising, 0.0, 1.0) - 0.5).reshape(len(columns), -1)


def encoding(columns: NDArray[np.float32], n_pieces: int) -> Encoding | None:
    """Fit an encoding to training rows; None where no column has enough distinct values.

    Parameters
    ----------
    columns : shape (n_train, n_columns)
        Scaled numeric inputs. Pieces end at equally spaced quantiles; edges closer than a thousandth
        of a standard deviation merge. Columns after the last one with pieces are left out.
    """
    starts, slopes = np.zeros((2, columns.shape[1], n_pieces), dtype=np.float32)
    shares = np.linspace(0.0, 1.0, n_pieces + 1)
    for number, column in enumerate(columns.T):
        edges = _merged(np.quantile(column.astype(np.float64), shares))
        if len(edges) <= _FEWEST_PIECES:
            continue
        starts[number, : len(edges) - 1] = edges[:-1]
        slopes[number, : len(edges) - 1] = 1.0 / np.diff(edges)
    n_encoded = 1 + np.flatnonzero(slopes.any(axis=1)).max(initial=-1)
    return Encoding(starts[:n_encoded], slopes[:n_encoded]) if n_encoded else None


def _merged(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = [float(edges[0])]
    for edge in edges[1:]:
        if edge - kept[-1] > _NARROWEST_PIECE:
            kept.append(float(edge))
    return np.array(kept)
