"""One process of ``bench_parity``: find a run's own table, predict it with the bundle, or compare with training.

python -m bench.our_parity table|bundle|training ARTIFACTS RUN FOLDER [TABLE [IMAGES]]
"""

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

OUTPUT = "predictions.csv"


def table(artifacts: Path, run: Path, folder: Path) -> dict[str, Any]:
    """Say where the run's own table lies, and its images; one that is in no file, or a sample, is written as CSV."""
    from assay.report.folder import open_run
    from assay.store.places import data_folder
    from assay.store.store import Store

    opened = open_run(run)
    plan = opened.registration.study.of(opened.verdict.plan)
    folder.mkdir(parents=True, exist_ok=True)
    images = [] if plan.images is None else [str(data_folder() / plan.images.source)]
    if not plan.source.startswith("builtin:") and plan.read.sample is None:
        return {"words": [str(data_folder() / plan.source), *images]}
    snapshot = opened.account.evidence.snapshot
    pixels = opened.account.evidence.cleaned.numeric if images else ()
    names = [
        column.name for column in snapshot.columns if column.name not in set(pixels)
    ]
    written = folder / "table.csv"
    Store(artifacts).get_table(snapshot.table, names).to_csv(written, index=False)  # fmt: skip
    return {"words": [str(written), *images]}


def with_bundle(run: Path, folder: Path, words: list[str]) -> dict[str, Any]:
    """Predict as ``python -m assay.predict`` does."""
    from assay.predict.__main__ import main

    begun = time.perf_counter()
    images = [f"--images={word}" for word in words[1:]]
    code = main([str(run), words[0], "-o", str(folder / OUTPUT), *images])
    if code:
        sys.exit(code)
    with (folder / OUTPUT).open(encoding="utf-8", newline="") as file:
        marked = sum(bool(row["remarks"]) for row in csv.DictReader(file))
    return {"marked": marked, "seconds": round(time.perf_counter() - begun, 1)}


def with_training(
    artifacts: Path, run: Path, folder: Path, words: list[str]
) -> dict[str, Any]:
    """Predict the table that training read, by its own preparation and networks, and compare."""
    import numpy as np
    import pandas as pd

    from assay.bundle.stage import opened
    from assay.data import columns
    from assay.networks.net import unpack_nets
    from assay.networks.to_keras import as_keras, from_archive
    from assay.predict import Bundle
    from assay.predict.pictures import Pictures
    from assay.predict.tables import open_table
    from assay.preprocess.fit import unpack
    from assay.report.folder import open_run
    from assay.store.store import Store

    left = open_run(run)
    evidence = left.account.evidence
    plan = left.registration.study.of(left.verdict.plan)
    _, model = opened(Store(artifacts), evidence, plan)
    if model is None:
        raise RuntimeError(f"{run.name} has no model")
    preparation = unpack(model.preparation)
    read = columns.read(model.tables.raw, plan.clean, [])
    shown = columns.typed(columns.in_parts(read, plan.clean, plan.order))
    inputs = preparation.apply(shown)
    networks = as_keras(unpack_nets(model.weights))
    trained = networks.predict(inputs, batch_size=1024, verbose=0)

    bundle = Bundle.open(run)
    pictures = Pictures(Path(words[1]), bundle.form) if words[1:] else None
    chunks = open_table(Path(words[0]), bundle, pictures).chunks
    prepared = np.concatenate([bundle.prepared(chunk)[0] for chunk in chunks])
    archive = from_archive((run / "bundle" / "model.keras").read_bytes())
    saved = archive.predict(prepared, batch_size=1024, verbose=0)
    predicted = pd.read_csv(folder / OUTPUT, keep_default_na=False, dtype=str)
    shares = predicted[[f"p:{name}" for name in bundle.form.classes]].to_numpy(float)
    names = np.array(bundle.form.classes)[trained.argmax(axis=1)]
    return {
        "plan": left.verdict.plan,
        "rows": len(predicted),
        "inputs": int(prepared.shape[1]),
        "classes": len(bundle.form.classes),
        "predicted": float(np.abs(shares - trained).max()),
        "flips": int((predicted["prediction"].to_numpy() != names).sum()),
        "prepared": float(np.abs(prepared - inputs).max()),
        "saved": float(np.abs(bundle.network.predict(prepared) - saved).max()),
    }


if __name__ == "__main__":
    _, what, artifacts, run, folder, *words = sys.argv
    places = Path(artifacts), Path(run), Path(folder)
    match what:
        case "table":
            answer = table(*places)
        case "bundle":
            answer = with_bundle(*places[1:], words)
        case _:
            answer = with_training(*places, words)
    print(json.dumps(answer))
