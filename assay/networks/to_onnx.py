"""The finished ensemble as an ONNX graph, which predicts without TensorFlow.

Written operator by operator: a converter that goes through TensorFlow writes graphs that no runtime
can run, and reports success. Standard operators of one old version only, so that any runtime of
recent years reads them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from assay.networks import operations as ops
from assay.networks.conv_spec import EPSILON, GROUPS
from assay.networks.encoding import Encoding
from assay.networks.net import Net
from assay.predict.onnx_file import INPUT, IR, OPSET, OUTPUT, PRODUCER

_OPERATORS: dict[ops.Operation, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "max_pool": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average_maps": ("ReduceMean", {"axes": [2, 3], "keepdims": 0}),
}


def as_onnx(members: Sequence[Net]) -> bytes:
    """Return a model that averages the predictions of ``members``, as bytes.

    Input ``features``: float32, shape (n_rows, n_inputs). Output ``predictions``: float32, shape
    (n_rows, n_outputs), probabilities where there are classes.
    """
    graph = _Graph()
    parts = ops.walk(members, graph.emit, INPUT)
    together = graph.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]
    mean = graph.add("ReduceMean", together, axes=[0], keepdims=0)
    graph.nodes.append(helper.make_node("Identity", [mean], [OUTPUT]))
    model = graph.model(members[0].n_inputs, members[0].n_outputs)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes and constants in order; names are counted, so that equal nets give equal bytes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def emit(self, operation: ops.Operation, values: str, inputs: str) -> str:
        """Add the nodes of an operation and return the name of its result; maps have channels first."""
        match operation:
            case Encoding():
                return self._encode(operation, values)
            case ops.MemberDense():
                return self._member_dense(operation, values)
            case ops.Dense(kernel, biases):
                return self.add("Gemm", values, *map(self.constant, (kernel, biases)))
            case ops.Image(height, width, channels):
                pixels = self.columns(values, 0, height * width * channels)
                image = self.reshape(pixels, 0, height, width, channels)
                return self.add("Transpose", image, perm=[0, 3, 1, 2])
            case ops.Convolve(kernel):
                turned = self.constant(kernel.transpose(3, 2, 0, 1))
                return self.add("Conv", values, turned, pads=[1, 1, 1, 1])
            case ops.GroupNorm():
                return self._group_norm(operation, values)
            case ops.Flatten(n_columns):
                last_channels = self.add("Transpose", values, perm=[0, 2, 3, 1])
                return self.reshape(last_channels, 0, n_columns)
            case ops.AppendInputs(first, end):
                others = self.columns(inputs, first, end)
                return self.add("Concat", values, others, axis=1)
            case "silu":
                return self.add("Mul", values, self.add("Sigmoid", values))
            case "member_axis":
                return self.add("Unsqueeze", values, self.integers(0))
            case _:
                operator, attributes = _OPERATORS[operation]
                return self.add(operator, values, **attributes)

    def _encode(self, encoding: Encoding, inputs: str) -> str:
        n_columns, n_pieces = encoding.sizes
        leading = self.reshape(self.columns(inputs, 0, n_columns), 0, n_columns, 1)
        past = self.add("Sub", leading, self.constant(encoding.edges))
        rising = self.add("Mul", past, self.constant(encoding.slopes))
        bounds = (self.constant(np.float32(bound)) for bound in (0.0, 1.0))
        pieces = self.add("Clip", rising, *bounds)
        centred = self.add("Sub", pieces, self.constant(np.float32(0.5)))
        flat = self.reshape(centred, 0, n_columns * n_pieces)
        return self.add("Concat", inputs, flat, axis=1)

    def _member_dense(self, dense: ops.MemberDense, values: str) -> str:
        """Add a layer of all members, the first as one product, for they share its inputs."""
        n_members, n_in, n_out = dense.kernels.shape
        if dense.first:
            side_by_side = dense.kernels.transpose(1, 0, 2).reshape(n_in, -1)
            values = self.add("MatMul", values, self.constant(side_by_side))
            values = self.reshape(values, 0, n_members, n_out)
            values = self.add("Transpose", values, perm=[1, 0, 2])
        else:
            values = self.add("MatMul", values, self.constant(dense.kernels))
        return self.add("Add", values, self.constant(dense.biases[:, None, :]))

    def _group_norm(self, norm: ops.GroupNorm, maps: str) -> str:
        """Add a group normalisation: that of single maps, of a group's maps laid end to end."""
        n_maps, height, width = len(norm.scales), norm.height, norm.width
        groups = self.reshape(maps, 0, GROUPS, n_maps // GROUPS * height * width)
        neutral = np.ones(GROUPS, np.float32), np.zeros(GROUPS, np.float32)
        normal = self.add(
            "InstanceNormalization",
            *(groups, *map(self.constant, neutral)),
            epsilon=EPSILON,
        )
        normal = self.reshape(normal, 0, n_maps, height, width)
        scaled = self.add("Mul", normal, self.constant(norm.scales[:, None, None]))
        return self.add("Add", scaled, self.constant(norm.shifts[:, None, None]))

    def constant(self, values: Any) -> str:
        array, name = np.ascontiguousarray(values), f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=name, **attributes)
        )
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def reshape(self, values: str, *shape: int) -> str:
        """Give values another shape; 0 keeps a length, that of the rows."""
        return self.add("Reshape", values, self.integers(*shape))

    def columns(self, values: str, first: int, end: int) -> str:
        return self.add("Slice", values, *map(self.integers, (first, end, 1)))

    def model(self, n_inputs: int, n_outputs: int) -> onnx.ModelProto:
        features, predictions = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_rows", n])
            for name, n in ((INPUT, n_inputs), (OUTPUT, n_outputs))
        )
        graph = helper.make_graph(
            self.nodes, "assay", [features], [predictions], self.constants
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=IR, producer_name=PRODUCER
        )
