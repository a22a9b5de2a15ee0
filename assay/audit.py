"""Audit: look for leaks before a score is shown.

Two sentinels so far, each at its own level (PROTOCOL section 5): a single column that predicts
more than an honest one may, and exact copies of rows. An alarm withholds the verdict until the
study answers it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import norm, rankdata

from assay.plans import Accept, AuditPlan
from assay.records import AuditReport, Flag
from assay.seeds import generator_for, seed_for

LOOKED_FOR = ("single_column", "duplicates")
_N_SIMULATED = 600
_N_ROWS_SHOWN = 10


def audit_samples(
    features: pd.DataFrame, labels: NDArray[np.int32], plan: AuditPlan, seed: int
) -> AuditReport:
    """Run the sentinels and hold their alarms against what the study accepts."""
    flags = [*_single_columns(features, labels, plan, seed), *_copies(features)]
    return AuditReport(
        flags=tuple(_answered(flag, plan.accept) for flag in flags),
        looked_for=LOOKED_FOR,
    )


def _answered(flag: Flag, accepts: Sequence[Accept]) -> Flag:
    for accept in accepts:
        if accept.sentinel == flag.sentinel and set(flag.columns) <= set(
            accept.columns
        ):
            return flag.model_copy(update={"accepted": accept.reason})
    return flag


# A single column -------------------------------------------------------------------------------


def _single_columns(
    features: pd.DataFrame, labels: NDArray[np.int32], plan: AuditPlan, seed: int
) -> list[Flag]:
    classes = [1] if labels.max() == 1 else list(range(int(labels.max()) + 1))
    n_indicators = int(features.select_dtypes("number").isna().any().sum())
    n_tests = (len(features.columns) + n_indicators) * len(classes)
    flags = []
    for name in features.columns:
        areas = [_column_auc(features[name], labels == k, seed) for k in classes]
        best = int(np.argmax(areas))
        p = leak_p_value(
            areas[best],
            int((labels == classes[best]).sum()),
            len(labels),
            plan.single_column_auc,
            seed,
        )
        if p * n_tests <= plan.alarm:
            flags.append(_column_flag(str(name), areas[best], p * n_tests, plan))
    return flags


def _column_flag(name: str, area: float, p: float, plan: AuditPlan) -> Flag:
    return Flag(
        sentinel="single_column",
        columns=(name,),
        rows=(),
        evidence=(
            f"'{name}' alone has AUC {area:.4f}; an honest column of AUC {plan.single_column_auc:g} would look "
            f"like that with probability {p:.1g} at most (all columns counted)"
        ),
        answer=(
            f"If '{name}' is made from the target or known only after it, add it to clean.drop. If it is an honest "
            f"measurement, add {{sentinel = 'single_column', columns = ['{name}'], reason = '...'}} to audit.accept."
        ),
    )


def leak_p_value(
    area: float, n_positive: int, n_rows: int, honest: float, seed: int
) -> float:
    """Return how likely a column of true AUC ``honest`` shows at least ``area`` on so many rows.

    Simulated: 600 binormal samples with that AUC and these class counts; the logit of their AUC is
    taken as normal. A Wald test at such an AUC would miss even an exact copy of the target
    (PROTOCOL section 5.1).

    Returns
    -------
    float
        In [0, 1]; small means that no honest column looks like that.
    """
    n1, n0 = n_positive, n_rows - n_positive
    mean, spread, margin = _honest_logits(n1, n0, honest, seed)
    return float(norm.sf((logit(np.clip(area, margin, 1 - margin)) - mean) / spread))


@lru_cache
def _honest_logits(
    n1: int, n0: int, honest: float, seed: int
) -> tuple[float, float, float]:
    """Return mean and standard deviation of the logit AUC, and how far an AUC stays off 0 and 1."""
    generator = generator_for(seed_for(seed, "single_column"), n1, n0)
    shift = np.sqrt(2) * norm.ppf(honest)
    margin = 1 / (2 * n1 * n0)
    simulated = np.empty(_N_SIMULATED)
    for i in range(_N_SIMULATED):
        others = np.sort(generator.normal(0, 1, n0))
        simulated[i] = np.searchsorted(others, generator.normal(shift, 1, n1)).sum() / (
            n1 * n0
        )
    null = logit(np.clip(simulated, margin, 1 - margin))
    return float(null.mean()), float(null.std(ddof=1)), margin


def _column_auc(
    column: "pd.Series[Any]", positive: NDArray[np.bool_], seed: int
) -> float:
    """Return the AUC of one column either way round: numbers by rank, levels by out-of-fold rate."""
    if not pd.api.types.is_numeric_dtype(column):
        levels = np.asarray(column.fillna("(missing)"), dtype=np.object_)
        return _two_sided_auc(_level_rates(levels, positive, seed), positive)
    values = column.fillna(column.median()).fillna(0.0).to_numpy(dtype=np.float64)
    absent = np.asarray(column.isna(), dtype=np.float64)  # models are shown this too
    return max(_two_sided_auc(values, positive), _two_sided_auc(absent, positive))


def _two_sided_auc(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    area = (rankdata(values)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    return float(max(area, 1 - area))


def _level_rates(
    levels: NDArray[np.object_], positive: NDArray[np.bool_], seed: int
) -> NDArray[np.float64]:
    """Return for each row the rate of positives among the other folds' rows of its level.

    Rates counted on the row itself would make every column of unique texts look like a leak.
    """
    fold = generator_for(seed, "level_rates").permutation(len(levels)) % 5
    rates = np.empty(len(levels))
    for k in range(5):
        others = fold != k
        known = pd.Series(positive[others]).groupby(levels[others]).mean()
        rates[~others] = (
            pd.Series(levels[~others]).map(known).fillna(positive[others].mean())
        )
    return rates


# Copies ----------------------------------------------------------------------------------------


def _copies(features: pd.DataFrame) -> list[Flag]:
    """Alarm on exact copies where a column is continuous; elsewhere equal rows are ordinary."""
    n = len(features)
    if not any(
        features[name].nunique() > n / 2
        for name in features.select_dtypes("number").columns
    ):
        return []
    copies = np.flatnonzero(features.duplicated(keep="first"))
    if copies.size < max(2.0, 0.005 * n):
        return []
    return [
        Flag(
            sentinel="duplicates",
            columns=(),
            rows=tuple(int(row) for row in copies[:_N_ROWS_SHOWN]),
            evidence=f"{copies.size} of {n} rows are exact copies of earlier ones: both sides of a fold would share them",
            answer=(
                "Set clean.duplicates = 'drop', or add {sentinel = 'duplicates', reason = '...'} to audit.accept if "
                "equal rows are separate observations."
            ),
        )
    ]
