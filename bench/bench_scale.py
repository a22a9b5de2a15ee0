"""Time and memory of training by rows and columns, each size in a process of its own.

    python -m bench.bench_scale [--quick] [--json]

Rows from 1e4 to 1e6 with 50 columns, then 10 to 500 columns with 1e5 rows. Each process makes a
table of numbers, prepares one outer training part of it as a study does, and trains one network of
two hidden layers of 128 on it. ``ratio`` is its wall time a row and epoch over that of the first
size (goal: 1.5 at most over rows); ``memory_ratio`` the process's peak memory over its bound, three
times the table in float32 and 1.5 GB (goal: 1 at most).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from bench.cold import run_cold

ROWS = ((10_000, 50), (100_000, 50), (1_000_000, 50))
COLUMNS = ((100_000, 10), (100_000, 50), (100_000, 200), (100_000, 500))
QUICK = ((2_000, 10), (4_000, 10))
FREE_BYTES = 1.5e9


def bound_bytes(n_rows: int, n_columns: int) -> float:
    """Return what a process may use: three times the float32 table, and 1.5 GB for the libraries."""
    return 3 * 4 * n_rows * n_columns + FREE_BYTES


def lines(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each size says with its ratios; the first one is the measure of time."""
    first = answers[0]["row_epoch_us"]
    return [
        answer
        | {
            "ratio": answer["row_epoch_us"] / first,
            "memory_ratio": answer["peak_bytes"]
            / bound_bytes(answer["rows"], answer["columns"]),
        }
        for answer in answers
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results: dict[str, list[dict[str, Any]]] = {}
    print("     rows  columns  us a row and epoch  ratio  peak GB  of its bound")
    for name, sizes in (
        {"rows": QUICK} if options.quick else {"rows": ROWS, "columns": COLUMNS}
    ).items():
        answers = [
            run_cold(["bench.our_size", *map(str, size)]).said[0] for size in sizes
        ]
        results[name] = lines(answers)
        for line in results[name]:
            print(
                f"{line['rows']:9}  {line['columns']:7}  {line['row_epoch_us']:18.2f}  {line['ratio']:5.2f}"
                f"  {line['peak_bytes'] / 1e9:7.2f}  {line['memory_ratio']:12.2f}"
            )
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
