"""How networks lie in memory: parameters in one row, and rows of data in batches, of whole vectors.

Vectorised kernels treat the last few numbers of an array by other instructions than the rest, with
other rounding. Whole vectors keep the bits of a network independent of what it is stacked with.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import ImageShape
from assay.networks.spec import Shape, Weights

VECTOR = 16  # float32 numbers in the widest vector register
_FACTOR_RATE = (
    50.0  # learning rate of the input factors, relative to that of the weights
)


class LayoutArrays(NamedTuple):
    """What the graph needs of a layout.

    Attributes
    ----------
    forms : shape (n_arrays, most_axes)
        The shape of each array of weights, its axes in reverse, padded with 1.
    kernels_and_paces : shape (2, n_parameters)
        1 for the numbers of a kernel, which decay, 0 for vectors and padding, which do not; and by
        what the learning rate of each parameter is multiplied.
    """

    forms: NDArray[np.int32]
    kernels_and_paces: NDArray[np.float32]

    @property
    def kernels(self) -> NDArray[np.float32]:
        kernels: NDArray[np.float32] = self.kernels_and_paces[0]
        return kernels

    @property
    def paces(self) -> NDArray[np.float32]:
        paces: NDArray[np.float32] = self.kernels_and_paces[1]
        return paces


class Layout:
    """Where the layers of a shape lie in a row of parameters.

    While it trains, a network that is ``scaled`` has a factor on each input of its first layer, at
    first 1, which learns much faster than the weights: so it turns to the inputs that matter
    (Holzmüller et al. 2024, "Better by default", the scaling layer of RealMLP). Next to it stands the
    input's emphasis, which is given and stays. :meth:`weights` multiplies both into the first kernel.
    """

    def __init__(self, shape: Shape | ImageShape, *, scaled: bool = False) -> None:
        self.shapes, self.scaled = shape.arrays(), scaled
        if scaled:
            self.shapes += [(self.shapes[0][0], 1)] * 2  # factors, emphases
        most_axes = max(map(len, self.shapes))
        forms = [axes[::-1] + (1,) * (most_axes - len(axes)) for axes in self.shapes]
        sizes = np.prod(forms, axis=1)
        self.ends = np.cumsum(sizes)
        starts = self.ends - sizes
        self.n_parameters = whole_vectors(int(self.ends[-1]) + VECTOR - 1)
        kernels = np.zeros(self.n_parameters, dtype=np.float32)
        for axes, start, end in zip(self.shapes, starts, self.ends, strict=True):
            kernels[start:end] = len(axes) > 1
        paces = np.ones(self.n_parameters, dtype=np.float32)
        if scaled:
            kernels[starts[-2] :] = 0.0
            paces[starts[-2] : starts[-1]] = _FACTOR_RATE
            paces[starts[-1] :] = 0.0
        self.arrays = LayoutArrays(
            np.array(forms, np.int32), np.stack([kernels, paces])
        )

    def rows(
        self,
        members: Sequence[Weights],
        emphases: Sequence[NDArray[np.float32] | None],
    ) -> NDArray[np.float32]:
        """Return networks as rows of parameters, shape (n_members, n_parameters).

        Parameters
        ----------
        emphases
            For each network that is scaled, shape (n_inputs of the first layer,); for others None.

        Raises
        ------
        ValueError
            If a scaled network has no emphasis, or another network has one.
        """
        return np.stack(
            [
                self._row(weights, emphasis)
                for weights, emphasis in zip(members, emphases, strict=True)
            ]
        )

    def weights(self, row: NDArray[np.float32]) -> Weights:
        """Return the arrays of weights from a row of parameters."""
        parts = np.split(row, self.ends)[:-1]
        arrays = [
            part.reshape(axes[::-1]).T.copy()
            for part, axes in zip(parts, self.shapes, strict=True)
        ]
        if self.scaled:
            *arrays, factors, emphases = arrays
            arrays[0] *= factors * emphases
        return tuple(arrays)

    def _row(
        self, weights: Weights, emphasis: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        if self.scaled != (emphasis is not None):
            raise ValueError("networks with an emphasis are scaled, and no others")
        if emphasis is not None:
            weights = (*weights, np.ones_like(emphasis), emphasis)
        flat = np.concatenate([layer.T.ravel() for layer in weights])
        return np.pad(flat, (0, self.n_parameters - len(flat))).astype(np.float32)


def whole_vectors(n: int) -> int:
    """Return ``n`` rounded down to whole vectors."""
    return n - n % VECTOR


def evaluation_batches(n_rows: int, rows_at_once: int) -> tuple[int, int]:
    """Return into how many batches rows are cut for evaluation, and the size of each: whole vectors.

    Depends on the shape of the network alone: how a sum is cut shows in its bits.
    """
    n_batches = max(1, -(-n_rows // rows_at_once))
    return n_batches, -(-n_rows // (n_batches * VECTOR)) * VECTOR
