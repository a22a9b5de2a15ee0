"""The finished ensemble as an ONNX graph, which predicts without TensorFlow.

Written operator by operator from the weights: a converter that goes through TensorFlow writes graphs
that no runtime can run, and says that all went well. Standard operators of one old version only, so
that any runtime of the last years reads it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from assay.networks.conv_spec import EPSILON, GROUPS, ImageShape
from assay.networks.spec import Activation, Encoding, Net, Weights, alike

OPSET, IR = 17, 8  # onnxruntime reads both since 1.12, of 2022


class _Graph:
    """Nodes and constants in the order they are made; names are counted, so that equal nets give equal bytes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Any) -> str:
        array = np.asarray(values)
        name = f"constant_{len(self.constants)}"
        self.constants.append(
            numpy_helper.from_array(np.ascontiguousarray(array), name)
        )
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=name, **attributes)
        )
        return name

    def reshape(self, values: str, *form: int) -> str:
        """Give values another form; 0 leaves a length as it is, that of the rows."""
        return self.add("Reshape", values, self.constant(np.array(form, np.int64)))

    def columns(self, values: str, first: int, end: int) -> str:
        ends = (self.constant(np.array([k], np.int64)) for k in (first, end, 1))
        return self.add("Slice", values, *ends)


def as_onnx(members: Sequence[Net]) -> bytes:
    """Return a model that averages what ``members`` predict, as bytes.

    Input ``features``: float32, shape (n_rows, n_inputs). Output ``predictions``: float32, shape
    (n_rows, n_outputs), probabilities where there are classes.
    """
    graph = _Graph()
    encoded: dict[int, str] = {}
    for net in members:
        if id(net.encoding) not in encoded:
            encoded[id(net.encoding)] = _encoded(graph, net.encoding)
    parts: list[str] = []
    for places in alike(members):
        like = [members[place] for place in places]
        if like[0].image is None:
            parts.append(_branch(graph, encoded[id(like[0].encoding)], like))
            continue
        images = [_image_branch(graph, like[0].image, net.weights) for net in like]
        parts += images
    together = graph.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]
    mean = graph.add("ReduceMean", together, axes=[0], keepdims=0)
    graph.nodes.append(helper.make_node("Identity", [mean], ["predictions"]))
    model = _model(graph, members[0])
    return bytes(model.SerializeToString(deterministic=True))


def _model(graph: _Graph, like: Net) -> onnx.ModelProto:
    def described(name: str, n_columns: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["n_rows", n_columns]
        )

    made = helper.make_graph(
        graph.nodes,
        "assay",
        [described("features", like.n_inputs)],
        [described("predictions", like.n_outputs)],
        graph.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        made, opset_imports=[opset], ir_version=IR, producer_name="assay"
    )


# Fully connected members -------------------------------------------------------------------------


def _encoded(graph: _Graph, known: Encoding | None) -> str:
    """Add the pieces of the leading inputs behind them, see :class:`assay.networks.spec.Encoding`."""
    if known is None:
        return "features"
    n_columns, _ = known.sizes
    leading = graph.reshape(graph.columns("features", 0, n_columns), 0, n_columns, 1)
    past = graph.add("Sub", leading, graph.constant(known.edges))
    rising = graph.add("Mul", past, graph.constant(known.slopes))
    ends = (graph.constant(np.float32(end)) for end in (0.0, 1.0))
    pieces = graph.add("Clip", rising, *ends)
    centred = graph.add("Sub", pieces, graph.constant(np.float32(0.5)))
    flat = graph.reshape(centred, 0, known.slopes.size)
    return graph.add("Concat", "features", flat, axis=1)


def _branch(graph: _Graph, inputs: str, members: Sequence[Net]) -> str:
    """Add members of equal sizes; what they predict has the shape (n_members, n_rows, n_outputs).

    The first layer of all members is one product, for they share its inputs.
    """
    stacked = [
        np.stack(arrays)
        for arrays in zip(*(net.weights for net in members), strict=True)
    ]
    n_members, _, width = stacked[0].shape
    hidden = graph.add("MatMul", inputs, graph.constant(_side_by_side(stacked[0])))
    hidden = graph.reshape(hidden, 0, n_members, width)
    hidden = graph.add("Transpose", hidden, perm=[1, 0, 2])
    for place in range(0, len(stacked), 2):
        if place:
            hidden = graph.add("MatMul", hidden, graph.constant(stacked[place]))
        biases = graph.constant(stacked[place + 1][:, None, :])
        hidden = graph.add("Add", hidden, biases)
        if place < len(stacked) - 2:
            hidden = _bent(graph, hidden, members[0].activation)
    return _answered(graph, hidden, members[0].n_outputs)


def _side_by_side(kernels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return kernels (n_members, n_in, n_out) as one, shape (n_in, n_members * n_out)."""
    return kernels.transpose(1, 0, 2).reshape(kernels.shape[1], -1)


def _bent(graph: _Graph, hidden: str, activation: Activation) -> str:
    match activation:
        case "relu":
            return graph.add("Relu", hidden)
        case "silu":
            return graph.add("Mul", hidden, graph.add("Sigmoid", hidden))
        case "selu":
            return graph.add("Selu", hidden)


def _answered(graph: _Graph, outputs: str, n_outputs: int) -> str:
    return graph.add("Softmax", outputs, axis=-1) if n_outputs > 1 else outputs


# Members for images --------------------------------------------------------------------------------


def _image_branch(graph: _Graph, shape: ImageShape, weights: Weights) -> str:
    """Add a network for images; what it predicts has the shape (1, n_rows, n_outputs)."""
    pixels = graph.columns("features", 0, shape.n_pixels)
    last_channels = graph.reshape(pixels, 0, shape.height, shape.width, shape.channels)
    hidden = graph.add("Transpose", last_channels, perm=[0, 3, 1, 2])
    for block in range(len(shape.filters)):
        kernel, scales, shifts = weights[3 * block : 3 * block + 3]
        turned = graph.constant(kernel.transpose(3, 2, 0, 1))
        convolved = graph.add("Conv", hidden, turned, pads=[1, 1, 1, 1])
        pooled = graph.add("MaxPool", convolved, kernel_shape=[2, 2], strides=[2, 2])
        known = _normalised(graph, pooled, shape, block)
        scaled = graph.add("Mul", known, graph.constant(scales[:, None, None]))
        shifted = graph.add("Add", scaled, graph.constant(shifts[:, None, None]))
        hidden = _bent(graph, shifted, shape.activation)
    features = _features(graph, hidden, shape)
    if shape.n_inputs > shape.n_pixels:
        others = graph.columns("features", shape.n_pixels, shape.n_inputs)
        features = graph.add("Concat", features, others, axis=1)
    dense = (graph.constant(one) for one in weights[-2:])
    outputs = graph.add("Gemm", features, *dense)
    answered = _answered(graph, outputs, shape.n_outputs)
    return graph.add("Unsqueeze", answered, graph.constant(np.array([0], np.int64)))


def _normalised(graph: _Graph, maps: str, shape: ImageShape, block: int) -> str:
    """Add a group normalisation: that of single maps, of a group's maps laid end to end."""
    n_filters = shape.filters[block]
    height, width = shape.height >> (block + 1), shape.width >> (block + 1)
    groups = graph.reshape(maps, 0, GROUPS, n_filters // GROUPS * height * width)
    ones, zeros = np.ones(GROUPS, np.float32), np.zeros(GROUPS, np.float32)
    normal = graph.add(
        "InstanceNormalization",
        *(groups, graph.constant(ones), graph.constant(zeros)),
        epsilon=EPSILON,
    )
    return graph.reshape(normal, 0, n_filters, height, width)


def _features(graph: _Graph, maps: str, shape: ImageShape) -> str:
    if not shape.flat:
        return graph.add("ReduceMean", maps, axes=[2, 3], keepdims=0)
    last_channels = graph.add("Transpose", maps, perm=[0, 2, 3, 1])
    height, width = shape.last_map
    return graph.reshape(last_channels, 0, height * width * shape.filters[-1])
