"""Networks for images: their shape, their first weights, what they compute in plain NumPy.

Blocks of a 3x3 convolution, 2x2 maximum pooling, group normalisation (Wu & He 2018, "Group
normalization") and an activation; then the last maps, or their means where they are still large,
beside whatever else is known of a row, dropout and a dense layer. The groups of a normalisation are
of one image, so that it is the same while training and afterwards and knows of no other image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    from assay.networks.spec import Activation, Weights

GROUPS = 4  # of maps that are normalised together
EPSILON = 1e-3  # added to their variance
_LARGEST_FLAT = 3  # sides of maps that a dense layer still gets place by place

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ImageShape:
    """A convolutional network with blocks of so many filters.

    Inputs are the pixels of an image, row by row and channels last, and whatever follows them.
    """

    height: int
    width: int
    channels: int
    n_inputs: int
    n_outputs: int
    filters: tuple[int, ...]
    activation: "Activation" = "relu"

    rows_at_once: ClassVar[int] = 256  # of the stopping rows, and while predicting

    @property
    def n_pixels(self) -> int:
        return self.height * self.width * self.channels

    @property
    def last_map(self) -> tuple[int, int]:
        """Height and width of what the last block leaves: each block halves them."""
        n = 2 ** len(self.filters)
        return self.height // n, self.width // n

    @property
    def flat(self) -> bool:
        """Whether the last maps are small enough to keep their places; else their means are taken."""
        return max(self.last_map) <= _LARGEST_FLAT

    @property
    def n_features(self) -> int:
        """Inputs of the dense layer."""
        height, width = self.last_map
        places = height * width if self.flat else 1
        return places * self.filters[-1] + self.n_inputs - self.n_pixels

    def arrays(self) -> list[tuple[int, ...]]:
        """Return the forms of the weights: kernel, scales and shifts of each block; kernel, biases."""
        blocks = pairwise((self.channels, *self.filters))
        return [
            *(form for a, b in blocks for form in ((3, 3, a, b), (b,), (b,))),
            *((self.n_features, self.n_outputs), (self.n_outputs,)),
        ]

    def first_weights(self, seed: int) -> "Weights":
        """Draw kernels; scales are 1, shifts and biases 0.

        He's normal initialisation (He et al. 2015), half its variance for the output layer.
        """
        generator = np.random.Generator(np.random.Philox(seed))

        def drawn(form: tuple[int, ...], gain: float) -> NDArray[np.float32]:
            spread = np.sqrt(gain / np.prod(form[:-1]))
            return generator.normal(0.0, spread, form).astype(np.float32)

        *blocks, kernel, biases = self.arrays()
        weights = [
            one
            for of_block, maps in zip(blocks[::3], blocks[1::3], strict=True)
            for one in (drawn(of_block, 2.0), np.ones(maps), np.zeros(maps))
        ]
        weights += [drawn(kernel, 1.0), np.zeros(biases)]
        return tuple(one.astype(np.float32) for one in weights)


@dataclass(frozen=True)
class Moves:
    """What may happen to an image while training, and leaves its label as it is.

    Attributes
    ----------
    shift
        Up to what share of a side an image is shifted; its edges are drawn out.
    flip, rotate
        Whether it may be mirrored from left to right, and turned by quarters.
    """

    shift: float = 0.0
    flip: bool = False
    rotate: bool = False

    def numbers(self, shape: ImageShape) -> tuple[float, float, float, float]:
        """Return how many pixels down and right, and 1 or 0 for flips and turns."""
        down, right = (round(self.shift * side) for side in (shape.height, shape.width))
        return float(down), float(right), float(self.flip), float(self.rotate)


def forward(
    shape: ImageShape,
    weights: "Weights",
    inputs: Array,
    bend: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return the outputs before any softmax, by plain products, shape (n_rows, n_outputs)."""
    n, n_pixels = len(inputs), shape.n_pixels
    form = (n, shape.height, shape.width, shape.channels)
    hidden = inputs[:, :n_pixels].astype(np.float64).reshape(form)
    for block in range(len(shape.filters)):
        kernel, scales, shifts = weights[3 * block : 3 * block + 3]
        padded = np.pad(hidden, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = sliding_window_view(padded, (3, 3), axis=(1, 2))
        convolved = np.einsum("nyxcij,ijco->nyxo", windows, kernel, optimize=True)
        hidden = bend(_normalised(_pooled(convolved)) * scales + shifts)
    found = hidden.reshape(n, -1) if shape.flat else hidden.mean(axis=(1, 2))
    features = np.concatenate([found, inputs[:, n_pixels:]], axis=1)
    return np.asarray(features @ weights[-2] + weights[-1])


def _pooled(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    n, height, width, n_maps = maps.shape
    even = maps[:, : height // 2 * 2, : width // 2 * 2]
    pairs = even.reshape(n, height // 2, 2, width // 2, 2, n_maps)
    return np.asarray(pairs.max(axis=(2, 4)))


def _normalised(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    n, height, width, n_maps = maps.shape
    groups = maps.reshape(n, height, width, GROUPS, n_maps // GROUPS)
    centred = groups - groups.mean(axis=(1, 2, 4), keepdims=True)
    variance = (centred**2).mean(axis=(1, 2, 4), keepdims=True)
    return np.asarray((centred / np.sqrt(variance + EPSILON)).reshape(maps.shape))
