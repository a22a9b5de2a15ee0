"""Single column: does one column alone predict more than an honest one may (PROTOCOL section 5.1)?"""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import norm, rankdata

from assay.audit.columns import is_number
from assay.audit.sentinel import Case, Finding
from assay.data.samples import Labels
from assay.store.records import Flag
from assay.store.seeds import generator_for, seed_for
from assay.wording import Sentence

NAME = "single_column"
_N_SIMULATED = 600
_MOST_SIMULATED = 2_000  # rows a side; beyond, the spread shrinks as 1 / sqrt(n)


def detect(case: Case) -> Finding:
    """Look at every feature; columns set aside are shown to no model and cannot leak."""
    samples = case.samples
    features = samples.features
    n_indicators = int(features.select_dtypes("number").isna().any().sum())
    n_tests = len(features.columns) + n_indicators
    if samples.task != "regression":
        n_tests *= len(_targets(samples.labels))
    flags = []
    for name in map(str, features.columns):
        strength, p = _strongest(features[name], case)
        if p * n_tests <= case.plan.alarm:
            flags.append(_flag(name, strength, p * n_tests, case))
    return Finding(tuple(flags), (NAME,))


def _flag(name: str, strength: float, p: float, case: Case) -> Flag:
    number = case.samples.task == "regression"
    key = "audit.single_column.correlation" if number else "audit.single_column.auc"
    return Flag(
        sentinel=NAME,
        columns=(name,),
        rows=(),
        evidence=Sentence.of(
            "audit.single_column.evidence",
            column=name,
            strength=Sentence.of(key, value=strength),
            honest=case.plan.single_column_auc,
            p=p,
        ),
        answer=Sentence.of("audit.single_column.answer", column=name),
    )


def _strongest(column: "pd.Series[Any]", case: Case) -> tuple[float, float]:
    """Return strength and p value of a column; of classes of the one that it tells least honestly."""
    samples, honest, seed = case.samples, case.plan.single_column_auc, case.seed
    labels, units, n_rows = samples.labels, samples.units, samples.n_rows
    if samples.task == "regression":
        correlation = rank_correlation(column, labels, seed, units)
        return correlation, correlation_p_value(correlation, n_rows, honest, seed)
    strengths = [
        (area, leak_p_value(area, n_positive, n_rows, honest, seed))
        for area, n_positive in column_aucs(column, labels, seed, units)
    ]
    return min(strengths, key=lambda pair: (pair[1], -pair[0]))


def _targets(labels: Labels) -> list[int]:
    """Return the classes that are told from the rest: the second of two, or each."""
    n_classes = int(labels.max()) + 1
    return [1] if n_classes == 2 else list(range(n_classes))


# Classes -------------------------------------------------------------------------------------


def column_aucs(
    column: "pd.Series[Any]",
    labels: Labels,
    seed: int,
    units: NDArray[np.int32] | None = None,
) -> list[tuple[float, int]]:
    """Return AUC, either way round, and number of rows of each class that is told from the rest.

    Numbers count by rank, and by being there at all, which models are shown too; values of text by
    the rate of the class among the other folds' rows, folds that keep units whole.
    """
    return [
        (
            max(
                _two_sided_auc(values, labels == k)
                for values in _orderings(column, labels == k, seed, units)
            ),
            int((labels == k).sum()),
        )
        for k in _targets(labels)
    ]


def _orderings(
    column: "pd.Series[Any]",
    target: NDArray[Any],
    seed: int,
    units: NDArray[np.int32] | None,
) -> list[NDArray[np.float64]]:
    """Return the ways to put rows in order by one column, as ranks."""
    if not is_number(column):
        means = _category_means(column, target.astype(np.float64), seed, units)
        return [rankdata(means)]
    values = column.to_numpy(dtype=np.float64)
    absent = np.isnan(values)
    middle = np.nanmedian(values) if not absent.all() else 0.0
    ranked = [rankdata(np.where(absent, middle, values))]
    return [*ranked, rankdata(absent)] if absent.any() else ranked


def _two_sided_auc(ranks: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    area = (ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    return float(max(area, 1 - area))


def _category_means(
    column: "pd.Series[Any]",
    target: NDArray[np.float64],
    seed: int,
    units: NDArray[np.int32] | None,
) -> NDArray[np.float64]:
    """Return for each row the mean target of the other folds' rows of its category.

    Means that count the row itself would make every column of unique texts look like a leak.
    """
    code = pd.factorize(column, use_na_sentinel=False)[0]
    unit = np.arange(len(code)) if units is None else units
    fold = generator_for(seed, "level_rates").permutation(int(unit.max()) + 1)[unit] % 5
    n_codes = int(code.max()) + 1
    means = np.empty(len(code))
    for k in range(5):
        others = fold != k
        rows = np.bincount(code[others], minlength=n_codes)
        sums = np.bincount(code[others], weights=target[others], minlength=n_codes)
        of_code = np.where(rows > 0, sums / np.maximum(rows, 1), target[others].mean())
        means[~others] = of_code[code[~others]]
    return means


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
        In [0, 1]; small means that no honest column looks like that. 1 below ``honest``.
    """
    if area < honest:
        return 1.0
    n1, n0 = n_positive, n_rows - n_positive
    mean, spread = _honest_logits(n1, n0, honest, seed)
    margin = 1 / (2 * n1 * n0)
    return float(norm.sf((logit(np.clip(area, margin, 1 - margin)) - mean) / spread))


@lru_cache
def _honest_logits(n1: int, n0: int, honest: float, seed: int) -> tuple[float, float]:
    """Return mean and standard deviation of the logit AUC of honest columns."""
    generator = generator_for(seed_for(seed, "single_column"), n1, n0)
    shrink = max(1.0, min(n1, n0) / _MOST_SIMULATED)
    m1, m0 = (min(round(n / shrink), 5 * _MOST_SIMULATED) for n in (n1, n0))
    shift = np.sqrt(2) * norm.ppf(honest)
    margin = 1 / (2 * m1 * m0)
    simulated = np.empty(_N_SIMULATED)
    for i in range(_N_SIMULATED):
        others = np.sort(generator.normal(0, 1, m0))
        simulated[i] = np.searchsorted(others, generator.normal(shift, 1, m1)).sum()
    null = logit(np.clip(simulated / (m1 * m0), margin, 1 - margin))
    return float(null.mean()), float(null.std(ddof=1) / np.sqrt(shrink))


# Numbers to predict --------------------------------------------------------------------------


def rank_correlation(
    column: "pd.Series[Any]",
    labels: Labels,
    seed: int,
    units: NDArray[np.int32] | None = None,
) -> float:
    """Return Spearman's correlation of a column with the target, without its sign."""
    ranks = rankdata(labels)
    return max(
        (
            abs(float(np.corrcoef(values, ranks)[0, 1]))
            for values in _orderings(column, ranks, seed, units)
            if np.ptp(values) > 0
        ),
        default=0.0,
    )


def honest_correlation(honest: float) -> float:
    """Return the correlation that is as strong as an AUC.

    Of two rows the one with the larger target has the larger value with probability
    ``1/2 + arcsin(rho) / pi`` where both are normal (Kruskal 1958); an AUC is that probability.

    Examples
    --------
    >>> round(honest_correlation(0.75), 4)
    0.7071
    """
    return float(np.sin(np.pi * (honest - 0.5)))


def correlation_p_value(
    correlation: float, n_rows: int, honest: float, seed: int
) -> float:
    """Return how likely an honest column shows at least such a rank correlation on so many rows.

    Simulated: 600 bivariate normal samples as strong as ``honest`` (:func:`honest_correlation`);
    Fisher's z of their rank correlation is taken as normal.

    Returns
    -------
    float
        In [0, 1]. 1 below the correlation that counts as honest.
    """
    if correlation < honest_correlation(honest):
        return 1.0
    mean, spread = _honest_z(n_rows, honest, seed)
    return float(norm.sf((_fisher_z(correlation, n_rows) - mean) / spread))


def _fisher_z(correlation: Any, n_rows: int) -> Any:
    """Return Fisher's z, kept finite: beyond half a swap of two neighbours there is nothing to see."""
    most = 1 - 6 / (n_rows**3 - n_rows)
    return np.arctanh(np.minimum(correlation, most))


@lru_cache
def _honest_z(n_rows: int, honest: float, seed: int) -> tuple[float, float]:
    """Return mean and standard deviation of Fisher's z of honest columns."""
    generator = generator_for(seed_for(seed, "single_column"), n_rows)
    shrink = max(1.0, n_rows / (2 * _MOST_SIMULATED))
    m = round(n_rows / shrink)
    rho = honest_correlation(honest)
    simulated = np.empty(_N_SIMULATED)
    for i in range(_N_SIMULATED):
        x, noise = generator.normal(size=(2, m))
        y = rho * x + np.sqrt(1 - rho**2) * noise
        simulated[i] = np.corrcoef(rankdata(x), rankdata(y))[0, 1]
    null = _fisher_z(simulated, m)
    return float(null.mean()), float(null.std(ddof=1) / np.sqrt(shrink))
