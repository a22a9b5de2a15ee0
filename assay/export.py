"""Export: the finished network in the forms a bundle keeps, each held to what was trained."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from assay.errors import ExportFailed
from assay.images import forward
from assay.network import Activation, Net
from assay.saved_model import archive, as_keras, from_archive

# Largest difference between the trained and the saved model: of a probability, or of a number as a
# share of the largest one predicted.
PARITY = 1e-5
N_PARITY_ROWS = 256
# Klambauer et al. 2017, "Self-normalizing neural networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def exported(members: tuple[Net, ...], inputs: NDArray[np.float32]) -> dict[str, bytes]:
    """Return the saved model under its file's name.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared rows of the data, on which what was saved must predict what was trained.

    Raises
    ------
    ExportFailed
        If the saved model, read back, does not predict what the trained one did.
    """
    content = archive(as_keras(members))
    _check_parity(content, members, inputs)
    return {"model.keras": content}


def _check_parity(
    content: bytes, members: tuple[Net, ...], inputs: NDArray[np.float32]
) -> None:
    saved = np.asarray(from_archive(content)(inputs, training=False))
    trained = _forward(members, inputs)
    allowed = PARITY * (1.0 if trained.shape[1] > 1 else float(np.abs(trained).max()))
    largest = float(np.abs(saved - trained).max())
    if not largest <= allowed:
        raise ExportFailed(
            f"The saved model differs from the trained one by {largest:.2g}; at most {allowed:.2g} is allowed."
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
