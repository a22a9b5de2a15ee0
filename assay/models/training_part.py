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
from assay.wording import Sentence

Predict = Callable[[NDArray[Any]], NDArray[np.float64]]
Prepare = Callable[[Samples, NDArray[np.int64], CleanPlan], Preparation]
Number = TypeVar("Number", int, float)
Score = tuple[float | None, Sentence | None]  # higher is better; None and the reason

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
        What qualifies the fit, for the trial's message.
    """

    predict: Predict
    size: int
    members: tuple[Net, ...] = ()
    picks: tuple[int, ...] = ()
    remark: Sentence | None = None
    of_trees: bool = False


class Family(Protocol):
    """A family of models: its search space, its scores on inner folds, the fit of its winner."""

    @property
    def space(self) -> NetSpace | ImageSpace | LogisticSpace | BoostingSpace:
        """What the search varies."""

    @property
    def first(self) -> list[Hyperparameters]:
        """Hyperparameters that are good without a search, tried before any others."""

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        """Return the mean goodness of each trial over the inner folds used."""

    def fit(self, trial: Trial, /) -> Fitted:
        """Fit the winning trial on the whole part."""


@dataclass(frozen=True)
class Prepared:
    """All rows, prepared as fitted to ``train``: the training rows without outliers and doubtful labels."""

    preparation: Preparation
    features: pd.DataFrame
    inputs: NDArray[np.float32]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    def trees(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the inputs of boosted trees for some rows; computed on each call."""
        return self.preparation.trees(self.features.iloc[rows], self.inputs[rows])


def nearest(values: tuple[Number, ...], target: float) -> Number:
    """Return the value of a list that is closest to the target; the first of two."""
    return min(values, key=lambda value: abs(value - target))


def on_training_rows(
    samples: Samples, rows: NDArray[np.int64], plan: CleanPlan
) -> Preparation:
    """Fit the preparation on some rows; it sees neither the other rows nor any label."""
    return preprocess.fit(samples.features.iloc[rows], plan, wide=True)


class Part:
    """One outer training part with its inner folds, and the test part it must not see.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row of the training part; -1 marks the test part, -2 rows in neither.
    prepare
        Fits the preparation on training rows. The tests of the self-test plant a leak here.

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
        self._prepare, training = prepare, inner >= 0
        self._rows_of: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self.whole = self._prepared(samples, training, np.zeros_like(training))
        self.trial_folds = [
            self._prepared(samples, training & (inner != k), inner == k)
            for k in range(plan.tune.folds_per_trial)
        ]

    def rows_of(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that train and those that stop early on an inner fold.

        Networks that share them share one array.
        """
        if fold not in self._rows_of:
            rows = self.whole.train
            stops = self.inner[rows] == fold
            self._rows_of[fold] = rows[~stops], rows[stops]
        return self._rows_of[fold]

    def class_weights(self) -> tuple[float, ...]:
        """Return the weight of each class in the loss, 1 on average over the rows.

        As scikit-learn's "balanced" where ``tune.balanced`` is true; otherwise, and for a number, empty.
        """
        if self.regression or not self.plan.tune.balanced:
            return ()
        counts = np.bincount(self.labels[self.whole.train], minlength=self.n_outputs)
        return tuple((counts.sum() / (len(counts) * counts)).tolist())

    def row_weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Return the weights of some rows' classes; None where all weights are equal."""
        weights = np.array(self.class_weights())
        return weights[self.labels[rows]] if len(weights) else None

    def tested(self, fitted: Fitted) -> NDArray[Any]:
        """Return the test part's rows in the form that a model predicts from."""
        if fitted.of_trees:
            return self.whole.trees(self.test)
        return self.whole.inputs[self.test]

    def scored(self, by_fold: Sequence[NDArray[np.float64] | None]) -> Score:
        """Return a trial's mean goodness over the inner folds used, or None and the reason.

        Where none of those folds has rows of two classes (or two numbers), as may happen in time, neither
        AUC nor R2 is defined: minus the loss that goes with them ranks the trials instead. That depends
        on the labels only, so that all trials are ranked by the same metric on the same folds.

        Parameters
        ----------
        by_fold
            Predictions for each fold's validation rows; None where training failed.
        """
        if any(p is None or not np.isfinite(p).all() for p in by_fold):
            return None, Sentence.of("models.trial.not_finite")
        pairs = [
            (self.labels[fold.validation], predictions)
            for fold, predictions in zip(self.trial_folds, by_fold, strict=True)
            if predictions is not None
        ]
        metric, declared, message = self.plan.metric, self.plan.metric, None
        if declared in ("auc", "r2"):
            defined = [pair for pair in pairs if len(np.unique(pair[0])) > 1]
            if not defined:
                metric = "squared_error" if self.regression else "log_loss"
                message = Sentence.of(
                    "models.trial.other_metric", metric=metric, declared=declared
                )
            pairs = defined or pairs
        with np.errstate(over="ignore"):
            mean = float(np.mean([goodness(metric, *pair) for pair in pairs]))
        if not np.isfinite(mean):
            return None, Sentence.of("models.trial.overflow")
        return mean, message

    def _prepared(
        self,
        samples: Samples,
        training: NDArray[np.bool_],
        validation: NDArray[np.bool_],
    ) -> Prepared:
        rows, plan = np.flatnonzero(training), self.plan.clean
        n_rows = len(rows)
        rows = rows[outliers.kept_rows(samples.features.iloc[rows], plan.outliers)]
        outliers.need_rows(len(rows), n_rows)
        if not self.regression:
            preprocess.check_classes(samples.labels, rows)
        preparation = self._prepare(samples, rows, plan)
        inputs = preparation.apply(samples.features)
        if plan.label_noise == "drop":
            units = None if samples.units is None else samples.units[rows]
            plausible = outliers.plausible_labels(
                inputs[rows], samples.labels[rows], units
            )
            rows = rows[plausible]
        return Prepared(
            preparation, samples.features, inputs, rows, np.flatnonzero(validation)
        )
