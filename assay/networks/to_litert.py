"""The finished ensemble for LiteRT, which predicts on phones and small boards.

Written in operations that LiteRT has itself: from the saved model its converter takes Einstein sums
over as they are, which the runtime then does not know.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import EPSILON, GROUPS, ImageShape
from assay.networks.spec import Activation, Encoding, Net, Weights, alike
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

Tensor = Any


def as_litert(members: Sequence[Net]) -> bytes:
    """Return a model that averages what ``members`` predict, as bytes: float32 in and out, as :mod:`assay.networks.to_onnx`."""
    described = tf.TensorSpec((None, members[0].n_inputs), tf.float32, name="features")
    answer = tf.function(partial(_answer, members), input_signature=[described])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [answer.get_concrete_function()]
    )
    return bytes(converter.convert())


def litert_answers(content: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a model that :func:`as_litert` wrote predicts, shape (n_rows, n_outputs)."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # tf.lite.Interpreter moves to a package of its own
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    (asked,), (answered,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    interpreter.resize_tensor_input(asked["index"], inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(asked["index"], inputs)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(answered["index"]))


def _answer(members: Sequence[Net], features: Tensor) -> Tensor:
    parts: list[Tensor] = []
    for places in alike(members):
        like = [members[place] for place in places]
        if like[0].image is None:
            parts.append(_branch(features, like))
        else:
            parts += [
                _image_branch(features, like[0].image, net.weights) for net in like
            ]
    return tf.reduce_mean(tf.concat(parts, axis=0), axis=0)


def _branch(features: Tensor, members: Sequence[Net]) -> Tensor:
    """Return what members of equal sizes predict, shape (n_members, n_rows, n_outputs)."""
    bend = _bend(members[0].activation)
    encoded = _encoded(features, members[0].encoding)
    hidden = tf.repeat(encoded[None], len(members), axis=0)
    stacked = [
        np.stack(arrays)
        for arrays in zip(*(net.weights for net in members), strict=True)
    ]
    for place in range(0, len(stacked), 2):
        hidden = tf.matmul(hidden, stacked[place]) + stacked[place + 1][:, None, :]
        hidden = bend(hidden) if place < len(stacked) - 2 else hidden
    return tf.nn.softmax(hidden) if members[0].n_outputs > 1 else hidden


def _encoded(features: Tensor, known: Encoding | None) -> Tensor:
    if known is None:
        return features
    leading = features[:, : len(known.slopes), None]
    pieces = tf.clip_by_value((leading - known.edges) * known.slopes, 0.0, 1.0) - 0.5
    return tf.concat([features, tf.reshape(pieces, (-1, known.slopes.size))], axis=1)


def _bend(activation: Activation) -> Callable[[Tensor], Tensor]:
    known: dict[Activation, Callable[[Tensor], Tensor]] = {
        "relu": tf.nn.relu,
        "silu": tf.nn.silu,
        "selu": tf.nn.selu,
    }
    return known[activation]


def _image_branch(features: Tensor, shape: ImageShape, weights: Weights) -> Tensor:
    """Return what a network for images predicts, shape (1, n_rows, n_outputs)."""
    bend = _bend(shape.activation)
    form = (-1, shape.height, shape.width, shape.channels)
    hidden = tf.reshape(features[:, : shape.n_pixels], form)
    for block, n_filters in enumerate(shape.filters):
        kernel, scales, shifts = weights[3 * block : 3 * block + 3]
        convolved = tf.nn.conv2d(hidden, kernel, strides=1, padding="SAME")
        pooled = tf.nn.max_pool2d(convolved, 2, 2, "VALID")
        hidden = bend(_normalised(pooled, n_filters) * scales + shifts)
    n_maps = int(np.prod(shape.last_map)) * shape.filters[-1]
    found = (
        tf.reshape(hidden, (-1, n_maps))
        if shape.flat
        else tf.reduce_mean(hidden, axis=(1, 2))
    )
    known = tf.concat([found, features[:, shape.n_pixels :]], axis=1)
    outputs = known @ weights[-2] + weights[-1]
    return (tf.nn.softmax(outputs) if shape.n_outputs > 1 else outputs)[None]


def _normalised(maps: Tensor, n_filters: int) -> Tensor:
    _, height, width, _ = maps.shape
    groups = tf.reshape(maps, (-1, height * width, GROUPS, n_filters // GROUPS))
    centred = groups - tf.reduce_mean(groups, axis=(1, 3), keepdims=True)
    variance = tf.reduce_mean(centred**2, axis=(1, 3), keepdims=True)
    normal = centred * tf.math.rsqrt(variance + EPSILON)
    return tf.reshape(normal, (-1, height, width, n_filters))
