"""Screening: inputs are weighted, or left out, by how strongly each alone is related to the labels.

With hundreds of columns and few rows a network fits the noise of uninformative inputs. An input whose F
statistic chance explains is left out; the others are multiplied by the share of theirs that chance does
not explain: screening (Fan & Lv 2008, "Sure independence screening for ultrahigh dimensional feature
space") with the positive part of a shrinkage factor (James & Stein 1961). It misses inputs that matter only
in interaction with others, so the search may choose it but never has to.
"""

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.networks.encoding import Encoding
from assay.store.seeds import generator_for

_COLUMNS_AT_ONCE = 64
_MOST_ROWS = 2**17  # used for the statistics
_LARGEST = 1e30  # statistic: that of an input that separates the labels perfectly

Columns = NDArray[np.float64]


def emphasis(statistics: NDArray[np.float64], least: float) -> NDArray[np.float32]:
    """Return the factor of each input, with mean square 1; all are 1 where none would stay.

    Parameters
    ----------
    statistics : shape (n_inputs,)
        F statistics, see :func:`f_statistics`.
    least
        The statistic up to which an input is left out. Its mean is about 1 without any effect; 0 keeps
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
    seed: int,
) -> NDArray[np.float64]:
    """Return the F statistic of each input, and of each piece of one, against the labels.

    One-way analysis of variance for classes, linear regression for numbers. Residual sums of squares
    are computed from the residuals, not as differences, which can round below zero for a perfect
    input, as in ``sklearn.feature_selection``.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
    labels : shape (n_rows,)
        Class codes, or numbers.
    rows : shape (n_train,)
        Rows to use; of more than 131,072 the seed draws as many.

    Returns
    -------
    shape (n_inputs + n_pieces,)
        0 for a constant input, and for all inputs where the labels are constant.
    """
    if len(rows) > _MOST_ROWS:
        drawn = generator_for(seed, "screen").permutation(len(rows))[:_MOST_ROWS]
        rows = rows[np.sort(drawn)]
    against, labels = (_by_class if classes else _by_number), labels[rows]
    statistics = [
        against(
            inputs[rows, start : start + _COLUMNS_AT_ONCE].astype(np.float64), labels
        )
        for start in range(0, inputs.shape[1], _COLUMNS_AT_ONCE)
    ]
    if pieces is not None:
        n_encoded, n_pieces = pieces.sizes
        at_once = max(1, _COLUMNS_AT_ONCE // n_pieces)
        for start in range(0, n_encoded, at_once):
            columns = inputs[rows, start : min(start + at_once, n_encoded)]
            statistics.append(against(pieces.pieces(columns, start), labels))
    return np.concatenate(statistics)


def _by_class(columns: Columns, labels: Labels) -> NDArray[np.float64]:
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    columns = columns - columns.mean(axis=0)
    means = np.stack([columns[codes == k].mean(axis=0) for k in range(len(classes))])
    between = (counts[:, None] * means**2).sum(axis=0)
    within = ((columns - means[codes]) ** 2).sum(axis=0)
    return _ratio(between, len(classes) - 1, within, len(labels) - len(classes))


def _by_number(columns: Columns, labels: Labels) -> NDArray[np.float64]:
    columns, numbers = columns - columns.mean(axis=0), labels - labels.mean()
    squares = (columns**2).sum(axis=0)
    slopes = (columns * numbers[:, None]).sum(axis=0) / np.maximum(
        squares, 1 / _LARGEST
    )
    rest = ((numbers[:, None] - columns * slopes) ** 2).sum(axis=0)
    return _ratio(slopes**2 * squares, 1, rest, len(labels) - 2)


def _ratio(
    explained: NDArray[np.float64], n: int, rest: NDArray[np.float64], n_rest: int
) -> NDArray[np.float64]:
    if n < 1 or n_rest < 1:
        return np.zeros(len(explained))
    least = np.maximum(rest / n_rest, explained / n / _LARGEST)
    return np.where(explained > 0, explained / n / np.where(least > 0, least, 1.0), 0.0)
