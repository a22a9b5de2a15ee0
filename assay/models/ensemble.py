"""The deep model: an ensemble of networks, each stopped early on an inner fold of its own.

Its ``tune.seeds`` networks are selected greedily by the predictions of the trials for rows they were not
trained on, a trial as often as it helps (Caruana et al. 2004, "Ensemble selection from libraries of
models"). The inner folds take turns as stopping rows, so that together the networks train on every row of
the part. It is one model: saved, costed and predicted with as one.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.errors import TrainingFailed
from assay.models.net_trainer import Member, NetTrainer
from assay.models.training_part import Fitted
from assay.networks.job import Trained
from assay.networks.predict import predict
from assay.networks.spec import Loss
from assay.store.records import Hyperparameters
from assay.wording import Sentence

_MIN_PROBABILITY = 1e-7


# Selection ---------------------------------------------------------------------------------------


def select(
    predictions: list[NDArray[np.float64] | None],
    labels: Labels,
    n_picks: int,
    loss: Loss,
    weights: NDArray[np.float64] | None = None,
) -> tuple[int, ...]:
    """Return the trials of an ensemble's members, each chosen for what it adds to those before.

    Parameters
    ----------
    predictions
        Of each trial for the same rows, none of which it was trained on; None for one that may not
        be selected. Probabilities, shape (n_rows, n_classes), or numbers, shape (n_rows, 1).
    labels, weights : shape (n_rows,)
        Of those rows; no weights: all alike.

    Returns
    -------
    tuple
        ``n_picks`` places in ``predictions``, with repetitions; ties go to the first.

    Raises
    ------
    TrainingFailed
        If none may be selected.
    """
    places = [place for place, values in enumerate(predictions) if values is not None]
    if not places:
        raise TrainingFailed("models.ensemble.none_selectable", n=len(predictions))
    candidates = np.stack([values for values in predictions if values is not None])
    total, picks = np.zeros_like(candidates[0]), []
    for n in range(1, n_picks + 1):
        losses = [
            np.average(_losses((total + candidate) / n, labels, loss), weights=weights)
            for candidate in candidates
        ]
        best = int(np.argmin(losses))
        total += candidates[best]
        picks.append(places[best])
    return tuple(picks)


def _losses(
    predictions: NDArray[np.float64], labels: Labels, loss: Loss
) -> NDArray[np.float64]:
    if loss == "cross_entropy":
        of_class = predictions[np.arange(len(labels)), labels]
        return np.asarray(-np.log(np.maximum(of_class, _MIN_PROBABILITY)))
    error = predictions[:, 0] - labels
    return np.asarray(error**2 if loss == "squared_error" else np.abs(error))


# The networks ------------------------------------------------------------------------------------


def complete(trainer: NetTrainer, picks: tuple[int, ...]) -> Fitted:
    """Train what an ensemble of a network for each pick lacks.

    Network s stops early on inner fold s, round and round; those that the trials have trained
    already are taken as they are.

    Raises
    ------
    TrainingFailed
        If none of the networks had a finite loss.
    """
    wanted = _members(picks, n_folds=int(trainer.part.inner.max()) + 1)
    trainer.train([member for member in wanted if member not in trainer.trained])
    finite = [member for member in wanted if trainer.trained[member].net]
    nets = tuple(
        net for net in (trainer.trained[member].net for member in finite) if net
    )
    if not nets:
        raise TrainingFailed("models.ensemble.none_finite", n=len(wanted))
    n_lost = len(wanted) - len(nets)
    lost = Sentence.of("models.ensemble.lost", n_lost=n_lost, n=len(wanted))
    return Fitted(
        lambda inputs: predict(nets, inputs).mean(axis=0),
        sum(net.size for net in nets),
        nets,
        picks=tuple(member.trial for member in finite),
        remark=lost if n_lost else None,
    )


def _members(picks: tuple[int, ...], n_folds: int) -> list[Member]:
    copies: Counter[tuple[int, int]] = Counter()
    members = []
    for number, pick in enumerate(picks):
        fold = number % n_folds
        members.append(Member(pick, fold, copies[pick, fold]))
        copies[pick, fold] += 1
    return members


def refit(
    trainer: NetTrainer,
    trials: list[Hyperparameters],
    picks: tuple[int, ...],
    n_watched: int = 0,
) -> tuple[Fitted, tuple[Trained, ...]]:
    """Train the networks that an earlier search selected, without searching.

    On the part that was searched they come out as they did there, bit for bit.

    Parameters
    ----------
    trainer
        New: without trials or networks of its own.
    trials
        The hyperparameters of every trial of that search, in order.
    picks
        The trial of each network.
    n_watched
        How many training rows each network records the loss of; see ``train.Job``.

    Raises
    ------
    TrainingFailed
        If none of the networks had a finite loss.
    """
    trainer.trials, trainer.n_watched = list(trials), n_watched
    fitted = complete(trainer, picks)
    return fitted, tuple(run for run in trainer.trained.values() if run.net)
