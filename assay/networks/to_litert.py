"""The finished ensemble for LiteRT, which predicts on phones and small boards.

Written in operations that LiteRT has itself: its converter keeps the Einstein sums of the Keras model,
which the runtime then does not know.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.networks import operations as ops
from assay.networks.conv_spec import EPSILON, GROUPS
from assay.networks.encoding import Encoding
from assay.networks.net import Net
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

Tensor = Any


def as_litert(members: Sequence[Net]) -> bytes:
    """Return a model that averages the predictions of ``members``, as bytes.

    Inputs and outputs are float32, as in :mod:`assay.networks.to_onnx`.
    """

    def predictions(features: Tensor) -> Tensor:
        parts = ops.walk(members, _emit, features)
        return tf.reduce_mean(tf.concat(parts, axis=0), axis=0)

    features = tf.TensorSpec((None, members[0].n_inputs), name="features")
    traced = tf.function(predictions, autograph=False, input_signature=[features])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()]
    )
    return bytes(converter.convert())


def litert_predictions(
    content: bytes, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the predictions of a model that :func:`as_litert` wrote, shape (n_rows, n_outputs)."""
    with warnings.catch_warnings():
        # tf.lite.Interpreter moves to a package of its own
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    [features] = interpreter.get_input_details()
    [predictions] = interpreter.get_output_details()
    interpreter.resize_tensor_input(features["index"], inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(features["index"], inputs)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(predictions["index"]))


def _emit(operation: ops.Operation, values: Tensor, inputs: Tensor) -> Tensor:
    """Return the result of an operation; maps have their channels last."""
    match operation:
        case Encoding(edges, slopes):
            rising = (values[:, : len(slopes), None] - edges) * slopes
            pieces = tf.clip_by_value(rising, 0.0, 1.0) - 0.5
            return tf.concat([values, tf.reshape(pieces, (-1, slopes.size))], axis=1)
        case ops.MemberDense(kernels, biases, first):
            hidden = tf.repeat(values[None], len(kernels), axis=0) if first else values
            return tf.matmul(hidden, kernels) + biases[:, None, :]
        case ops.Dense(kernel, biases):
            return values @ kernel + biases
        case ops.Image(height, width, channels):
            pixels = values[:, : height * width * channels]
            return tf.reshape(pixels, (-1, height, width, channels))
        case ops.Convolve(kernel):
            return tf.nn.conv2d(values, kernel, strides=1, padding="SAME")
        case ops.GroupNorm():
            return _group_norm(operation, values)
        case ops.Flatten(n_columns):
            return tf.reshape(values, (-1, n_columns))
        case ops.AppendInputs(start, end):
            return tf.concat([values, inputs[:, start:end]], axis=1)
        case "max_pool":
            return tf.nn.max_pool2d(values, 2, 2, "VALID")
        case "average_maps":
            return tf.reduce_mean(values, axis=(1, 2))
        case "member_axis":
            return values[None]
        case _:
            return getattr(tf.nn, operation)(values)


def _group_norm(norm: ops.GroupNorm, maps: Tensor) -> Tensor:
    height, width, n_maps = norm.height, norm.width, len(norm.scales)
    groups = tf.reshape(maps, (-1, height * width, GROUPS, n_maps // GROUPS))
    centred = groups - tf.reduce_mean(groups, axis=(1, 3), keepdims=True)
    variance = tf.reduce_mean(centred**2, axis=(1, 3), keepdims=True)
    normal = centred * tf.math.rsqrt(variance + EPSILON)
    return tf.reshape(normal, (-1, height, width, n_maps)) * norm.scales + norm.shifts
