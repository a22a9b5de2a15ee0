"""One size of ``bench_scale``: prepare and train on so many rows and columns, and say the cost.

python -m bench.our_size ROWS COLUMNS
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd

from bench import ours

_BATCH, _MEASUREMENTS = 256, 3
_LEAST_ROWS = 200_000  # trained on in one measurement


def made(n_rows: int, n_columns: int) -> tuple[pd.DataFrame, ours.Labels]:
    """Return numbers, and labels that five columns tell."""
    values = np.random.default_rng(0).normal(size=(n_rows, n_columns))
    names = [f"x{number}" for number in range(n_columns)]
    labels = (values[:, :5].sum(axis=1) > 0).astype(np.int32)
    return pd.DataFrame(values, columns=names, copy=False), labels


def row_epoch_s(net: ours.Net) -> float:
    """Return the wall seconds of a row and epoch: the median of three, less what one epoch takes."""
    n_rows = len(net.rows.train)
    epochs = max(1, _LEAST_ROWS // n_rows)

    def wall_s(n: int) -> float:
        begun = time.perf_counter()
        ours.trained([net], epochs=n, patience=n, batch_size=_BATCH)
        return time.perf_counter() - begun

    wall_s(1)  # traces the graph
    more = [wall_s(1 + epochs) - wall_s(1) for _ in range(_MEASUREMENTS)]
    return float(np.median(more)) / (epochs * n_rows)


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def main(arguments: list[str]) -> None:
    n_rows, n_columns = map(int, arguments)
    seconds = row_epoch_s(ours.large(*made(n_rows, n_columns)))
    size = {"rows": n_rows, "columns": n_columns}
    print(
        json.dumps(size | {"row_epoch_us": 1e6 * seconds, "peak_bytes": peak_bytes()})
    )


if __name__ == "__main__":
    main(sys.argv[1:])
