"""The network of a bundle: an ONNX graph of standard operators that holds all its numbers itself."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import first_line

INPUT, OUTPUT = "features", "predictions"
_STANDARD = (b"", b"ai.onnx")  # operators that every runtime brings
_MOST_DEPTH = 32
_AT_ONCE = 256  # rows: what lies between two layers then stays in the cache, a quarter less time than with 4,096
# Where messages of ONNX hold others, by the number of a field (onnx.proto, stable since 2017).
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 8, 20, 25
_OF_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_OF_NODE = {5: "attribute"}
_OF_ATTRIBUTE = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}  # fmt: skip
_OF_SPARSE = {1: "tensor", 2: "tensor"}
_INSIDE = {"graph": _OF_GRAPH, "node": _OF_NODE, "attribute": _OF_ATTRIBUTE, "sparse": _OF_SPARSE}  # fmt: skip
_NODE_DOMAIN, _OPSET_DOMAIN, _EXTERNAL, _LOCATION = 7, 1, 13, 14


class Network:
    """A network that predicts from prepared inputs, on one core a call: several threads may call at once."""

    def __init__(self, content: bytes, name: str) -> None:
        """Open a graph.

        Raises
        ------
        DataRefused
            If it is not a graph, refers to other files or to non-standard operators, or has other
            inputs and outputs than a bundle's network.
        """
        check_graph(content, name)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            [input_], [output] = self._session.get_inputs(), self._session.get_outputs()
            n_axes = len(input_.shape), len(output.shape)
            names = input_.name, output.name
        except _refusals() as error:
            raise DataRefused(
                "predict.network_not_run", file=name, reason=first_line(error)
            ) from None
        if names != (INPUT, OUTPUT) or n_axes != (2, 2):
            raise DataRefused(
                "predict.another_network",
                file=name,
                input=names[0],
                output=names[1],
                our_input=INPUT,
                our_output=OUTPUT,
            )
        self.n_inputs, self.n_outputs = input_.shape[1], output.shape[1]

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return predictions, shape (n_rows, n_outputs): probabilities of classes, or a number."""
        parts = [
            self._session.run([OUTPUT], {INPUT: inputs[first : first + _AT_ONCE]})[0]
            for first in range(0, max(1, len(inputs)), _AT_ONCE)
        ]
        return np.concatenate(parts)


def _refusals() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented", "RuntimeException")  # fmt: skip
    return (ValueError, RuntimeError, *(getattr(state, name) for name in names))


# Before a runtime sees it --------------------------------------------------------------------------


def check_graph(content: bytes, name: str) -> None:
    """Refuse a graph that needs anything but its own bytes and standard operators.

    Raises
    ------
    DataRefused
        If a tensor lies in another file, or an operator is not a standard one.
    """
    try:
        view = memoryview(content)
        for number, value in _fields(view):
            if number == _MODEL_OPSETS:
                _check_domain(value, _OPSET_DOMAIN, name)
            elif number in (_MODEL_FUNCTIONS, _MODEL_TRAINING):
                raise DataRefused("predict.network_functions", file=name)
            elif number == _MODEL_GRAPH:
                _check_message(value, "graph", name, 0)
    except (IndexError, TypeError):
        raise DataRefused("predict.not_onnx", file=name) from None


def _check_message(message: Any, kind: str, name: str, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise DataRefused("predict.network_depth", file=name, most=_MOST_DEPTH)
    if kind == "node":
        _check_domain(message, _NODE_DOMAIN, name)
    for number, value in _fields(message):
        if kind == "tensor":
            if number == _EXTERNAL or (number == _LOCATION and value):
                raise DataRefused("predict.network_in_two_files", file=name)
        elif number in _INSIDE[kind]:
            _check_message(value, _INSIDE[kind][number], name, depth + 1)


def _check_domain(message: Any, field: int, name: str) -> None:
    for number, value in _fields(message):
        if number == field and bytes(value) not in _STANDARD:
            domain = bytes(value).decode(errors="replace")
            raise DataRefused("predict.network_operators", file=name, domain=domain)


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a protobuf message: number, and an integer or the bytes it holds.

    Raises
    ------
    IndexError
        If the message is cut short, or no message.
    """
    at = 0
    while at < len(message):
        key, at = _integer(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _integer(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _integer(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise IndexError("no such kind of field")
        if at + size > len(message):
            raise IndexError("cut short")
        yield key >> 3, message[at : at + size]
        at += size


def _integer(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise IndexError("no integer")
