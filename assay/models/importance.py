"""Importance: how much a model's score drops when a column of the test rows is shuffled.

Permutation importance (Breiman 2001, "Random forests"; Fisher, Rudin & Dominici 2019, "All models are
wrong, but many are useful") of raw columns, with everything that preparation derives from them. It
describes this model, not the world: of two columns with the same information a model may use either or
both, and each then costs less than both together would.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.columns import names_of_parts
from assay.data.samples import Labels, Samples
from assay.metrics import goodness
from assay.store.records import Metric
from assay.store.seeds import generator_for
from assay.study.plans import CleanPlan

MAX_COLUMNS = 400
_MAX_PREDICTED_ROWS = 200_000  # for all columns and shuffles together
_MAX_PREDICTED_IMAGES = 16_000
_MAX_SHUFFLES = 150  # of all columns together
_MAX_SHUFFLES_EACH, _MAX_ROWS, _MIN_ROWS = 5, 2_000, 500
_BLOCKS = 4  # of an image, along each side

Groups = dict[str, tuple[str, ...]]
Predict = Callable[[pd.DataFrame], NDArray[np.float64]]


def groups_of(samples: Samples, plan: CleanPlan) -> Groups:
    """Return the columns that are shuffled together, by name: one column, the parts of a date, a block of an image."""
    names = [str(name) for name in samples.features.columns]
    groups: Groups = {}
    for date in plan.dates:
        parts = tuple(name for name in names_of_parts(date) if name in names)
        if parts:
            groups[date.column] = parts
    if samples.image and plan.image is not None:
        pixels = list(map(str, samples.features.select_dtypes("number").columns))
        image = plan.image
        groups |= _blocks(pixels, image.height, image.width, image.channels)
    grouped = {name for group in groups.values() for name in group}
    return {name: (name,) for name in names if name not in grouped} | groups


def _blocks(pixels: Sequence[str], height: int, width: int, channels: int) -> Groups:
    """Return the pixels of each block of an image, all channels: rows and columns counted from 1."""
    places = np.array(pixels).reshape(height, width, channels)
    down, right = (np.array_split(np.arange(side), _BLOCKS) for side in (height, width))
    return {
        f"pixels of rows {y[0] + 1}-{y[-1] + 1}, columns {x[0] + 1}-{x[-1] + 1}": tuple(
            map(str, places[np.ix_(y, x)].ravel())
        )
        for y, x in product(down, right)
    }


def most_informative(groups: Groups, statistics: Mapping[str, float]) -> Groups:
    """Return the groups most associated with the labels, four hundred at most, in their order.

    Parameters
    ----------
    statistics
        Association of single columns with the labels, higher is stronger; columns without one stay.
    """

    def strongest(name: str) -> float:
        return max(statistics.get(column, np.inf) for column in groups[name])

    kept = set(sorted(groups, key=strongest, reverse=True)[:MAX_COLUMNS])
    return {name: columns for name, columns in groups.items() if name in kept}


def drops(
    predict: Predict,
    features: pd.DataFrame,
    labels: Labels,
    metric: Metric,
    groups: Groups,
    seed: int,
    *,
    image: bool = False,
) -> dict[str, float]:
    """Return how much the score drops when each group of columns is shuffled among the rows.

    Parameters
    ----------
    predict
        Returns predictions for rows as they were read.
    features, labels : shape (n_rows, n_columns) and (n_rows,)
        Rows that the model was not fitted to; of many a sample is drawn.

    Returns
    -------
    dict
        In the metric's units, positive where the score gets worse: mean over up to five shuffles, drawn
        by the seed and the group's name. Empty where the metric is undefined on the rows.
    """
    n_rows, n_shuffles = _affordable(len(labels), len(groups), image=image)
    rows = sampled_rows(len(labels), n_rows, seed)
    features, labels = features.iloc[rows], labels[rows]
    unshuffled = goodness(metric, labels, predict(features))
    if not np.isfinite(unshuffled):
        return {}
    losses = {}
    for name, columns in groups.items():
        generator = generator_for(seed, "shuffle", name)
        orders = [generator.permutation(len(rows)) for _ in range(n_shuffles)]
        predictions = predict(_shuffled(features, columns, orders))
        scores = [
            goodness(metric, labels, shuffled)
            for shuffled in np.split(predictions, n_shuffles)
        ]
        losses[name] = unshuffled - float(np.mean(scores))
    return losses


def sampled_rows(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return at most ``most`` of ``n`` rows, drawn by the seed, in their order."""
    return np.sort(generator_for(seed, "rows").permutation(n)[:most])


def _affordable(n_rows: int, n_groups: int, *, image: bool) -> tuple[int, int]:
    """Return how many rows, and how many shuffles of each group, keep the number of predictions in bounds."""
    most = (_MAX_PREDICTED_IMAGES if image else _MAX_PREDICTED_ROWS) // max(1, n_groups)
    rows = min(n_rows, max(_MIN_ROWS, min(_MAX_ROWS, most)))
    n_shuffles = min(
        _MAX_SHUFFLES_EACH, _MAX_SHUFFLES // max(1, n_groups), most // rows
    )
    return rows, max(1, n_shuffles)


def _shuffled(
    features: pd.DataFrame, columns: Sequence[str], orders: list[NDArray[np.int64]]
) -> pd.DataFrame:
    """Return the rows once for each order, with some columns in that order."""
    shuffled = pd.concat([features] * len(orders), ignore_index=True)
    moved = features[list(columns)].iloc[np.concatenate(orders)]
    moved = moved.set_axis(shuffled.index)
    if len(columns) == 1:
        shuffled[columns[0]] = moved[columns[0]]
        return shuffled
    rest = shuffled.drop(columns=list(columns))
    return pd.concat([rest, moved], axis=1)[list(features.columns)]
