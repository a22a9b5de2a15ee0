"""Undeclared unit: do rows that share a value of some column give each other's label away?

The same rows are predicted twice: by rows of the same and of other values, as shuffled folds have
it, and by rows of other values only. What is lost is what shuffled folds owe to knowing the value
(PROTOCOL section 5.4). The column itself is left out of the inputs: what a category says by itself
is no leak, what other columns say by recognising its rows is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.audit.columns import (
    codes_of,
    every_column,
    is_discrete,
    is_number,
    is_only_feature,
)
from assay.audit.kernel_ridge import (
    FOLDS,
    MOST_ROWS,
    Ridge,
    dealt,
    dealt_rows,
    fold_strength,
    nth,
    tail_of,
    targets_of,
)
from assay.audit.sentinel import Case, Finding
from assay.data.permute import first_rows
from assay.data.samples import Samples
from assay.store.records import Flag
from assay.store.seeds import generator_for
from assay.study.plans import AuditPlan
from assay.wording import Sentence

NAME = "undeclared_unit"
_FEWEST_UNITS = 60
_FEWEST_VALUES = 2 * FOLDS
_LEAST_SHARE = 0.1  # of the rows have a value that another row has too
_MOST_COLUMNS = 100
_ROWS_PER_VALUE = 5
_DRAWS, _FIRST_DRAWS, _HOPELESS = 99, 19, 0.1
_ALIKE = 10  # rows of like scores, among which labels are shuffled
_NEAR = 3  # values on either side among which numbers are shuffled


@dataclass(frozen=True)
class _Candidate:
    """A column that might name units.

    Attributes
    ----------
    values : shape (n_units,)
        Its value in each declared unit (or row), numbered; -1 where no other unit has it.
    ordered
        Whether the values are numbers, whose neighbours may be alike.
    """

    name: str
    values: NDArray[np.int64]
    ordered: bool

    @property
    def used(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.values >= 0)

    @property
    def share(self) -> float:
        return len(self.used) / len(self.values)


@dataclass(frozen=True)
class _Gap:
    """What shuffled folds and folds by value score on the same rows."""

    shuffled: float
    by_value: float
    worth: float
    p: float


def detect(case: Case) -> Finding:
    """Look at every column, features and set aside, whose values repeat."""
    samples, plan = case.samples, case.plan
    candidates = _candidates(samples)
    why = _why_not(samples, candidates)
    if why is not None:
        return Finding.skipped(why, NAME)
    flags = []
    for candidate in candidates[:_MOST_COLUMNS]:
        gap = _gap(candidate, case)
        p = gap.p * len(candidates)
        if p <= plan.alarm and gap.worth >= plan.smallest_leak:
            flags.append(_flag(candidate, gap, p, case))
    not_looked_for = {}
    n_left = len(candidates) - _MOST_COLUMNS
    if n_left > 0:
        not_looked_for[NAME] = Sentence.of(
            "audit.undeclared_unit.some_columns", n=n_left, of=len(candidates)
        )
    return Finding(tuple(flags), (NAME,), not_looked_for)


def _why_not(samples: Samples, candidates: list[_Candidate]) -> Sentence | None:
    """Return why units cannot be looked for, None if they can."""
    if samples.times is not None:
        order = samples.order or "time"
        return Sentence.of("audit.undeclared_unit.in_time", order=order)
    if samples.n_units < _FEWEST_UNITS:
        n = samples.n_units
        return Sentence.of("audit.few_units", n=n, fewest=_FEWEST_UNITS)
    if not candidates:
        return Sentence.of("audit.undeclared_unit.no_column")
    return None


def _flag(candidate: _Candidate, gap: _Gap, p: float, case: Case) -> Flag:
    name = candidate.name
    return Flag(
        sentinel=NAME,
        columns=(name,),
        rows=(),
        evidence=Sentence.of(
            "audit.undeclared_unit.evidence",
            column=name,
            n_values=len(np.unique(candidate.values[candidate.used])),
            metric=case.metric,
            shuffled=gap.shuffled,
            by_value=gap.by_value,
            p=p,
        ),
        answer=Sentence.of("audit.undeclared_unit.answer", column=name),
    )


# Candidates ------------------------------------------------------------------------------------


def _candidates(samples: Samples) -> list[_Candidate]:
    """Return the columns that might name units: set aside first, then text, then whole numbers."""
    firsts = first_rows(samples.unit_of_rows())
    candidates = []
    for name, column in every_column(samples).items():
        if is_discrete(column) and not is_only_feature(samples, name):
            values = _repeated(column.iloc[firsts])
            if _could_be_unit(values):
                candidates.append(_Candidate(name, values, is_number(column)))
    aside = set(map(str, samples.aside.columns))
    return sorted(
        candidates,
        key=lambda candidate: (candidate.name not in aside, candidate.ordered),
    )


def _repeated(column: "pd.Series[Any]") -> NDArray[np.int64]:
    """Return values numbered in ascending order, -1 where missing or where no other row has it."""
    values = codes_of(column)
    counts = np.bincount(values[values >= 0], minlength=1)
    kept = (values >= 0) & (counts[values] >= 2)
    renumbered = np.full(len(values), -1, dtype=np.int64)
    renumbered[kept] = np.unique(values[kept], return_inverse=True)[1].reshape(-1)
    return renumbered


def _could_be_unit(values: NDArray[np.int64]) -> bool:
    """Return whether enough units share values, and no value is more than a fold can hold."""
    used = values[values >= 0]
    if len(used) < max(_FEWEST_UNITS, _LEAST_SHARE * len(values)):
        return False
    counts = np.bincount(used)
    return len(counts) >= _FEWEST_VALUES and bool(counts.max() <= len(used) / FOLDS)


# The gap ---------------------------------------------------------------------------------------


def _gap(candidate: _Candidate, case: Case) -> _Gap:
    """Measure the gap; of a feature first with it among the inputs, and without it only if there is one."""
    samples, plan, learner = case.samples, case.plan, case.learner
    generator = generator_for(case.seed, NAME, candidate.name)
    rows = _rows(candidate, case, generator)
    held_out = _HeldOut(candidate, samples, rows, learner.ridge(rows))
    gap = held_out.gap(plan, generator)
    if candidate.name not in samples.features.columns or gap.p > plan.alarm:
        return gap
    without = learner.ridge(rows, candidate.name)
    return _HeldOut(candidate, samples, rows, without).gap(plan, generator)


def _rows(
    candidate: _Candidate, case: Case, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return the rows to look at: the learner's own where values are common, else whole values."""
    samples = case.samples
    units, used = samples.unit_of_rows(), candidate.used
    counts = np.bincount(candidate.values[used])
    common = len(counts) * _ROWS_PER_VALUE <= MOST_ROWS
    if len(used) == len(candidate.values) and (common or samples.n_rows <= MOST_ROWS):
        return case.learner.rows
    chosen = used[generator.permutation(len(used))]
    place = generator.permutation(len(counts))[candidate.values[chosen]]
    chosen = chosen[np.argsort(place, kind="stable")]  # value after value
    most = max(_ROWS_PER_VALUE, MOST_ROWS // len(counts))
    chosen = chosen[nth(candidate.values[chosen]) < most][:MOST_ROWS]
    per_unit = max(1, MOST_ROWS // len(chosen))
    rows = generator.permutation(np.flatnonzero(np.isin(units, chosen)))
    return np.sort(rows[nth(units[rows].astype(np.int64)) < per_unit])


class _HeldOut:
    """Rows, the values they are held out by, and a ridge on them."""

    def __init__(
        self,
        candidate: _Candidate,
        samples: Samples,
        rows: NDArray[np.int64],
        ridge: Ridge,
    ) -> None:
        numbers, unit = np.unique(samples.unit_of_rows()[rows], return_inverse=True)
        values = np.unique(candidate.values[numbers], return_inverse=True)[1]
        self.unit, self.values = unit.reshape(-1), values.reshape(-1)
        self.samples, self.rows, self.ridge = samples, rows, ridge
        self.targets = targets_of(samples.labels[rows], samples.task)
        self.ordered, self.share = candidate.ordered, candidate.share

    def gap(self, plan: AuditPlan, generator: np.random.Generator) -> _Gap:
        """Return the gap and how likely chance alone makes one as large.

        Chance has two forms, and the likelier counts. Values that mean nothing: they are shuffled
        over units, numbers among near ones only, since a measurement, whose near values are alike,
        is no unit. Labels that mean nothing beyond what the folds by value can tell: they are
        shuffled among rows of like scores, and rows of one value stay alike. A gap below the floor,
        or one that the first shuffles show to be ordinary, is not followed up.
        """
        shuffled = self._shuffled_folds(self.targets, generator)
        first, second = self._strengths(self.targets, shuffled, self.values, generator)
        gap, ordinary = first - second, _Gap(first, second, 0.0, 1.0)
        if not gap * self.share >= plan.smallest_leak:  # NaN: nothing to compare
            return ordinary
        null = self._null_of_values(shuffled, _FIRST_DRAWS, generator)
        if not tail_of(gap, null) <= _HOPELESS:
            return ordinary
        more = self._null_of_values(shuffled, _DRAWS - _FIRST_DRAWS, generator)
        null = np.concatenate([null, more])
        p = tail_of(gap, null)
        if p <= plan.alarm:
            p = max(p, tail_of(gap, self._null_of_labels(_DRAWS, generator)))
        return _Gap(first, second, (gap - float(null.mean())) * self.share, p)

    def _null_of_values(
        self, shuffled: NDArray[np.float64], draws: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return gaps of values that mean nothing."""
        gaps = np.empty(draws)
        for draw in range(draws):
            values = self._permuted_values(generator)
            near, far = self._strengths(self.targets, shuffled, values, generator)
            gaps[draw] = near - far
        return gaps

    def _null_of_labels(
        self, draws: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return gaps of labels that mean nothing beyond what the folds by value can tell."""
        fold = dealt(np.bincount(self.values), generator)[self.values][self.unit]
        scores = self.ridge.out_of_fold(self.targets, fold)
        gaps = np.empty(draws)
        for draw in range(draws):
            targets = self._permuted_targets(scores, generator)
            shuffled = self._shuffled_folds(targets, generator)
            near, far = self._strengths(targets, shuffled, self.values, generator)
            gaps[draw] = near - far
        return gaps

    def _shuffled_folds(
        self, targets: NDArray[np.float64], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        fold = dealt_rows(self.samples, self.rows, generator)
        return self.ridge.out_of_fold(targets, fold)

    def _strengths(
        self,
        targets: NDArray[np.float64],
        shuffled: NDArray[np.float64],
        values: NDArray[np.int64],
        generator: np.random.Generator,
    ) -> tuple[float, float]:
        """Return the strength in folds by value of shuffled predictions, and of those without the value."""
        fold = dealt(np.bincount(values), generator)[values][self.unit]
        held = self.ridge.out_of_fold(targets, fold)
        task = self.samples.task
        return (
            fold_strength(shuffled, targets, fold, task),
            fold_strength(held, targets, fold, task),
        )

    def _permuted_values(self, generator: np.random.Generator) -> NDArray[np.int64]:
        if not self.ordered:
            return generator.permutation(self.values)
        near = self.values + generator.uniform(-_NEAR, _NEAR, len(self.values))
        permuted = np.empty_like(self.values)
        permuted[np.argsort(near, kind="stable")] = np.sort(self.values)
        return permuted

    def _permuted_targets(
        self, scores: NDArray[np.float64], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return targets shuffled among ten rows of like scores; among units that have one target each."""
        first = np.unique(self.unit, return_index=True)[1]
        whole = np.array_equal(self.targets[first][self.unit], self.targets)
        things = first if whole else np.arange(len(self.unit))
        likeliest = scores[things].argmax(axis=1)
        order = np.lexsort((scores[things].max(axis=1), likeliest))
        block = np.arange(len(order)) // _ALIKE
        mixed = order[np.argsort(block + generator.random(len(order)))]
        permuted = np.empty_like(self.targets[things])
        permuted[order] = self.targets[things][mixed]
        return permuted[self.unit] if whole else permuted
