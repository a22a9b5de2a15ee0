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
_SEED = 0  # of the forest and the folds: the same rows stay in every study


def kept_rows(features: pd.DataFrame, plan: OutlierPlan) -> NDArray[np.bool_]:
    """Return which training rows stay under the outlier rule, shape (n_rows,).

    ``iqr`` (Tukey 1977): a cell is an outlier when it lies more than ``factor`` interquartile ranges
    beyond the quartiles of these rows; ``mad`` (Hampel 1974): more than ``factor`` scaled median
    absolute deviations from the median. A row with ``columns_needed`` such cells is left out.
    Columns without such a range are ignored. ``isolation_forest`` (Liu et al. 2008): the ``share``
    of rows with the highest anomaly scores is left out.

    Raises
    ------
    StudyError
        If the rule needs more cells than there are columns, so that it could never apply.
    """
    numbers = features.select_dtypes("number").dropna(axis=1, how="all")
    if plan.rule == "none" or numbers.empty:
        return np.ones(len(features), dtype=bool)
    n_columns = features.select_dtypes("number").shape[1]
    if plan.rule != "isolation_forest" and plan.columns_needed > n_columns:
        raise StudyError(
            "preprocess.too_few_columns",
            needed=plan.columns_needed,
            n_columns=n_columns,
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
    """Return the rows that stay: independent of their order, equal rows alike."""
    filled = SimpleImputer(strategy="median").fit_transform(raw)
    in_order = filled[np.lexsort(filled.T)]
    forest = IsolationForest(random_state=_SEED, n_jobs=1).fit(in_order)
    scores = forest.score_samples(filled)
    n_gone = int(share * len(raw))
    return np.asarray(scores >= np.sort(scores)[n_gone])


def need_rows(n_kept: int, n_rows: int) -> None:
    """Refuse a training set that the outlier rule all but empties.

    Raises
    ------
    DataRefused
        If fewer than two rows are left.
    """
    if n_kept < 2:
        raise DataRefused("preprocess.no_rows_left", n_kept=n_kept, n_rows=n_rows)


def plausible_labels(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int32],
    units: NDArray[np.int32] | None = None,
) -> NDArray[np.bool_]:
    """Return the training rows whose label the others do not contradict, shape (n_rows,).

    Confident learning (Northcutt, Jiang & Chuang 2021): logistic regression predicts each row out
    of fold. A class is a confident prediction where its probability reaches its mean over the rows
    labelled so; a row is left out when its most probable confident class differs from its label. A
    class that would lose all of its rows keeps them, and so does one with fewer rows than there are
    folds.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared training rows.
    labels : shape (n_rows,)
        Class codes.
    units : shape (n_rows,)
        Rows that are held out together; None: each row by itself.
    """
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    predicted = _out_of_fold(inputs, labels, units)
    if predicted is None:
        return np.ones(len(labels), dtype=bool)
    thresholds = np.array(
        [predicted[codes == k, k].mean() for k in range(len(classes))]
    )
    predicted[:, counts < _FOLDS] = -1.0  # too few rows to learn such a class from
    confident = np.where(predicted >= thresholds, predicted, -1.0)
    contradicted = (confident.max(axis=1) > 0) & (confident.argmax(axis=1) != codes)
    for k, n in enumerate(counts):
        if n < _FOLDS or contradicted[codes == k].all():
            contradicted[codes == k] = False
    return np.asarray(~contradicted)


def _out_of_fold(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int32],
    units: NDArray[np.int32] | None,
) -> NDArray[np.float64] | None:
    """Return the probability of each class for each row, by models that never saw its unit.

    None where there are fewer than two units a fold, or a model would see one class only.
    """
    unit = np.arange(len(labels)) if units is None else units
    unit = np.unique(unit, return_inverse=True)[1].reshape(-1)
    n_units = int(unit.max()) + 1
    if n_units < 2 * _FOLDS:
        return None
    fold = generator_for(_SEED, "believed").permutation(n_units)[unit] % _FOLDS
    classes = np.unique(labels)
    predicted = np.zeros((len(labels), len(classes)))
    for number in range(_FOLDS):
        train, held_out = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(np.unique(labels[train])) < 2:
            return None
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        model.fit(inputs[train], labels[train])
        columns = np.searchsorted(classes, model.classes_)
        predicted[np.ix_(held_out, columns)] = model.predict_proba(inputs[held_out])
    return predicted
