"""Makers of small networks for the tests."""

import numpy as np
from numpy.typing import NDArray

from assay.network import Net, Shape, encoding, first_weights

SHAPES = [
    Shape(n_inputs=3, n_outputs=2, widths=(5,)),
    Shape(n_inputs=7, n_outputs=10, widths=(17, 17)),
    Shape(n_inputs=1, n_outputs=3, widths=(16, 16, 16)),
    Shape(n_inputs=4, n_outputs=1, widths=(8, 8)),
    Shape(n_inputs=5, n_outputs=3, widths=(9, 6), activation="silu", encoded=(3, 6)),
    Shape(n_inputs=4, n_outputs=1, widths=(7,), activation="selu", encoded=(4, 5)),
]
NUMBERS = [shape for shape in SHAPES if shape.n_outputs == 1]


def members_of(shape: Shape, n_members: int = 3) -> tuple[Net, ...]:
    """Networks of one shape and one encoding, biases not zero."""
    generator = np.random.default_rng(4)
    n_columns, n_pieces = shape.encoded
    columns = generator.normal(size=(200, n_columns)).astype(np.float32)
    known = encoding(columns, n_pieces) if n_pieces else None
    return tuple(
        Net(
            tuple(
                (w + 0.1 * generator.normal(size=w.shape)).astype(np.float32)
                for w in first_weights(shape, seed)
            ),
            shape.activation,
            known,
        )
        for seed in range(n_members)
    )


def inputs_of(shape: Shape, n: int = 33) -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=(n, shape.n_inputs)).astype(np.float32)
