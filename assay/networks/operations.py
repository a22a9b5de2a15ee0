"""A finished ensemble as lists of operations, from which every exported format is written.

:func:`walk` hands the operations to an emitter one by one. An emitter translates an operation into its
format and knows nothing of networks: :mod:`assay.networks.to_onnx`, :mod:`assay.networks.to_litert`,
:mod:`assay.networks.to_keras`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import ImageShape
from assay.networks.encoding import Encoding
from assay.networks.net import Net, grouped
from assay.networks.spec import Activation, Weights

T = TypeVar("T")
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Dense:
    """Multiply by a kernel (n_in, n_out) and add biases (n_out,)."""

    kernel: Array
    biases: Array


@dataclass(frozen=True)
class MemberDense:
    """A dense layer of each member: kernels (n_members, n_in, n_out), biases (n_members, n_out).

    The ``first`` adds the axis of members to inputs that all members share, (n_rows, n_in).
    """

    kernels: Array
    biases: Array
    first: bool


@dataclass(frozen=True)
class Image:
    """Take the leading columns as an image, row by row with channels last."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Convolve:
    """Convolve with a kernel (3, 3, n_in, n_out), zeros around the maps."""

    kernel: Array


@dataclass(frozen=True)
class GroupNorm:
    """Normalise groups of an image's maps, then multiply by scales and add shifts, (n_maps,) each."""

    height: int
    width: int
    scales: Array
    shifts: Array


@dataclass(frozen=True)
class Flatten:
    """Lay maps out as so many columns, place by place with channels last."""

    n_columns: int


@dataclass(frozen=True)
class AppendInputs:
    """Append the columns of the program's inputs from number ``first`` to before ``end``."""

    first: int
    end: int


# Without numbers of their own: a softmax over the last axis, maxima of 2 x 2 places, the mean of each
# map, and the axis of members for the predictions of a single one.
Named = Activation | Literal["softmax", "max_pool", "average_maps", "member_axis"]
Layer = Encoding | Dense | MemberDense | Image | Convolve | GroupNorm | Flatten
Operation = Layer | AppendInputs | Named


def walk(
    members: Sequence[Net], emit: Callable[[Operation, T, T], T], inputs: T
) -> list[T]:
    """Return what an emitter makes of each branch; the ensemble predicts the mean over all their members.

    Fully connected members of equal sizes share a branch; a convolutional network has its own.
    ``emit(operation, values, inputs)`` applies an operation to values; ``inputs`` are those of the
    ensemble. Encodings are emitted first, each once.
    """
    encoded: dict[int, T] = {}
    for net in members:
        if net.encoding and id(net.encoding) not in encoded:
            encoded[id(net.encoding)] = emit(net.encoding, inputs, inputs)
    results: list[T] = []
    for group in ([members[place] for place in places] for places in grouped(members)):
        for branch in _branches(group):
            values = encoded.get(id(group[0].encoding), inputs)
            for operation in branch:
                values = emit(operation, values, inputs)
            results.append(values)
    return results


def _branches(group: Sequence[Net]) -> list[Iterator[Operation]]:
    shape = group[0].image
    if shape is None:
        return [_dense(group)]
    return [_convolutional(shape, net.weights) for net in group]


def _dense(members: Sequence[Net]) -> Iterator[Operation]:
    by_layer = zip(*(net.weights for net in members), strict=True)
    stacked = [np.stack(arrays) for arrays in by_layer]
    for place in range(0, len(stacked), 2):
        yield MemberDense(stacked[place], stacked[place + 1], first=place == 0)
        if place < len(stacked) - 2:
            yield members[0].activation
    if members[0].n_outputs > 1:
        yield "softmax"


def _convolutional(shape: ImageShape, weights: Weights) -> Iterator[Operation]:
    height, width = shape.height, shape.width
    yield Image(height, width, shape.channels)
    for block in range(len(shape.filters)):
        kernel, scales, shifts = weights[3 * block : 3 * block + 3]
        height, width = height // 2, width // 2
        yield Convolve(kernel)
        yield "max_pool"
        yield GroupNorm(height, width, scales, shifts)
        yield shape.activation
    n_columns = height * width * shape.filters[-1]
    yield Flatten(n_columns) if shape.flat else "average_maps"
    if shape.n_inputs > shape.n_pixels:
        yield AppendInputs(shape.n_pixels, shape.n_inputs)
    yield Dense(*weights[-2:])
    if shape.n_outputs > 1:
        yield "softmax"
    yield "member_axis"
