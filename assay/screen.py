"""Screen: how much of each input a network is shown, by what the input says of the labels alone.

Among hundreds of columns and few rows a network fits the noise of those that say nothing. An input whose
F statistic is no larger than chance explains is left out, the others are shown by the share of theirs that
it does not: screening (Fan & Lv 2008, "Sure independence screening for ultrahigh dimensional feature
space") with the positive part of a shrinkage factor (James & Stein 1961). What matters only together with
other inputs is lost to it, so that it is a choice of the search and never the only one.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import f_classif, f_regression

from assay.network import Encoding
from assay.samples import Labels

_AT_ONCE = 64  # columns
_MOST_ROWS = 2**17
_MOST = 1e30  # of a statistic: an input that tells the labels apart without a rest


def emphasis(statistics: NDArray[np.float64], least: float) -> NDArray[np.float32]:
    """Return by what each input is multiplied, mean square 1; all 1 where none would stay.

    Parameters
    ----------
    statistics : shape (n_inputs,)
        F statistics, see :func:`f_statistics`.
    least
        The statistic up to which an input is left out. Without any effect its mean is about 1; 0 leaves
        every input as it is.

    Examples
    --------
    >>> emphasis(np.array([0.5, 4.0, 4.0]), 2.0).astype(float).round(2).tolist()
    [0.0, 1.22, 1.22]
    >>> emphasis(np.array([0.5, 1.5]), 2.0).tolist()
    [1.0, 1.0]
    """
    if least == 0 or not (statistics > least).any():
        return np.ones(len(statistics), dtype=np.float32)
    shares = np.maximum(0.0, 1.0 - least / np.maximum(statistics, least))
    return np.asarray(np.sqrt(shares / shares.mean()), dtype=np.float32)


def f_statistics(
    inputs: NDArray[np.float32],
    labels: Labels,
    rows: NDArray[np.int64],
    pieces: Encoding | None,
    *,
    classes: bool,
) -> NDArray[np.float64]:
    """Return the F statistic of each input, and of each piece of one, against the labels.

    One-way analysis of variance for classes, a straight line for numbers. Of very many rows evenly
    spaced ones are looked at.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
    labels : shape (n_rows,)
        Class codes, or numbers.
    rows : shape (n_train,)
        Which of them may be looked at.

    Returns
    -------
    shape (n_inputs + n_pieces,)
        0 for an input that never changes, and for all where the labels do not.
    """
    rows = rows[:: -(-len(rows) // _MOST_ROWS)]
    against = f_classif if classes else f_regression
    if len(np.unique(labels[rows])) < 2 or len(rows) < 3:
        return np.zeros(inputs.shape[1] + (pieces.slopes.size if pieces else 0))

    def of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of inputs that never change
            found = against(columns, labels[rows])[0]
        known = ~np.isnan(found) & (np.ptp(columns, axis=0) > 0)
        return np.where(known, np.minimum(found, _MOST), 0.0)

    found = [
        of(inputs[rows, start : start + _AT_ONCE].astype(np.float64))
        for start in range(0, inputs.shape[1], _AT_ONCE)
    ]
    if pieces is not None:
        n_encoded, n_pieces = pieces.sizes
        at_once = max(1, _AT_ONCE // n_pieces)
        for start in range(0, n_encoded, at_once):
            columns = inputs[rows, start : min(start + at_once, n_encoded)]
            found.append(of(pieces.pieces(columns, start)))
    return np.concatenate(found)
