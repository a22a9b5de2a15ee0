"""Contest: the gate's two models on every outer fold, for the true labels and for any relabelling.

Whatever can happen to a model with permuted labels has one rule for both: a net that diverged, or a
training part of one class, predicts a constant; a test part of one class has no say in the mean. Doubtful
labels stay: leaving out by the true labels alone would tell them from the permuted ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.data.permute import n_alone, relabelled
from assay.data.samples import Labels, Samples
from assay.gate import linear
from assay.metrics import auc, spearman
from assay.networks.job import Job, Schedule
from assay.networks.net import Net
from assay.networks.predict import predict
from assay.networks.spec import Shape
from assay.networks.train import train
from assay.preprocess import fit as preprocess
from assay.preprocess import outliers
from assay.store.seeds import generator_for, seed_for
from assay.study.plans import CleanPlan, Gating

_NUMBERS_AT_ONCE = 2**24  # predictions held at a time: 128 MB
_MOST_ROWS = 2**17  # that the gate learns from in one training part
_MOST_AXES_OF_IMAGES = 128  # beyond them a linear model learns images by heart
_DECIMALS = 9  # rows of equal features must tie, in whatever order a product was summed
_BATCH_SIZE, _LEARNING_RATE, _WEIGHT_DECAY = 64, 1e-2, 1e-2

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Fold:
    """One outer fold, prepared once: nothing in the preparation looks at labels.

    Attributes
    ----------
    rows, unseen : shape (n_train, n_inputs) and (n_test, n_inputs)
        Prepared inputs.
    train, test : shape (n_train,) and (n_test,)
        Their numbers among all rows.
    portion : shape (n_portion,)
        Places in the training part that the net is shown: no more than it has steps for.
    epochs
        How often it is shown them.
    """

    rows: NDArray[np.float32]
    unseen: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    portion: NDArray[np.int64]
    epochs: int


class Contest:
    """Both models on every fold, for any labelling of the rows.

    Where ``believing``, rows are left out whose label the others contradict, if the plan says so: that is
    for the true labels only.
    """

    def __init__(
        self,
        samples: Samples,
        outer: NDArray[np.int16],
        inner: NDArray[np.int16],
        plan: Gating,
        seed: int,
        *,
        believing: bool = False,
    ) -> None:
        self.samples, self.outer, self.plan, self.seed = samples, outer, plan.gate, seed
        self.regression = samples.task == "regression"
        self.believing = believing
        self.models = ("linear" if self.regression else "logistic", "net")
        self.n_outputs = 1 if self.regression else len(samples.classes)
        self.folds = [
            self._prepared(number, inner[number] >= 0, outer == number, plan.clean)
            for number in range(len(inner))
        ]
        self.n_diverged: list[int] = []  # folds of each labelling, in the order drawn

    def _prepared(
        self,
        number: int,
        learned: NDArray[np.bool_],
        tested: NDArray[np.bool_],
        plan: CleanPlan,
    ) -> _Fold:
        train, test = np.flatnonzero(learned), np.flatnonzero(tested)
        features = self.samples.features
        kept = np.flatnonzero(outliers.kept_rows(features.iloc[train], plan.outliers))
        outliers.need_rows(len(kept), len(train))
        if not self.regression:
            preprocess.check_classes(self.samples.labels[train], kept)
        train = self._few_enough(train[kept], number)
        preparation = preprocess.fit(features.iloc[train], plan)
        rows = preparation.apply(features.iloc[train])
        if self.believing and plan.label_noise == "drop":
            units = self.samples.units
            believed = outliers.believed_labels(
                rows,
                self.samples.labels[train],
                None if units is None else units[train],
            )
            train, rows = train[believed], rows[believed]
        generator = generator_for(self.seed, "rows", number)
        portion = generator.permutation(len(train))[: self.plan.steps * _BATCH_SIZE]
        steps_per_epoch = max(1, len(portion) // _BATCH_SIZE)
        return _Fold(
            rows=rows,
            unseen=preparation.apply(features.iloc[test]),
            train=train,
            test=test,
            portion=portion,
            epochs=-(-self.plan.steps // steps_per_epoch),
        )

    def _few_enough(self, train: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """Return a training part, or of a very large one a part drawn once for all labellings.

        The test is exact for any statistic; this one is only spared what it does not need.
        """
        if len(train) <= _MOST_ROWS:
            return train
        generator = generator_for(self.seed, "learned from", number)
        return np.sort(generator.permutation(train)[:_MOST_ROWS])

    def relabellings(self, first: int, n: int) -> list[Labels]:
        """Return ``n`` relabellings from number ``first`` on."""
        return [
            relabelled(self.samples, self.outer, self.seed, number)
            for number in range(first, first + n)
        ]

    def scores(self, labellings: Sequence[Labels]) -> Array:
        """Return the statistic of both models, shape (n_labellings, n_models)."""
        at_once = max(1, _NUMBERS_AT_ONCE // (self.samples.n_rows * self.n_outputs))
        parts = [
            self._scores(np.stack(labellings[first : first + at_once]))
            for first in range(0, len(labellings), at_once)
        ]
        return np.concatenate(parts)

    def remarks(self) -> list[str]:
        """Return what a reader of the result should know of how it came about."""
        said, samples = [], self.samples
        if self.n_diverged[0]:
            said.append(
                f"the small net diverged on {self.n_diverged[0]} of {len(self.folds)} folds, where it counts "
                f"as predicting a constant"
            )
        alone = n_alone(samples, self.outer)
        if 2 * alone > samples.n_rows:
            said.append(
                f"{alone} of {samples.n_rows} rows lie in units ({samples.unit}) without another of their size "
                f"to exchange labels with: what such a unit has in common was not tested"
            )
        return said

    def _scores(self, labels: Labels) -> Array:
        by_model = (self._linear(labels), self._nets(labels))
        scores = [
            [self._score(one, [fold[i] for fold in by_fold]) for by_fold in by_model]
            for i, one in enumerate(labels)
        ]
        return np.round(scores, _DECIMALS)

    def _score(self, labels: Labels, by_fold: Sequence[Array]) -> float:
        """Return the statistic of one model and one labelling, from its predictions of each test part."""
        rounded = [np.round(predictions, _DECIMALS) for predictions in by_fold]
        if self.regression:
            tested = np.concatenate([labels[fold.test] for fold in self.folds])
            return spearman(tested, np.concatenate(rounded))
        areas = [
            auc(labels[fold.test], predictions)
            for fold, predictions in zip(self.folds, rounded, strict=True)
        ]
        told = [area for area in areas if not np.isnan(area)]
        return float(np.mean(told)) if told else 0.5

    def _linear(self, labels: Labels) -> list[Array]:
        """Return predictions for each fold, shape (n_labellings, n_test, n_outputs)."""
        found = []
        most_axes = _MOST_AXES_OF_IMAGES if self.samples.image else None
        for fold in self.folds:
            rows, unseen = fold.rows.astype(np.float64), fold.unseen.astype(np.float64)
            of_fold = labels[:, fold.train]
            found.append(
                linear.ridge(rows, of_fold, unseen)[:, :, None]
                if self.regression
                else linear.logistic(rows, of_fold, unseen, self.n_outputs, most_axes)
            )
        return found

    def _nets(self, labels: Labels) -> list[Array]:
        """Return predictions for each fold, shape (n_labellings, n_test, n_outputs)."""
        constant = 0.0 if self.regression else 1 / self.n_outputs
        found, n_diverged = [], np.zeros(len(labels), dtype=int)
        for fold, nets in zip(self.folds, self._trained(labels), strict=True):
            predictions = np.full((len(labels), len(fold.test), self.n_outputs), np.nan)
            whole = {i: net for i, net in enumerate(nets) if net}
            if whole:
                predictions[[*whole]] = predict([*whole.values()], fold.unseen)
            diverged = ~np.isfinite(predictions).all(axis=(1, 2))
            predictions[diverged] = constant
            n_diverged += diverged
            found.append(predictions)
        self.n_diverged += n_diverged.tolist()
        return found

    def _trained(self, labels: Labels) -> list[list[Net | None]]:
        """Return each fold's nets, one for each labelling; they start from the same weights."""
        trained: list[list[Net | None]] = [[] for _ in self.folds]
        for epochs in {fold.epochs for fold in self.folds}:
            numbers = [
                number
                for number, fold in enumerate(self.folds)
                if fold.epochs == epochs
            ]
            jobs = [job for number in numbers for job in self._jobs(number, labels)]
            nets = train(jobs, Schedule(epochs, patience=1, batch_size=_BATCH_SIZE))
            for place, number in enumerate(numbers):
                of_fold = nets[place * len(labels) : (place + 1) * len(labels)]
                trained[number] = [one.net for one in of_fold]
        return trained

    def _jobs(self, number: int, labels: Labels) -> list[Job]:
        fold = self.folds[number]
        inputs, rows = fold.rows[fold.portion], np.arange(len(fold.portion))
        none = np.empty(0, dtype=np.int64)
        return [
            Job(
                shape=Shape(inputs.shape[1], self.n_outputs, (self.plan.hidden,)),
                seed=seed_for(self.seed, "net", number),
                inputs=inputs,
                labels=one,
                rows=rows,
                stopping_rows=none,
                learning_rate=_LEARNING_RATE,
                weight_decay=_WEIGHT_DECAY,
                dropout=0.0,
                loss="squared_error" if self.regression else "cross_entropy",
            )
            for one in labels[:, fold.train[fold.portion]]
        ]
