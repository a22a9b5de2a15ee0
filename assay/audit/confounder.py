"""Confounder: is the signal a column's that says where a row came from, a site, a scanner, a batch?

The features are scored over all pairs of rows and over pairs of rows of one category of the column. If
most of the signal is gone inside the categories, the features tell the category, not the label. A column
that is itself a feature is left out of the inputs: the question is what the others tell.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from assay.audit.columns import codes_of, every_column, is_discrete, is_only_feature
from assay.audit.kernel_ridge import (
    dealt_rows,
    pooled_strength,
    tail_of,
    targets_of,
)
from assay.audit.sentinel import Case, Finding
from assay.data.samples import Samples
from assay.errors import StudyError
from assay.store.records import MIN_UNITS_TO_COMPARE, Flag
from assay.store.seeds import generator_for
from assay.wording import Sentence

NAME = "confounder"
_FEWEST_ROWS = 60
_MOST_CATEGORIES, _ROWS_OF_A_CATEGORY, _LEAST_SHARE = 50, 10, 0.8
_LEAST_LEAD = {"binary": 0.05, "multiclass": 0.05, "regression": 0.10}
_MOST_KEPT = 0.5  # of the lead, inside the categories
_DRAWS = 199
_WIDENED = 1.25


@dataclass(frozen=True)
class _Lead:
    """What the other columns score over all rows, and over rows of one category."""

    overall: float
    within: float
    p: float


def detect(case: Case) -> Finding:
    """Look at every column of 2 to 50 categories, features and set aside, and at ``plan.sources``.

    Raises
    ------
    StudyError
        If ``plan.sources`` names a column that is not there.
    """
    candidates, n_rows = _candidates(case), case.samples.n_rows
    if n_rows < _FEWEST_ROWS:
        why = Sentence.of("audit.confounder.few_rows", n=n_rows, fewest=_FEWEST_ROWS)
        return Finding.skipped(why, NAME)
    if not candidates:
        return Finding.skipped(Sentence.of("audit.confounder.no_column"), NAME)
    flags = []
    for name, categories in candidates.items():
        lead = _lead(name, categories, case)
        if lead is not None and lead.p * len(candidates) <= case.plan.alarm:
            p, n_categories = lead.p * len(candidates), len(np.unique(categories))
            flags.append(_flag(name, lead, p, n_categories, case))
    return Finding(tuple(flags), (NAME,))


def _flag(name: str, lead: _Lead, p: float, n_categories: int, case: Case) -> Flag:
    answer = "audit.confounder.answer"
    if n_categories >= MIN_UNITS_TO_COMPARE:
        answer = "audit.confounder.answer_or_unit"
    return Flag(
        sentinel=NAME,
        columns=(name,),
        rows=(),
        evidence=Sentence.of(
            "audit.confounder.evidence",
            column=name,
            metric=case.metric,
            overall=lead.overall,
            within=lead.within,
            p=p,
        ),
        answer=Sentence.of(answer, column=name),
    )


def _candidates(case: Case) -> dict[str, NDArray[np.int64]]:
    """Return the category of each row, missing being one too, of the columns to look at."""
    samples, sources = case.samples, case.plan.sources
    columns = every_column(samples)
    for name in sources:
        if name not in columns:
            raise StudyError(
                "audit.confounder.no_source", column=name, columns=tuple(columns)
            )
    return {
        name: codes_of(column) + int(column.isna().any())
        for name, column in columns.items()
        if not is_only_feature(samples, name)
        and (name in sources or (name not in case.flagged and _is_grouping(column)))
    }


def _is_grouping(column: "pd.Series[Any]") -> bool:
    """Return whether 2 to 50 categories of 10 rows or more hold most of the rows."""
    if not is_discrete(column):
        return False
    counts = column.value_counts(dropna=False)
    large = counts[counts >= _ROWS_OF_A_CATEGORY]
    return 2 <= len(large) <= _MOST_CATEGORIES and bool(
        large.sum() >= _LEAST_SHARE * len(column)
    )


def _lead(name: str, categories: NDArray[np.int64], case: Case) -> _Lead | None:
    """Return the lead if there is one and most of it is gone inside the categories, else None.

    Of a feature first with it among the inputs, and without it only if most is gone so.
    """
    samples, rows = case.samples, case.learner.rows
    task = samples.task
    targets, groups = targets_of(samples.labels[rows], task), categories[rows]
    scores = _scores(case, targets)
    if not _mostly_gone(scores, targets, groups, case):
        return None
    if name in samples.features.columns:
        scores = _scores(case, targets, without=name)
        if not _mostly_gone(scores, targets, groups, case):
            return None
    generator = generator_for(case.seed, NAME, name)
    permuted = (_permuted(groups, samples, rows, generator) for _ in range(_DRAWS))
    null = [pooled_strength(scores, targets, other, task) for other in permuted]
    overall = pooled_strength(scores, targets, np.zeros_like(groups), task)
    within = pooled_strength(scores, targets, groups, task)
    return _Lead(overall, within, tail_of(-within, -np.array(null)))


def _scores(
    case: Case, targets: NDArray[np.float64], without: str | None = None
) -> NDArray[np.float64]:
    """Return out-of-fold scores of the learner's rows, centred in each fold, which has an intercept of its own."""
    learner = case.learner
    fold = dealt_rows(case.samples, learner.rows, generator_for(case.seed, NAME))
    scores = learner.ridge(learner.rows, without).out_of_fold(targets, fold)
    for k in np.unique(fold):
        scores[fold == k] -= scores[fold == k].mean(axis=0)
    return scores


def _mostly_gone(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.int64],
    case: Case,
) -> bool:
    """Return whether there is a lead that chance has not, and at most half of it inside the groups."""
    task, plan = case.samples.task, case.plan
    chance = 0.0 if task == "regression" else 0.5
    lead = pooled_strength(scores, targets, np.zeros_like(groups), task) - chance
    inside = pooled_strength(scores, targets, groups, task) - chance
    least = max(_LEAST_LEAD[task], _chance_lead(case.samples, targets, plan.alarm))
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
    categories: NDArray[np.int64],
    samples: Samples,
    rows: NDArray[np.int64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the categories shuffled: over rows, over units that have one each, round in a circle in time."""
    if samples.times is not None:
        return np.roll(categories, int(generator.integers(1, len(categories))))
    if samples.units is not None:
        _, first, unit = np.unique(
            samples.units[rows], return_index=True, return_inverse=True
        )
        if np.array_equal(categories[first][unit], categories):
            return generator.permutation(categories[first])[unit]
    return generator.permutation(categories)
