"""Row order: does the place of a row in the file say anything of it (PROTOCOL section 5.3)?

Rows that come in an order (of time, of speakers, of a sort) are not drawn one by one, and shuffled
folds may learn from a row's neighbour. Four permutation tests of one question; the smallest p value
counts, times four.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.audit.columns import every_column, moments
from assay.audit.finding import Look
from assay.audit.kernel_ridge import (
    FOLDS,
    Learner,
    dealt_rows,
    fold_strength,
    nth,
    prepared,
    targets_of,
)
from assay.data.samples import Labels, Samples
from assay.store.records import Flag
from assay.store.seeds import generator_for
from assay.study.plans import AuditPlan

NAME = "row_order"
_FEWEST_UNITS = 30
_MOST_ROWS, _TENTHS = 10_000, 10
_MOST_INPUTS = 64
_FEWEST_DRAWS = 199
_FEW_CHANGES = 0.1  # of label from row to row, of as many as at random
_RUNS_ALONG = 0.9  # Spearman correlation from which a column is named beside an alarm

_SAID = {
    "labels": "neighbouring labels differ {ratio:.2f} times as much as in random order",
    "tenths": "labels vary {ratio:.1f} times as much between tenths of the file as in random order",
    "columns": "{column} runs with the rows (rank correlation {along:.2f})",
    "rows": "neighbouring rows differ {ratio:.2f} times as much as in random order",
}


@dataclass(frozen=True)
class Line:
    """Rows in the order of the file, and what of them is compared.

    Attributes
    ----------
    tenth : shape (n_rows,)
        Tenth of the file, never falling.
    stretch : shape (n_rows,)
        Rows are permuted inside these, numbered along the file.
    apart : shape (n_rows - 1,)
        Whether a row and the next are no neighbours.
    targets : shape (n_rows, n_targets)
    names, ranks : shape (n_rows, n_columns)
        Columns of numbers and dates and the targets, and their centred ranks; missing ones in the
        middle.
    inputs : shape (n_rows, n_inputs)
        What models are shown, scaled.
    """

    tenth: NDArray[np.int64]
    stretch: NDArray[np.int64]
    apart: NDArray[np.bool_]
    targets: NDArray[np.float64]
    names: tuple[str, ...]
    ranks: NDArray[np.float64]
    inputs: NDArray[np.float32]


@dataclass(frozen=True)
class Test:
    """One test: its p value, and its statistic as a multiple of what random order gives."""

    p: float
    ratio: float


def look(samples: Samples, plan: AuditPlan, seed: int, learner: Learner) -> Look:
    """Look for an order of the rows that the study does not declare."""
    if samples.times is not None:
        why = f"the study says that '{samples.order}' orders the rows"
        return Look(not_looked_for={NAME: why})
    rows = _one_of_each_unit(samples, seed)
    if len(rows) < _FEWEST_UNITS:
        why = f"{len(rows)} units; at least {_FEWEST_UNITS} are needed"
        return Look(not_looked_for={NAME: why})
    said = _what_is_seen(line_of(samples, rows, seed), plan, seed)
    if not said:
        return Look(looked_for=(NAME,))
    if _by_target(samples.labels[rows]):
        said = "they are sorted by the target, wholly or in long stretches"
        if samples.task != "regression":
            inside = line_of(samples, rows, seed, stretches=samples.labels[rows])
            seen = _what_is_seen(inside, plan, seed) or "no order is seen"
            said += f"; among rows of one label {seen}"
    return Look((_flag(said, samples, plan, learner),), (NAME,))


def _what_is_seen(line: Line, plan: AuditPlan, seed: int) -> str:
    """Return in words what the tests that fire have seen; empty if none does."""
    draws = max(_FEWEST_DRAWS, math.ceil(4 / plan.row_order - 1e-9) - 1)
    tests = order_tests(line, draws, generator_for(seed, NAME))
    column, along = _strongest_column(line)
    return "; ".join(
        _SAID[name].format(ratio=test.ratio, column=column, along=along)
        for name, test in tests.items()
        if 4 * test.p <= plan.row_order + 1e-9
    )


def _flag(said: str, samples: Samples, plan: AuditPlan, learner: Learner) -> Flag:
    named = [name for name in _columns_along(samples) if f"'{name}'" not in said]
    also = "".join(f"; '{name}' runs with the rows too" for name in named[:3])
    column = f"'{named[0]}'" if named else "'...'"
    return Flag(
        sentinel=NAME,
        columns=(),
        rows=(),
        evidence=(
            f"the rows are not in random order (level {plan.row_order:g}): {said}{also}. "
            f"{_worth(samples, learner)}"
        ),
        answer=(
            f"If the rows are in order of time, write order = {column} in the plan, the column that says when. If "
            f"neighbours belong together, write unit = '...', the column that says what they share. If the order has "
            f"nothing to do with new rows, as in a file sorted by its target, add {{sentinel = '{NAME}', reason = "
            f"'...'}} to audit.accept: folds are shuffled."
        ),
    )


def _worth(samples: Samples, learner: Learner) -> str:
    """Say what shuffled folds score, and what folds of whole stretches do on the same rows.

    Both keep units whole.
    """
    rows, task = learner.rows, samples.task
    labels = samples.labels[rows]
    classes = np.zeros_like(rows)
    if task != "regression" and _by_target(samples.labels):
        classes = np.unique(labels, return_inverse=True)[1].reshape(-1)
    stretch = _stretches(samples.unit_of_rows()[rows], classes)
    targets, ridge = targets_of(labels, task), learner.ridge(rows)
    shuffled = dealt_rows(samples, rows, generator_for(learner.seed, NAME, "folds"))
    near, far = (
        fold_strength(ridge.out_of_fold(targets, fold), targets, stretch, task)
        for fold in (shuffled, stretch)
    )
    metric = "correlation" if task == "regression" else "AUC"
    return f"Shuffled folds score {metric} {near:.3f}, folds of whole stretches of the file {far:.3f}, by a quick model"


def _stretches(
    units: NDArray[np.int32], classes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the fold of each row: stretches of units in the order of their first rows, for each class."""
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    of_units = classes[first]
    in_file = np.argsort(first)
    stretch = np.empty(len(first), dtype=np.int64)
    ordered = of_units[in_file]
    stretch[in_file] = nth(ordered) * FOLDS // np.bincount(ordered)[ordered]
    return stretch[unit.reshape(-1)]


# The rows in line ------------------------------------------------------------------------------


def _one_of_each_unit(samples: Samples, seed: int) -> NDArray[np.int64]:
    """Return a random row of each unit, in the order of the file: rows of one unit may be alike."""
    shuffled = generator_for(seed, NAME, "units").permutation(samples.n_rows)
    first = np.unique(samples.unit_of_rows()[shuffled], return_index=True)[1]
    return np.sort(shuffled[first])


def line_of(
    samples: Samples,
    rows: NDArray[np.int64],
    seed: int,
    stretches: Labels | None = None,
) -> Line:
    """Return these rows in line; of more than 10,000 a run of 1,000 from each tenth.

    ``stretches`` of equal values are what rows are permuted inside; None: the whole line.
    """
    n = len(rows)
    tenth = np.arange(n) * _TENTHS // n
    kept = np.arange(n)
    if n > _MOST_ROWS:
        starts = np.arange(_TENTHS) * n // _TENTHS
        kept = (starts[:, None] + np.arange(_MOST_ROWS // _TENTHS)).ravel()
    values = np.zeros(n) if stretches is None else stretches
    changes = np.concatenate([[0], np.cumsum(values[1:] != values[:-1])])
    stretch = np.unique(changes[kept], return_inverse=True)[1].reshape(-1)
    rows = rows[kept]
    targets = targets_of(samples.labels[rows], samples.task)
    names, ranks = _ranks(samples.features.iloc[rows])
    return Line(
        tenth=tenth[kept],
        stretch=stretch,
        apart=(np.diff(kept) > 1) | (np.diff(stretch) > 0),
        targets=targets,
        names=(*names, *["the label"] * targets.shape[1]),
        ranks=np.column_stack([ranks, targets]),
        inputs=_narrow(prepared(samples.features.iloc[rows]), seed),
    )


def _ranks(features: pd.DataFrame) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the columns that are numbers or dates, and their centred ranks, at most 1 / 2 in size."""
    found = {
        f"'{name}'": _centred_ranks(values)
        for name in features.columns
        if (values := moments(features[name])) is not None
    }
    if not found:
        return (), np.empty((len(features), 0))
    return tuple(found), np.column_stack(list(found.values()))


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    ranks = np.zeros(len(values))
    if known.any():
        ranks[known] = rankdata(values[known]) / known.sum()
        ranks[known] -= ranks[known].mean()
    return ranks


def _narrow(inputs: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return at most 64 inputs: of more, random projections, which keep distances on the whole."""
    if inputs.shape[1] <= _MOST_INPUTS:
        return inputs
    directions = generator_for(seed, NAME, "directions").normal(
        size=(inputs.shape[1], _MOST_INPUTS)
    )
    return inputs @ directions.astype(np.float32)


def _by_target(labels: Labels) -> bool:
    """Return whether equal labels stand together in few stretches, or numbers only rise or only fall."""
    steps = np.diff(labels)
    if np.issubdtype(labels.dtype, np.floating):
        return bool((steps >= 0).all() or (steps <= 0).all())
    counts = np.bincount(labels)
    at_random = len(labels) - np.square(counts).sum() / len(labels)
    changes = int((steps != 0).sum())
    fewest = int(np.count_nonzero(counts)) - 1
    return changes <= max(fewest, float(_FEW_CHANGES * at_random))


def _columns_along(samples: Samples) -> list[str]:
    """Return columns, features or set aside, that run with the rows, the closest first."""
    place = _centred_ranks(np.arange(samples.n_rows, dtype=np.float64))
    found = {}
    for name, column in every_column(samples).items():
        values = moments(column)
        ranks = _centred_ranks(values) if values is not None else np.zeros_like(place)
        along = _correlations(ranks[:, None], place)[0]
        if abs(along) >= _RUNS_ALONG:
            found[name] = abs(along)
    return sorted(found, key=lambda name: -found[name])


def _correlations(
    ranks: NDArray[np.float64], place: NDArray[np.float64]
) -> NDArray[np.float64]:
    sizes = np.sqrt(np.square(ranks).sum(axis=0) * (place @ place))
    tiny = np.finfo(np.float64).tiny
    correlations: NDArray[np.float64] = place @ ranks / np.maximum(sizes, tiny)
    return correlations


def _strongest_column(line: Line) -> tuple[str, float]:
    """Return the column that runs most with the rows, and its rank correlation with them."""
    along = _correlations(line.ranks, _places(line))
    strongest = int(np.argmax(np.abs(along)))
    return line.names[strongest], float(along[strongest])


def _places(line: Line) -> NDArray[np.float64]:
    """Return the place of each row, centred in its stretch."""
    place = np.arange(len(line.stretch), dtype=np.float64)
    middle = np.bincount(line.stretch, weights=place) / np.bincount(line.stretch)
    centred: NDArray[np.float64] = place - middle[line.stretch]
    return centred


# The tests -------------------------------------------------------------------------------------


def order_tests(
    line: Line, draws: int, generator: np.random.Generator
) -> dict[str, Test]:
    """Return four tests, from the same permutations of the rows.

    labels: neighbours differ little; tenths: the mean label varies between tenths; columns: the
    largest rank correlation of a column or a label with the place; rows: neighbours' inputs differ little.

    Returns
    -------
    dict
        p values in ``[1 / (draws + 1), 1]``.
    """
    n = len(line.stretch)
    null = np.array(
        [
            _statistics(line, np.argsort(line.stretch + generator.random(n)))
            for _ in range(draws)
        ]
    )
    observed = _statistics(line, np.arange(n))
    sign = np.array([-1, 1, 1, -1])  # neighbours that differ little are in order
    as_high = (sign * null >= sign * observed - 1e-12).sum(axis=0)
    usual = np.maximum(null.mean(axis=0), np.finfo(np.float64).tiny)
    return {
        name: Test(float(p), float(ratio))
        for name, p, ratio in zip(
            _SAID, (1 + as_high) / (draws + 1), observed / usual, strict=True
        )
    }


def _statistics(line: Line, order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the statistics of the four tests with the rows in another order."""
    targets, inputs = line.targets[order], line.inputs[order]
    steps = np.abs(np.diff(targets, axis=0)).sum(axis=1)
    jumps = np.square(np.diff(inputs, axis=0)).sum(axis=1)
    n_of = np.bincount(line.tenth)
    sums = np.add.reduceat(targets, np.cumsum(n_of) - n_of, axis=0)
    place = np.empty(len(order))
    place[order] = _places(line)
    return np.array(
        [
            steps[~line.apart].sum(),
            np.square(sums / n_of[:, None]).sum(),
            np.abs(_correlations(line.ranks, place)).max(initial=0.0),
            jumps[~line.apart].sum(),
        ]
    )
