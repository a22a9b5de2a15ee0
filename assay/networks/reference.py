"""What networks compute, by plain NumPy products in float64: a reference independent of any engine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import expit

from assay.networks.conv_spec import EPSILON, GROUPS, ImageShape
from assay.networks.net import Net
from assay.networks.spec import Activation, Weights

# Klambauer et al. 2017, "Self-normalizing neural networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805

Array = NDArray[np.float64]


def predictions(members: Sequence[Net], inputs: NDArray[np.float32]) -> Array:
    """Return the mean prediction of the members, shape (n_rows, n_outputs)."""
    total = np.zeros((len(inputs), members[0].n_outputs))
    for net in members:
        values = outputs(net, inputs)
        total += _softmax(values) if values.shape[1] > 1 else values
    return total / len(members)


def outputs(net: Net, inputs: NDArray[np.floating[Any]]) -> Array:
    """Return the outputs of a network before any softmax, shape (n_rows, n_outputs)."""
    if net.image is not None:
        return _convolutional(net.image, net.weights, inputs)
    hidden = inputs.astype(np.float64)
    hidden = net.encoding.apply(hidden) if net.encoding else hidden
    for i in range(0, len(net.weights), 2):
        hidden = hidden @ net.weights[i] + net.weights[i + 1]
        if i < len(net.weights) - 2:
            hidden = _activate(hidden, net.activation)
    return hidden


def _convolutional(
    shape: ImageShape, weights: Weights, inputs: NDArray[np.floating[Any]]
) -> Array:
    n, n_pixels = len(inputs), shape.n_pixels
    side = (n, shape.height, shape.width, shape.channels)
    hidden = inputs[:, :n_pixels].astype(np.float64).reshape(side)
    for block in range(len(shape.filters)):
        kernel, scales, shifts = weights[3 * block : 3 * block + 3]
        pooled = _max_pool(_convolve(hidden, kernel))
        hidden = _activate(_group_norm(pooled) * scales + shifts, shape.activation)
    maps = hidden.reshape(n, -1) if shape.flat else hidden.mean(axis=(1, 2))
    features = np.concatenate([maps, inputs[:, n_pixels:]], axis=1)
    return np.asarray(features @ weights[-2] + weights[-1])


def _convolve(maps: Array, kernel: NDArray[np.floating[Any]]) -> Array:
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.asarray(np.einsum("nyxcij,ijco->nyxo", windows, kernel, optimize=True))


def _max_pool(maps: Array) -> Array:
    n, height, width, n_maps = maps.shape
    even = maps[:, : height // 2 * 2, : width // 2 * 2]
    pairs = even.reshape(n, height // 2, 2, width // 2, 2, n_maps)
    return np.asarray(pairs.max(axis=(2, 4)))


def _group_norm(maps: Array) -> Array:
    n, height, width, n_maps = maps.shape
    groups = maps.reshape(n, height, width, GROUPS, n_maps // GROUPS)
    centred = groups - groups.mean(axis=(1, 2, 4), keepdims=True)
    variance = (centred**2).mean(axis=(1, 2, 4), keepdims=True)
    return np.asarray((centred / np.sqrt(variance + EPSILON)).reshape(maps.shape))


def _activate(hidden: Array, activation: Activation) -> Array:
    match activation:
        case "relu":
            return np.maximum(hidden, 0.0)
        case "silu":
            return np.asarray(hidden * expit(hidden))
        case "selu":
            negative = _SELU_ALPHA * np.expm1(np.minimum(hidden, 0.0))
            return _SELU_SCALE * np.where(hidden > 0, hidden, negative)


def _softmax(logits: Array) -> Array:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
