"""Time and memory from a text file to samples: reading, storing, validating, cleaning.

    python -m bench.bench_reader [--rows=1000000] [--json]

A table of 12 columns (six measurements, two counts, two categories, a text, a target) is written as
CSV, then taken through the stages in a process of its own. ``peak_gb`` is the most memory the
process held during a stage, what earlier stages left included (goal: 24 at 5,000,000 rows).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.cold import run_cold


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        run_cold(["bench.our_reading", "write", str(path), str(options.rows)])
        (answer,) = run_cold(["bench.our_reading", "read", str(path)]).said
    print(
        f"{answer['rows']:,} rows, {answer['columns']} columns, {answer['file_gb']:.2f} GB of CSV"
    )
    print("stage     seconds  peak GB")
    for stage, cost in answer["stages"].items():
        print(f"{stage:8}  {cost['seconds']:7.1f}  {cost['peak_gb']:7.2f}")
    if options.json:
        print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
