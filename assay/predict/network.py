"""The network of a bundle: an ONNX graph of standard operators that holds all its numbers itself."""

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import first_line
from assay.predict.onnx_file import INPUT, OUTPUT, graph_in
from assay.predict.operators import values_a_row
from assay.predict.unfit import Unfit

_AT_ONCE = 256  # rows: what lies between two layers then stays in the cache, a quarter less time than with 4,096
_MOST_VALUES = 2**28  # of rows at once, in all nodes: 1 GiB


class Network:
    """A network that predicts from prepared inputs, on one core a call: several threads may call at once."""

    def __init__(self, content: bytes) -> None:
        """Open a graph.

        Raises
        ------
        Unfit
            If it is no graph that Assay writes, or takes more for a row than a network may.
        """
        graph = graph_in(content)
        self.n_inputs, self.n_outputs = graph.n_inputs, graph.n_outputs
        self._at_once, n_values = _AT_ONCE, values_a_row(graph)
        while self._at_once * n_values > _MOST_VALUES:
            self._at_once //= 2  # rows by the eight have the same bits in any number
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _refusals() as error:
            raise Unfit("predict.graph.not_run", reason=first_line(error)) from None

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return predictions, shape (n_rows, n_outputs): probabilities of classes, or a number.

        Raises
        ------
        Unfit
            If the network cannot be run.
        """
        step = self._at_once
        try:
            parts = [
                self._session.run([OUTPUT], {INPUT: inputs[first : first + step]})[0]
                for first in range(0, max(1, len(inputs)), step)
            ]
        except _refusals() as error:
            raise Unfit("predict.graph.not_run", reason=first_line(error)) from None
        return np.concatenate(parts)


def _refusals() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented", "RuntimeException")  # fmt: skip
    return (ValueError, RuntimeError, *(getattr(state, name) for name in names))
