"""What the network for images gains: an ensemble without a search, against that for tables.

    python -m bench.bench_images [digits|skin] [--folds=1] [--epochs=40] [--seeds=4] [--one] [--json]

``digits``: scikit-learn's 8x8 digits, the first of five stratified folds. ``skin``: HAM10000 at
28x28x3, seven classes, flipped and turned; lesions are dealt into five folds whole. Its files are
read from ``ASSAY_DATA``. AUC is macro one-vs-rest; ``--one`` leaves the network for tables out.
"""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from assay.data.samples import Samples
from assay.models.net_search import deep
from assay.models.search import search
from assay.models.training_part import TEST, Part
from assay.store.places import data_folder
from assay.study.plans import CleanPlan, TunePlan, Tuning

_N_FOLDS = 5


@dataclass(frozen=True)
class Images:
    """Images as rows of pixels, their classes, and what must stay in one fold."""

    pixels: pd.DataFrame
    labels: NDArray[np.int32]
    units: NDArray[np.int64]
    plan: dict[str, Any]


def digits() -> Images:
    pixels, labels = load_digits(return_X_y=True, as_frame=True)
    plan = {"height": 8, "width": 8, "channels": 1}
    return Images(
        pixels, labels.to_numpy(np.int32), np.arange(len(labels)), {"image": plan}
    )


def skin() -> Images:
    folder = data_folder() / "skin-cancer"
    table = pd.read_csv(folder / "ham10000_28_28_RGB.csv.gz")
    metadata = pd.read_csv(folder / "HAM10000_metadata.csv").set_index("image_id")
    metadata = metadata.loc[table["image_id"]]
    augment = ["shift", "flip", "rotate"]
    plan = {"height": 28, "width": 28, "channels": 3, "augment": augment}
    return Images(
        table.filter(like="pixel").astype(np.float64),
        pd.factorize(metadata["dx"], sort=True)[0].astype(np.int32),
        pd.factorize(metadata["lesion_id"])[0],
        {"image": plan},
    )


def folds_of(images: Images, rows: NDArray[np.int64], seed: int) -> NDArray[np.int16]:
    """Return the fold of each of some rows: units whole, classes spread."""
    fold_of_row = np.empty(len(rows), dtype=np.int16)
    split = StratifiedGroupKFold(_N_FOLDS, shuffle=True, random_state=seed)
    labels, units = images.labels[rows], images.units[rows]
    for number, (_, test) in enumerate(split.split(labels, labels, units)):
        fold_of_row[test] = number
    return fold_of_row


def measured(
    images: Images, clean: dict[str, Any], tune: dict[str, int], fold: int
) -> dict[str, float]:
    """Fit an ensemble as the product does, without a search, and score it on a fold."""
    every = np.arange(len(images.labels))
    inner = np.full(len(every), TEST, dtype=np.int16)
    learned = np.flatnonzero(folds_of(images, every, 0) != fold)
    inner[learned] = folds_of(images, learned, 1)
    names = tuple(map(str, np.unique(images.labels)))
    samples = Samples(images.pixels, images.labels, "multiclass", names)
    plan = Tuning(
        tune=TunePlan.model_validate(tune),
        clean=CleanPlan.model_validate(clean),
        metric="auc",
    )
    wall, cpu = time.perf_counter(), time.process_time()
    part = Part(samples, inner, plan)
    nets = deep(part, fold)
    n_trials = len(nets.first)
    trials, winner = search(nets.space, n_trials, fold, nets.try_all, first=nets.first)
    predicted = nets.fit(trials[winner]).predict(part.whole.inputs[part.test])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tested, chosen = images.labels[part.test], predicted.argmax(axis=1)
    return {
        "auc": float(roc_auc_score(tested, predicted, multi_class="ovr")),
        "accuracy": float(np.mean(chosen == tested)),
        "balanced": float(balanced_accuracy_score(tested, chosen)),
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
    }


def main(arguments: list[str]) -> None:
    given = dict(argument[2:].split("=") for argument in arguments if "=" in argument)
    images = skin() if "skin" in arguments else digits()
    kinds = {"images": (images.plan, {"seeds": 4, "epochs": 40, "patience": 10})}
    if "--one" not in arguments:
        kinds["tables"] = {}, {}
    own = {name: int(given[name]) for name in ("seeds", "epochs") if name in given}
    results = {}
    with threadpool_limits(1):
        for name, (clean, tune) in kinds.items():
            tune = tune | own if name == "images" else tune
            rows = [
                measured(images, clean, tune, fold)
                for fold in range(int(given.get("folds", 1)))
            ]
            results[name] = pd.DataFrame(rows).mean().round(5).to_dict()
    if "--json" in arguments:
        print(json.dumps(results))
    else:
        print(pd.DataFrame(results).T.to_string())


if __name__ == "__main__":
    main(sys.argv[1:])
