"""Bundle: the files a run leaves, from the model to the page a person reads.

The preparation is written as JSON and plain arrays, the network as stock Keras layers; what was
written is read back and must predict what was trained.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.environment import LOCK
from assay.errors import ExportFailed
from assay.export import N_PARITY_ROWS, exported
from assay.network import unpack_nets
from assay.preprocess import unpack
from assay.records import Cleaned, FinalFit, FoldResult
from assay.report.files import Seen, report_files
from assay.report.findings import predicted
from assay.samples import Labels
from assay.store import Store
from assay.study import Registration, Suite
from assay.toml import study_text
from assay.verdict import Evidence, Judgement, Verdict


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


@dataclass(frozen=True)
class RunFiles:
    """Every file of a run folder but its manifest, under its final name, and the verdict that they tell."""

    files: dict[str, bytes]
    verdict: Verdict


def run_files(
    registration: Registration,
    suite: Suite,
    evidence: Evidence,
    judgement: Judgement,
    scored: Scored | None,
    model: Model | None,
) -> RunFiles:
    """Return what a run leaves, but its manifest.

    A model whose saved forms do not predict what the trained one did stays out, and the verdict says so.
    """
    of_model: dict[str, bytes] = {}
    remarks: tuple[str, ...] = ()
    if model is not None:
        try:
            of_model = _model_files(
                model, evidence.cleaned, judgement, registration.study.formats
            )
        except ExportFailed as failed:
            remarks = (f"exports no model, for {str(failed).rstrip('.')}",)
    judgement = judgement.remarked(remarks)
    files = {
        "verdict.json": _pretty(judgement.verdict.model_dump(mode="json")),
        "registration.json": _pretty(registration.model_dump(mode="json")),
        "study.toml": study_text(registration.study).encode(),
        "trials.json": _pretty(_trials(scored.results if scored else ())),
        "bundle/suite.json": suite.text.encode(),
        "bundle/requirements.txt": LOCK.read_bytes(),
        **of_model,
    }
    seen = _seen(scored, model)
    lock = LOCK.read_text(encoding="utf-8")
    files |= report_files(registration, evidence, judgement, seen, lock)
    if scored is not None:
        files["predictions.parquet"] = _predictions(scored)
    return RunFiles(files, judgement.verdict)


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
    model: Model,
    cleaned: Cleaned,
    judgement: Judgement,
    formats: Sequence[Literal["litert"]],
) -> dict[str, bytes]:
    members, preparation = unpack_nets(model.weights), unpack(model.preparation)
    inputs = preparation.apply(model.features.iloc[:N_PARITY_ROWS])
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
        **{
            f"bundle/{name}": content
            for name, content in exported(members, inputs, formats).files.items()
        },
        "bundle/prep.json": _pretty(form),
        "bundle/prep.npz": buffer.getvalue(),
    }


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


def _seen(scored: Scored | None, model: Model | None) -> Seen | None:
    if scored is None or model is None:
        return None
    found = predicted(scored.labels, scored.outer, scored.predictions)
    return Seen(found, model.features)


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
