"""How well models tell classes apart on about eighteen tables: AUC, log loss, CPU seconds a fold.

    python -m bench.bench_quality [--tables A,B] [--models A,B] [--folds N] [--results DIR] [--json]

Five stratified folds of each table, the same for every model; ``--folds 2`` takes the first two.
AUC is macro one-vs-rest, log loss in nats with probabilities of at least 1e-7. Each fold of each
model is kept in ``DIR/quality.jsonl`` under the table's digest and the model's version (of ours: of
its code), so that a stopped run goes on and only what changed is fitted again. Catalogued tables
are read from ``ASSAY_DATA``; absent ones are passed over.

Competitors are not in our lock. A model whose package is absent is "not installed" unless
``DIR`` has its results, so each can run from an environment of its own, one after another:

    pip install -r requirements.txt && pip install lightgbm catboost pytabkit
    python -m bench.bench_quality --results DIR
    pip install "autogluon.tabular[lightgbm,catboost,xgboost,fastai]" pydantic     # in another one
    python -m bench.bench_quality --results DIR --models autogluon

Differences are taken fold by fold, and mean over tables: every table counts once; again for the real
tables alone, and for those made to have something that one model or another is good at.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from assay.store.places import data_folder
from bench.models import MODELS, Model
from bench.program import ROOT, children_cpu
from bench.tables import MADE, NAMES, REAL, Table, open_table

N_FOLDS = 5
REFERENCE = "lightgbm-tuned"
_LEAST_PROBABILITY = 1e-7
Row = dict[str, Any]  # table, data, fold, model, version, auc, log_loss, cpu_s, wall_s
Cells = dict[tuple[str, str], dict[int, Row]]  # by table and model, then by fold


# One fold --------------------------------------------------------------------------------------


def scored(labels: NDArray[np.int32], predicted: NDArray[np.float64]) -> Row:
    """Return AUC and log loss of class probabilities, shape (n_rows, n_classes)."""
    predicted = np.clip(predicted, _LEAST_PROBABILITY, 1.0)
    predicted /= predicted.sum(axis=1, keepdims=True)
    two = predicted.shape[1] == 2
    auc = roc_auc_score(
        labels, predicted[:, 1] if two else predicted, multi_class="ovr"
    )
    loss = log_loss(labels, predicted, labels=np.arange(predicted.shape[1]))
    return {"auc": float(auc), "log_loss": float(loss)}


def fold_row(model: Model, table: Table, fold: int) -> Row:
    """Fit one model on one fold, score it, and say what it cost."""
    split = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    train, test = [*split.split(table.features, table.labels)][fold]
    features, labels = table.features, table.labels
    begun, before = time.perf_counter(), time.process_time() + children_cpu()
    with threadpool_limits(1):
        predicted = model.fit_predict(
            features.iloc[train].reset_index(drop=True),
            labels[train],
            features.iloc[test].reset_index(drop=True),
        )
    return scored(labels[test], predicted) | {
        "cpu_s": time.process_time() + children_cpu() - before,
        "wall_s": time.perf_counter() - begun,
    }


# Results ---------------------------------------------------------------------------------------


def read(file: Path) -> list[Row]:
    """Return the rows kept so far; a last line that a kill cut short is taken away."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def keep(file: Path, row: Row) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")


def fit_missing(
    file: Path, tables: dict[str, Table], models: Iterable[str], folds: int
) -> Iterator[Row]:
    """Fit and keep what the file lacks, yielding each row as it comes."""
    kept = {identity(row) for row in read(file)}
    for name, table in tables.items():
        data = table.digest()
        for model in models:
            version = MODELS[model].version()
            for fold in range(folds if version else 0):
                place = {"table": name, "data": data, "fold": fold}
                row = place | {"model": model, "version": version}
                if identity(row) not in kept:
                    row |= fold_row(MODELS[model], table, fold)
                    keep(file, row)
                    yield row


def identity(row: Row) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("table", "data", "fold", "model", "version"))


def chosen(
    rows: Iterable[Row], tables: dict[str, Table], models: Sequence[str], folds: int
) -> Cells:
    """Return the rows to report: of each model the installed version, else the last one kept."""
    rows, versions = [*rows], {model: MODELS[model].version() for model in models}
    for row in rows:
        if row["model"] in versions and MODELS[row["model"]].version() is None:
            versions[row["model"]] = row["version"]
    cells: Cells = {}
    for row in rows:
        table = tables.get(row["table"])
        if (
            table is not None
            and row["data"] == table.digest()
            and row["fold"] < folds
            and versions.get(row["model"]) == row["version"]
        ):
            cells.setdefault((row["table"], row["model"]), {})[row["fold"]] = row
    return cells


# The report ------------------------------------------------------------------------------------


def mean(cell: dict[int, Row] | None, what: str) -> float:
    return float(np.mean([row[what] for row in cell.values()])) if cell else np.nan


def difference(cells: Cells, table: str, model: str, what: str) -> float:
    """Return a model's mean difference from the reference over the folds that both have."""
    own, other = cells.get((table, model), {}), cells.get((table, REFERENCE), {})
    both = own.keys() & other.keys()
    gaps = [own[fold][what] - other[fold][what] for fold in sorted(both)]
    return float(np.mean(gaps)) if gaps else np.nan


def summary(cells: Cells, tables: Iterable[str], models: Sequence[str]) -> Row:
    """Return for each model its means over tables, and on how many it beats the reference."""
    rows: Row = {}
    for model in models:
        gaps = {
            what: np.array([difference(cells, table, model, what) for table in tables])
            for what in ("auc", "log_loss")
        }
        there = np.isfinite(gaps["auc"])
        costs = [mean(cells.get((table, model)), "cpu_s") for table in tables]
        rows[model] = {
            "tables": int(there.sum()),
            "auc_difference": _mean(gaps["auc"]),
            "auc_difference_median": float(np.median(gaps["auc"][there]))
            if there.any()
            else None,
            "log_loss_difference": _mean(gaps["log_loss"]),
            "won_auc": int((gaps["auc"][there] > 0).sum()),
            "won_log_loss": int((gaps["log_loss"][there] < 0).sum()),
            "cpu_s_per_fold": _mean(np.array(costs)),
            "largest_cpu_s_per_fold": None
            if np.isnan(costs).all()
            else float(np.nanmax(costs)),
        }
    return rows


def _mean(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def grid(cells: Cells, tables: Iterable[str], models: Sequence[str], what: str) -> str:
    """Return a Markdown table of means over folds, the difference from the reference beside each."""
    lines = []
    for table in tables:
        line = [table]
        for model in models:
            value = mean(cells.get((table, model)), what)
            gap = difference(cells, table, model, what)
            beside = "" if model == REFERENCE or np.isnan(gap) else f" ({gap:+.4f})"
            line.append("" if np.isnan(value) else f"{value:.4f}{beside}")
        lines.append(line)
    return markdown(["table", *models], lines)


def overall(rows: Row) -> str:
    """Return the Markdown table of the summary; a model that never ran is said to be absent."""

    def text(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    lines = []
    for model, cells in rows.items():
        if cells["cpu_s_per_fold"] is None:
            lines.append([model, "not installed", "", "", "", "", ""])
            continue
        if model == REFERENCE:
            cells = cells | dict.fromkeys(
                ("auc_difference", "auc_difference_median", "log_loss_difference")
            )
        lines.append(
            [
                model,
                text(cells["auc_difference"], "+.4f"),
                text(cells["auc_difference_median"], "+.4f"),
                f"{cells['won_auc']} of {cells['tables']}",
                text(cells["log_loss_difference"], "+.4f"),
                f"{cells['won_log_loss']} of {cells['tables']}",
                f"{cells['cpu_s_per_fold']:.1f} ({cells['largest_cpu_s_per_fold']:.1f})",
            ]
        )
    header = [
        *("model", f"AUC - {REFERENCE}", "median", "better", "log loss", "better")
    ]
    return markdown([*header, "CPU-s a fold (largest)"], lines)


# The program -----------------------------------------------------------------------------------


def opened(names: Iterable[str]) -> dict[str, Table]:
    """Return the tables there are."""
    tables = {}
    for name in names:
        try:
            tables[name] = open_table(name, data_folder())
        except FileNotFoundError as error:
            print(f"{name}: passed over, {error.filename} is not there")
    return tables


def _names(allowed: Iterable[str]) -> Any:
    def parsed(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(allowed):
            raise argparse.ArgumentTypeError(
                f"{', '.join(sorted(unknown))}; there are {', '.join(allowed)}"
            )
        return names

    return parsed


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tables", type=_names(NAMES), default=[*NAMES])
    parser.add_argument("--models", type=_names(MODELS), default=[*MODELS])
    parser.add_argument("--folds", type=int, choices=range(1, N_FOLDS + 1), default=5)
    parser.add_argument("--results", type=Path, default=ROOT / "artifacts" / "bench")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    file = options.results / "quality.jsonl"
    tables, models = opened(options.tables), options.models
    for row in fit_missing(file, tables, models, options.folds):
        print(
            f"{row['table']:16} fold {row['fold']}  {row['model']:14} AUC {row['auc']:.4f}"
            f"  log loss {row['log_loss']:.4f}  {row['cpu_s']:6.1f} CPU-s",
            flush=True,
        )
    cells = chosen(read(file), tables, models, options.folds)
    print(f"\nAUC\n\n{grid(cells, tables, models, 'auc')}")
    print(f"\nLog loss\n\n{grid(cells, tables, models, 'log_loss')}")
    summaries = {}
    for kind, names in (("models", NAMES), ("real", REAL), ("made", MADE)):
        chosen_tables = [name for name in tables if name in names]
        summaries[kind] = summary(cells, chosen_tables, models)
        what = "tables" if kind == "models" else f"{kind} tables"
        print(f"\nMean over {what}\n\n{overall(summaries[kind])}")
    if options.json:
        print(json.dumps(summaries))


if __name__ == "__main__":
    main()
