"""Tune: in each outer training part, search and fit the deep model and its baselines alike.

Every family of models gets the same number of trials, scored on the same inner folds by the same
metric. Nothing here sees the rows of an outer test part before its model is final, which a
self-test on permuted labels holds.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp
from threadpoolctl import threadpool_limits

from assay.baselines import Boosting, Linear
from assay.errors import DataRefused
from assay.image_nets import deep
from assay.metrics import score, statistic
from assay.nets import Nets
from assay.network import Net, nets_digest, pack_nets
from assay.part import TEST, Family, Fitted, Part, Prepare, on_training_rows
from assay.permute import relabelled
from assay.plans import LOSSES, AuditPlan, TunePlan, Tuning
from assay.preprocess import Preparation
from assay.progress import report
from assay.records import (
    FinalFit,
    Flag,
    FoldResult,
    Metric,
    ModelFit,
    Place,
    Ref,
    SelfTest,
    Trial,
)
from assay.samples import Samples
from assay.search import at_edge, full_trainings, search
from assay.seeds import seed_for


@dataclass(frozen=True)
class Found:
    """What one family of models came to on one part of the data.

    ``predictions`` for the test part: class probabilities, shape (n_test, n_classes), or numbers,
    shape (n_test, 1).
    """

    trials: tuple[Trial, ...]
    winner: int
    predictions: NDArray[np.float64]
    fit_s: float
    predict_s: float
    size: int
    picks: tuple[int, ...]
    edges: tuple[str, ...]


@dataclass(frozen=True)
class Final:
    """The deep model on all rows."""

    found: Found
    preparation: Preparation
    members: tuple[Net, ...]

    def packed_weights(self) -> dict[str, NDArray[Any]]:
        return pack_nets(self.members)

    def record(self, preparation: Ref, weights: Ref) -> FinalFit:
        """Describe the model once its parts are stored."""
        return FinalFit(
            model=_model_fit(self.found, None, None),
            preparation=preparation,
            weights=weights,
            weights_digest=nets_digest(self.members),
        )


def tune_fold(
    samples: Samples, inner: NDArray[np.int16], plan: Tuning, place: Place, seed: int
) -> dict[str, Found]:
    """Search, fit and predict one outer fold with every family of models.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row of the outer training part; -1 marks the outer test part, -2 rows in
        neither.

    Raises
    ------
    TrainingFailed
        If a family has no trial with a finite score.
    DataRefused
        If a training part has no row of a class.
    """
    seed = seed_for(seed, "tune", place.repeat, place.fold)
    with threadpool_limits(1):
        part = Part(samples, inner, plan)
        families, found = _families(part, seed), {}
        for number, (name, family) in enumerate(families.items()):
            report(name, number, len(families))
            found[name] = _found(part, family, seed_for(seed, name))
        report("models", len(families), len(families))
    return found


def tune_all(
    samples: Samples, outer: NDArray[np.int16], plan: Tuning, seed: int
) -> Final:
    """Search and fit the deep model on all rows, by the procedure that the outer folds measured.

    Parameters
    ----------
    outer : shape (n_rows,)
        Outer fold of each row, which become the inner ones; rows never tested join the first.
    """
    with threadpool_limits(1):
        part, seed = Part(samples, np.maximum(outer, 0), plan), seed_for(seed, "final")
        found, fitted = _searched(part, deep(part, seed), seed)
    return Final(found, part.whole.preparation, fitted.members)


def fold_result(
    place: Place,
    found: Mapping[str, Found],
    predictions: Mapping[str, Ref],
    samples: Samples,
    inner: NDArray[np.int16],
    plan: Tuning,
) -> FoldResult:
    """Describe an outer fold once its predictions are stored, scored on the test part's labels."""
    labels = samples.labels[inner == TEST]
    models = {}
    for name, one in found.items():
        value = score(plan.metric, labels, one.predictions)
        scored = value if np.isfinite(value) else None  # one class, or equal numbers
        models[name] = _model_fit(one, predictions[name], scored)
    return FoldResult(place=place, models=models)


def _model_fit(found: Found, predictions: Ref | None, scored: float | None) -> ModelFit:
    return ModelFit(
        trials=found.trials,
        winner=found.winner,
        predictions=predictions,
        score=scored,
        fit_s=found.fit_s,
        predict_s=found.predict_s,
        size=found.size,
        picks=found.picks,
        edges=found.edges,
    )


# One part --------------------------------------------------------------------------------------


def _families(part: Part, seed: int) -> dict[str, Family]:
    return {
        "linear" if part.regression else "logistic": Linear(part),
        "boosting": Boosting(part, seed_for(seed, "boosting")),
        "net": deep(part, seed_for(seed, "net")),
    }


def _found(part: Part, family: Family, seed: int) -> Found:
    """Search and fit a family, and predict the test part."""
    found, fitted = _searched(part, family, seed)
    tested = part.tested(fitted)
    started = time.perf_counter()
    predictions = fitted.predict(tested)
    predict_s = time.perf_counter() - started
    return dataclasses.replace(found, predictions=predictions, predict_s=predict_s)


def _searched(part: Part, family: Family, seed: int) -> tuple[Found, Fitted]:
    """Search a family and fit its winner on the part; nothing is predicted yet."""
    plan, is_net = part.plan.tune, isinstance(family, Nets)
    started = time.perf_counter()
    trials, winner = search(
        family.space,
        plan.trials if is_net else full_trainings(plan.tuner, plan.trials, plan.epochs),
        seed,
        family.try_all,
        first=family.first,
        tuner=plan.tuner if is_net else "random",
        epochs=plan.epochs,
    )
    fitted = family.fit(trials[winner])
    seconds = time.perf_counter() - started
    told = [_in_own_direction(trial, part.plan.metric) for trial in trials]
    told[winner] = told[winner].model_copy(update={"message": fitted.remark})
    found = Found(
        trials=tuple(told),
        winner=winner,
        predictions=np.empty((0, part.n_outputs)),
        fit_s=seconds,
        predict_s=0.0,
        size=fitted.size,
        picks=fitted.picks,
        edges=at_edge(family.space, trials[winner].hyperparameters),
    )
    return found, fitted


def _in_own_direction(trial: Trial, metric: Metric) -> Trial:
    """Return the trial with a loss as people read it, lower being better."""
    if trial.score is None or metric not in LOSSES:
        return trial
    return trial.model_copy(update={"score": -trial.score})


# Self-test -------------------------------------------------------------------------------------


def tune_permuted(
    samples: Samples,
    inner: NDArray[np.int16],
    plan: Tuning,
    audit: AuditPlan,
    seed: int,
    prepare: Prepare = on_training_rows,
) -> SelfTest:
    """Tune on permuted labels: nothing may score above chance there (PROTOCOL section 5.5).

    Each vector of labels takes one outer fold of the first repeat, with a light search. Labels are
    permuted inside each inner fold and inside the test part: what was permuted in the test part
    cannot be told by any honest pipeline, and no fold loses a class that it had. Rows in time are
    permuted like others, because this tests the pipeline and not the series.

    Parameters
    ----------
    inner : shape (n_folds, n_rows)
        For each outer fold what :func:`tune_fold` takes.
    prepare
        The step of the pipeline that could look where it must not.

    Returns
    -------
    SelfTest
        With an alarm if a family's mean is above chance by a one-sided t test at
        ``audit.alarm`` divided by the number of families.

    Raises
    ------
    DataRefused
        If no test part has rows of two classes.
    """
    light = plan.model_copy(update={"tune": _light(plan.tune)})
    seed, unordered = (
        seed_for(seed, "self_test"),
        dataclasses.replace(samples, times=None),
    )
    folds = [fold for fold in inner if len(np.unique(samples.labels[fold == TEST])) > 1]
    if not folds:
        raise DataRefused(
            "No outer fold has a test part with rows of two classes, so nothing can be scored. "
            "Lower split.folds, or leave the rare classes out."
        )
    scores: dict[str, list[float]] = {}
    with threadpool_limits(1):
        for number in range(audit.self_test):
            report("permuted labels", number, audit.self_test)
            fold = folds[number % len(folds)]
            labels = relabelled(unordered, fold, seed, number)
            permuted = dataclasses.replace(samples, labels=labels)
            part, own = Part(permuted, fold, light, prepare), seed_for(seed, number)
            for name, family in _families(part, own).items():
                found = _found(part, family, seed_for(own, name))
                value = statistic(labels[part.test], found.predictions, samples.task)
                scores.setdefault(name, []).append(value)
        report("permuted labels", audit.self_test, audit.self_test)
    return _self_test(scores, 0.0 if part.regression else 0.5, audit)


def _light(plan: TunePlan) -> TunePlan:
    """Return the plan with a search that takes seconds; what could leak is the same."""
    strong, weak = plan.logistic.inverse_penalty
    return plan.model_copy(
        update={
            "trials": min(2, plan.trials),
            "seeds": 1,
            "folds_per_trial": 1,
            "tuner": "random",
            "epochs": min(10, plan.epochs),
            "net": plan.net.model_copy(
                update={
                    "depth": plan.net.depth[:1],
                    "width": plan.net.width[:1],
                    "pieces": plan.net.pieces[:1],
                }
            ),
            "image": plan.image.model_copy(
                update={
                    "depth": plan.image.depth[:1],
                    "filters": plan.image.filters[:1],
                }
            ),
            "logistic": plan.logistic.model_copy(
                update={"inverse_penalty": (strong, (strong * weak) ** 0.5)}
            ),
            "boosting": plan.boosting.model_copy(
                update={
                    "max_rounds": min(5, plan.boosting.max_rounds),
                    "leaves": plan.boosting.leaves[:1],
                }
            ),
        }
    )


def _self_test(
    scores: Mapping[str, Sequence[float]], chance: float, audit: AuditPlan
) -> SelfTest:
    p_values = {name: _above(values, chance) for name, values in scores.items()}
    worst = min(p_values, key=lambda name: p_values[name])
    fired = p_values[worst] * len(p_values) <= audit.alarm
    return SelfTest(
        scores={name: tuple(values) for name, values in scores.items()},
        p_values=p_values,
        chance_level=chance,
        flag=_flag(worst, scores[worst], p_values[worst], chance, audit)
        if fired
        else None,
    )


def _above(scores: Sequence[float], chance: float) -> float:
    """Return the p-value of a one-sided t test that the mean is above chance."""
    if not np.ptp(scores):
        return 0.0 if scores[0] > chance else 1.0
    return float(ttest_1samp(scores, chance, alternative="greater").pvalue)


def _flag(
    name: str, scores: Sequence[float], p_value: float, chance: float, audit: AuditPlan
) -> Flag:
    accepted = (one.reason for one in audit.accept if one.sentinel == "self_test")
    return Flag(
        sentinel="self_test",
        columns=(),
        rows=(),
        evidence=(
            f"With labels permuted, '{name}' scores {np.mean(scores):.3f} on average over {len(scores)} "
            f"permutations where chance is {chance:g} (p = {p_value:.2g}): some step sees the answers it is "
            f"scored on, and every score would be too high."
        ),
        answer=(
            "No study can cause this by itself; it is a fault in the preparation or the search. Report it. "
            "To go on all the same, add {sentinel = 'self_test', reason = '...'} to audit.accept."
        ),
        accepted=next(accepted, None),
    )
