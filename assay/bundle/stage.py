"""Bundle: the files a run leaves, from the model to the page a person reads.

The preparation is written as JSON and plain arrays, the network as stock Keras layers; every file of the model
is read back and must predict what the trained model predicts.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.bundle.requirements import PACKAGES, WITH_IMAGES, subset
from assay.data.samples import Labels
from assay.errors import ExportFailed
from assay.networks.export import N_PARITY_ROWS, Exported, Parity, exported
from assay.networks.net import unpack_nets
from assay.predict.decoding import json_in
from assay.predict.manifest import MOST_BYTES, described
from assay.predict.stored_arrays import arrays_in
from assay.predict.stored_form import form_of as stored_form
from assay.predict.unfit import Unfit
from assay.preprocess.fit import Preparation, unpack
from assay.preprocess.schema import Tables, both_ways, columns_read, form_of
from assay.report.findings import predicted
from assay.report.written_files import Seen, report_files
from assay.store.code import core_lock
from assay.store.records import Cleaned, FinalFit, FoldResult
from assay.store.store import Store
from assay.store.verdict import Evidence, Judgement, Verdict
from assay.study.plans import Plan, Study
from assay.study.registration import Registration
from assay.study.sources import Suite
from assay.study.toml import study_text
from assay.wording import Sentence

_PREPARED_ALIKE = (
    1e-6  # largest difference of a prepared input, in training and as written
)


@dataclass(frozen=True)
class Model:
    """The final deep model, as stored arrays, with rows to check its export on."""

    preparation: dict[str, NDArray[Any]]
    weights: dict[str, NDArray[Any]]
    tables: Tables


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
    """Every file of a run folder except its manifest, by its final name, and the verdict they hold."""

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
    """Return the files a run leaves, except its manifest.

    A model whose saved forms do not predict what the trained one does is left out, and the verdict says so.
    """
    exports: Exported | None = None
    remarks: tuple[Sentence, ...] = ()
    if model is not None:
        try:
            exports = _model_files(model, evidence, judgement, registration.study)
        except ExportFailed as error:
            remarks = (Sentence.of("bundle.no_model", fault=error.sentence),)
    judgement = judgement.remarked(remarks)
    files = {
        "verdict.json": _pretty(judgement.verdict.model_dump(mode="json")),
        "registration.json": _pretty(registration.model_dump(mode="json")),
        "study.toml": study_text(registration.study).encode(),
        "trials.json": _pretty(_trials(scored.results if scored else ())),
        "requirements.txt": core_lock().read_bytes(),
    }
    lock = core_lock().read_text(encoding="utf-8")
    seen = _seen(scored, model)
    files |= report_files(registration, evidence, judgement, seen, lock)
    in_bundle = {"suite.json": suite.text.encode()}
    in_bundle |= {
        name.removeprefix("bundle/"): files[name]
        for name in files
        if name.startswith("bundle/")
    }
    if exports is not None:
        in_bundle |= exports.files
        manifest = _manifest(in_bundle, exports, judgement.verdict, evidence.final)
        in_bundle["manifest.json"] = _pretty(manifest)
    files |= {f"bundle/{name}": content for name, content in in_bundle.items()}
    if scored is not None:
        files["predictions.parquet"] = _predictions(scored)
    return RunFiles(files, judgement.verdict)


def opened(
    store: Store, evidence: Evidence, plan: Plan
) -> tuple[Scored | None, Model | None]:
    """Return what the evidence refers to in the store; nothing where the plan stopped before any fold."""
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
    preparation = store.get_arrays(evidence.final.preparation)
    columns = columns_read(plan, unpack(preparation))
    aside = pd.DataFrame() if cleaned.aside is None else store.get_table(cleaned.aside)
    tables = Tables(
        raw=store.get_table(evidence.snapshot.table, columns),
        features=store.get_table(cleaned.features),
        aside=aside,
    )
    weights = store.get_arrays(evidence.final.weights)
    return scored, Model(preparation, weights, tables)


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
    model: Model, evidence: Evidence, judgement: Judgement, study: Study
) -> Exported:
    """Return the model in every format with what predicting needs, and how each compares with training.

    Raises
    ------
    ExportFailed
        If a file, read back, does not give what training gave.
    """
    verdict, cleaned = judgement.verdict, evidence.cleaned
    members, preparation = unpack_nets(model.weights), unpack(model.preparation)
    plan, tables = study.of(verdict.plan), model.tables
    form = form_of((verdict.study, verdict.plan), plan, cleaned, tables, preparation)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **form.arrays())
    files = {"prep.json": _pretty(form.as_json()), "prep.npz": buffer.getvalue()}
    inputs = preparation.apply(tables.features.iloc[:N_PARITY_ROWS])
    networks = exported(members, inputs, study.formats)
    parity = {"prep.json": _prepared_alike(files, plan, preparation, tables.raw)}
    parity |= networks.parity
    files |= networks.files
    needed = PACKAGES if plan.images is None else (*PACKAGES, *WITH_IMAGES)
    lock = core_lock().read_text(encoding="utf-8")
    files["requirements.txt"] = subset(lock, needed).encode()
    return Exported(files, parity)


def _manifest(
    files: Mapping[str, bytes],
    exports: Exported,
    verdict: Verdict,
    final: FinalFit | None,
) -> dict[str, Any]:
    """Return a bundle's manifest: its files, how they compare with training, how to predict with them."""
    return described(
        verdict.study,
        verdict.plan,
        files,
        {
            "weights": final.weights_digest if final else None,
            "parity": {
                name: parity.model_dump() for name, parity in exports.parity.items()
            },
            "predict": [
                "python -m assay predict BUNDLE TABLE -o FILE",
                "python -m assay.predict BUNDLE TABLE -o FILE",
            ],
        },
    )


def _prepared_alike(
    files: dict[str, bytes], plan: Plan, preparation: Preparation, raw: pd.DataFrame
) -> Parity:
    """Compare how the written form and training prepare the same rows.

    Raises
    ------
    ExportFailed
        If a network's input differs by more than a millionth.
    """
    most = MOST_BYTES["prep.json"]
    try:
        if (n_bytes := len(files["prep.json"])) > most:
            raise Unfit("predict.form.too_large", n_bytes=n_bytes, most=most)
        arrays = arrays_in(files["prep.npz"], "prep.npz")
        form = stored_form(json_in(files["prep.json"]), arrays)
    except Unfit as unfit:
        reason = unfit.sentence
        raise ExportFailed(
            "networks.unreadable", file="prep.json", reason=reason
        ) from None
    trained, applied = both_ways(plan, form, preparation, raw, N_PARITY_ROWS)
    largest = float(np.abs(trained - applied).max(initial=0.0))
    parity = Parity(
        n_rows=len(trained), largest=largest, allowed=_PREPARED_ALIKE, flips=0
    )
    if not parity.holds:
        raise ExportFailed(
            "bundle.prepared_differently",
            n_rows=parity.n_rows,
            largest=largest,
            allowed=parity.allowed,
        )
    return parity


# The other files -------------------------------------------------------------------------------


def _predictions(scored: Scored) -> bytes:
    """Return the out-of-fold predictions as Parquet: a line per repeat and tested row.

    Classification has a column per model and class, ``net:yes``; regression a column per model, ``net``.
    Rows in no test part have no line.
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
    predictions = predicted(scored.labels, scored.outer, scored.predictions)
    return Seen(predictions, model.tables.features)


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
