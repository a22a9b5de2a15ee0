"""Screen: how much of each input a network is shown, by what the input says of the labels alone.

Among hundreds of columns and few rows a network fits the noise of those that say nothing. An input whose
F statistic is no larger than chance explains is left out, the others are shown by the share of theirs that
it does not: screening (Fan & Lv 2008, "Sure independence screening for ultrahigh dimensional feature
space") with the positive part of a shrinkage factor (James & Stein 1961). What matters only together with
other inputs is lost to it, so that it is a choice of the search and never the only one.
"""

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.networks.encoding import Encoding
from assay.store.seeds import generator_for

_AT_ONCE = 64  # columns
_MOST_ROWS = 2**17
_MOST = 1e30  # of a statistic: an input that tells the labels apart without a rest

Columns = NDArray[np.float64]


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
    seed: int,
) -> NDArray[np.float64]:
    """Return the F statistic of each input, and of each piece of one, against the labels.

    One-way analysis of variance for classes, a straight line for numbers. Sums of squares are taken
    of what is left, not as differences: those round to less than nothing for an input that tells all,
    as in ``sklearn.feature_selection``.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
    labels : shape (n_rows,)
        Class codes, or numbers.
    rows : shape (n_train,)
        Which of them may be looked at; of very many a part, drawn by the seed, is.

    Returns
    -------
    shape (n_inputs + n_pieces,)
        0 for an input that never changes, and for all where the labels do not.
    """
    if len(rows) > _MOST_ROWS:
        drawn = generator_for(seed, "screen").permutation(len(rows))[:_MOST_ROWS]
        rows = rows[np.sort(drawn)]
    against = _by_class if classes else _by_number
    known = labels[rows]
    found = [
        against(inputs[rows, start : start + _AT_ONCE].astype(np.float64), known)
        for start in range(0, inputs.shape[1], _AT_ONCE)
    ]
    if pieces is not None:
        n_encoded, n_pieces = pieces.sizes
        at_once = max(1, _AT_ONCE // n_pieces)
        for start in range(0, n_encoded, at_once):
            columns = inputs[rows, start : min(start + at_once, n_encoded)]
            found.append(against(pieces.pieces(columns, start), known))
    return np.concatenate(found)


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
    slopes = (columns * numbers[:, None]).sum(axis=0) / np.maximum(squares, 1 / _MOST)
    rest = ((numbers[:, None] - columns * slopes) ** 2).sum(axis=0)
    return _ratio(slopes**2 * squares, 1, rest, len(labels) - 2)


def _ratio(
    explained: NDArray[np.float64], n: int, rest: NDArray[np.float64], n_rest: int
) -> NDArray[np.float64]:
    if n < 1 or n_rest < 1:
        return np.zeros(len(explained))
    least = np.maximum(rest / n_rest, explained / n / _MOST)
    return np.where(explained > 0, explained / n / np.where(least > 0, least, 1.0), 0.0)
