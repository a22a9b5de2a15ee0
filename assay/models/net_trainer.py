"""Training of a search's networks, each on all inner folds but the one it stops early on."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.models.training_part import Part
from assay.networks.job import Job, Schedule, Trained
from assay.networks.predict import predict
from assay.networks.spec import Loss
from assay.networks.train import train
from assay.store.records import Hyperparameters
from assay.store.seeds import generator_for, seed_for
from assay.study.plans import ImageSpace, NetSpace

_STEPS_PER_EPOCH = 25  # batches grow with the rows until they reach the largest size
_SMALLEST_BATCH = 32


@dataclass(frozen=True)
class Member:
    """A network: the number of its trial, the inner fold it stops on, and a count of repetitions of the two."""

    trial: int
    fold: int
    copy: int = 0


class Architecture(Protocol):
    """A kind of networks: its search space, and what a training needs to know of it."""

    largest_batch: int

    @property
    def space(self) -> NetSpace | ImageSpace:
        """What the search varies."""

    @property
    def defaults(self) -> list[Hyperparameters]:
        """Hyperparameters that are good without a search."""

    def settings(self, hyperparameters: Hyperparameters, fold: int) -> dict[str, Any]:
        """Return the fields of a :class:`Job` that depend on the kind of network."""


class NetTrainer:
    """Trains the networks of trials, and keeps them.

    Attributes
    ----------
    trials
        The hyperparameters of every trial, by its number.
    trained
        The networks so far, those without a finite loss among them.
    n_watched
        How many training rows each network records the loss of; see :class:`Job`.
    """

    def __init__(self, part: Part, seed: int, architecture: Architecture) -> None:
        self.part, self.seed, self.architecture = part, seed, architecture
        plan, n_rows = part.plan.tune, len(part.whole.train)
        batch_size = plan.batch_size or batch_size_for(
            n_rows, architecture.largest_batch
        )
        self.schedule = Schedule(plan.epochs, plan.patience, batch_size)
        self.class_weights = part.class_weights()
        self.loss = _loss(part)
        self.trials: list[Hyperparameters] = []
        self.trained: dict[Member, Trained] = {}
        self.n_watched = 0

    def train(self, members: list[Member]) -> None:
        """Train networks; of Hyperband's, those that stopped early before do not continue."""
        before = {member: self._before(member) for member in members}
        self.trained |= {
            member: training
            for member, training in before.items()
            if training and not training.paused
        }
        remaining = [member for member in members if member not in self.trained]
        trainings = train([self.job(member) for member in remaining], self.schedule)
        self.trained |= dict(zip(remaining, trainings, strict=True))

    def predicted(
        self, member: Member, rows: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """Return a network's predictions for some rows; None where it had no finite loss."""
        net = self.trained[member].net
        return predict([net], self.part.whole.inputs[rows])[0] if net else None

    def is_full_length(self, trial: int) -> bool:
        """Return whether a trial was trained as long as a network of the ensemble would be."""
        epochs = int(self.trials[trial].get("epochs", self.schedule.epochs))
        return epochs >= self.schedule.epochs

    def job(self, member: Member) -> Job:
        """Return the training of a network."""
        part, hyperparameters = self.part, self.trials[member.trial]
        rows, stopping_rows = part.rows_of(member.fold)
        before, start = self._before(member), self._first_trial(member.trial)
        return Job(
            **self.architecture.settings(hyperparameters, member.fold),
            seed=seed_for(self.seed, "net", start, member.fold, member.copy),
            inputs=part.whole.inputs,
            labels=part.labels,
            rows=rows,
            stopping_rows=stopping_rows,
            learning_rate=float(hyperparameters["learning_rate"]),
            weight_decay=float(hyperparameters["weight_decay"]),
            dropout=float(hyperparameters["dropout"]),
            smoothing=float(hyperparameters.get("smoothing", 0.0)),
            loss=self.loss,
            class_weights=self.class_weights,
            until=(
                int(hyperparameters["epochs"]) if "epochs" in hyperparameters else None
            ),
            paused=before.paused if before else None,
            watched=self._watched(rows) if self.n_watched else None,
        )

    def _watched(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        order = generator_for(self.seed, "watched").permutation(len(rows))
        return rows[np.sort(order[: self.n_watched])]

    def _before(self, member: Member) -> Trained | None:
        """Return the training that a trial of Hyperband continues, if it continues one."""
        earlier = int(self.trials[member.trial].get("goes_on", -1))
        return self.trained.get(Member(earlier, member.fold, member.copy))

    def _first_trial(self, trial: int) -> int:
        """Return the trial that a chain of Hyperband's continuations began with."""
        earlier = int(self.trials[trial].get("goes_on", -1))
        return trial if earlier < 0 else self._first_trial(earlier)


def batch_size_for(n_rows: int, largest: int) -> int:
    """Return a power of two for about 25 steps per epoch, from 32 to the largest."""
    size = max(1, n_rows // _STEPS_PER_EPOCH)
    return int(np.clip(1 << (size.bit_length() - 1), _SMALLEST_BATCH, largest))


def _loss(part: Part) -> Loss:
    if not part.regression:
        return "cross_entropy"
    absolute = part.plan.metric == "absolute_error"
    return "absolute_error" if absolute else "squared_error"
