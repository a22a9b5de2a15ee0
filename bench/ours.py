"""Everything of Assay that the benchmarks of engine, quality and scale call, in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from assay.nets import Nets
from assay.network import Shape
from assay.part import TEST, Part
from assay.plans import CleanPlan, NetSpace, TunePlan, Tuning
from assay.records import Hyperparameters, Trial
from assay.samples import Samples
from assay.search import Scores, search
from assay.seeds import seed_for
from assay.train import Job, Schedule, predict, train
from bench import workload
from bench.workload import Workload

Matrix = NDArray[np.float32]
Labels = NDArray[np.int32]


# The engine ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """A matrix with its labels, and which rows train and which decide when to stop."""

    inputs: Matrix
    labels: Labels
    train: NDArray[np.int64]
    stop: NDArray[np.int64]


@dataclass(frozen=True)
class Net:
    """One network of two classes to be trained; its hyperparameters are those of the workload."""

    rows: Rows
    hyperparameters: Hyperparameters
    seed: int

    @property
    def shape(self) -> Shape:
        return Shape(
            n_inputs=self.rows.inputs.shape[1],
            n_outputs=2,
            depth=int(self.hyperparameters["depth"]),
            width=int(self.hyperparameters["width"]),
        )

    @property
    def layers(self) -> list[tuple[int, int]]:
        return self.shape.layers()


@dataclass(frozen=True)
class Done:
    """A trained network: the probability it gives the second class, and the epochs it took."""

    predict: Callable[[Matrix], NDArray[np.float64]]
    epochs: int


def trained(
    nets: Sequence[Net], *, epochs: int, patience: int, batch_size: int
) -> list[Done]:
    """Train networks in one call; without rows to stop on, to the last epoch."""
    jobs = [
        Job(
            shape=net.shape,
            seed=net.seed,
            inputs=net.rows.inputs,
            labels=net.rows.labels,
            rows=net.rows.train,
            stopping_rows=net.rows.stop,
            learning_rate=float(net.hyperparameters["learning_rate"]),
            weight_decay=float(net.hyperparameters["weight_decay"]),
            dropout=float(net.hyperparameters["dropout"]),
        )
        for net in nets
    ]

    def of_second(weights: Any) -> Callable[[Matrix], NDArray[np.float64]]:
        return lambda inputs: predict([weights], inputs)[0, :, 1]

    return [
        Done(of_second(one.weights), min(epochs, one.epoch + patience + 1))
        for one in train(jobs, Schedule(epochs, patience, batch_size))
    ]


def drawn(
    work: Workload, try_all: Callable[[list[Hyperparameters]], Scores]
) -> list[Hyperparameters]:
    """Search the workload's space and return the trials it drew, in order."""
    space = NetSpace(
        depth=workload.DEPTHS,
        width=workload.WIDTHS,
        dropout=workload.DROPOUTS,
        learning_rate=workload.LEARNING_RATES,
        weight_decay=workload.WEIGHT_DECAYS,
    )
    trials, _ = search(space, work.trials, work.seed, try_all)
    return [trial.hyperparameters for trial in trials]


# The table model -------------------------------------------------------------------------------

Kind = Literal["net", "ensemble", "ensemble-tuned"]

_UNTUNED: Hyperparameters = {
    "depth": 2,
    "width": 128,
    "dropout": 0.15,
    "learning_rate": 2e-3,
    "weight_decay": 2e-2,
}
_MEMBERS, _TRIALS, _FOLDS = 16, 20, 7


def probabilities(
    kind: Kind, train: pd.DataFrame, labels: Labels, test: pd.DataFrame
) -> NDArray[np.float64]:
    """Fit a model of ours on training rows and return class probabilities of the others."""
    n_members = 1 if kind == "net" else _MEMBERS
    part = _part(train, labels, test, n_members)
    nets = Nets(part, seed_for(0, kind))
    trial = Trial(number=0, hyperparameters=_UNTUNED, score=None, message="")
    if kind == "ensemble-tuned":
        trials, winner = search(
            nets.space, _TRIALS, seed_for(0, "search"), nets.try_all
        )
        trial = trials[winner]
    return nets.fit(trial).predict(part.whole.inputs[part.test])


def _part(
    train: pd.DataFrame, labels: Labels, test: pd.DataFrame, n_members: int
) -> Part:
    """Return both parts, prepared; each member stops early on an inner fold of its own."""
    inner = np.full(len(train) + len(test), TEST, dtype=np.int16)
    split = StratifiedKFold(max(_FOLDS, n_members), shuffle=True, random_state=0)
    for number, (_, rows) in enumerate(split.split(train, labels)):
        inner[rows] = number
    n_classes = len(np.unique(labels))
    samples = Samples(
        features=pd.concat([train, test], ignore_index=True),
        labels=np.append(labels, np.zeros(len(test), dtype=np.int32)),  # not known here
        task="binary" if n_classes == 2 else "multiclass",
        classes=tuple(f"class {code}" for code in range(n_classes)),
    )
    plan = TunePlan(seeds=n_members, epochs=120, patience=15)
    return Part(samples, inner, Tuning(tune=plan, clean=CleanPlan(), metric="log_loss"))


def large(features: pd.DataFrame, labels: Labels) -> Net:
    """Return a network to be trained on a table, prepared as one outer training part is."""
    part = _part(features, labels, features[:0], 1)
    fold = part.whole
    stop = np.flatnonzero(part.inner == 0)
    train = np.flatnonzero(part.inner > 0)
    return Net(Rows(fold.inputs, labels, train, stop), _UNTUNED, 1)
