"""The usual Keras script against Assay's stacked training: CPU, wall time, and the floor.

    python -m bench.bench_engine [--quick] [--rounds N] [--json]

Equal on both sides: table, folds, inner split, scaling, hyperparameters drawn (compared), epochs,
batch size, patience on the loss of the inner part, choice of the trial by its inner AUC, and score
of the chosen one on the test part. Its own on each side: the schedule of the learning rate, factors on
the inputs, first weights and noise. All are processes from cold, imports included. The usual script runs once, which
takes about ten minutes; ours runs ``N`` times (3), in one process and in two at once, and medians
count. ``--quick``: 2 folds, 3 trials, 20 epochs, one round; its ratios are mostly imports.

- ``cpu_ratio``: the script's CPU seconds over ours in one process.
- ``wall_ratio``: its wall seconds over our best, one process or two.
- ``floor_ratio``: CPU seconds of our training, tracing and validation included, over those of the
  same matrix products alone, in the same process.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.cold import Cost, run_cold

_OURS = "bench.our_search"


@dataclass(frozen=True)
class Measured:
    """The script once, and ours in rounds: in one process, in two, and with its floor."""

    usual: Cost
    one: Sequence[Cost]
    two: Sequence[Cost]
    floor: Sequence[Cost]


def measure(size: str, rounds: int) -> Measured:
    first, two, floor = [], [], []
    for number in range(rounds):
        first.append(run_cold([_OURS, size]))
        two.append(run_cold([_OURS, size, "0", "2"], [_OURS, size, "1", "2"]))
        floor.append(run_cold([_OURS, size, "floor"]))
        if not number:
            usual = run_cold(["bench.usual_script", size])
    return Measured(usual, first, two, floor)


def figures(measured: Measured) -> dict[str, Any]:
    """Return the ratios, and what they are ratios of.

    Raises
    ------
    ValueError
        If the sides did not try the same hyperparameters, or one process and two disagree.
    """
    usual = measured.usual.said[0]
    every = [*measured.one, *measured.two, *measured.floor]
    drawn = usual["drawn"] + [values["drawn"] for cost in every for values in cost.said]
    if any(values != drawn[0] for values in drawn):
        raise ValueError(f"not the same trials: {drawn}")
    scores = [winners_scores(cost) for cost in every]
    if any(values != scores[0] for values in scores):
        raise ValueError(f"not the same scores: {scores}")
    cpu_s = median([cost.cpu_s for cost in measured.one])
    one_s, two_s = (
        median([cost.wall_s for cost in costs])
        for costs in (measured.one, measured.two)
    )
    over_floor = [
        answer["train_cpu_s"] / answer["floor_cpu_s"]
        for cost in measured.floor
        for answer in cost.said
    ]
    return {
        "cpu_ratio": measured.usual.cpu_s / cpu_s,
        "wall_ratio": measured.usual.wall_s / min(one_s, two_s),
        "floor_ratio": median(over_floor),
        "auc_usual": float(np.mean(usual["scores"])),
        "auc_assay": float(np.mean(scores[0])),
        "usual_cpu_s": measured.usual.cpu_s,
        "usual_wall_s": measured.usual.wall_s,
        "assay_cpu_s": cpu_s,
        "assay_wall_s": one_s,
        "assay_two_cpu_s": median([cost.cpu_s for cost in measured.two]),
        "assay_two_wall_s": two_s,
        "assay_train_cpu_s": median(
            [cost.said[0]["train_cpu_s"] for cost in measured.one]
        ),
    }


def winners_scores(cost: Cost) -> list[float]:
    """Return the test score of each fold's winner, over the processes that shared the search.

    A winner is (inner score, trial, test score); of equal inner scores the earlier trial wins.
    """
    by_fold = zip(*(answer["winners"] for answer in cost.said), strict=True)
    return [max(winners, key=lambda won: (won[0], -won[1]))[2] for winners in by_fold]


def median(values: Sequence[float]) -> float:
    return float(np.median(values))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    size = "quick" if options.quick else "full"
    results = figures(measure(size, options.rounds or (1 if options.quick else 3)))
    cells = run_cold(["bench.our_costs", size]).said[0]["cells"]
    print("\n".join(f"{name:18} {value:.4g}" for name, value in results.items()))
    print(
        "\nvaried    replicas  width    rows  CPU-us per step and replica  over floor"
    )
    for cell in cells:
        print(
            f"{cell['varied']:8}  {cell['replicas']:8}  {cell['width']:5}  {cell['rows']:6}"
            f"  {cell['us']:27.0f}  {cell['over_floor']:10.2f}"
        )
    if options.json:
        print(json.dumps(results | {"cells": cells}))


if __name__ == "__main__":
    main()
