"""How often an interval by unit holds the truth, and one that takes rows for independent.

Two cheap models, ridge and kernel ridge regression, are cross-validated on rows that come in units
of their own character; the truth is the mean of all estimates. Prints what docs/decisions/0007 says.

python -m bench.bench_unit_interval [REPETITIONS]
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from assay.data.samples import Labels, Samples
from assay.data.split import draw_folds
from assay.judge.intervals import Interval, clt_split
from assay.metrics import row_parts
from assay.store.records import Metric, Task
from assay.study.plans import SplitPlan

_REPEATS, _COLUMNS = 3, 5
_LEVELS = (0.90, 0.95)


@dataclass(frozen=True)
class World:
    """Units of rows; ``even``: all of one size, else geometric ones of that mean.

    ``labels``: a number, a class that is mixed within units, or one class for each unit.
    """

    n_units: int
    size: int
    even: bool
    labels: str
    metric: Metric

    def __str__(self) -> str:
        sizes = f"{self.n_units} x {self.size}{'' if self.even else ' uneven'}"
        return f"{sizes:14} {self.labels:7} {self.metric:13}"


_ASKED: tuple[tuple[str, Metric], ...] = (
    ("number", "squared_error"),
    ("number", "r2"),
    ("mixed", "auc"),
    ("unit's", "auc"),
)
WORLDS = tuple(
    World(n_units, size, even, labels, metric)
    for n_units, size, even in (
        (200, 1, True),
        (40, 5, True),
        (40, 5, False),
        (20, 10, True),
        (20, 10, False),
        (100, 3, False),
    )
    for labels, metric in _ASKED
)


def draw(
    world: World, generator: np.random.Generator
) -> tuple[NDArray[np.float64], Samples]:
    """Return columns with a character of the unit in each, and samples without them."""
    sizes = (
        np.full(world.n_units, world.size)
        if world.even
        else generator.geometric(1 / world.size, size=world.n_units)
    )
    units = np.repeat(np.arange(world.n_units), sizes).astype(np.int32)
    of_units = generator.normal(size=(world.n_units, _COLUMNS))
    x = of_units[units] + generator.normal(size=(len(units), _COLUMNS))
    character = generator.normal(size=world.n_units)
    labels: Labels
    if world.labels == "unit's":
        of_each = _bent(of_units) + 0.7 * character
        labels = (of_each > np.median(of_each)).astype(np.int32)[units]
    else:
        value = _bent(x) + character[units] + generator.normal(size=len(units))
        labels = (value > 0).astype(np.int32) if world.labels == "mixed" else value
    task: Task = "regression" if world.labels == "number" else "binary"
    classes = () if task == "regression" else ("no", "yes")
    return x, Samples(pd.DataFrame(), labels, task, classes, units, unit="unit")


def _bent(x: NDArray[np.float64]) -> NDArray[np.float64]:
    line: NDArray[np.float64] = 0.5 * x[:, 0] + 0.5 * x[:, 1] + 0.2 * x[:, 2] * x[:, 3]
    return line


def kernels(x: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield the kernels of the two models; the constant is an intercept."""
    line = x @ x.T / _COLUMNS
    distances = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    yield line + 1
    yield np.exp(-distances / (4 * _COLUMNS)) + 0.2 * line + 1


def out_of_fold(
    kernel: NDArray[np.float64], labels: Labels, folds: NDArray[np.int16]
) -> NDArray[np.float64]:
    """Return predictions of each fold from the others; of a class, both columns."""
    predicted = np.empty(len(labels))
    for fold in range(folds.max() + 1):
        test = folds == fold
        own = kernel[np.ix_(~test, ~test)] + np.eye(int((~test).sum()))
        predicted[test] = kernel[np.ix_(test, ~test)] @ np.linalg.solve(
            own, labels[~test].astype(float)
        )
    if labels.dtype.kind == "f":
        return predicted[:, None]
    return np.column_stack([1 - predicted, predicted])


def intervals(world: World, number: int) -> dict[str, tuple[Interval, Interval]]:
    """Return the intervals of a score and of a lead, taken by row and by unit."""
    x, samples = draw(world, np.random.default_rng(number))
    plan = SplitPlan(folds=5, repeats=_REPEATS, inner_folds=2)
    outer = draw_folds(samples, plan, number).outer
    labels, units = samples.labels, samples.unit_of_rows()
    rows = np.arange(len(labels), dtype=np.int32)
    by: dict[str, NDArray[np.int32]] = {"row": rows, "unit": units}
    parts: dict[str, list[NDArray[np.float64]]] = {"row": [], "unit": []}
    for kernel in kernels(x):
        predicted = [out_of_fold(kernel, labels, folds) for folds in outer]
        for name, numbers in by.items():
            parts[name].append(
                np.column_stack(
                    [
                        row_parts(world.metric, labels, p, folds, numbers)
                        for p, folds in zip(predicted, outer, strict=True)
                    ]
                )
            )

    def both(what: int) -> tuple[Interval, Interval]:
        row, unit = (parts[name][1] - what * parts[name][0] for name in by)
        return clt_split(row, 0.05), clt_split(unit, 0.05, units)

    return {"score": both(0), "lead": both(1)}


def holds(intervals: list[Interval], *, normal: bool = False) -> str:
    """Return the shares of 90 % and 95 % intervals that hold the mean of all estimates."""
    truth = np.mean([interval.estimate for interval in intervals])
    shares = []
    for level in _LEVELS:
        inside = []
        for interval in intervals:
            if normal:
                half = float(norm.ppf(0.5 + level / 2)) * interval.error
                low, high = interval.estimate - half, interval.estimate + half
            else:
                low, high = (
                    interval.interval_95
                    if level == 0.95
                    else (interval.lower, interval.upper)
                )
            inside.append(low <= truth <= high)
        shares.append(f"{np.mean(inside):.2f}")
    return " ".join(shares)


def main(arguments: list[str]) -> None:
    repetitions = int(arguments[0]) if arguments else 400
    print(f"{repetitions} tables each; shares of 90 % and 95 % intervals that hold")
    print(f"{'':37}  of     by row     by unit, z  by unit, t  SE / sd")
    for world in WORLDS:
        drawn = [intervals(world, number) for number in range(repetitions)]
        for what in ("score", "lead"):
            row, unit = (
                list(of)
                for of in zip(*(of_table[what] for of_table in drawn), strict=True)
            )
            spread = np.std([of_table.estimate for of_table in unit])
            error = np.sqrt(np.mean([of_table.error**2 for of_table in unit]))
            print(
                f"{world!s:37}  {what:5}  {holds(row, normal=True)}  "
                f"{holds(unit, normal=True)}   {holds(unit)}   {error / spread:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
