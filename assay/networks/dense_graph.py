"""Fully connected networks in TensorFlow: their gradient while training, and their predictions.

Rows lie along the last axis, so that products and activations act on whole vectors, see
:mod:`assay.networks.graph`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assay.networks.graph import Graph, split_arrays
from assay.networks.net import Net
from assay.networks.spec import Activation, Loss
from assay.networks.tensors import Batches, Inputs, Setup, Tensor, stacked
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)


@dataclass(frozen=True)
class DenseStructure:
    """What a graph of fully connected networks is traced for; sizes are free.

    Attributes
    ----------
    drops
        Whether any hidden unit may be dropped.
    scaled
        Whether the first layer's inputs have factors, see :class:`Layout`.
    """

    n_layers: int
    activation: Activation
    encoded: bool
    loss: Loss
    drops: bool = False
    scaled: bool = False

    @property
    def n_arrays(self) -> int:
        return 2 * (self.n_layers + self.scaled)


@lru_cache
def dense_graph(structure: DenseStructure) -> "DenseGraph":
    """Return the graph for a structure, traced on first use in a process."""
    return DenseGraph(structure)


class DenseGraph(Graph):
    """Training of fully connected networks."""

    def __init__(self, structure: DenseStructure) -> None:
        super().__init__(structure.loss, (structure.n_arrays, 2))
        self.structure = structure

    def gradient(
        self, parameters: Tensor, setup: Setup, batch: Batches, count: Tensor
    ) -> Tensor:
        replicas = setup.replicas
        first = self._first_inputs(setup.inputs, batch.rows)
        dropout = (
            Dropout(replicas.dropout_factor, replicas.noise, count)
            if self.structure.drops
            else None
        )
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            ordered = tf.gather(first, batch.order)
            outputs = self._forward(ordered, parameters, setup.layout.forms, dropout)
            losses = self.losses(
                outputs, batch.targets, replicas.class_weights, replicas.smoothing
            )
            batch_size = tf.cast(tf.shape(batch.rows)[1], tf.float32)
            loss = tf.reduce_sum(losses) / batch_size
        return tape.gradient(loss, parameters)

    def outputs(
        self, parameters: Tensor, forms: Tensor, inputs: Inputs, rows: Tensor
    ) -> Tensor:
        return self._forward(self._first_inputs(inputs, rows), parameters, forms)

    def _first_inputs(self, inputs: Inputs, rows: Tensor) -> Tensor:
        """Return the inputs of the first layer, shape (n_orders, n_inputs, n_rows)."""
        first = tf.transpose(tf.gather(inputs.matrix, rows), (0, 2, 1))
        return _encode(first, inputs.encodings) if self.structure.encoded else first

    def _forward(
        self,
        first: Tensor,
        parameters: Tensor,
        forms: Tensor,
        dropout: "Dropout | None" = None,
    ) -> Tensor:
        parts = split_arrays(parameters, forms, self.structure.n_arrays)
        arrays = [
            tf.reshape(part, (-1, forms[i, 0], forms[i, 1]))
            for i, part in enumerate(parts)
        ]
        if self.structure.scaled:
            *arrays, factors, emphases = arrays
            arrays[0] *= _in_each_row(factors * emphases, tf.shape(arrays[0])[1])
        return _forward(first, arrays, self.structure.activation, dropout)


def _in_each_row(factors: Tensor, n_rows: Tensor) -> Tensor:
    """Return (n_replicas, 1, n) as (n_replicas, n_rows, n): a product, so that its gradient is one."""
    return tf.matmul(tf.ones((1, n_rows, 1)), factors)


class Dropout:
    """Dropout whose noise belongs to the replica, whatever it is stacked with.

    Noise of 32 bits is drawn once for all replicas; each multiplies it by an odd number of its own,
    modulo 2**32, which only permutes the numbers there are: exact, and uniform again.

    Parameters
    ----------
    factor : shape (n_replicas,)
        By what the units that stay are multiplied.
    noise : shape (n_replicas, 2)
        Each replica's odd number, and the least noise with which a unit stays.
    count
        The step for which noise is drawn.
    """

    def __init__(self, factor: Tensor, noise: Tensor, count: Tensor) -> None:
        self.factor, self.count = factor[:, None, None], count
        self.key, self.least = (noise[:, i, None, None] for i in range(2))

    def __call__(self, hidden: Tensor, layer: int) -> Tensor:
        drawn = tf.random.stateless_uniform(
            tf.shape(hidden)[1:], tf.stack([self.count, layer]), None, None, tf.uint32
        )
        kept = tf.cast(drawn[None] * self.key >= self.least, tf.float32)
        return hidden * (kept * self.factor)


def _encode(first: Tensor, encodings: Tensor) -> Tensor:
    """Return the inputs with the pieces of the leading columns below them; see ``Encoding``."""
    edges, slopes = encodings[0], encodings[1]
    leading = first[:, : tf.shape(slopes)[1], None]
    pieces = (leading - edges[..., None]) * slopes[..., None]
    pieces = tf.clip_by_value(pieces, 0.0, 1.0) - 0.5
    shape = tf.shape(pieces)
    flat = tf.reshape(pieces, (shape[0], shape[1] * shape[2], shape[3]))
    return tf.concat([first, flat], axis=1)


def _forward(
    first: Tensor,
    arrays: Sequence[Tensor],
    activation: Activation,
    dropout: Dropout | None = None,
) -> Tensor:
    """Return outputs before any softmax, shape (n_replicas, n_outputs, n_rows).

    ``first`` has shape (n_replicas, n_inputs, n_rows).
    """
    activate, hidden = getattr(tf.nn, activation), first
    for number in range(0, len(arrays) - 2, 2):
        hidden = activate(tf.matmul(arrays[number], hidden) + arrays[number + 1])
        if dropout is not None:
            hidden = dropout(hidden, number // 2)
    return tf.matmul(arrays[-2], hidden) + arrays[-1]


# Prediction --------------------------------------------------------------------------------------


def dense_predictions(
    members: Sequence[Net], inputs: NDArray[np.float32], rows_at_once: int
) -> NDArray[np.float32]:
    """Return class probabilities, or numbers, shape (n_members, n_rows, n_outputs).

    The members have equal sizes and one encoding.
    """
    arrays = [
        tf.constant(np.stack([_transposed(array) for array in layer]))
        for layer in zip(*(net.weights for net in members), strict=True)
    ]
    net = members[0]
    predictor = _predictor(
        len(arrays), net.activation, net.encoding is not None, net.n_outputs > 1
    )
    encodings = stacked([net.encoding])
    parts = [
        predictor(inputs[start : start + rows_at_once], encodings, arrays)
        for start in range(0, len(inputs), rows_at_once)
    ]
    return np.concatenate([part.numpy() for part in parts], axis=1)


def _transposed(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return array.T if array.ndim == 2 else array[:, None]


@lru_cache
def _predictor(
    n_arrays: int, activation: Activation, encoded: bool, classes: bool
) -> Tensor:
    def predictions(inputs: Tensor, encodings: Tensor, arrays: list[Tensor]) -> Tensor:
        first = tf.transpose(inputs)[None]
        first = _encode(first, encodings) if encoded else first
        by_row = tf.transpose(_forward(first, arrays, activation), (0, 2, 1))
        return tf.nn.softmax(by_row) if classes else by_row

    any_size = tf.TensorSpec([None, None, None])
    encodings = tf.TensorSpec([2, None, None, None])
    return tf.function(
        predictions,
        autograph=False,
        input_signature=[tf.TensorSpec([None, None]), encodings, [any_size] * n_arrays],
    )
