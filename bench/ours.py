"""Everything of Assay that the benchmarks of engine, quality and scale call, in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from assay.data.samples import Samples
from assay.errors import TrainingFailed
from assay.models.net_search import deep
from assay.models.search import Scores, search
from assay.models.training_part import TEST, Part
from assay.networks import net as network
from assay.networks.job import Job, Schedule
from assay.networks.predict import predict
from assay.networks.spec import Shape
from assay.networks.train import train
from assay.store.records import Hyperparameters
from assay.store.seeds import seed_for
from assay.study.plans import CleanPlan, NetSpace, TunePlan, Tuning
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
        width = int(self.hyperparameters["width"])
        return Shape(
            n_inputs=self.rows.inputs.shape[1],
            n_outputs=2,
            widths=(width,) * int(self.hyperparameters["depth"]),
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
            emphasis=np.ones(net.rows.inputs.shape[1], dtype=np.float32),
        )
        for net in nets
    ]

    return [
        Done(_of_second(trained_net.net), min(epochs, trained_net.epoch + patience + 1))
        for trained_net in train(jobs, Schedule(epochs, patience, batch_size))
    ]


def _of_second(net: network.Net | None) -> Callable[[Matrix], NDArray[np.float64]]:
    if net is None:
        raise TrainingFailed("A network of the benchmark had no finite loss.")
    return lambda inputs: predict([net], inputs)[0, :, 1]


def drawn(
    work: Workload, try_all: Callable[[list[Hyperparameters]], Scores]
) -> list[Hyperparameters]:
    """Search the workload's space and return the trials it drew, in order."""
    space = NetSpace(
        depth=workload.DEPTHS,
        width=workload.WIDTHS,
        pieces=(0,),
        screen=(0.0,),
        activation=("relu",),
        dropout=workload.DROPOUTS,
        learning_rate=workload.LEARNING_RATES,
        weight_decay=workload.WEIGHT_DECAYS,
    )
    trials, _ = search(space, work.trials, work.seed, try_all)
    searched = ("depth", "width", "dropout", "learning_rate", "weight_decay")
    return [
        {name: trial.hyperparameters[name] for name in searched} for trial in trials
    ]


# The table model -------------------------------------------------------------------------------

Kind = Literal["net", "ensemble", "ensemble-tuned"]

_UNTUNED: Hyperparameters = {
    "depth": 2,
    "width": 128,
    "dropout": 0.15,
    "learning_rate": 2e-3,
    "weight_decay": 2e-2,
}
_MEMBERS, _FOLDS, _TRIALS = 16, 5, 12


def probabilities(
    kind: Kind, train: pd.DataFrame, labels: Labels, test: pd.DataFrame
) -> NDArray[np.float64]:
    """Fit a model of ours on training rows and return class probabilities of the others.

    As the product does, with its defaults. The one net and the untuned ensemble are picked from what
    is good without a search; the tuned one has 12 trials on all 5 inner folds.
    """
    tuned = kind == "ensemble-tuned"
    plan = TunePlan(
        folds_per_trial=_FOLDS if tuned else 1,
        seeds=1 if kind == "net" else _MEMBERS,
    )
    part = _part(train, labels, test, plan)
    nets = deep(part, seed_for(0, kind))
    trials, winner = search(
        nets.space,
        _TRIALS if tuned else len(nets.first),
        seed_for(0, "search"),
        nets.try_all,
        first=nets.first,
    )
    return nets.fit(trials[winner]).predict(part.whole.inputs[part.test])


def _part(
    train: pd.DataFrame, labels: Labels, test: pd.DataFrame, plan: TunePlan
) -> Part:
    """Return both parts, prepared, the first with its inner folds."""
    inner = np.full(len(train) + len(test), TEST, dtype=np.int16)
    split = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for number, (_, rows) in enumerate(split.split(train, labels)):
        inner[rows] = number
    n_classes = len(np.unique(labels))
    samples = Samples(
        features=pd.concat([train, test], ignore_index=True) if len(test) else train,
        labels=np.append(labels, np.zeros(len(test), dtype=np.int32)),  # not known here
        task="binary" if n_classes == 2 else "multiclass",
        classes=tuple(f"class {code}" for code in range(n_classes)),
    )
    return Part(samples, inner, Tuning(tune=plan, clean=CleanPlan(), metric="log_loss"))


def large(features: pd.DataFrame, labels: Labels) -> Net:
    """Return a network to be trained on a table, prepared as one outer training part is."""
    part = _part(features, labels, features[:0], TunePlan())
    fold = part.whole
    stop = np.flatnonzero(part.inner == 0)
    train = np.flatnonzero(part.inner > 0)
    return Net(Rows(fold.inputs, labels, train, stop), _UNTUNED, 1)
