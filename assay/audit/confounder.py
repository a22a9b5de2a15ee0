"""Confounder: is the signal a column's that says where a row came from, a site, a scanner, a batch?

The features are scored over all pairs of rows and over pairs of rows of one level of the column. If
most of what they know is gone inside the levels, they know the level, not the label. A column that is
itself a feature is left out of the inputs: the question is what the others know.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from assay.audit.columns import every_column, holds_levels, is_only_feature, levels
from assay.audit.finding import Look
from assay.audit.kernel_ridge import (
    Learner,
    dealt_rows,
    pooled_strength,
    tail_of,
    targets_of,
)
from assay.data.samples import Samples
from assay.errors import StudyError
from assay.store.records import MIN_UNITS_TO_COMPARE, Flag
from assay.store.seeds import generator_for
from assay.study.plans import AuditPlan

NAME = "confounder"
_FEWEST_ROWS = 60
_MOST_LEVELS, _ROWS_OF_A_LEVEL, _LEAST_SHARE = 50, 10, 0.8
_LEAST_LEAD = {"binary": 0.05, "multiclass": 0.05, "regression": 0.10}
_MOST_KEPT = 0.5  # of the lead, inside the levels
_DRAWS = 199
_WIDENED = 1.25


@dataclass(frozen=True)
class _Lead:
    """What the other columns score over all rows, and over rows of one level."""

    overall: float
    within: float
    p: float


def look(
    samples: Samples,
    plan: AuditPlan,
    seed: int,
    learner: Learner,
    named: frozenset[str] = frozenset(),
) -> Look:
    """Look at every column of 2 to 50 levels, features and set aside, and at ``plan.sources``.

    ``named`` are columns that another sentinel alarms on already.

    Raises
    ------
    StudyError
        If ``plan.sources`` names a column that is not there.
    """
    candidates = _candidates(samples, plan, named)
    if samples.n_rows < _FEWEST_ROWS:
        why = f"{samples.n_rows} rows; at least {_FEWEST_ROWS} are needed"
        return Look(not_looked_for={NAME: why})
    if not candidates:
        why = (
            "no column of 2 to 50 levels of 10 rows or more, and none in audit.sources"
        )
        return Look(not_looked_for={NAME: why})
    flags = []
    for name, level in candidates.items():
        lead = _lead(name, level, samples, plan, seed, learner)
        if lead is not None and lead.p * len(candidates) <= plan.alarm:
            p, n_levels = lead.p * len(candidates), len(np.unique(level))
            flags.append(_flag(name, lead, p, n_levels, samples))
    return Look(tuple(flags), (NAME,))


def _flag(name: str, lead: _Lead, p: float, n_levels: int, samples: Samples) -> Flag:
    unit = (
        f", or write unit = '{name}' in the plan"
        if n_levels >= MIN_UNITS_TO_COMPARE
        else ""
    )
    metric = "correlation" if samples.task == "regression" else "AUC"
    return Flag(
        sentinel=NAME,
        columns=(name,),
        rows=(),
        evidence=(
            f"what the other columns know is mostly '{name}': their {metric} is {lead.overall:.3f} over all rows, but "
            f"{lead.within:.3f} among rows that share a value of '{name}' (p = {p:.1g}, all columns counted)"
        ),
        answer=(
            f"If '{name}' says where a row came from, check the hypothesis on rows of one value of it, or on rows in which "
            f"it does not go with the label{unit}. "
            f"If it is the label in other words or an honest cause of it, add {{sentinel = '{NAME}', columns = ['{name}'], "
            f"reason = '...'}} to audit.accept."
        ),
    )


def _candidates(
    samples: Samples, plan: AuditPlan, named: frozenset[str]
) -> dict[str, NDArray[np.int64]]:
    """Return the level of each row, missing a level too, of the columns to look at."""
    columns = every_column(samples)
    for name in plan.sources:
        if name not in columns:
            raise StudyError(
                f"audit.sources names a column {name!r}, but neither the features nor the columns set aside have it "
                f"(a column of one value is left out): {', '.join(columns)}."
            )
    found = {}
    for name, column in columns.items():
        if is_only_feature(samples, name):
            continue
        if name in plan.sources or (name not in named and _has_levels(column)):
            found[name] = levels(column) + int(column.isna().any())
    return found


def _has_levels(column: "pd.Series[Any]") -> bool:
    """Return whether 2 to 50 levels of 10 rows or more hold most of the rows."""
    if not holds_levels(column):
        return False
    counts = column.value_counts(dropna=False)
    large = counts[counts >= _ROWS_OF_A_LEVEL]
    return 2 <= len(large) <= _MOST_LEVELS and bool(
        large.sum() >= _LEAST_SHARE * len(column)
    )


def _lead(
    name: str,
    level: NDArray[np.int64],
    samples: Samples,
    plan: AuditPlan,
    seed: int,
    learner: Learner,
) -> _Lead | None:
    """Return the lead if there is one and most of it is gone inside the levels, else None.

    Of a feature first with it among the inputs, and without it only if most is gone so.
    """
    rows, task = learner.rows, samples.task
    targets, groups = targets_of(samples.labels[rows], task), level[rows]
    scores = _scores(samples, targets, seed, learner)
    if not _mostly_gone(scores, targets, groups, samples, plan):
        return None
    if name in samples.features.columns:
        scores = _scores(samples, targets, seed, learner, without=name)
        if not _mostly_gone(scores, targets, groups, samples, plan):
            return None
    generator = generator_for(seed, NAME, name)
    permuted = (_permuted(groups, samples, rows, generator) for _ in range(_DRAWS))
    null = [pooled_strength(scores, targets, other, task) for other in permuted]
    overall = pooled_strength(scores, targets, np.zeros_like(groups), task)
    within = pooled_strength(scores, targets, groups, task)
    return _Lead(overall, within, tail_of(-within, -np.array(null)))


def _scores(
    samples: Samples,
    targets: NDArray[np.float64],
    seed: int,
    learner: Learner,
    without: str | None = None,
) -> NDArray[np.float64]:
    """Return out-of-fold scores of the learner's rows, centred in each fold, which has an intercept of its own."""
    fold = dealt_rows(samples, learner.rows, generator_for(seed, NAME))
    scores = learner.ridge(learner.rows, without).out_of_fold(targets, fold)
    for k in np.unique(fold):
        scores[fold == k] -= scores[fold == k].mean(axis=0)
    return scores


def _mostly_gone(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.int64],
    samples: Samples,
    plan: AuditPlan,
) -> bool:
    """Return whether there is a lead that chance has not, and at most half of it inside the levels."""
    task = samples.task
    chance = 0.0 if task == "regression" else 0.5
    lead = pooled_strength(scores, targets, np.zeros_like(groups), task) - chance
    inside = pooled_strength(scores, targets, groups, task) - chance
    least = max(_LEAST_LEAD[task], _chance_lead(samples, targets, plan.alarm))
    return (
        lead >= least
        and inside <= _MOST_KEPT * lead
        and lead - inside >= plan.smallest_leak
    )


def _chance_lead(samples: Samples, targets: NDArray[np.float64], alarm: float) -> float:
    """Return the lead over chance that features without a signal reach with probability ``alarm``.

    Normal approximation of the Mann-Whitney statistic or of the correlation, its standard error
    widened by the factor 1.25 measured for the dependence between folds (PROTOCOL pitfall 10); as
    many rows count as there are units.
    """
    n, share = len(targets), samples.n_units / samples.n_rows
    if samples.task == "regression":
        error = 1 / np.sqrt(n * share)
    else:
        n1 = (targets > 0).sum(axis=0)
        error = np.sqrt((n + 1) / (12 * n1 * (n - n1) * share)).mean()
    return float(_WIDENED * error * norm.isf(alarm))


def _permuted(
    level: NDArray[np.int64],
    samples: Samples,
    rows: NDArray[np.int64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the levels shuffled: over rows, over units that have one each, round in a circle in time."""
    if samples.times is not None:
        return np.roll(level, int(generator.integers(1, len(level))))
    if samples.units is not None:
        _, first, unit = np.unique(
            samples.units[rows], return_index=True, return_inverse=True
        )
        if np.array_equal(level[first][unit], level):
            return generator.permutation(level[first])[unit]
    return generator.permutation(level)
