"""Makers of small networks for the tests."""

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import ImageShape
from assay.networks.encoding import encoding
from assay.networks.net import Net
from assay.networks.spec import Shape

SHAPES = [
    Shape(n_inputs=3, n_outputs=2, widths=(5,)),
    Shape(n_inputs=7, n_outputs=10, widths=(17, 17)),
    Shape(n_inputs=1, n_outputs=3, widths=(16, 16, 16)),
    Shape(n_inputs=4, n_outputs=1, widths=(8, 8)),
    Shape(n_inputs=5, n_outputs=3, widths=(9, 6), activation="silu", encoded=(3, 6)),
    Shape(n_inputs=4, n_outputs=1, widths=(7,), activation="selu", encoded=(4, 5)),
]
IMAGES = [
    ImageShape(8, 8, 1, n_inputs=64, n_outputs=3, filters=(4, 8)),
    ImageShape(9, 14, 3, 378 + 5, n_outputs=2, filters=(8, 4), activation="silu"),
    ImageShape(32, 32, 1, 1024 + 1, n_outputs=1, filters=(4, 8, 8), activation="selu"),
]
NUMBERS = [shape for shape in SHAPES if shape.n_outputs == 1]


def members_of(shape: Shape | ImageShape, n_members: int = 3) -> tuple[Net, ...]:
    """Networks of one shape and one encoding, biases not zero."""
    generator = np.random.default_rng(4)
    image = shape if isinstance(shape, ImageShape) else None
    n_columns, n_pieces = (0, 0) if isinstance(shape, ImageShape) else shape.encoded
    columns = generator.normal(size=(200, n_columns)).astype(np.float32)
    known = encoding(columns, n_pieces) if n_pieces else None
    return tuple(
        Net(
            tuple(
                (w + 0.1 * generator.normal(size=w.shape)).astype(np.float32)
                for w in shape.first_weights(seed)
            ),
            shape.activation,
            known,
            image,
        )
        for seed in range(n_members)
    )


def inputs_of(shape: Shape | ImageShape, n: int = 33) -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=(n, shape.n_inputs)).astype(np.float32)
