"""What a training step costs by replicas, width and rows, held against its matrix products.

    python -m bench.our_costs [quick]

Networks of two hidden layers in one stack. A figure is the CPU time of some epochs after a first
one, divided by steps and replicas: the median of three.
"""

import json
import sys
import time
from dataclasses import dataclass

import numpy as np

from assay.store.records import Hyperparameters
from bench import ours, workload
from bench.floor import products_cpu_s

_BATCH, _MEASUREMENTS = 64, 3
_ROWS, _WIDTH, _REPLICAS = 2048, 128, 8
_LEAST_STEPS = 1500  # of all replicas together, in one measurement


@dataclass(frozen=True)
class Cell:
    """One setting; ``name`` says which of the three it varies."""

    name: str
    n_replicas: int = _REPLICAS
    width: int = _WIDTH
    n_rows: int = _ROWS


CELLS = (
    *(Cell("replicas", n_replicas=n) for n in (1, 2, 4, 8, 16, 32)),
    *(Cell("width", width=n) for n in (32, 64, 128, 256, 512)),
    *(Cell("rows", n_rows=n) for n in (1024, 8192, 65536)),
)
QUICK = (Cell("replicas", n_replicas=1), Cell("width", width=32))


def measured(cell: Cell) -> dict[str, float | str]:
    """Return CPU microseconds per step and replica, and how many times over the floor that is."""
    X, y = workload.table(cell.n_rows)
    everything = np.arange(cell.n_rows)
    rows = ours.Rows(X.astype(np.float32), y, everything, everything[:0])
    hyperparameters: Hyperparameters = {
        "depth": 2,
        "width": cell.width,
        "dropout": 0.2,
        "learning_rate": 1e-3,
        "weight_decay": 1e-2,
    }
    nets = [ours.Net(rows, hyperparameters, seed) for seed in range(cell.n_replicas)]
    n_steps = cell.n_rows // _BATCH
    epochs = max(1, _LEAST_STEPS // (n_steps * cell.n_replicas))
    step_s = epoch_cpu_s(nets, epochs) / (n_steps * cell.n_replicas)
    floor_s = products_cpu_s(nets[0].layers, _BATCH, backward=True)
    return {
        "varied": cell.name,
        "replicas": cell.n_replicas,
        "width": cell.width,
        "rows": cell.n_rows,
        "us": 1e6 * step_s,
        "over_floor": step_s / floor_s,
    }


def epoch_cpu_s(nets: list[ours.Net], epochs: int) -> float:
    """Return the CPU seconds of one more epoch of all networks: the median of three."""

    def cpu_s(n: int) -> float:
        begun = time.process_time()
        ours.trained(nets, epochs=n, patience=n, batch_size=_BATCH)
        return time.process_time() - begun

    cpu_s(1)  # traces the graph
    more = [cpu_s(1 + epochs) - cpu_s(1) for _ in range(_MEASUREMENTS)]
    return float(np.median(more)) / epochs


def main(arguments: list[str]) -> None:
    cells = QUICK if "quick" in arguments else CELLS
    print(json.dumps({"cells": [measured(cell) for cell in cells]}))


if __name__ == "__main__":
    main(sys.argv[1:])
