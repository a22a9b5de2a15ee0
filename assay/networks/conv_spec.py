"""The specification of a convolutional network: its sizes, its first weights, and augmentation.

Blocks of a 3x3 convolution, 2x2 maximum pooling, group normalisation (Wu & He 2018, "Group
normalization") and an activation; then the last maps, or their means where the maps are still
large, joined with the other inputs of the row; dropout and a dense layer. Group normalisation uses
one image at a time, so it computes the same in training and in prediction.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.networks.spec import Activation, Weights, he_normal

GROUPS = 4  # into which the maps of a block are parted for normalisation
EPSILON = 1e-3  # added to the variance of a group
_LARGEST_FLAT = 3  # sides of maps that are flattened; larger ones are averaged


@dataclass(frozen=True)
class ImageShape:
    """A convolutional network with one block for each entry of ``filters``.

    Inputs are the pixels of an image, row by row with channels last, then any other inputs.
    """

    height: int
    width: int
    channels: int
    n_inputs: int
    n_outputs: int
    filters: tuple[int, ...]
    activation: Activation = "relu"

    rows_at_once: ClassVar[int] = 256  # of one evaluation or prediction batch

    @property
    def n_pixels(self) -> int:
        """Inputs that are pixels; they come first."""
        return self.height * self.width * self.channels

    @property
    def last_map(self) -> tuple[int, int]:
        """Height and width of the last block's maps: each block halves them."""
        n = 2 ** len(self.filters)
        return self.height // n, self.width // n

    @property
    def flat(self) -> bool:
        """Whether the last maps are small enough to be flattened; else they are averaged."""
        return max(self.last_map) <= _LARGEST_FLAT

    @property
    def n_features(self) -> int:
        """Inputs of the dense layer."""
        height, width = self.last_map
        places = height * width if self.flat else 1
        return places * self.filters[-1] + self.n_inputs - self.n_pixels

    def arrays(self) -> list[tuple[int, ...]]:
        """Return the shapes of the weights: kernel, scales and shifts of each block; kernel, biases."""
        blocks = pairwise((self.channels, *self.filters))
        return [
            *(shape for a, b in blocks for shape in ((3, 3, a, b), (b,), (b,))),
            *((self.n_features, self.n_outputs), (self.n_outputs,)),
        ]

    def first_weights(self, seed: int) -> Weights:
        """Draw kernels; scales are 1, shifts and biases 0.

        He's normal initialisation (He et al. 2015), half its variance for the output layer.
        """
        generator = np.random.Generator(np.random.Philox(seed))
        *blocks, kernel, biases = self.arrays()
        weights: list[NDArray[np.float64]] = []
        for block, maps in zip(blocks[::3], blocks[1::3], strict=True):
            drawn = he_normal(generator, block, last=False)
            weights += [drawn, np.ones(maps), np.zeros(maps)]
        weights += [he_normal(generator, kernel, last=True), np.zeros(biases)]
        return tuple(array.astype(np.float32) for array in weights)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images that leave their labels as they are.

    Attributes
    ----------
    shift
        Largest shift, as a share of a side; the edge is repeated.
    flip, rotate
        Whether an image may be mirrored from left to right, and turned by quarters.
    """

    shift: float = 0.0
    flip: bool = False
    rotate: bool = False

    def numbers(self, shape: ImageShape) -> tuple[float, float, float, float]:
        """Return the largest shifts in pixels, down and right, then 1 or 0 for flips and for turns."""
        down, right = (round(self.shift * side) for side in (shape.height, shape.width))
        return float(down), float(right), float(self.flip), float(self.rotate)
