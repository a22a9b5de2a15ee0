"""The search for the deep model: every trial trains a network per inner fold used, all stacked."""

import numpy as np
from numpy.typing import NDArray

from assay.models import ensemble
from assay.models.dense_nets import Dense
from assay.models.image_nets import Convolutional
from assay.models.net_trainer import Architecture, Member, NetTrainer
from assay.models.training_part import Fitted, Part, Score
from assay.store.records import Hyperparameters, Trial


class NetSearch:
    """Networks of one architecture, as a family of models.

    Attributes
    ----------
    predictions
        Of each trial for the validation rows of the inner folds used, none of which its networks
        were trained on; None for a trial that may not be part of the ensemble.
    """

    def __init__(self, part: Part, seed: int, architecture: Architecture) -> None:
        self.part, self.trainer = part, NetTrainer(part, seed, architecture)
        self.space, self.first = architecture.space, architecture.defaults
        self.predictions: list[NDArray[np.float64] | None] = []

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        trials, folds = self.trainer.trials, range(len(self.part.trial_folds))
        numbers = range(len(trials), len(trials) + len(asked))
        trials += asked
        self.trainer.train([Member(number, k) for number in numbers for k in folds])
        return [self._scored(number) for number in numbers]

    def _scored(self, number: int) -> Score:
        by_fold = [
            self.trainer.predicted(Member(number, k), fold.validation)
            for k, fold in enumerate(self.part.trial_folds)
        ]
        score = self.part.scored(by_fold)
        finite = [predictions for predictions in by_fold if predictions is not None]
        selectable = score[0] is not None and self.trainer.is_full_length(number)
        self.predictions.append(np.concatenate(finite) if selectable else None)
        return score

    def fit(self, _: Trial, /) -> Fitted:
        """Complete the ensemble that the trials' predictions select.

        Raises
        ------
        TrainingFailed
            If none of its networks had a finite loss.
        """
        part = self.part
        rows = np.concatenate([fold.validation for fold in part.trial_folds])
        picks = ensemble.select(
            self.predictions,
            part.labels[rows],
            part.plan.tune.seeds,
            self.trainer.loss,
            part.row_weights(rows),
        )
        return ensemble.complete(self.trainer, picks)


def deep(part: Part, seed: int) -> NetSearch:
    """Return the deep model that a part's plan asks for: networks for tables or for images."""
    image = part.plan.clean.image
    architecture = Dense(part, seed) if image is None else Convolutional(part, image)
    return NetSearch(part, seed, architecture)
