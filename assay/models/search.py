"""The search: keras-tuner's oracle proposes hyperparameters, we try them and report the scores to it.

``Tuner.search`` is never called. Its ``run_trial`` needs a package that TensorFlow no longer installs
and counts our own errors as failed trials; the oracle alone does neither. Trials are proposed and
reported in batches, because that is how they are trained. An oracle lives for one call, so what it
proposes depends on the seed and the scores alone: a search that was killed starts again and repeats
the same trials.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, get_args

import numpy as np

from assay.errors import TrainingFailed
from assay.store.machine import pin
from assay.store.records import Hyperparameters, Trial
from assay.study.plans import BoostingSpace, ImageSpace, LogisticSpace, NetSpace, Tuner
from assay.wording import Sentence

pin()
import keras_tuner as kt  # noqa: E402  (it imports TensorFlow, whose settings are read at import)

Space = NetSpace | ImageSpace | LogisticSpace | BoostingSpace
Scores = list[tuple[float | None, Sentence | None]]
TryAll = Callable[[list[Hyperparameters]], Scores]

_OBJECTIVE = "score"
_BAYESIAN_BATCH = 4  # trials proposed from the same scores
_FACTOR = 3  # of Hyperband: one trial in three continues, three times as long
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
    """Try ``first``, then what an oracle proposes; return all trials and the place of the best one.

    Parameters
    ----------
    n_trials
        Number of trials, ``first`` among them. Hyperband adds one sweep of its brackets to ``first``.
    try_all
        Takes the hyperparameters of several trials and returns for each a score (higher is better),
        or None and the reason. A Hyperband trial has ``epochs``, the epoch to train to, and
        ``goes_on``, the number of the trial whose networks to train on, or -1.
    epochs
        Of a whole training, which Hyperband shares out.

    Raises
    ------
    TrainingFailed
        If no trial has a finite score.
    """
    sweeps = tuner == "hyperband"
    tried = [dict(item) for item in (first if sweeps else first[:n_trials])]
    n_left = 1 if sweeps else n_trials - len(tried)
    if n_left <= 0:
        scores = try_all(tried)
    else:
        oracle = _oracle(tuner, space, n_left, seed, epochs)
        batch = _BAYESIAN_BATCH if tuner == "bayesian" else 10**6
        tried, scores = _run(oracle, batch, tried, try_all, _fixed(space))
    trials = tuple(
        Trial(
            number=number,
            hyperparameters=hyperparameters,
            score=score,
            message=message,
        )
        for number, (hyperparameters, (score, message)) in enumerate(
            zip(tried, scores, strict=True)
        )
    )
    return trials, _winner(trials)


def _winner(trials: tuple[Trial, ...]) -> int:
    scores = [trial.score if trial.score is not None else -np.inf for trial in trials]
    winner = int(np.argmax(scores))
    if not np.isfinite(scores[winner]):
        message = trials[0].message or ""
        raise TrainingFailed("models.search.no_score", n=len(trials), message=message)
    return winner


def _oracle(
    tuner: Tuner, space: Space, n_trials: int, seed: int, epochs: int
) -> kt.Oracle:
    """Return an oracle that prints and writes nothing: a fold is searched anew or not at all."""
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
    batch: int,
    first: list[Hyperparameters],
    try_all: TryAll,
    fixed: Hyperparameters,
) -> tuple[list[Hyperparameters], Scores]:
    """Try ``first`` and what the oracle proposes, until it has no more; a small space has fewer trials.

    ``first`` and the oracle's first batch are tried together.
    """
    number_of: dict[str, int] = {}
    tried: list[Hyperparameters] = []
    scores: Scores = []
    waiting = first
    while proposed := _proposed(oracle, batch):
        for trial in proposed:
            number_of[trial.trial_id] = len(first) + len(number_of)
        asked = waiting + [
            fixed | _hyperparameters(trial.hyperparameters.values, number_of)
            for trial in proposed
        ]
        reported = try_all(asked)
        _report(oracle, proposed, reported[len(waiting) :])
        tried, scores = tried + asked, scores + reported
        waiting = []
    if not tried and not waiting:
        raise TrainingFailed("models.search.empty_space")
    return (tried, scores) if tried else (waiting, try_all(waiting))


def _hyperparameters(
    values: dict[str, Any], number_of: dict[str, int]
) -> Hyperparameters:
    """Return the hyperparameters without keras-tuner's own entries, which Hyperband keeps among them."""
    own = {name: value for name, value in values.items() if "/" not in name}
    if "tuner/epochs" in values:
        own["epochs"] = values["tuner/epochs"]
        own["goes_on"] = number_of.get(values.get("tuner/trial_id", ""), -1)
    return own


def _proposed(oracle: kt.Oracle, batch: int) -> list[kt.engine.trial.Trial]:
    proposed: list[kt.engine.trial.Trial] = []
    while len(proposed) < batch:
        trial = oracle.create_trial(f"slot-{len(proposed)}")
        if trial.status != "RUNNING":
            break
        proposed.append(trial)
    return proposed


def _report(
    oracle: kt.Oracle, proposed: list[kt.engine.trial.Trial], scores: Scores
) -> None:
    for trial, (score, message) in zip(proposed, scores, strict=True):
        if score is None:
            trial.status, trial.message = "FAILED", str(message or "")
        else:
            oracle.update_trial(trial.trial_id, {_OBJECTIVE: score})
            trial.status = "COMPLETED"
        oracle.end_trial(trial)


def full_trainings(tuner: Tuner, n_trials: int, n_first: int, epochs: int) -> int:
    """Return how many whole trainings a search costs, which is how many trials the baselines get.

    ``n_first`` trials come before the search.

    Hyperband (Li et al. 2018): bracket s begins with trials of ``epochs / 3**s`` epochs, a third of
    which continue three times as long, and so on; sizes as in keras-tuner.
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
    """Declare the whole space before the first trial: oracles stop silently at an undeclared one."""
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
    """Return whether a hyperparameter lies between two numbers; otherwise it is one of a list."""
    return Ellipsis not in get_args(type(space).model_fields[name].annotation)


def _choice(hp: kt.HyperParameters, space: Space, name: str) -> None:
    """Declare a choice of two or more: a single value must not shift what is drawn after it."""
    values = list(getattr(space, name))
    if len(values) > 1:
        hp.Choice(name, values)


def _fixed(space: Space) -> Hyperparameters:
    """Return the hyperparameters of which a space has a single value."""
    return {
        name: values[0]
        for name, values in space
        if isinstance(values, tuple) and len(values) == 1
    }


def at_edge(space: Space, hyperparameters: Hyperparameters) -> tuple[str, ...]:
    """Return the hyperparameters that lie at an edge of their space, as ``width >= 256``.

    In a range, those within a twentieth of an end, on a log scale; in a list of three or more, the
    smallest and the largest number.
    """
    edges = []
    for name, bounds in space:
        value = hyperparameters.get(name)
        if isinstance(value, str) or value is None or not isinstance(bounds, tuple):
            continue
        low, high = min(bounds), max(bounds)
        if _is_range(space, name):
            place = np.log(float(value) / low) / np.log(high / low)
            at_low, at_high = place <= _NEAR_EDGE, place >= 1 - _NEAR_EDGE
        else:
            several = len(bounds) > 2
            at_low, at_high = several and value == low, several and value == high
        if at_low:
            edges.append(f"{name} <= {low:g}")
        elif at_high:
            edges.append(f"{name} >= {high:g}")
    return tuple(edges)
