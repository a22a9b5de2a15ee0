"""The gate's statistic: scores of its two models on every outer fold, for true or permuted labels.

True and permuted labels are treated alike: a net that diverged, or a training set of one class, predicts
a constant; a test set of one class is left out of the mean. Doubtful labels stay in the training set:
leaving them out for the true labels only would distinguish those from the permuted ones.
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
from assay.store.records import unit_name
from assay.store.seeds import generator_for, seed_for
from assay.study.plans import CleanPlan, Gating
from assay.wording import Sentence

_MAX_PREDICTIONS = 2**24  # numbers held at a time: 128 MB
_MAX_ROWS = 2**17  # in a training set of the gate
_MAX_AXES_OF_IMAGES = 128  # with more axes a linear model overfits images
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
    net_rows : shape (n_net_rows,)
        Positions in the training set that the net trains on: no more than it has steps for.
    epochs
        Passes of the net over these rows.
    """

    rows: NDArray[np.float32]
    unseen: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    net_rows: NDArray[np.int64]
    epochs: int


class GateStatistic:
    """Scores of both models on every fold, for any labelling of the rows.

    Parameters
    ----------
    outer, inner
        As :func:`assay.gate.stage.chance_gate` takes them.
    drop_doubtful_labels
        Whether ``label_noise = "drop"`` of the plan applies. Only for the true labels.
    """

    def __init__(
        self,
        samples: Samples,
        outer: NDArray[np.int16],
        inner: NDArray[np.int16],
        plan: Gating,
        seed: int,
        *,
        drop_doubtful_labels: bool = False,
    ) -> None:
        self.samples, self.outer, self.plan, self.seed = samples, outer, plan.gate, seed
        self.regression = samples.task == "regression"
        self.models = ("linear" if self.regression else "logistic", "net")
        self.n_outputs = 1 if self.regression else len(samples.classes)
        drops = drop_doubtful_labels and plan.clean.label_noise == "drop"
        self.folds = [
            self._prepared(
                number,
                np.flatnonzero(inner[number] >= 0),
                np.flatnonzero(outer == number),
                plan.clean,
                drop_doubtful_labels=drops,
            )
            for number in range(len(inner))
        ]
        self.n_diverged: list[int] = []  # folds of each labelling, in the order drawn

    def _prepared(
        self,
        number: int,
        train: NDArray[np.int64],
        test: NDArray[np.int64],
        plan: CleanPlan,
        *,
        drop_doubtful_labels: bool,
    ) -> _Fold:
        features = self.samples.features
        train = self._training_rows(number, train, plan)
        preparation = preprocess.fit(features.iloc[train], plan)
        rows = preparation.apply(features.iloc[train])
        if drop_doubtful_labels:
            units = self.samples.units
            plausible = outliers.plausible_labels(
                rows,
                self.samples.labels[train],
                None if units is None else units[train],
            )
            train, rows = train[plausible], rows[plausible]
        generator = generator_for(self.seed, "rows", number)
        net_rows = generator.permutation(len(train))[: self.plan.steps * _BATCH_SIZE]
        steps_per_epoch = max(1, len(net_rows) // _BATCH_SIZE)
        return _Fold(
            rows=rows,
            unseen=preparation.apply(features.iloc[test]),
            train=train,
            test=test,
            net_rows=net_rows,
            epochs=-(-self.plan.steps // steps_per_epoch),
        )

    def _training_rows(
        self, number: int, train: NDArray[np.int64], plan: CleanPlan
    ) -> NDArray[np.int64]:
        """Return a training set without outliers; of a very large one a sample, the same for all labellings.

        The test is exact for any statistic, so a sample costs power only.
        """
        features = self.samples.features.iloc[train]
        kept = np.flatnonzero(outliers.kept_rows(features, plan.outliers))
        outliers.need_rows(len(kept), len(train))
        if not self.regression:
            preprocess.check_classes(self.samples.labels[train], kept)
        train = train[kept]
        if len(train) <= _MAX_ROWS:
            return train
        generator = generator_for(self.seed, "learned from", number)
        return np.sort(generator.permutation(train)[:_MAX_ROWS])

    def relabellings(self, first: int, n: int) -> list[Labels]:
        """Return ``n`` relabellings from number ``first`` on."""
        return [
            relabelled(self.samples, self.outer, self.seed, number)
            for number in range(first, first + n)
        ]

    def scores(self, labellings: Sequence[Labels]) -> Array:
        """Return the statistic of both models, shape (n_labellings, n_models)."""
        n = max(1, _MAX_PREDICTIONS // (self.samples.n_rows * self.n_outputs))
        batches = [
            self._scores(np.stack(labellings[first : first + n]))
            for first in range(0, len(labellings), n)
        ]
        return np.concatenate(batches)

    def remark(self) -> Sentence | None:
        """Return what qualifies the result: divergence of the net, units without an exchange partner."""
        samples, remarks = self.samples, []
        if self.n_diverged[0]:
            remarks.append(
                Sentence.of(
                    "gate.remark.diverged",
                    n=self.n_diverged[0],
                    n_folds=len(self.folds),
                )
            )
        alone = int(n_alone(samples, self.outer))
        if 2 * alone > samples.n_rows:
            remarks.append(
                Sentence.of(
                    "gate.remark.alone",
                    n=alone,
                    n_rows=samples.n_rows,
                    unit=unit_name(samples.unit),
                )
            )
        if len(remarks) == 2:
            return Sentence.of("gate.remark.both", first=remarks[0], second=remarks[1])
        return remarks[0] if remarks else None

    def _scores(self, labellings: Labels) -> Array:
        by_model = (self._linear(labellings), self._nets(labellings))
        scores = [
            [self._score(labels, [fold[i] for fold in folds]) for folds in by_model]
            for i, labels in enumerate(labellings)
        ]
        return np.round(scores, _DECIMALS)

    def _score(self, labels: Labels, by_fold: Sequence[Array]) -> float:
        """Return the statistic of one model and one labelling, from its predictions of each test set."""
        rounded = [np.round(predictions, _DECIMALS) for predictions in by_fold]
        if self.regression:
            tested = np.concatenate([fold.test for fold in self.folds])
            return spearman(labels[tested], np.concatenate(rounded))
        areas = [
            auc(labels[fold.test], predictions)
            for fold, predictions in zip(self.folds, rounded, strict=True)
        ]
        defined = [area for area in areas if not np.isnan(area)]
        return float(np.mean(defined)) if defined else 0.5

    def _linear(self, labels: Labels) -> list[Array]:
        """Return predictions for each fold, shape (n_labellings, n_test, n_outputs)."""
        predictions = []
        most_axes = _MAX_AXES_OF_IMAGES if self.samples.image else None
        for fold in self.folds:
            rows, unseen = fold.rows.astype(np.float64), fold.unseen.astype(np.float64)
            train = labels[:, fold.train]
            predictions.append(
                linear.ridge(rows, train, unseen)[:, :, None]
                if self.regression
                else linear.logistic(rows, train, unseen, self.n_outputs, most_axes)
            )
        return predictions

    def _nets(self, labels: Labels) -> list[Array]:
        """Return predictions for each fold, shape (n_labellings, n_test, n_outputs)."""
        constant = 0.0 if self.regression else 1 / self.n_outputs
        by_fold, n_diverged = [], np.zeros(len(labels), dtype=int)
        for fold, nets in zip(self.folds, self._trained(labels), strict=True):
            predictions = np.full((len(labels), len(fold.test), self.n_outputs), np.nan)
            finite = {i: net for i, net in enumerate(nets) if net}
            if finite:
                predictions[[*finite]] = predict([*finite.values()], fold.unseen)
            diverged = ~np.isfinite(predictions).all(axis=(1, 2))
            predictions[diverged] = constant
            n_diverged += diverged
            by_fold.append(predictions)
        self.n_diverged += n_diverged.tolist()
        return by_fold

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
                trained[number] = [training.net for training in of_fold]
        return trained

    def _jobs(self, number: int, labels: Labels) -> list[Job]:
        fold = self.folds[number]
        inputs, rows = fold.rows[fold.net_rows], np.arange(len(fold.net_rows))
        none = np.empty(0, dtype=np.int64)
        return [
            Job(
                shape=Shape(inputs.shape[1], self.n_outputs, (self.plan.hidden,)),
                seed=seed_for(self.seed, "net", number),
                inputs=inputs,
                labels=labelling,
                rows=rows,
                stopping_rows=none,
                learning_rate=_LEARNING_RATE,
                weight_decay=_WEIGHT_DECAY,
                dropout=0.0,
                loss="squared_error" if self.regression else "cross_entropy",
            )
            for labelling in labels[:, fold.train[fold.net_rows]]
        ]
