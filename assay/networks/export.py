"""Export: the finished network in the forms a bundle keeps, each held to what was trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    NotImplemented,
    RuntimeException,
)
from pydantic import Field
from scipy.special import expit

from assay.errors import ExportFailed
from assay.networks.conv_spec import forward
from assay.networks.spec import Activation, Net
from assay.networks.to_keras import archive, as_keras, from_archive
from assay.networks.to_litert import as_litert, litert_answers
from assay.networks.to_onnx import as_onnx
from assay.store.records import Record

# Largest difference between the trained and the saved model: of a probability, or of a number as a
# share of the largest one predicted.
PARITY = 1e-5
N_PARITY_ROWS = 256
_REFUSALS = (Fail, InvalidArgument, InvalidGraph, NotImplemented, RuntimeException)
_FAR = 1e300  # what is no number is as far away as a number can be
# Klambauer et al. 2017, "Self-normalizing neural networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class Parity(Record):
    """How nearly a saved form predicts what the trained networks do, on rows of the data."""

    n_rows: int
    largest: float = Field(
        description="Largest difference of a probability, or of a number in the target's units."
    )
    allowed: float
    flips: int = Field(description="Rows whose likeliest class differs.")

    @property
    def holds(self) -> bool:
        return self.largest <= self.allowed and not self.flips

    def summary(self) -> str:
        flipped = f" and {self.flips} other classes" if self.flips else ""
        return (
            f"differs from the trained networks by {self.largest:.2g}{flipped} "
            f"on {self.n_rows} rows, at most {self.allowed:.2g} is allowed"
        )


@dataclass(frozen=True)
class Exported:
    """The network under its files' names, and what each was found to predict."""

    files: dict[str, bytes]
    parity: dict[str, Parity]


def exported(
    members: tuple[Net, ...],
    inputs: NDArray[np.float32],
    formats: Sequence[Literal["litert"]] = (),
) -> Exported:
    """Return the network as ``model.keras`` and ``net.onnx``, and in what other formats are asked for.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared rows of the data, on which what was saved must predict what was trained.

    Raises
    ------
    ExportFailed
        If a saved form, read back, does not predict what the trained one did, or cannot be read.
    """
    trained = _forward(members, inputs)
    files = {"model.keras": archive(as_keras(members)), "net.onnx": as_onnx(members)}
    if "litert" in formats:
        files["net.tflite"] = as_litert(members)
    parity = {
        name: _parity(_predicted(name, content, inputs), trained)
        for name, content in files.items()
    }
    for name, found in parity.items():
        if not found.holds:
            raise ExportFailed(f"{name} {found.summary()}.")
    return Exported(files, parity)


def _predicted(
    name: str, content: bytes, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    if name == "model.keras":
        return np.asarray(from_archive(content)(inputs, training=False))
    if name == "net.tflite":
        return litert_answers(content, inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised; a small graph needs no advice
    try:
        session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        return np.asarray(session.run(["predictions"], {"features": inputs})[0])
    except _REFUSALS as error:
        raise ExportFailed(f"{name} cannot be read back: {error}.") from None


def _parity(saved: NDArray[np.float32], trained: NDArray[np.float64]) -> Parity:
    """Compare predictions; a class flips only where the trained ones do not all but tie."""
    of_classes, differences = trained.shape[1] > 1, np.abs(saved - trained)
    if not np.isfinite(differences).all():
        return Parity(n_rows=len(trained), largest=_FAR, allowed=PARITY, flips=0)
    allowed = PARITY * (1.0 if of_classes else float(np.abs(trained).max()))
    highest, second = np.sort(trained, axis=1)[:, :-3:-1].T if of_classes else (1, 0)
    flipped = saved.argmax(axis=1) != trained.argmax(axis=1)
    return Parity(
        n_rows=len(trained),
        largest=float(differences.max()),
        allowed=allowed,
        flips=int((flipped & (highest - second > 2 * allowed)).sum()),
    )


def _forward(
    members: tuple[Net, ...], inputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return what the members predict on average, by plain products: an account owed to no library."""
    total = np.zeros((len(inputs), members[0].n_outputs))
    for net in members:
        outputs = _outputs(net, inputs)
        total += _softmax(outputs) if outputs.shape[1] > 1 else outputs
    return total / len(members)


def _outputs(net: Net, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    bend = partial(_bent, activation=net.activation)
    if net.image is not None:
        return forward(net.image, net.weights, inputs, bend)
    hidden = inputs.astype(np.float64)
    hidden = net.encoding.apply(hidden) if net.encoding else hidden
    for i in range(0, len(net.weights), 2):
        hidden = hidden @ net.weights[i] + net.weights[i + 1]
        if i < len(net.weights) - 2:
            hidden = bend(hidden)
    return hidden


def _bent(hidden: NDArray[np.float64], activation: Activation) -> NDArray[np.float64]:
    match activation:
        case "relu":
            return np.maximum(hidden, 0.0)
        case "silu":
            return np.asarray(hidden * expit(hidden))
        case "selu":
            negative = _SELU_ALPHA * np.expm1(np.minimum(hidden, 0.0))
            return _SELU_SCALE * np.where(hidden > 0, hidden, negative)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares
