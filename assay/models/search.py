"""The search: keras-tuner's oracle proposes hyperparameters, we try them and tell it the scores.

``Tuner.search`` is never called. Its ``run_trial`` needs a package TensorFlow no longer brings and
turns our own faults into bad trials; the oracle alone does neither. Trials are asked for and told
in batches, because that is how they are trained. An oracle lives as long as one call, so what it
proposes depends on the seed and the scores alone: a search that was killed starts again and comes
to the same trials.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, get_args

import numpy as np

from assay.errors import TrainingFailed
from assay.store.machine import pin
from assay.store.records import Hyperparameters, Trial
from assay.study.plans import BoostingSpace, ImageSpace, LogisticSpace, NetSpace, Tuner

pin()
import keras_tuner as kt  # noqa: E402  (it imports TensorFlow, whose settings are read at import)

Space = NetSpace | ImageSpace | LogisticSpace | BoostingSpace
Scores = list[tuple[float | None, str]]
TryAll = Callable[[list[Hyperparameters]], Scores]

_OBJECTIVE = "score"
_AT_ONCE = 4  # proposals of a Bayesian search between two looks at the scores
_FACTOR = 3  # of Hyperband: one trial in so many goes on, so many times longer
_NEAR_EDGE = 0.05  # of a range, on its scale


def search(
    space: Space,
    n_trials: int,
    seed: int,
    try_all: TryAll,
    *,
    first: Sequence[Hyperparameters] = (),
    tuner: Tuner = "random",
    epochs: int = 0,
) -> tuple[tuple[Trial, ...], int]:
    """Try what is good without a search, then what an oracle proposes; return all and the best one's place.

    Parameters
    ----------
    n_trials
        How many, ``first`` among them. Hyperband adds what one sweep of its brackets holds.
    try_all
        Takes hyperparameters of several trials and returns for each a score (higher is better) or
        None with the reason why there is none. A Hyperband trial carries ``epochs``, how long to
        train, and ``goes_on``, the number of the trial whose networks to train on, or -1.
    epochs
        Of a whole training, which Hyperband shares out.

    Raises
    ------
    TrainingFailed
        If no trial has a finite score.
    """
    sweeps = tuner == "hyperband"
    told = [dict(one) for one in (first if sweeps else first[:n_trials])]
    n_left = 1 if sweeps else n_trials - len(told)
    if n_left <= 0:
        scores = try_all(told)
    else:
        oracle = _oracle(tuner, space, n_left, seed, epochs)
        told, scores = _run(oracle, tuner, told, try_all, _settled(space))
    trials = tuple(
        Trial(number=number, hyperparameters=known, score=score, message=message)
        for number, (known, (score, message)) in enumerate(
            zip(told, scores, strict=True)
        )
    )
    return trials, _winner(trials)


def _winner(trials: tuple[Trial, ...]) -> int:
    finite = [trial.score if trial.score is not None else -np.inf for trial in trials]
    winner = int(np.argmax(finite))
    if not np.isfinite(finite[winner]):
        raise TrainingFailed(
            f"None of {len(trials)} trials gave a finite score; the first: {trials[0].message}."
        )
    return winner


def _oracle(
    tuner: Tuner, space: Space, n_trials: int, seed: int, epochs: int
) -> kt.Oracle:
    """Return an oracle that says nothing and writes nothing: a fold is searched again or not at all."""
    settings: dict[str, Any] = {
        "objective": kt.Objective(_OBJECTIVE, "max"),
        "seed": seed or 1,  # 0 would mean "random"
        "hyperparameters": _declared(space),
        "max_consecutive_failed_trials": 10**6,
    }
    match tuner:
        case "hyperband":
            oracle = kt.oracles.HyperbandOracle(
                max_epochs=epochs, factor=_FACTOR, **settings
            )
        case "bayesian":
            oracle = kt.oracles.BayesianOptimizationOracle(
                max_trials=n_trials, **settings
            )
        case "random":
            oracle = kt.oracles.RandomSearchOracle(max_trials=n_trials, **settings)
    oracle.save = oracle._save_trial = lambda *_: None
    oracle.verbose = 0
    return oracle


def _run(
    oracle: kt.Oracle,
    tuner: Tuner,
    first: list[Hyperparameters],
    try_all: TryAll,
    settled: Hyperparameters,
) -> tuple[list[Hyperparameters], Scores]:
    """Ask and tell until the oracle has no more; a small space holds fewer than were asked for.

    What is tried first is tried together with what the oracle proposes first.
    """
    at_once = _AT_ONCE if tuner == "bayesian" else 10**6
    number_of: dict[str, int] = {}
    told: list[Hyperparameters] = []
    scores: Scores = []
    waiting = first
    while asked := _ask(oracle, at_once):
        for trial in asked:
            number_of[trial.trial_id] = len(first) + len(number_of)
        known = [
            settled | _told(trial.hyperparameters.values, number_of) for trial in asked
        ]
        found = try_all(waiting + known)
        _tell(oracle, asked, found[len(waiting) :])
        told, scores = told + waiting + known, scores + found
        waiting = []
    if not told and not waiting:
        raise TrainingFailed(
            "keras-tuner proposed no trial: the declared space is empty."
        )
    return (told, scores) if told else (waiting, try_all(waiting))


def _told(values: dict[str, Any], number_of: dict[str, int]) -> Hyperparameters:
    """Return the hyperparameters without keras-tuner's own notes, which Hyperband keeps among them."""
    known = {name: value for name, value in values.items() if "/" not in name}
    if "tuner/epochs" in values:
        known["epochs"] = values["tuner/epochs"]
        known["goes_on"] = number_of.get(values.get("tuner/trial_id", ""), -1)
    return known


def _ask(oracle: kt.Oracle, at_once: int) -> list[kt.engine.trial.Trial]:
    asked: list[kt.engine.trial.Trial] = []
    while len(asked) < at_once:
        trial = oracle.create_trial(f"slot-{len(asked)}")
        if trial.status != "RUNNING":
            break
        asked.append(trial)
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


def full_trainings(tuner: Tuner, n_trials: int, n_first: int, epochs: int) -> int:
    """Return how many whole trainings a search costs: what the baselines get as trials.

    ``n_first`` is the number of trials that are good without a search.

    Hyperband (Li et al. 2018): bracket s begins with trials of ``epochs / 3**s`` epochs, of which a
    third goes on three times as long, and so on; sizes as in keras-tuner.
    """
    if tuner != "hyperband":
        return n_trials
    oracle = _oracle(tuner, LogisticSpace(), n_trials, 1, epochs)
    spent = 0
    for bracket in range(oracle._get_num_brackets()):
        before = 0
        for number in range(bracket + 1):
            until = oracle._get_epochs(bracket, number)
            spent += oracle._get_size(bracket, number) * (until - before)
            before = until
    return n_first + ceil(spent / epochs)


def _declared(space: Space) -> kt.HyperParameters:
    """Declare the whole space before the first trial: an undeclared one makes oracles stop silently."""
    hp = kt.HyperParameters()
    match space:
        case NetSpace():
            _choice(hp, space, "depth")
            _choice(hp, space, "width")
            _choice(hp, space, "pieces")
            _choice(hp, space, "screen")
            _choice(hp, space, "activation")
            _choice(hp, space, "dropout")
            hp.Float("learning_rate", *space.learning_rate, sampling="log")
            hp.Float("weight_decay", *space.weight_decay, sampling="log")
            _choice(hp, space, "smoothing")
        case ImageSpace():
            _choice(hp, space, "depth")
            _choice(hp, space, "filters")
            _choice(hp, space, "activation")
            _choice(hp, space, "dropout")
            _choice(hp, space, "shift")
            hp.Float("learning_rate", *space.learning_rate, sampling="log")
            hp.Float("weight_decay", *space.weight_decay, sampling="log")
        case LogisticSpace():
            hp.Float("inverse_penalty", *space.inverse_penalty, sampling="log")
        case BoostingSpace():
            hp.Float("learning_rate", *space.learning_rate, sampling="log")
            _choice(hp, space, "leaves")
            _choice(hp, space, "min_rows_per_leaf")
            hp.Float("l2", *space.l2, sampling="log")
    return hp


def _is_range(space: Space, name: str) -> bool:
    """Return whether a hyperparameter lies between two numbers; else it is one of a list."""
    return Ellipsis not in get_args(type(space).model_fields[name].annotation)


def _choice(hp: kt.HyperParameters, space: Space, name: str) -> None:
    """Declare a choice, unless there is none: a single value must not move what is drawn after it."""
    values = list(getattr(space, name))
    if len(values) > 1:
        hp.Choice(name, values)


def _settled(space: Space) -> Hyperparameters:
    """Return what a space leaves no choice in."""
    return {
        name: values[0]
        for name, values in space
        if isinstance(values, tuple) and len(values) == 1
    }


def at_edge(space: Space, known: Hyperparameters) -> tuple[str, ...]:
    """Return the hyperparameters that lie at an edge of their space, as ``width >= 256``.

    Numbers of a range count within a twentieth of it, on a log scale; of a list its last and first
    where there are three or more.
    """
    found = []
    for name, bounds in space:
        value = known.get(name)
        if isinstance(value, str) or value is None or not isinstance(bounds, tuple):
            continue
        low, high = min(bounds), max(bounds)
        if _is_range(space, name):
            place = np.log(float(value) / low) / np.log(high / low)
            near = (place <= _NEAR_EDGE, place >= 1 - _NEAR_EDGE)
        else:
            near = (len(bounds) > 2 and value == low, len(bounds) > 2 and value == high)
        if any(near):
            found.append(
                f"{name} {'<=' if near[0] else '>='} {low if near[0] else high:g}"
            )
    return tuple(found)
