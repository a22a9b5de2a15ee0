"""Importance: what a model's score loses where a column of the test rows is shuffled.

Permutation importance (Breiman 2001, "Random forests"; Fisher, Rudin & Dominici 2019, "All models are
wrong, but many are useful"), of the raw columns: what preparation makes of a column goes along, its gaps,
levels and terms. It says what this model uses, not what the world does: of two columns that say the same,
a model may use one, or half of each, and each then loses less than both together would.
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

MOST_COLUMNS = 400
_PREDICTED_AT_MOST = 200_000  # rows, for all columns and shuffles together
_OF_IMAGES = 16_000
_SHUFFLES_AT_MOST = 150  # of all columns together
_MOST_SHUFFLES, _MOST_ROWS, _FEWEST_ROWS = 5, 2_000, 500
_BLOCKS = 4  # of an image, along each side

Groups = dict[str, tuple[str, ...]]
Answer = Callable[[pd.DataFrame], NDArray[np.float64]]


def groups_of(samples: Samples, plan: CleanPlan) -> Groups:
    """Return what is shuffled together, by name: a column, the parts of a date, a block of an image."""
    names = [str(name) for name in samples.features.columns]
    groups: Groups = {}
    for date in plan.dates:
        parts = tuple(name for name in names_of_parts(date) if name in names)
        if parts:
            groups[date.column] = parts
    if samples.image and plan.image is not None:
        pixels = [str(one) for one in samples.features.select_dtypes("number").columns]
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


def leading(groups: Groups, statistics: Mapping[str, float]) -> Groups:
    """Return the groups that say most of the labels by themselves, four hundred at most, in their order.

    Parameters
    ----------
    statistics
        What single columns say, higher is more; one that is not named stays.
    """

    def says(name: str) -> float:
        return max(statistics.get(column, np.inf) for column in groups[name])

    kept = set(sorted(groups, key=says, reverse=True)[:MOST_COLUMNS])
    return {name: columns for name, columns in groups.items() if name in kept}


def drops(
    answer: Answer,
    features: pd.DataFrame,
    labels: Labels,
    metric: Metric,
    groups: Groups,
    seed: int,
    *,
    image: bool = False,
) -> dict[str, float]:
    """Return what the score loses where each group of columns is shuffled among the rows.

    Parameters
    ----------
    answer
        Returns predictions for rows as they were read.
    features, labels : shape (n_rows, n_columns) and (n_rows,)
        Rows that the model did not learn from; of many a part is drawn.

    Returns
    -------
    dict
        In the metric's units, positive where the score gets worse: mean over up to five shuffles, which
        belong to the seed and the group's name. Empty where the rows cannot tell the metric.
    """
    n_rows, n_shuffles = _affordable(len(labels), len(groups), image=image)
    rows = some_rows(len(labels), n_rows, seed)
    features, labels = features.iloc[rows], labels[rows]
    whole = goodness(metric, labels, answer(features))
    if not np.isfinite(whole):
        return {}
    found = {}
    for name, columns in groups.items():
        generator = generator_for(seed, "shuffle", name)
        orders = [generator.permutation(len(rows)) for _ in range(n_shuffles)]
        shuffled = answer(_shuffled(features, columns, orders))
        scores = [
            goodness(metric, labels, one) for one in np.split(shuffled, n_shuffles)
        ]
        found[name] = whole - float(np.mean(scores))
    return found


def some_rows(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return at most so many of ``n`` rows, drawn by the seed, in their order."""
    return np.sort(generator_for(seed, "rows").permutation(n)[:most])


def _affordable(n_rows: int, n_groups: int, *, image: bool) -> tuple[int, int]:
    """Return how many rows, and how many shuffles of each group, stay within what may be predicted."""
    most = (_OF_IMAGES if image else _PREDICTED_AT_MOST) // max(1, n_groups)
    rows = min(n_rows, max(_FEWEST_ROWS, min(_MOST_ROWS, most)))
    n_shuffles = min(
        _MOST_SHUFFLES, _SHUFFLES_AT_MOST // max(1, n_groups), most // rows
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
