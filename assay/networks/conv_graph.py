"""Networks for images in TensorFlow, trained replica by replica inside one graph call.

A step of one such network is work enough to fill the processor, and the library's convolution has
no form for replicas that costs less (``bench.bench_convolution``). So the replicas of a step are a
loop in the graph, in which none can touch another's bits; what is around the step, and its
optimiser, is that of :mod:`assay.networks.dense_graph`. Noise is drawn for every replica,
also where it changes nothing: another graph could round otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import EPSILON, GROUPS, ImageShape
from assay.networks.dense_graph import Graph, Loss, parts_of
from assay.networks.spec import Activation, Weights
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

_DROPOUT, _MOVES = 0, 1  # what noise is drawn for


@dataclass(frozen=True)
class ImageStructure:
    """What a graph of networks for images is traced for; the number of filters is free.

    Attributes
    ----------
    image
        Height, width and channels.
    flat
        Whether the dense layer gets the last maps place by place, or their means.
    """

    image: tuple[int, int, int]
    n_blocks: int
    flat: bool
    activation: Activation
    loss: Loss


def image_structure(shape: ImageShape, loss: Loss) -> ImageStructure:
    """Return what a shape needs a graph for."""
    return ImageStructure(
        image=(shape.height, shape.width, shape.channels),
        n_blocks=len(shape.filters),
        flat=shape.flat,
        activation=shape.activation,
        loss=loss,
    )


@lru_cache
def image_graph(structure: ImageStructure) -> "ImageGraph":
    """Return the graph for a structure, traced on first use in a process."""
    return ImageGraph(structure)


class ImageGraph(Graph):
    """Steps of AdamW, and the loss on other rows, of networks for images; see :class:`Graph`."""

    def __init__(self, structure: ImageStructure) -> None:
        self.known, self.loss = structure, structure.loss
        self._trace((3 * structure.n_blocks + 2, 4))

    def _gradient(
        self,
        parameters: Any,
        forms: Any,
        inputs: Any,
        rows: Any,
        targets: Any,
        order: Any,
        rates: Any,
        noise: Any,
        class_weights: Any,
        count: Any,
    ) -> Any:
        def of_one(one: Any) -> Any:
            row, target, place, rate, own, weights = one
            batch = tf.gather(inputs[0], rows[place])
            key = tf.bitcast(own[0], tf.int32)
            batch = self._moved(batch, rate[4:], _seed(key, count, _MOVES))
            drop = _Drop(rate[2], own[1], _seed(key, count, _DROPOUT))
            with tf.GradientTape() as tape:
                tape.watch(row)
                outputs = self._of_rows(batch, row, forms, drop)
                losses = self._losses(
                    outputs, target[None], weights[None], rate[None, 3]
                )
                loss = tf.reduce_mean(losses)
            return tape.gradient(loss, row)

        return _each(of_one, parameters, targets, order, rates, noise, class_weights)

    def _outputs(self, parameters: Any, forms: Any, inputs: Any, rows: Any) -> Any:
        def of_one(one: Any) -> Any:
            return self._of_rows(tf.gather(inputs[0], one[1]), one[0], forms)[0]

        return _each(of_one, parameters, rows)

    def _of_rows(
        self, inputs: Any, row: Any, forms: Any, drop: "_Drop | None" = None
    ) -> Any:
        """Return the outputs of one network, shape (1, n_outputs, n_rows)."""
        parts = parts_of(row, forms, 3 * self.known.n_blocks + 2)
        arrays = [
            tf.transpose(tf.reshape(part, forms[i])) for i, part in enumerate(parts)
        ]
        return tf.transpose(_forward(inputs, arrays, self.known, drop))[None]

    def _moved(self, inputs: Any, how: Any, seed: Any) -> Any:
        n_pixels = int(np.prod(self.known.image))
        images = tf.reshape(inputs[:, :n_pixels], (-1, *self.known.image))
        flat = tf.reshape(moved(images, how, seed), (-1, n_pixels))
        return tf.concat([flat, inputs[:, n_pixels:]], axis=1)


def _each(of_one: Any, *stacked: Any) -> Any:
    """Return what a function makes of each replica's share, stacked."""
    return tf.map_fn(
        of_one, stacked, parallel_iterations=1, fn_output_signature=tf.float32
    )


def _seed(key: Any, count: Any, purpose: int) -> Any:
    """Return a seed that belongs to a replica and a step."""
    return tf.stack([key, 2 * count + purpose])


class _Drop:
    """Features dropped by a replica's own noise."""

    def __init__(self, factor: Any, least: Any, seed: Any) -> None:
        self.factor, self.least, self.seed = factor, least, seed

    def __call__(self, features: Any) -> Any:
        drawn = tf.random.stateless_uniform(
            tf.shape(features), self.seed, None, None, tf.uint32
        )
        return features * (tf.cast(drawn >= self.least, tf.float32) * self.factor)


def moved(images: Any, how: Any, seed: Any) -> Any:
    """Return each image turned, mirrored and shifted by noise of its own.

    Parameters
    ----------
    images : shape (n, height, width, channels)
    how : shape (4,)
        See :meth:`Moves.numbers`. What a shift uncovers repeats the edge.
    """
    n, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    drawn = tf.random.stateless_uniform((4, n, 1, 1), seed)
    down, right = (tf.floor(drawn[i] * (2.0 * how[i] + 1.0)) - how[i] for i in range(2))
    quarters = tf.floor(4.0 * drawn[2] * how[3])
    mirrored = tf.logical_and(drawn[3] >= 0.5, how[2] > 0.0)
    y = tf.range(height, dtype=tf.float32)[None, :, None]
    x = tf.range(width, dtype=tf.float32)[None, None, :]
    odd = tf.equal(quarters % 2.0, 1.0)
    upside_down = tf.logical_or(tf.equal(quarters, 1.0), tf.equal(quarters, 2.0))
    backwards = tf.math.logical_xor(quarters >= 2.0, mirrored)
    y, x = tf.where(odd, x, y), tf.where(odd, y, x)
    y = tf.where(upside_down, height - 1.0 - y, y) + down
    x = tf.where(backwards, width - 1.0 - x, x) + right
    y, x = tf.clip_by_value(y, 0, height - 1.0), tf.clip_by_value(x, 0, width - 1.0)
    place = tf.reshape(tf.cast(y * width + x, tf.int32), (n, -1))
    flat = tf.reshape(images, (n, height * width, channels))
    return tf.reshape(tf.gather(flat, place, batch_dims=1), tf.shape(images))


def _forward(
    inputs: Any,
    arrays: Sequence[Any],
    known: ImageStructure,
    drop: _Drop | None = None,
) -> Any:
    """Return outputs before any softmax, shape (n_rows, n_outputs)."""
    bend, n_pixels = getattr(tf.nn, known.activation), int(np.prod(known.image))
    hidden = tf.reshape(inputs[:, :n_pixels], (-1, *known.image))
    for block in range(known.n_blocks):
        kernel, scales, shifts = arrays[3 * block : 3 * block + 3]
        hidden = tf.nn.max_pool2d(
            tf.nn.conv2d(hidden, kernel, 1, "SAME"), 2, 2, "VALID"
        )
        hidden = bend(_normalised(hidden) * _vector(scales) + _vector(shifts))
    found = (
        tf.reshape(hidden, (tf.shape(hidden)[0], -1))
        if known.flat
        else tf.reduce_mean(hidden, axis=(1, 2))
    )
    features = tf.concat([found, inputs[:, n_pixels:]], axis=1)
    if drop is not None:
        features = drop(features)
    kernel = tf.reshape(arrays[-2], tf.shape(arrays[-2])[-2:])
    return tf.matmul(features, kernel) + _vector(arrays[-1])


def _vector(array: Any) -> Any:
    return tf.reshape(array, (-1,))


def _normalised(maps: Any) -> Any:
    """Return maps of which each group has mean 0 and variance 1 in each image."""
    shape = tf.shape(maps)
    groups = tf.reshape(
        maps, (shape[0], shape[1] * shape[2], GROUPS, shape[3] // GROUPS)
    )
    mean = tf.reduce_mean(groups, axis=(1, 3), keepdims=True)
    variance = tf.reduce_mean(tf.square(groups - mean), axis=(1, 3), keepdims=True)
    spread = tf.sqrt(variance + EPSILON)
    return tf.reshape((groups - mean) / spread, shape)


# Prediction --------------------------------------------------------------------------------------


def image_outputs_of(
    shape: ImageShape, weights: Weights, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return class probabilities, or numbers, shape (n_rows, n_outputs)."""
    predictor = _predictor(image_structure(shape, "cross_entropy"), shape.n_outputs > 1)
    arrays, at_once = [tf.constant(one) for one in weights], shape.rows_at_once
    parts = [
        predictor(inputs[start : start + at_once], arrays).numpy()
        for start in range(0, len(inputs), at_once)
    ]
    return np.concatenate(parts)


@lru_cache
def _predictor(structure: ImageStructure, classes: bool) -> Any:
    def predicted(inputs: Any, arrays: list[Any]) -> Any:
        outputs = _forward(inputs, arrays, structure)
        return tf.nn.softmax(outputs) if classes else outputs

    block = [tf.TensorSpec([None] * rank) for rank in (4, 1, 1)]
    arrays = [
        *(block * structure.n_blocks),
        tf.TensorSpec([None] * 2),
        tf.TensorSpec([None]),
    ]
    return tf.function(
        predicted,
        autograph=False,
        input_signature=[tf.TensorSpec([None, None]), arrays],
    )
