"""Training rows that are left out: outliers by their numbers, and labels that the other rows contradict.

Never call these on rows to be scored.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.errors import DataRefused, StudyError
from assay.store.seeds import generator_for
from assay.study.plans import OutlierPlan

_NORMAL_MAD = 1.4826  # standard deviations of a normal distribution in one MAD
_FOLDS = 5
_SEED = 0  # of the cuts and the folds: what the rows say, not chance, is to decide


def kept_rows(features: pd.DataFrame, plan: OutlierPlan) -> NDArray[np.bool_]:
    """Return which training rows stay under the outlier rule, shape (n_rows,).

    ``iqr`` (Tukey 1977): a cell is out when it lies more than ``factor`` interquartile ranges
    beyond the quartiles of these rows; ``mad`` (Hampel 1974): more than ``factor`` scaled median
    absolute deviations from the median. A row goes when ``columns_needed`` of its cells are out.
    Columns without such a range are passed over. ``isolation_forest`` (Liu et al. 2008): the
    ``share`` of rows that random cuts separate first goes.

    Raises
    ------
    StudyError
        If the rule needs more cells than there are columns: it would take no row, whatever it holds.
    """
    numbers = features.select_dtypes("number").dropna(axis=1, how="all")
    if plan.rule == "none" or numbers.empty:
        return np.ones(len(features), dtype=bool)
    n_columns = features.select_dtypes("number").shape[1]
    if plan.rule != "isolation_forest" and plan.columns_needed > n_columns:
        raise StudyError(
            f"clean.outliers.columns_needed = {plan.columns_needed}, but the table has {n_columns} columns of numbers. "
            f"Lower it."
        )
    raw = numbers.to_numpy(dtype=np.float64)
    if plan.rule == "isolation_forest":
        return _not_isolated(raw, plan.share)
    if plan.rule == "mad":
        middle = np.nanmedian(raw, axis=0)
        reach = plan.factor * _NORMAL_MAD * np.nanmedian(np.abs(raw - middle), axis=0)
        low, high = middle - reach, middle + reach
    else:
        q1, q3 = np.nanquantile(raw, 0.25, axis=0), np.nanquantile(raw, 0.75, axis=0)
        reach = plan.factor * (q3 - q1)
        low, high = q1 - reach, q3 + reach
    out = ((raw < low) | (raw > high)) & (reach > 0)
    return np.asarray(out.sum(axis=1) < plan.columns_needed)


def _not_isolated(raw: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Return the rows that stay, whatever the order of the rows; of equal ones all or none."""
    filled = SimpleImputer(strategy="median").fit_transform(raw)
    in_order = filled[np.lexsort(filled.T)]
    forest = IsolationForest(random_state=_SEED, n_jobs=1).fit(in_order)
    scores = forest.score_samples(filled)
    n_gone = int(share * len(raw))
    return np.asarray(scores >= np.sort(scores)[n_gone])


def need_rows(n_kept: int, n_rows: int) -> None:
    """Refuse a training part of which the outlier rule leaves next to nothing.

    Raises
    ------
    DataRefused
        If fewer than two rows are left.
    """
    if n_kept < 2:
        raise DataRefused(
            f"clean.outliers leaves {n_kept} of {n_rows} rows of a training part. "
            f"Raise its factor or columns_needed."
        )


def believed_labels(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int32],
    units: NDArray[np.int32] | None = None,
) -> NDArray[np.bool_]:
    """Return the training rows whose label the others do not contradict, shape (n_rows,).

    Confident learning (Northcutt, Jiang & Chuang 2021): logistic regression predicts each row out
    of fold. A class is given with confidence where its probability reaches the mean that rows
    labelled so have; a row goes when the likeliest class given so is another than its label. A
    class of which no row would stay keeps all of its rows, and so does one with fewer rows than
    there are folds.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared training rows.
    labels : shape (n_rows,)
        Class codes.
    units : shape (n_rows,)
        What is held out together; None: each row.
    """
    unit = np.arange(len(labels)) if units is None else units
    unit = np.unique(unit, return_inverse=True)[1].reshape(-1)
    n_units = int(unit.max()) + 1
    if n_units < 2 * _FOLDS:
        return np.ones(len(labels), dtype=bool)
    fold = generator_for(_SEED, "believed").permutation(n_units)[unit] % _FOLDS
    classes, counts = np.unique(labels, return_counts=True)
    predicted = np.zeros((len(labels), len(classes)))
    for number in range(_FOLDS):
        train, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(np.unique(labels[train])) < 2:
            return np.ones(len(labels), dtype=bool)
        line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        line.fit(inputs[train], labels[train])
        at = np.searchsorted(classes, line.classes_)
        predicted[np.ix_(held, at)] = line.predict_proba(inputs[held])
    codes = np.searchsorted(classes, labels)
    usual = np.array([predicted[codes == k, k].mean() for k in range(len(classes))])
    predicted[:, counts < _FOLDS] = -1.0  # nobody knows what such a class looks like
    given = np.where(predicted >= usual, predicted, -1.0)
    contradicted = (given.max(axis=1) > 0) & (given.argmax(axis=1) != codes)
    for k, n in enumerate(counts):
        if n < _FOLDS or contradicted[codes == k].all():
            contradicted[codes == k] = False
    return np.asarray(~contradicted)
