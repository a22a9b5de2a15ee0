"""Convolutional networks in TensorFlow: their gradient while training, and their predictions.

A step of one such network is work enough to fill the processor, and the library's convolution has
no form for replicas that costs less (``bench.bench_convolution``). So the replicas of a step are a
loop in the graph, in which none can touch another's bits; the optimiser around it is that of
:mod:`assay.networks.graph`. Noise is drawn for every replica, also where it changes nothing: another
graph could round differently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.networks.augment import augmented
from assay.networks.conv_spec import EPSILON, GROUPS, ImageShape
from assay.networks.graph import Graph, split_arrays
from assay.networks.spec import Activation, Loss, Weights
from assay.networks.tensors import Batches, Inputs, Replicas, Setup, Tensor
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

_DROPOUT, _AUGMENTATION = 0, 1  # what noise is drawn for


@dataclass(frozen=True)
class ConvStructure:
    """What a graph of convolutional networks is traced for; the number of filters is free.

    Attributes
    ----------
    image
        Height, width and channels.
    flat
        Whether the last maps are flattened for the dense layer, or averaged.
    """

    image: tuple[int, int, int]
    n_blocks: int
    flat: bool
    activation: Activation
    loss: Loss

    @property
    def n_arrays(self) -> int:
        return 3 * self.n_blocks + 2

    @property
    def n_pixels(self) -> int:
        return int(np.prod(self.image))


def conv_structure(shape: ImageShape, loss: Loss) -> ConvStructure:
    """Return the structure of the graph that a shape needs."""
    return ConvStructure(
        image=(shape.height, shape.width, shape.channels),
        n_blocks=len(shape.filters),
        flat=shape.flat,
        activation=shape.activation,
        loss=loss,
    )


@lru_cache
def conv_graph(structure: ConvStructure) -> "ConvGraph":
    """Return the graph for a structure, traced on first use in a process."""
    return ConvGraph(structure)


class _Replica(NamedTuple):
    """One network's share of a step."""

    parameters: Tensor
    targets: Tensor
    order: Tensor
    settings: Replicas


class ConvGraph(Graph):
    """Training of convolutional networks, replica by replica."""

    def __init__(self, structure: ConvStructure) -> None:
        super().__init__(structure.loss, (structure.n_arrays, 4))
        self.structure = structure

    def gradient(
        self, parameters: Tensor, setup: Setup, batch: Batches, count: Tensor
    ) -> Tensor:
        def of_replica(replica: _Replica) -> Tensor:
            row, settings = replica.parameters, replica.settings
            inputs = tf.gather(setup.inputs.matrix, batch.rows[replica.order])
            key = tf.bitcast(settings.noise[0], tf.int32)
            seed = _seed(key, count, _AUGMENTATION)
            inputs = self._augmented(inputs, settings.augmentation, seed)
            factor, least = settings.dropout_factor, settings.noise[1]
            dropout = _Dropout(factor, least, _seed(key, count, _DROPOUT))
            with tf.GradientTape() as tape:
                tape.watch(row)
                losses = self.losses(
                    self._outputs(inputs, row, setup.layout.forms, dropout),
                    replica.targets[None],
                    settings.class_weights[None],
                    settings.smoothing[None],
                )
                loss = tf.reduce_mean(losses)
            return tape.gradient(loss, row)

        shares = _Replica(parameters, batch.targets, batch.order, setup.replicas)
        return _each(of_replica, shares)

    def outputs(
        self, parameters: Tensor, forms: Tensor, inputs: Inputs, rows: Tensor
    ) -> Tensor:
        def of_replica(share: tuple[Tensor, Tensor]) -> Tensor:
            row, places = share
            return self._outputs(tf.gather(inputs.matrix, places), row, forms)[0]

        return _each(of_replica, (parameters, rows))

    def _outputs(
        self,
        inputs: Tensor,
        row: Tensor,
        forms: Tensor,
        dropout: "_Dropout | None" = None,
    ) -> Tensor:
        """Return the outputs of one network from its row of parameters, shape (1, n_outputs, n_rows)."""
        parts = split_arrays(row, forms, self.structure.n_arrays)
        arrays = [
            tf.transpose(tf.reshape(part, forms[i])) for i, part in enumerate(parts)
        ]
        return tf.transpose(_forward(inputs, arrays, self.structure, dropout))[None]

    def _augmented(self, inputs: Tensor, numbers: Tensor, seed: Tensor) -> Tensor:
        n_pixels, image = self.structure.n_pixels, self.structure.image
        images = tf.reshape(inputs[:, :n_pixels], (-1, *image))
        flat = tf.reshape(augmented(images, numbers, seed), (-1, n_pixels))
        return tf.concat([flat, inputs[:, n_pixels:]], axis=1)


def _each(function: Callable[..., Tensor], shares: tuple[Tensor, ...]) -> Tensor:
    """Return what a function makes of each replica's share, stacked."""
    return tf.map_fn(
        function, shares, parallel_iterations=1, fn_output_signature=tf.float32
    )


def _seed(key: Tensor, count: Tensor, purpose: int) -> Tensor:
    """Return a seed that belongs to a replica and a step."""
    return tf.stack([key, 2 * count + purpose])


class _Dropout:
    """Dropout of features by a replica's own noise."""

    def __init__(self, factor: Tensor, least: Tensor, seed: Tensor) -> None:
        self.factor, self.least, self.seed = factor, least, seed

    def __call__(self, features: Tensor) -> Tensor:
        drawn = tf.random.stateless_uniform(
            tf.shape(features), self.seed, None, None, tf.uint32
        )
        return features * (tf.cast(drawn >= self.least, tf.float32) * self.factor)


def _forward(
    inputs: Tensor,
    arrays: Sequence[Tensor],
    structure: ConvStructure,
    dropout: _Dropout | None = None,
) -> Tensor:
    """Return outputs before any softmax, shape (n_rows, n_outputs)."""
    activate, n_pixels = getattr(tf.nn, structure.activation), structure.n_pixels
    hidden = tf.reshape(inputs[:, :n_pixels], (-1, *structure.image))
    for block in range(structure.n_blocks):
        kernel, scales, shifts = arrays[3 * block : 3 * block + 3]
        convolved = tf.nn.conv2d(hidden, kernel, 1, "SAME")
        pooled = tf.nn.max_pool2d(convolved, 2, 2, "VALID")
        hidden = activate(_group_norm(pooled) * _vector(scales) + _vector(shifts))
    features = tf.concat([_features(hidden, structure), inputs[:, n_pixels:]], axis=1)
    if dropout is not None:
        features = dropout(features)
    kernel = tf.reshape(arrays[-2], tf.shape(arrays[-2])[-2:])
    return tf.matmul(features, kernel) + _vector(arrays[-1])


def _features(maps: Tensor, structure: ConvStructure) -> Tensor:
    if structure.flat:
        return tf.reshape(maps, (tf.shape(maps)[0], -1))
    return tf.reduce_mean(maps, axis=(1, 2))


def _vector(array: Tensor) -> Tensor:
    return tf.reshape(array, (-1,))


def _group_norm(maps: Tensor) -> Tensor:
    """Return maps in which each group has mean 0 and variance 1 in each image."""
    shape = tf.shape(maps)
    groups = tf.reshape(
        maps, (shape[0], shape[1] * shape[2], GROUPS, shape[3] // GROUPS)
    )
    mean = tf.reduce_mean(groups, axis=(1, 3), keepdims=True)
    variance = tf.reduce_mean(tf.square(groups - mean), axis=(1, 3), keepdims=True)
    spread = tf.sqrt(variance + EPSILON)
    return tf.reshape((groups - mean) / spread, shape)


# Prediction --------------------------------------------------------------------------------------


def conv_predictions(
    shape: ImageShape, weights: Weights, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return class probabilities, or numbers, shape (n_rows, n_outputs)."""
    structure = conv_structure(shape, "cross_entropy")
    predictor = _predictor(structure, shape.n_outputs > 1)
    arrays, at_once = [tf.constant(array) for array in weights], shape.rows_at_once
    parts = [
        predictor(inputs[start : start + at_once], arrays).numpy()
        for start in range(0, len(inputs), at_once)
    ]
    return np.concatenate(parts)


@lru_cache
def _predictor(structure: ConvStructure, classes: bool) -> Tensor:
    def predictions(inputs: Tensor, arrays: list[Tensor]) -> Tensor:
        outputs = _forward(inputs, arrays, structure)
        return tf.nn.softmax(outputs) if classes else outputs

    block = [tf.TensorSpec([None] * rank) for rank in (4, 1, 1)]
    arrays = [
        *(block * structure.n_blocks),
        tf.TensorSpec([None] * 2),
        tf.TensorSpec([None]),
    ]
    return tf.function(
        predictions,
        autograph=False,
        input_signature=[tf.TensorSpec([None, None]), arrays],
    )
