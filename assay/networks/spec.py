"""The specification of a fully connected network: its sizes, and the weights it starts from."""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weights = tuple[NDArray[np.float32], ...]
Activation = Literal["relu", "silu", "selu"]
Loss = Literal["cross_entropy", "squared_error", "absolute_error"]

_SHARE_OF_NUMBERS = 0.9  # of the first layer's variance at the start


@dataclass(frozen=True)
class Shape:
    """A fully connected network with hidden layers of these widths.

    With two outputs or more it ends in a softmax, one probability for each class; with one output it
    predicts a number.

    Attributes
    ----------
    encoded
        How many leading columns are encoded, and into how many pieces each; (0, 0) without an
        encoding, see :class:`assay.networks.encoding.Encoding`.
    """

    n_inputs: int
    n_outputs: int
    widths: tuple[int, ...]
    activation: Activation = "relu"
    encoded: tuple[int, int] = (0, 0)

    @property
    def rows_at_once(self) -> int:
        """Rows of one evaluation batch: the widest layer of one network then takes 2 MB."""
        widest = max(n_in for n_in, _ in self.layers())
        return max(16, 2**19 // widest // 16 * 16)

    @property
    def n_pieces(self) -> int:
        """Inputs of the first layer that the encoding adds."""
        n_columns, n_pieces = self.encoded
        return n_columns * n_pieces

    def layers(self) -> list[tuple[int, int]]:
        """Return the inputs and outputs of each layer, first to last."""
        sizes = [self.n_inputs + self.n_pieces, *self.widths, self.n_outputs]
        return list(itertools.pairwise(sizes))

    def arrays(self) -> list[tuple[int, ...]]:
        """Return the shapes of the weights: kernel and biases of each layer."""
        return [
            shape
            for n_in, n_out in self.layers()
            for shape in ((n_in, n_out), (n_out,))
        ]

    def first_weights(self, seed: int) -> Weights:
        """Return the weights that training starts from."""
        return first_weights(self, seed)


def first_weights(shape: Shape, seed: int) -> Weights:
    """Draw kernels and zero biases, alternating from the first layer to the last.

    He's normal initialisation for the hidden layers (He et al. 2015), half its variance for the
    output layer, which no rectifier follows. Nine tenths of the first layer's variance belong to the
    numbers, one tenth to their pieces.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    weights: list[NDArray[np.float32]] = []
    for number, (n_in, n_out) in enumerate(shape.layers()):
        kernel = he_normal(generator, (n_in, n_out), last=number == len(shape.widths))
        if number == 0 and shape.n_pieces:
            kernel *= _input_scales(shape)[:, None]
        weights += [kernel.astype(np.float32), np.zeros(n_out, np.float32)]
    return tuple(weights)


def he_normal(
    generator: np.random.Generator, shape: tuple[int, ...], *, last: bool
) -> NDArray[np.float64]:
    """Draw a kernel, shape (..., n_in, n_out), by He's normal initialisation; half the variance for the last."""
    gain = 1.0 if last else 2.0
    return generator.normal(0.0, np.sqrt(gain / np.prod(shape[:-1])), shape)


def _input_scales(shape: Shape) -> NDArray[np.float64]:
    """Return the factors of the first kernel's rows, which keep their total variance.

    Without them most of the variance would belong to the pieces, which are many: on smooth targets
    such networks stayed behind those without pieces.
    """
    n_in, share = shape.n_inputs + shape.n_pieces, _SHARE_OF_NUMBERS
    numbers = np.full(shape.n_inputs, np.sqrt(n_in * share / shape.n_inputs))
    pieces = np.full(shape.n_pieces, np.sqrt(n_in * (1 - share) / shape.n_pieces))
    return np.concatenate([numbers, pieces])
