"""Prediction from a bundle beside the same network loaded in Keras.

    python -m bench.bench_predict [--rows=100000] [--json]

A table of 20 measurements and an id is predicted by an ensemble of 16 networks of two layers of 128
units over pieces of the leading inputs, the form in which checks leave theirs. Both sides are processes
of their own, from cold, that read the same CSV and write the same probabilities: ``python -m
assay.predict`` with ``net.onnx``, and the usual script, with pandas and ``model.keras``. Seconds depend on
the machine; what is compared are ratios of one run.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.cold import run_cold

_AGREE = 1e-5  # largest difference of a probability


@dataclass(frozen=True)
class Way:
    """One way to predict: seconds of wall and processor for one row, and for all of them."""

    start_s: float
    start_cpu_s: float
    all_s: float
    all_cpu_s: float
    peak_mb: float

    def rows_a_s(self, n_rows: int) -> float:
        """Return how many rows a second all cores together take, the start left out."""
        return n_rows / max(self.all_s - self.start_s, 1e-9)

    def rows_a_cpu_s(self, n_rows: int) -> float:
        """Return how many rows a second of one core takes, the start left out."""
        return n_rows / max(self.all_cpu_s - self.start_cpu_s, 1e-9)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_cold(["bench.our_predicting", "make", name, str(options.rows)])
        ways = {way: _cost(way, folder) for way in ("bundle", "keras")}
        _check_equal(folder)
    ours, usual = ways["bundle"], ways["keras"]
    print(f"{options.rows:,} rows of 20 numbers, 16 networks of 128-128 units")
    print(
        "way      one row s (CPU)   all rows s (CPU)   rows a s   rows a CPU-s   peak MB"
    )
    for way, figures in ways.items():
        print(
            f"{way:7}  {figures.start_s:7.2f} ({figures.start_cpu_s:5.2f})   {figures.all_s:8.2f} ({figures.all_cpu_s:5.2f})   "
            f"{figures.rows_a_s(options.rows):8,.0f}   {figures.rows_a_cpu_s(options.rows):12,.0f}   {figures.peak_mb:7.0f}"
        )
    print(
        f"keras / bundle: one row {usual.start_cpu_s / ours.start_cpu_s:.1f} times the CPU, "
        f"all rows {usual.all_cpu_s / ours.all_cpu_s:.1f} times, memory {usual.peak_mb / ours.peak_mb:.1f} times"
    )
    if options.json:
        print(json.dumps({way: asdict(figures) for way, figures in ways.items()}))


def _cost(way: str, folder: Path) -> Way:
    """Run a way on one row, then on all: the first run also warms the files."""
    command = ["bench.our_predicting", way, str(folder)]
    run_cold([*command, "one"])
    first, every = run_cold([*command, "one"]), run_cold([*command, "all"])
    (answer,) = every.said
    return Way(first.wall_s, first.cpu_s, every.wall_s, every.cpu_s, answer["peak_mb"])


def _check_equal(folder: Path) -> None:
    ours, theirs = (
        np.loadtxt(folder / f"{way}-all.csv", delimiter=",", skiprows=1, usecols=column)
        for way, column in (("bundle", 4), ("keras", 1))
    )
    largest = float(np.abs(ours - theirs).max())
    if not largest <= _AGREE:
        raise RuntimeError(f"the two ways differ by {largest:.2g}")


if __name__ == "__main__":
    main(sys.argv[1:])
