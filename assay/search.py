"""The search: keras-tuner's oracle proposes hyperparameters, we try them and tell it the scores.

``Tuner.search`` is never called. Its ``run_trial`` needs a package TensorFlow no longer brings and
turns our own faults into bad trials; the oracle alone does neither.
"""

import tempfile
from collections.abc import Callable

import numpy as np

from assay.environment import pin
from assay.errors import TrainingFailed
from assay.plans import BoostingSpace, LogisticSpace, NetSpace
from assay.records import Hyperparameters, Trial

pin()
import keras_tuner as kt  # noqa: E402  (it imports TensorFlow, whose settings are read at import)

Space = NetSpace | LogisticSpace | BoostingSpace
Scores = list[tuple[float | None, str]]
TryAll = Callable[[list[Hyperparameters]], Scores]

_OBJECTIVE = "score"


def search(
    space: Space, n_trials: int, seed: int, try_all: TryAll
) -> tuple[tuple[Trial, ...], int]:
    """Ask for trials, try them all at once, tell the oracle, and return them with the best one's place.

    Parameters
    ----------
    try_all
        Takes the hyperparameters of every trial and returns for each a score (higher is better)
        or None with the reason why there is none.

    Raises
    ------
    TrainingFailed
        If no trial has a finite score.
    """
    with tempfile.TemporaryDirectory() as folder:
        oracle = kt.oracles.RandomSearchOracle(
            objective=kt.Objective(_OBJECTIVE, "max"),
            max_trials=n_trials,
            seed=seed,
            hyperparameters=_declared(space),
            max_consecutive_failed_trials=n_trials + 1,
        )
        oracle._set_project_dir(
            folder, "search"
        )  # where it keeps its own notes; gone afterwards
        oracle.verbose = 0
        asked = _ask(oracle, n_trials)
        scores = try_all([dict(trial.hyperparameters.values) for trial in asked])
        _tell(oracle, asked, scores)
    trials = tuple(
        Trial(
            number=number,
            hyperparameters=dict(trial.hyperparameters.values),
            score=score,
            message=message,
        )
        for number, (trial, (score, message)) in enumerate(
            zip(asked, scores, strict=True)
        )
    )
    finite = [trial.score if trial.score is not None else -np.inf for trial in trials]
    winner = int(np.argmax(finite))
    if not np.isfinite(finite[winner]):
        raise TrainingFailed(
            f"None of {len(trials)} trials gave a finite score; the first: {trials[0].message}."
        )
    return trials, winner


def _ask(oracle: kt.Oracle, n_trials: int) -> list[kt.engine.trial.Trial]:
    """Take trials until the oracle has no more; a small space holds fewer than were asked for."""
    asked = []
    for number in range(n_trials):
        trial = oracle.create_trial(f"slot-{number}")
        if trial.status != "RUNNING":
            break
        asked.append(trial)
    if not asked:
        raise TrainingFailed(
            "keras-tuner proposed no trial: the declared space is empty."
        )
    return asked


def _tell(
    oracle: kt.Oracle, asked: list[kt.engine.trial.Trial], scores: Scores
) -> None:
    for trial, (score, message) in zip(asked, scores, strict=True):
        if score is None:
            trial.status, trial.message = "FAILED", message
        else:
            oracle.update_trial(trial.trial_id, {_OBJECTIVE: score})
            trial.status = "COMPLETED"
        oracle.end_trial(trial)


def _declared(space: Space) -> kt.HyperParameters:
    """Declare the whole space before the first trial: an undeclared one makes oracles stop silently."""
    hp = kt.HyperParameters()
    match space:
        case NetSpace():
            hp.Choice("depth", list(space.depth))
            hp.Choice("width", list(space.width))
            hp.Choice("pieces", list(space.pieces))
            hp.Choice("activation", list(space.activation))
            hp.Choice("dropout", list(space.dropout))
            hp.Float("learning_rate", *space.learning_rate, sampling="log")
            hp.Float("weight_decay", *space.weight_decay, sampling="log")
        case LogisticSpace():
            hp.Float("inverse_penalty", *space.inverse_penalty, sampling="log")
        case BoostingSpace():
            hp.Float("learning_rate", *space.learning_rate, sampling="log")
            hp.Choice("leaves", list(space.leaves))
            hp.Choice("min_rows_per_leaf", list(space.min_rows_per_leaf))
            hp.Float("l2", *space.l2, sampling="log")
    return hp
