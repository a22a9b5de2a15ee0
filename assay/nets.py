"""The deep model: every trial trained in one stack, the winner from several seeds."""

import numpy as np
from numpy.typing import NDArray

from assay.errors import TrainingFailed
from assay.graph import Loss
from assay.network import Shape, Weights
from assay.part import Fitted, Part, Prepared, Score
from assay.records import Hyperparameters, Trial
from assay.seeds import seed_for
from assay.train import Job, Schedule, predict, train


class Nets:
    """Networks that stop early on an inner fold."""

    def __init__(self, part: Part, seed: int) -> None:
        self.part, self.seed, self.space = part, seed, part.plan.tune.net
        plan = part.plan.tune
        self.schedule = Schedule(plan.epochs, plan.patience, plan.batch_size)

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        folds = self.part.trial_folds
        jobs = [
            self._job(
                fold,
                one,
                fold.train,
                fold.validation,
                seed_for(self.seed, "trial", number),
            )
            for number, one in enumerate(asked)
            for fold in folds
        ]
        trained = train(jobs, self.schedule)
        predictions = [
            predict([one.weights], job.inputs[job.stopping_rows])[0]
            if one.weights
            else None
            for job, one in zip(jobs, trained, strict=True)
        ]
        return [
            self.part.scored(predictions[start : start + len(folds)])
            for start in range(0, len(jobs), len(folds))
        ]

    def fit(self, trial: Trial) -> Fitted:
        """Train the winner; its predictions are the mean over its networks."""
        members = self._members(trial.hyperparameters)
        size = sum(layer.nbytes for weights in members for layer in weights)
        return Fitted(
            lambda inputs: predict(members, inputs).mean(axis=0), size, members
        )

    def _members(self, won: Hyperparameters) -> tuple[Weights, ...]:
        """Train the winner from several seeds.

        Seed s stops early on inner fold s and trains on the others, so that together the networks
        have trained on every row of the part.

        Raises
        ------
        TrainingFailed
            If one of them came to no finite loss.
        """
        whole, inner = self.part.whole, self.part.inner[self.part.whole.train]
        n_seeds = self.part.plan.tune.seeds
        jobs = [
            self._job(
                whole,
                won,
                whole.train[inner != s],
                whole.train[inner == s],
                seed_for(self.seed, "winner", s),
            )
            for s in range(n_seeds)
        ]
        trained = train(jobs, self.schedule)
        members = tuple(one.weights for one in trained if one.weights)
        if len(members) < n_seeds:
            raise TrainingFailed(
                f"{n_seeds - len(members)} of {n_seeds} networks of the winner had no finite loss."
            )
        return members

    def _job(
        self,
        fold: Prepared,
        hyperparameters: Hyperparameters,
        rows: NDArray[np.int64],
        stopping_rows: NDArray[np.int64],
        seed: int,
    ) -> Job:
        return Job(
            shape=Shape(
                n_inputs=fold.inputs.shape[1],
                n_outputs=self.part.n_outputs,
                depth=int(hyperparameters["depth"]),
                width=int(hyperparameters["width"]),
            ),
            seed=seed,
            inputs=fold.inputs,
            labels=self.part.labels,
            rows=rows,
            stopping_rows=stopping_rows,
            learning_rate=float(hyperparameters["learning_rate"]),
            weight_decay=float(hyperparameters["weight_decay"]),
            dropout=float(hyperparameters["dropout"]),
            loss=self._loss(),
        )

    def _loss(self) -> Loss:
        if not self.part.regression:
            return "cross_entropy"
        absolute = self.part.plan.metric == "absolute_error"
        return "absolute_error" if absolute else "squared_error"
