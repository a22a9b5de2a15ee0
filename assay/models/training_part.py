"""One outer training part with its inner folds, prepared: what every family of models is tuned on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.samples import Samples
from assay.metrics import goodness
from assay.networks.net import Net
from assay.preprocess import fit as preprocess
from assay.preprocess import outliers
from assay.preprocess.fit import Preparation
from assay.store.records import Hyperparameters, Trial
from assay.study.plans import (
    BoostingSpace,
    CleanPlan,
    ImageSpace,
    LogisticSpace,
    NetSpace,
    Tuning,
)

Predict = Callable[[NDArray[Any]], NDArray[np.float64]]
Prepare = Callable[[Samples, NDArray[np.int64], CleanPlan], Preparation]
Number = TypeVar("Number", int, float)
Score = tuple[float | None, str]  # higher is better; None with the reason

TEST = -1  # in ``inner``; -2 is in neither part


@dataclass(frozen=True)
class Fitted:
    """A family's winner, fitted on the whole part.

    Attributes
    ----------
    predict
        Returns class probabilities, shape (n_rows, n_classes), or numbers, shape (n_rows, 1), for
        rows of :attr:`Prepared.inputs`, or of :meth:`Prepared.trees` where the model is ``of_trees``.
    size
        Bytes of the fitted numbers.
    members
        The networks, where the family is one of networks.
    picks
        The trial of each network.
    remark
        What the trial should say of it.
    """

    predict: Predict
    size: int
    members: tuple[Net, ...] = ()
    picks: tuple[int, ...] = ()
    remark: str = ""
    of_trees: bool = False


class Family(Protocol):
    """A family of models: what it varies, how it is tried on inner folds, how its winner is fitted."""

    @property
    def space(self) -> NetSpace | ImageSpace | LogisticSpace | BoostingSpace:
        """What the search varies."""

    @property
    def first(self) -> list[Hyperparameters]:
        """What is good without a search, tried before anything else."""

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        """Return the mean goodness of each trial over the inner folds used."""

    def fit(self, trial: Trial, /) -> Fitted:
        """Fit the winning trial on the whole part."""


@dataclass(frozen=True)
class Prepared:
    """All rows, prepared by what some of them taught; ``train`` are those, without outliers and doubtful labels."""

    preparation: Preparation
    features: pd.DataFrame
    inputs: NDArray[np.float32]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    def trees(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some rows as boosted trees are shown them: made when asked for, and not kept."""
        return self.preparation.trees(self.features.iloc[rows], self.inputs[rows])


def nearest(values: tuple[Number, ...], wanted: float) -> Number:
    """Return the value of a list that is closest to the wanted one; the first of two."""
    return min(values, key=lambda value: abs(value - wanted))


def on_training_rows(
    samples: Samples, rows: NDArray[np.int64], plan: CleanPlan
) -> Preparation:
    """Fit the preparation on some rows, which is all it may look at, and on no label."""
    return preprocess.fit(samples.features.iloc[rows], plan, wide=True)


class Part:
    """One outer training part with its inner folds, and the test part it must not see.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row of the training part; -1 marks the test part, -2 rows in neither.
    prepare
        Fits the preparation on training rows. The self-test's own tests put a leak here.

    Raises
    ------
    DataRefused
        If a training part has no row of a class.
    """

    def __init__(
        self,
        samples: Samples,
        inner: NDArray[np.int16],
        plan: Tuning,
        prepare: Prepare = on_training_rows,
    ) -> None:
        self.labels, self.plan, self.inner = samples.labels, plan, inner
        self.regression = samples.task == "regression"
        self.n_outputs = 1 if self.regression else len(samples.classes)
        self.test = np.flatnonzero(inner == TEST)
        self._prepare, learned = prepare, inner >= 0
        self.whole = self._prepared(samples, learned, np.zeros_like(learned))
        self.trial_folds = [
            self._prepared(samples, learned & (inner != k), inner == k)
            for k in range(plan.tune.folds_per_trial)
        ]

    def class_weights(self) -> tuple[float, ...]:
        """Return by what the loss of each class's rows is multiplied: 1 on average over the rows.

        Where ``tune.balanced`` is true every class has the same say, as scikit-learn's "balanced";
        elsewhere, and for a number, nothing: empty.
        """
        if self.regression or not self.plan.tune.balanced:
            return ()
        counts = np.bincount(self.labels[self.whole.train], minlength=self.n_outputs)
        return tuple((counts.sum() / (len(counts) * counts)).tolist())

    def row_weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Return the weights of some rows' classes; None where all have the same."""
        weights = np.array(self.class_weights())
        return weights[self.labels[rows]] if len(weights) else None

    def tested(self, fitted: Fitted) -> NDArray[Any]:
        """Return the test part's rows in the form that a model predicts from."""
        if fitted.of_trees:
            return self.whole.trees(self.test)
        return self.whole.inputs[self.test]

    def scored(self, by_fold: Sequence[NDArray[np.float64] | None]) -> Score:
        """Return a trial's mean goodness over the inner folds used, or None and the reason.

        Where none of those folds has rows of two classes (or two numbers), as may be in a series,
        neither AUC nor R2 can be told: minus the loss they go with ranks the trials instead. Which
        folds can tell is the labels' business, so that all trials are ranked on the same.

        Parameters
        ----------
        by_fold
            Predictions for each fold's validation rows; None where training came to nothing.
        """
        if any(p is None or not np.isfinite(p).all() for p in by_fold):
            return None, "training gave nothing finite"
        pairs = [
            (self.labels[fold.validation], predictions)
            for fold, predictions in zip(self.trial_folds, by_fold, strict=True)
            if predictions is not None
        ]
        telling = [pair for pair in pairs if len(np.unique(pair[0])) > 1]
        if self.plan.metric not in ("auc", "r2"):
            metric, used, said = self.plan.metric, pairs, ""
        elif telling:
            metric, used, said = self.plan.metric, telling, ""
        else:
            metric, used = "squared_error" if self.regression else "log_loss", pairs
            said = f"minus the {metric}: no inner fold can tell {self.plan.metric}"
        with np.errstate(over="ignore"):
            mean = float(np.mean([goodness(metric, *pair) for pair in used]))
        if not np.isfinite(mean):
            return None, "its errors are beyond all numbers"
        return mean, said

    def _prepared(
        self,
        samples: Samples,
        learned: NDArray[np.bool_],
        validation: NDArray[np.bool_],
    ) -> Prepared:
        rows, plan = np.flatnonzero(learned), self.plan.clean
        n_rows = len(rows)
        rows = rows[outliers.kept_rows(samples.features.iloc[rows], plan.outliers)]
        outliers.need_rows(len(rows), n_rows)
        if not self.regression:
            preprocess.check_classes(samples.labels, rows)
        preparation = self._prepare(samples, rows, plan)
        inputs = preparation.apply(samples.features)
        if plan.label_noise == "drop":
            units = None if samples.units is None else samples.units[rows]
            believed = outliers.believed_labels(
                inputs[rows], samples.labels[rows], units
            )
            rows = rows[believed]
        return Prepared(
            preparation, samples.features, inputs, rows, np.flatnonzero(validation)
        )
