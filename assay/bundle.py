"""Bundle: the files a run leaves, from the model to the page a person reads.

The preparation is written as JSON and plain arrays, the network as stock Keras layers; what was
written is read back and must predict what was trained.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from assay.environment import LOCK
from assay.errors import ExportFailed
from assay.images import forward
from assay.network import Activation, Net, unpack_nets
from assay.preprocess import Preparation, unpack
from assay.records import Cleaned, FinalFit, FoldResult
from assay.report import render
from assay.samples import Labels
from assay.saved_model import archive, as_keras, from_archive
from assay.store import Store
from assay.study import Registration, Suite
from assay.toml import study_text
from assay.verdict import Evidence, Judgement

# Largest difference between the trained and the saved model: of a probability, or of a number as a
# share of the largest one predicted.
PARITY = 1e-5
_N_PARITY_ROWS = 256
# Klambauer et al. 2017, "Self-normalizing neural networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@dataclass(frozen=True)
class Model:
    """The final deep model, as stored arrays, with rows to check its export on."""

    preparation: dict[str, NDArray[Any]]
    weights: dict[str, NDArray[Any]]
    features: pd.DataFrame


@dataclass(frozen=True)
class Scored:
    """Everything needed to write the out-of-fold predictions down."""

    cleaned: Cleaned
    labels: Labels
    outer: NDArray[np.int16]
    results: Sequence[FoldResult]
    predictions: Mapping[str, Sequence[Sequence[NDArray[np.float64]]]]


def run_files(
    registration: Registration,
    suite: Suite,
    evidence: Evidence,
    judgement: Judgement,
    scored: Scored | None,
    model: Model | None,
) -> dict[str, bytes]:
    """Return every file of a run folder but its manifest, under its final name.

    Raises
    ------
    ExportFailed
        If the saved model, read back, does not predict what the trained one did.
    """
    files = {
        "verdict.json": _pretty(judgement.verdict.model_dump(mode="json")),
        "registration.json": _pretty(registration.model_dump(mode="json")),
        "study.toml": study_text(registration.study).encode(),
        "report.html": render(registration, evidence, judgement).encode(),
        "trials.json": _pretty(_trials(scored.results if scored else ())),
        "bundle/suite.json": suite.text.encode(),
        "bundle/requirements.txt": LOCK.read_bytes(),
    }
    if scored is not None:
        files["predictions.parquet"] = _predictions(scored)
    if model is not None:
        files |= _model_files(model, evidence.cleaned, judgement)
    return files


def opened(store: Store, evidence: Evidence) -> tuple[Scored | None, Model | None]:
    """Open what the evidence refers to; nothing where the plan stopped before any fold."""
    if evidence.final is None:
        return None, None
    cleaned = evidence.cleaned
    scored = Scored(
        cleaned=cleaned,
        labels=store.get_array(cleaned.labels),
        outer=store.get_array(evidence.split.outer),
        results=evidence.results,
        predictions=store.get_folds(evidence.predictions()),
    )
    model = Model(
        preparation=store.get_arrays(evidence.final.preparation),
        weights=store.get_arrays(evidence.final.weights),
        features=store.get_table(cleaned.features),
    )
    return scored, model


def same_digests(judgement: Judgement, final: FinalFit | None) -> dict[str, str]:
    """Return the digests that every equal run shares."""
    weights = {"weights": final.weights_digest} if final else {}
    return {
        **judgement.verdict.digests,
        **weights,
        "verdict": judgement.verdict.essence_digest(),
    }


# The model -------------------------------------------------------------------------------------


def _model_files(
    model: Model, cleaned: Cleaned, judgement: Judgement
) -> dict[str, bytes]:
    members, preparation = unpack_nets(model.weights), unpack(model.preparation)
    content = archive(as_keras(members))
    _check_parity(content, members, preparation, model.features)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **preparation.arrays())
    form = preparation.form() | {
        "task": cleaned.task,
        "classes": list(cleaned.classes),
        "study": judgement.verdict.study,
        "plan": judgement.verdict.plan,
        "n_inputs": preparation.n_inputs,
    }
    return {
        "bundle/model.keras": content,
        "bundle/prep.json": _pretty(form),
        "bundle/prep.npz": buffer.getvalue(),
    }


def _check_parity(
    content: bytes,
    members: tuple[Net, ...],
    preparation: Preparation,
    features: pd.DataFrame,
) -> None:
    inputs = preparation.apply(features.iloc[:_N_PARITY_ROWS])
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


# The other files -------------------------------------------------------------------------------


def _predictions(scored: Scored) -> bytes:
    """Return the out-of-fold predictions as Parquet: a line per repeat and tested row.

    A column per model and class, ``net:yes``; of a number a column per model, ``net``. Rows that no
    test part holds have no line.
    """
    names = np.array(scored.cleaned.classes, dtype=object)
    frames = []
    for repeat, outer in enumerate(scored.outer):
        rows = np.flatnonzero(outer >= 0)
        labels = scored.labels[rows]
        columns: dict[str, Any] = {
            "repeat": np.full(len(rows), repeat, dtype=np.int16),
            "row": rows.astype(np.int32),
            "fold": outer[rows],
            "label": names[labels] if len(names) else labels,
        }
        for model, by_repeat in scored.predictions.items():
            whole = np.empty((len(outer), max(1, len(names))))
            for fold, predictions in enumerate(by_repeat[repeat]):
                whole[outer == fold] = predictions
            heads = [f"{model}:{name}" for name in names] or [model]
            columns |= {head: whole[rows, k] for k, head in enumerate(heads)}
        frames.append(pd.DataFrame(columns))
    buffer = io.BytesIO()
    pd.concat(frames, ignore_index=True).to_parquet(
        buffer, index=False, compression="zstd"
    )
    return buffer.getvalue()


def _trials(results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    return [
        {
            "repeat": result.place.repeat,
            "fold": result.place.fold,
            "model": name,
            "winner": fit.winner,
            "picks": fit.picks,
            "edges": fit.edges,
            "score": fit.score,
        }
        | {"trials": [trial.model_dump(mode="json") for trial in fit.trials]}
        for result in results
        for name, fit in result.models.items()
    ]


def _pretty(value: Any) -> bytes:
    return (
        json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode()
