"""Export: the finished ensemble in the formats a bundle keeps, each compared with what was trained.

TensorFlow is loaded when there is a network to export: a check that stops earlier does without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from assay.errors import ExportFailed
from assay.networks import reference
from assay.networks.net import Net
from assay.predict.network import Network
from assay.predict.unfit import Unfit
from assay.store.records import Record
from assay.wording import Sentence

# Largest difference between the trained and the saved model: of a probability, or of a number as a
# share of the largest one predicted.
PARITY = 1e-5
N_PARITY_ROWS = 256
_NOT_FINITE = 1e300  # stands for the difference of predictions that are not finite


class Parity(Record):
    """How far a saved file's predictions are from those of the trained networks, on rows of the data."""

    n_rows: int
    largest: float = Field(
        description="Largest difference of a probability, or of a number in the target's units."
    )
    allowed: float
    flips: int = Field(description="Rows whose likeliest class differs.")

    @property
    def holds(self) -> bool:
        return self.largest <= self.allowed and not self.flips

    def sentence(self, file: str) -> Sentence:
        """Return how a file's predictions differ."""
        if self.largest == _NOT_FINITE:
            return Sentence.of("networks.not_finite", file=file, n_rows=self.n_rows)
        key = "networks.other_classes" if self.flips else "networks.differs"
        return Sentence.of(key, file=file, **self.model_dump())


@dataclass(frozen=True)
class Exported:
    """The saved files by name, and how far the predictions of each are from the trained networks."""

    files: dict[str, bytes]
    parity: dict[str, Parity]


def exported(
    members: tuple[Net, ...],
    inputs: NDArray[np.float32],
    formats: Sequence[Literal["litert"]] = (),
) -> Exported:
    """Return the network as ``model.keras``, ``net.onnx`` and in any other format requested.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared rows of the data, on which saved and trained networks must predict the same.

    Raises
    ------
    ExportFailed
        If a saved file cannot be read back, or its predictions differ from those of the trained networks.
    """
    from assay.networks.to_keras import archive, as_keras
    from assay.networks.to_onnx import as_onnx

    trained = reference.predictions(members, inputs)
    files = {"model.keras": archive(as_keras(members)), "net.onnx": as_onnx(members)}
    if "litert" in formats:
        from assay.networks.to_litert import as_litert

        files["net.tflite"] = as_litert(members)
    parity = {}
    for name, content in files.items():
        parity[name] = _parity(_predicted(name, content, inputs), trained)
        if not parity[name].holds:
            sentence = parity[name].sentence(name)
            raise ExportFailed(sentence.key, **sentence.values)
    return Exported(files, parity)


def _predicted(
    name: str, content: bytes, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    if name == "model.keras":
        from assay.networks.to_keras import from_archive

        return np.asarray(from_archive(content)(inputs, training=False))
    if name == "net.tflite":
        from assay.networks.to_litert import litert_predictions

        return litert_predictions(content, inputs)
    try:
        return Network(content).predict(inputs)
    except Unfit as unfit:
        raise ExportFailed(
            "networks.unreadable", file=name, reason=unfit.sentence
        ) from None


def _parity(saved: NDArray[np.float32], trained: NDArray[np.float64]) -> Parity:
    """Compare predictions; nearly equal probabilities of two classes do not count as a flip."""
    classes, differences = trained.shape[1] > 1, np.abs(saved - trained)
    if not np.isfinite(differences).all():
        return Parity(n_rows=len(trained), largest=_NOT_FINITE, allowed=PARITY, flips=0)
    allowed = PARITY * (1.0 if classes else float(np.abs(trained).max()))
    highest, second = np.sort(trained, axis=1)[:, :-3:-1].T if classes else (1, 0)
    flipped = saved.argmax(axis=1) != trained.argmax(axis=1)
    return Parity(
        n_rows=len(trained),
        largest=float(differences.max()),
        allowed=allowed,
        flips=int((flipped & (highest - second > 2 * allowed)).sum()),
    )
