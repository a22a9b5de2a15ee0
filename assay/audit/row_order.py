"""Row order: does the place of a row in the file tell anything about it (PROTOCOL section 5.3)?

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
from assay.audit.kernel_ridge import (
    FOLDS,
    dealt_rows,
    fold_strength,
    nth,
    prepared,
    targets_of,
)
from assay.audit.sentinel import Case, Finding
from assay.data.samples import Labels, Samples
from assay.store.records import Flag
from assay.store.seeds import generator_for
from assay.wording import Sentence

NAME = "row_order"
_FEWEST_UNITS = 30
_MOST_ROWS, _TENTHS = 10_000, 10
_MOST_INPUTS = 64
_FEWEST_DRAWS = 199
_FEW_CHANGES = 0.1  # of label from row to row, of as many as at random
_FOLLOWS = 0.9  # Spearman correlation from which a column is named beside an alarm

_MOST_NAMED = 3

# The tests in their order, and the sentence of each.
_SIGNS = {
    "labels": "audit.row_order.labels",
    "tenths": "audit.row_order.tenths",
    "columns": "audit.row_order.column",
    "rows": "audit.row_order.rows",
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
        Columns of numbers and dates and the targets, whose name is None, and their centred ranks;
        missing ones in the middle.
    inputs : shape (n_rows, n_inputs)
        What models are shown, scaled.
    """

    tenth: NDArray[np.int64]
    stretch: NDArray[np.int64]
    apart: NDArray[np.bool_]
    targets: NDArray[np.float64]
    names: tuple[str | None, ...]
    ranks: NDArray[np.float64]
    inputs: NDArray[np.float32]


@dataclass(frozen=True)
class Test:
    """One test: its p value, and its statistic as a multiple of what random order gives."""

    p: float
    ratio: float


@dataclass(frozen=True)
class _Signs:
    """What the tests that alarm show, and the columns that they name."""

    sentences: tuple[Sentence, ...] = ()
    columns: frozenset[str] = frozenset()


def detect(case: Case) -> Finding:
    """Look for an order of the rows that the study does not declare."""
    samples = case.samples
    if samples.times is not None:
        order = samples.order or "time"
        return Finding.skipped(
            Sentence.of("audit.row_order.declared", order=order), NAME
        )
    rows = _one_of_each_unit(samples, case.seed)
    if len(rows) < _FEWEST_UNITS:
        why = Sentence.of("audit.few_units", n=len(rows), fewest=_FEWEST_UNITS)
        return Finding.skipped(why, NAME)
    signs = _signs(line_of(samples, rows, case.seed), case)
    if not signs.sentences:
        return Finding(looked_for=(NAME,))
    if _by_target(samples.labels[rows]):
        signs = _signs_of_sorted(rows, case)
    return Finding((_flag(signs, case),), (NAME,))


def _signs(line: Line, case: Case) -> _Signs:
    """Return the signs of an order in these rows, none if no test alarms."""
    level = case.plan.row_order
    draws = max(_FEWEST_DRAWS, math.ceil(4 / level - 1e-9) - 1)
    tests = order_tests(line, draws, generator_for(case.seed, NAME))
    alarms = [name for name, test in tests.items() if 4 * test.p <= level + 1e-9]
    column, along = _strongest_column(line)
    sentences = tuple(
        _correlated(column, along)
        if name == "columns"
        else Sentence.of(_SIGNS[name], ratio=tests[name].ratio)
        for name in alarms
    )
    named = {column} if column is not None and "columns" in alarms else set()
    return _Signs(sentences, frozenset(named))


def _correlated(column: str | None, correlation: float) -> Sentence:
    if column is None:
        return Sentence.of("audit.row_order.label", correlation=correlation)
    return Sentence.of(_SIGNS["columns"], column=column, correlation=correlation)


def _signs_of_sorted(rows: NDArray[np.int64], case: Case) -> _Signs:
    """Return the signs in rows that are sorted by the target: of classes, those inside each."""
    samples = case.samples
    if samples.task == "regression":
        return _Signs((Sentence.of("audit.row_order.sorted"),))
    line = line_of(samples, rows, case.seed, stretches=samples.labels[rows])
    inside = _signs(line, case)
    sentences = inside.sentences or (Sentence.of("audit.row_order.no_order"),)
    return _Signs(
        (Sentence.of("audit.row_order.sorted_inside", signs=sentences),), inside.columns
    )


def _flag(signs: _Signs, case: Case) -> Flag:
    along = [name for name in _columns_along(case.samples) if name not in signs.columns]
    also = (
        Sentence.of("audit.row_order.column_too", column=name)
        for name in along[:_MOST_NAMED]
    )
    near, far = _worth(case)
    return Flag(
        sentinel=NAME,
        columns=(),
        rows=(),
        evidence=Sentence.of(
            "audit.row_order.evidence",
            level=case.plan.row_order,
            signs=(*signs.sentences, *also),
            metric=case.metric,
            near=near,
            far=far,
        ),
        answer=Sentence.of(
            "audit.row_order.answer", column=along[0] if along else "..."
        ),
    )


def _worth(case: Case) -> tuple[float, float]:
    """Return what shuffled folds score, and what folds of whole stretches do on the same rows.

    Both keep units whole.
    """
    samples, learner = case.samples, case.learner
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
    return near, far


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
        names=(*names, *[None] * targets.shape[1]),
        ranks=np.column_stack([ranks, targets]),
        inputs=_narrow(prepared(samples.features.iloc[rows]), seed),
    )


def _ranks(features: pd.DataFrame) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the columns that are numbers or dates, and their centred ranks, at most 1 / 2 in size."""
    ranks = {
        str(name): _centred_ranks(values)
        for name in features.columns
        if (values := moments(features[name])) is not None
    }
    if not ranks:
        return (), np.empty((len(features), 0))
    return tuple(ranks), np.column_stack(list(ranks.values()))


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    given = ~np.isnan(values)
    ranks = np.zeros(len(values))
    if given.any():
        ranks[given] = rankdata(values[given]) / given.sum()
        ranks[given] -= ranks[given].mean()
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
    """Return columns, features or set aside, that follow the row number, the closest first."""
    place = _centred_ranks(np.arange(samples.n_rows, dtype=np.float64))
    correlations = {}
    for name, column in every_column(samples).items():
        values = moments(column)
        ranks = _centred_ranks(values) if values is not None else np.zeros_like(place)
        correlation = abs(_correlations(ranks[:, None], place)[0])
        if correlation >= _FOLLOWS:
            correlations[name] = correlation
    return sorted(correlations, key=lambda name: -correlations[name])


def _correlations(
    ranks: NDArray[np.float64], place: NDArray[np.float64]
) -> NDArray[np.float64]:
    sizes = np.sqrt(np.square(ranks).sum(axis=0) * (place @ place))
    tiny = np.finfo(np.float64).tiny
    correlations: NDArray[np.float64] = place @ ranks / np.maximum(sizes, tiny)
    return correlations


def _strongest_column(line: Line) -> tuple[str | None, float]:
    """Return the column that follows the row number most, None for the label, and their rank correlation."""
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
            _SIGNS, (1 + as_high) / (draws + 1), observed / usual, strict=True
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
