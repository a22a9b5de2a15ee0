"""A model quick enough to be fitted hundreds of times: kernel ridge regression on some of the rows.

It is solved once for a set of rows; the predictions of any folds then cost only small systems of
equations, because leaving a fold out of a ridge has a closed form (Cook & Weisberg 1982, section 2.2).
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from assay.data.samples import Labels, Samples
from assay.preprocess import fit as preprocess
from assay.store.records import Task
from assay.store.seeds import generator_for
from assay.study.plans import CleanPlan

MOST_ROWS = 1_000
FOLDS = 5
_PENALTY = 1.0


@dataclass(frozen=True)
class Ridge:
    """Kernel ridge regression with a Gaussian kernel as wide as the median distance of two rows.

    Attributes
    ----------
    precision : shape (n_rows, n_rows)
        Inverse of kernel plus penalty. The kernel has a constant added: an intercept.
    """

    precision: NDArray[np.float64]

    def out_of_fold(
        self, targets: NDArray[np.float64], fold: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return for each row what the rows of the other folds predict, shape (n_rows, n_targets)."""
        residuals = self.precision @ targets
        predicted = np.empty_like(targets)
        for k in range(int(fold.max()) + 1):
            rows = np.flatnonzero(fold == k)
            own = self.precision[np.ix_(rows, rows)]
            predicted[rows] = targets[rows] - np.linalg.solve(own, residuals[rows])
        return predicted


def fitted(features: pd.DataFrame) -> Ridge:
    """Fit the kernel on these rows; no label is looked at."""
    inputs = prepared(features).astype(np.float64)
    squares = (inputs**2).sum(axis=1)
    distances = np.maximum(
        squares[:, None] + squares[None, :] - 2 * inputs @ inputs.T, 0
    )
    between = distances[np.triu_indices(len(inputs), 1)]
    apart = between[between > 0]
    kernel = 1.0 + np.exp(-distances / (np.median(apart) if len(apart) else 1.0))
    kernel[np.diag_indices_from(kernel)] += _PENALTY
    return Ridge(np.linalg.inv(kernel))


def prepared(features: pd.DataFrame) -> NDArray[np.float32]:
    """Return what models are shown of these rows, scaled by these rows."""
    return preprocess.fit(features, CleanPlan()).apply(features)


@dataclass
class Learner:
    """The samples' own learner: one sample of rows for all questions that do not need another."""

    samples: Samples
    seed: int
    rows: NDArray[np.int64] = field(init=False)
    _ridges: dict[str | None, Ridge] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.rows = _even_rows(self.samples, self.seed)

    def ridge(self, rows: NDArray[np.int64], without: str | None = None) -> Ridge:
        """Return the ridge on these rows; ``without`` names a column that is left out where it is a feature."""
        features = self.samples.features
        if without not in features.columns:
            without = None
        shared = np.array_equal(rows, self.rows)
        if shared and without in self._ridges:
            return self._ridges[without]
        kept = features if without is None else features.drop(columns=without)
        ridge = fitted(kept.iloc[rows].reset_index(drop=True))
        if shared:
            self._ridges[without] = ridge
        return ridge


def _even_rows(samples: Samples, seed: int) -> NDArray[np.int64]:
    """Return at most 1,000 rows, of the classes as evenly as they have rows."""
    n = samples.n_rows
    if n <= MOST_ROWS:
        return np.arange(n)
    shuffled = generator_for(seed, "learner").permutation(n)
    if samples.task == "regression":
        return np.sort(shuffled[:MOST_ROWS])
    labels = samples.labels[shuffled]
    turn = nth(labels.astype(np.int64))
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:MOST_ROWS]])


# Targets and how strongly they are predicted ---------------------------------------------------


def targets_of(labels: Labels, task: Task) -> NDArray[np.float64]:
    """Return what the ridge predicts, centred, shape (n_rows, n_targets).

    Indicators of the second of two classes or of each of many; ranks of a number, in [-.5, .5].
    """
    if task == "regression":
        values = rankdata(labels)[:, None] / len(labels)
    else:
        classes = np.unique(labels)
        told_apart = classes[1:] if len(classes) == 2 else classes
        values = (labels[:, None] == told_apart[None, :]).astype(np.float64)
    centred: NDArray[np.float64] = values - values.mean(axis=0)
    return centred


def fold_strength(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.int64],
    task: Task,
) -> float:
    """Return how strongly scores and targets go together inside the groups, the mean of the groups.

    AUC, also the mean of the one-vs-rest ones; for a number the correlation with its rank. Groups
    with nothing to compare are left out; NaN if there is none.
    """
    top, bottom = (
        _correlations(scores, targets, groups)
        if task == "regression"
        else _pairs(scores, targets, groups)
    )
    defined = bottom > 0
    if not defined.any():
        return float("nan")
    return float(np.mean(top[defined] / bottom[defined]))


def pooled_strength(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.int64],
    task: Task,
) -> float:
    """Return how strongly they go together over all pairs of rows of one group; no pairs: chance.

    For a number: their correlation after both are centred in each group.
    """
    if task == "regression":
        x, y = _centred(scores, groups)[:, 0], _centred(targets, groups)[:, 0]
        norm = float(np.sqrt((x @ x) * (y @ y)))
        return float(x @ y) / norm if norm > 0 else 0.0
    wins, pairs = _pairs(scores, targets, groups)
    total = pairs.sum(axis=0)
    defined = total > 0
    if not defined.any():
        return 0.5
    return float(np.mean(wins.sum(axis=0)[defined] / total[defined]))


def _pairs(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pairs put in the right order and pairs, shape (n_groups, n_targets); ties count half."""
    n, n_groups = len(groups), int(groups.max()) + 1
    sizes = np.bincount(groups, minlength=n_groups)
    before = (np.cumsum(sizes) - sizes)[groups]
    ranks = rankdata(rankdata(scores, axis=0) / (2 * n) + groups[:, None], axis=0)
    wins = np.empty((n_groups, targets.shape[1]))
    pairs = np.empty_like(wins)
    for k in range(targets.shape[1]):
        positive = targets[:, k] > 0
        n1 = np.bincount(groups[positive], minlength=n_groups).astype(np.float64)
        own = (ranks[:, k] - before)[positive]
        sums = np.bincount(groups[positive], weights=own, minlength=n_groups)
        wins[:, k] = sums - n1 * (n1 + 1) / 2
        pairs[:, k] = n1 * (sizes - n1)
    return wins, pairs


def _correlations(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    groups: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return numerator and denominator of the correlation in each group, shape (n_groups, 1)."""
    x, y = _centred(scores, groups)[:, 0], _centred(targets, groups)[:, 0]
    xy, xx, yy = (np.bincount(groups, weights=w) for w in (x * y, x * x, y * y))
    return xy[:, None].astype(np.float64), np.sqrt(xx * yy)[:, None]


def _centred(
    values: NDArray[np.float64], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    sizes = np.maximum(np.bincount(groups), 1)
    means = np.bincount(groups, weights=values[:, 0]) / sizes
    return values - means[groups][:, None]


def dealt(
    sizes: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return a fold for each of some things, the largest dealt first, five at a time."""
    n = len(sizes)
    shuffled = generator.permutation(n)
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    rounds = generator.permuted(
        np.tile(np.arange(FOLDS), (-(-n // FOLDS), 1)), axis=1
    ).ravel()
    fold = np.empty(n, dtype=np.int64)
    fold[order] = rounds[:n]
    return fold


def dealt_rows(
    samples: Samples, rows: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return a fold for each of these rows: units whole, classes even, blocks where rows are in time."""
    if samples.times is not None:
        return np.arange(len(rows)) * FOLDS // len(rows)
    if samples.units is not None:
        units = np.unique(samples.units[rows], return_inverse=True)[1].reshape(-1)
        return dealt(np.bincount(units), generator)[units]
    if samples.task == "regression":
        return dealt(np.zeros(len(rows), dtype=np.int64), generator)
    return dealt(samples.labels[rows].astype(np.int64), generator)


def nth(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each place how many earlier places hold the same value."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(values)]]))
    nth = np.empty(len(values), dtype=np.int64)
    nth[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return nth


def tail_of(observed: float, null: NDArray[np.float64]) -> float:
    """Return how likely chance alone is as high, chance being normal with what its draws show.

    The z of the observed against B draws has a t distribution with B - 1 degrees of freedom; it
    reaches levels that counting draws could reach only with many more of them.
    """
    n = len(null)
    spread = float(null.std(ddof=1)) * np.sqrt(1 + 1 / n)
    if spread < 1e-12:  # all draws agree
        return float(observed <= null.mean() + 1e-12)
    return float(student.sf((observed - null.mean()) / spread, n - 1))
