"""``net.onnx`` read into nodes and constants: an ONNX file with the fields that Assay writes, and no others.

A field that is unknown, or there twice, is refused: what two programs could read in two ways is in no
bundle. So are, having no field here, functions, subgraphs, numbers in other files and metadata.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import shown
from assay.predict.unfit import Unfit

OPSET, IR, PRODUCER = (
    17,
    8,
    "assay",
)  # onnxruntime reads both versions since 1.12, of 2022
INPUT, OUTPUT = "features", "predictions"
_MOST_NODES, _MOST_CONSTANTS, _MOST_INPUTS = 20_000, 60_000, 1_000
_LONGEST = 100  # name
_FLOAT, _INT64 = 1, 7  # types of tensors
_OF_ATTRIBUTE = {1: "float", 2: "integer", 7: "integers"}
# Fields by their numbers (onnx.proto): name, kind, and how many there can be.
_MESSAGES: dict[str, dict[int, tuple[str, str, int]]] = {
    "model": {
        1: ("ir_version", "integer", 1),
        2: ("producer", "text", 1),
        7: ("graph", "graph", 1),
        8: ("opset", "opset", 1),
    },
    "opset": {1: ("domain", "text", 1), 2: ("version", "integer", 1)},
    "graph": {
        1: ("nodes", "node", _MOST_NODES),
        2: ("name", "text", 1),
        5: ("constants", "tensor", _MOST_CONSTANTS),
        11: ("input", "value", 1),
        12: ("output", "value", 1),
    },
    "node": {
        1: ("inputs", "text", _MOST_INPUTS),
        2: ("output", "text", 1),
        3: ("name", "text", 1),
        4: ("operator", "text", 1),
        5: ("attributes", "attribute", 2),
    },
    "attribute": {
        1: ("name", "text", 1),
        2: ("float", "float", 1),
        3: ("integer", "integer", 1),
        8: ("integers", "integer", 8),
        20: ("type", "integer", 1),
    },
    "tensor": {
        1: ("shape", "integer", 4),
        2: ("type", "integer", 1),
        8: ("name", "text", 1),
        9: ("numbers", "bytes", 1),
    },
    "value": {1: ("name", "text", 1), 2: ("type", "type", 1)},
    "type": {1: ("tensor", "tensor type", 1)},
    "tensor type": {1: ("type", "integer", 1), 2: ("shape", "shape", 1)},
    "shape": {1: ("axes", "axis", 2)},
    "axis": {1: ("length", "integer", 1), 2: ("name", "text", 1)},
}
_WIRES = {"integer": 0, "float": 5}  # others are 2: bytes with their number before them


@dataclass(frozen=True)
class Node:
    """An operator with the names of its inputs and of its output."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, float | int | tuple[int, ...]]


@dataclass(frozen=True)
class Graph:
    """A network: its nodes in order, its constants by name, and how many inputs and outputs a row has."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    n_inputs: int
    n_outputs: int


def graph_in(content: bytes) -> Graph:
    """Return the graph of a file.

    Raises
    ------
    Unfit
        If it is none, or has anything that Assay does not write.
    """
    try:
        return _graph(_message(memoryview(content), "model"))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise Unfit("predict.graph.damaged") from None


def _graph(model: dict[str, list[Any]]) -> Graph:
    [graph], [opset] = model["graph"], model["opset"]
    written = {
        "ir_version": model["ir_version"],
        "producer": model["producer"],
        "opset": opset["version"],
        "domain": opset.get("domain", [""]),
    }
    ours = {
        "ir_version": [IR],
        "producer": [PRODUCER],
        "opset": [OPSET],
        "domain": [""],
    }
    for name, value in written.items():
        if value != ours[name]:
            raise Unfit("predict.graph.foreign", what=f"{name} {shown(value[0])}")
    constants = {}
    for tensor in graph["constants"]:
        [name] = tensor["name"]
        if name in constants:
            raise Unfit("predict.graph.twice", name=shown(name))
        constants[name] = _constant(tensor)
    n_inputs, n_outputs = (
        _columns_of(graph[end][0], name)
        for end, name in (("input", INPUT), ("output", OUTPUT))
    )
    return Graph(tuple(map(_node, graph["nodes"])), constants, n_inputs, n_outputs)


def _node(node: dict[str, list[Any]]) -> Node:
    attributes = {}
    for attribute in node.get("attributes", []):
        [name], kind = attribute["name"], _OF_ATTRIBUTE[attribute["type"][0]]
        if name in attributes or attribute.keys() != {"name", "type", kind}:
            raise Unfit("predict.graph.twice", name=shown(name))
        values = attribute[kind]
        attributes[name] = tuple(values) if kind == "integers" else values[0]
    [operator], [output] = node["operator"], node["output"]
    return Node(operator, tuple(node["inputs"]), output, attributes)


def _constant(tensor: dict[str, list[Any]]) -> NDArray[Any]:
    [kind], [content], shape = tensor["type"], tensor["numbers"], tensor.get("shape", [])  # fmt: skip
    dtype = np.dtype("<i8" if kind == _INT64 else "<f4")
    numbers = None
    if min(shape, default=1) > 0 and prod(shape) * dtype.itemsize == len(content):
        numbers = np.frombuffer(content, dtype).reshape(shape)
    if kind not in (_FLOAT, _INT64) or numbers is None or not np.isfinite(numbers).all():  # fmt: skip
        raise Unfit("predict.graph.constant", name=shown(tensor["name"][0]))
    return numbers


def _columns_of(value: dict[str, list[Any]], expected: str) -> int:
    """Return how many numbers a row has in the input or the output: float32, shape (rows, n)."""
    [tensor] = value["type"][0]["tensor"]
    axes = [axis.get("length", [0])[0] for axis in tensor["shape"][0]["axes"]]
    fits = value["name"] == [expected] and tensor["type"] == [_FLOAT]
    if not fits or len(axes) != 2 or axes[0] != 0 or axes[1] < 1:
        raise Unfit("predict.graph.ends", name=shown(value["name"][0]), ours=expected)
    return int(axes[1])


# Protocol buffers ----------------------------------------------------------------------------------


def _message(message: memoryview, kind: str) -> dict[str, list[Any]]:
    """Return the fields of a message by their names.

    Raises
    ------
    Unfit
        If it has a field that no message of its kind has here, or too many of one.
    IndexError
        If it is cut short, or no message.
    """
    fields: dict[str, list[Any]] = {}
    at = 0
    while at < len(message):
        key, at = _integer(message, at)
        name, of, most = _MESSAGES[kind].get(key >> 3, ("", "", 0))
        values = fields.setdefault(name, [])
        if len(values) == most:
            raise Unfit("predict.graph.field", kind=kind, number=key >> 3)
        if key & 7 != _WIRES.get(of, 2):
            raise IndexError("another type of field")
        if of == "integer":
            value, at = _integer(message, at)
            values.append(value - 2**64 if value >= 2**63 else value)
            continue
        size, at = (4, at) if of == "float" else _integer(message, at)
        if at + size > len(message):
            raise IndexError("cut short")
        values.append(_value(message[at : at + size], of))
        at += size
    return fields


def _value(content: memoryview, kind: str) -> Any:
    if kind == "bytes":
        return content
    if kind == "float":
        return struct.unpack("<f", content)[0]
    if kind != "text":
        return _message(content, kind)
    if len(content) > _LONGEST:
        raise IndexError("a long name")
    return bytes(content).decode()


def _integer(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            if value >= 2**64:
                raise IndexError("no integer")
            return value, at
        if shift > 63:
            raise IndexError("no integer")
