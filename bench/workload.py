"""The search that ``bench_engine`` times: one table, its folds, the space, the budget.

Both sides read it here, so that they cannot drift apart. Widths do not shrink from layer to layer;
64 and 128 give about the matrix products of layers that begin with 64, 128 or 256 and halve.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

N_COLUMNS = 20
DEPTHS = (2, 3)
WIDTHS = (64, 128)
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
LEARNING_RATES = (1e-4, 1e-2)
WEIGHT_DECAYS = (1e-4, 1e-1)


@dataclass(frozen=True)
class Workload:
    """How much is searched; ``used`` of the folds are."""

    n_rows: int = 3168
    folds: int = 5
    used: int = 5
    trials: int = 10
    epochs: int = 100
    patience: int = 10
    batch_size: int = 64
    seed: int = 42


WORKLOADS = {"full": Workload(), "quick": Workload(used=2, trials=3, epochs=20)}


@dataclass(frozen=True)
class Fold:
    """Rows of one outer fold, scaled by what its inner training part taught.

    Attributes
    ----------
    train, stop, test : shape (n, 20)
        To train on; to stop early and choose the trial on; to score the winner on.
    """

    train: NDArray[np.float32]
    train_labels: NDArray[np.int32]
    stop: NDArray[np.float32]
    stop_labels: NDArray[np.int32]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int32]


def table(n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return a table of two classes, three clusters each, 3 % of the labels wrong."""
    features, labels = make_classification(
        n_rows,
        N_COLUMNS,
        n_informative=10,
        n_redundant=4,
        n_clusters_per_class=3,
        flip_y=0.03,
        class_sep=0.8,
        random_state=0,
    )
    return features, labels.astype(np.int32)


def folds(work: Workload) -> Iterator[Fold]:
    """Yield the folds: a fifth of the rows to test on, a fifth of the others to stop on."""
    X, y = table(work.n_rows)
    outer = StratifiedKFold(work.folds, shuffle=True, random_state=work.seed)
    for number, (learn, test) in enumerate(outer.split(X, y)):
        if number == work.used:
            return
        train, stop = train_test_split(
            learn, test_size=0.2, stratify=y[learn], random_state=work.seed
        )
        scaler = StandardScaler().fit(X[train])
        parts = [
            array
            for rows in (train, stop, test)
            for array in (scaler.transform(X[rows]).astype(np.float32), y[rows])
        ]
        yield Fold(*parts)
