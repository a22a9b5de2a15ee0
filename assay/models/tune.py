"""Tune: in each outer training part, search and fit the deep model and its baselines alike.

Every family of models gets the same number of trials, scored on the same inner folds by the same
metric. Nothing here sees the rows of an outer test part before its model is final; a self-test on
permuted labels checks that.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.data.samples import Samples
from assay.metrics import score
from assay.models.baselines import Boosting, Linear
from assay.models.net_search import NetSearch, deep
from assay.models.search import at_edge, full_trainings, search
from assay.models.training_part import TEST, Family, Fitted, Part
from assay.networks.net import Net, nets_digest, pack_nets
from assay.preprocess.fit import Preparation
from assay.store.progress import report
from assay.store.records import (
    FinalFit,
    FoldResult,
    Metric,
    ModelFit,
    Place,
    Ref,
    Trial,
)
from assay.store.seeds import seed_for
from assay.study.plans import LOSSES, Tuning
from assay.wording import Sentence


@dataclass(frozen=True)
class FamilyFit:
    """One family of models on one part of the data: its search, and its winner's predictions.

    ``predictions`` are of the test part: class probabilities, shape (n_test, n_classes), or numbers,
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

    fit: FamilyFit
    preparation: Preparation
    members: tuple[Net, ...]

    def packed_weights(self) -> dict[str, NDArray[Any]]:
        return pack_nets(self.members)

    def record(self, preparation: Ref, weights: Ref) -> FinalFit:
        """Describe the model once its parts are stored."""
        return FinalFit(
            model=_model_fit(self.fit, None, None),
            preparation=preparation,
            weights=weights,
            weights_digest=nets_digest(self.members),
        )


def tune_fold(
    samples: Samples, inner: NDArray[np.int16], plan: Tuning, place: Place, seed: int
) -> dict[str, FamilyFit]:
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
    seed = fold_seed(place, seed)
    with threadpool_limits(1):
        part = Part(samples, inner, plan)
        models, fits = families(part, seed), {}
        for number, (name, family) in enumerate(models.items()):
            report(name, number, len(models))
            fits[name] = tuned(part, family, seed_for(seed, name))
        report("models.step.models", len(models), len(models))
    return fits


def fold_seed(place: Place, seed: int) -> int:
    """Return the seed of an outer fold."""
    return seed_for(seed, "tune", place.repeat, place.fold)


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
        fit, fitted = _searched(part, deep(part, seed), seed)
    return Final(fit, part.whole.preparation, fitted.members)


def fold_result(
    place: Place,
    fits: Mapping[str, FamilyFit],
    predictions: Mapping[str, Ref],
    samples: Samples,
    inner: NDArray[np.int16],
    plan: Tuning,
) -> FoldResult:
    """Describe an outer fold once its predictions are stored, scored on the test part's labels."""
    labels = samples.labels[inner == TEST]
    models = {}
    for name, fit in fits.items():
        value = score(plan.metric, labels, fit.predictions)
        scored = value if np.isfinite(value) else None  # one class, or equal numbers
        models[name] = _model_fit(fit, predictions[name], scored)
    return FoldResult(place=place, models=models)


def _model_fit(
    fit: FamilyFit, predictions: Ref | None, scored: float | None
) -> ModelFit:
    return ModelFit(
        trials=fit.trials,
        winner=fit.winner,
        predictions=predictions,
        score=scored,
        fit_s=fit.fit_s,
        predict_s=fit.predict_s,
        size=fit.size,
        picks=fit.picks,
        edges=fit.edges,
    )


# One part --------------------------------------------------------------------------------------


def families(part: Part, seed: int) -> dict[str, Family]:
    """Return every family of models for one part."""
    return {
        "linear" if part.regression else "logistic": Linear(part),
        "boosting": Boosting(part, seed_for(seed, "boosting")),
        "net": deep(part, seed_for(seed, "net")),
    }


def tuned(part: Part, family: Family, seed: int) -> FamilyFit:
    """Search and fit a family, and predict the test part."""
    fit, fitted = _searched(part, family, seed)
    tested = part.tested(fitted)
    started = time.perf_counter()
    predictions = fitted.predict(tested)
    predict_s = time.perf_counter() - started
    return dataclasses.replace(fit, predictions=predictions, predict_s=predict_s)


def _searched(part: Part, family: Family, seed: int) -> tuple[FamilyFit, Fitted]:
    """Search a family and fit its winner on the part; nothing is predicted yet."""
    plan, is_net = part.plan.tune, isinstance(family, NetSearch)
    n_first = len(deep(part, seed).first)
    started = time.perf_counter()
    trials, best = search(
        family.space,
        full_trainings(plan.tuner, plan.trials, n_first, plan.epochs),
        seed,
        family.try_all,
        first=family.first,
        tuner=plan.tuner if is_net else "random",
        epochs=plan.epochs,
    )
    fitted = family.fit(trials[best])
    seconds = time.perf_counter() - started
    winner = Counter(fitted.picks).most_common(1)[0][0] if fitted.picks else best
    fit = FamilyFit(
        trials=_described(trials, winner, fitted, part.plan.metric),
        winner=winner,
        predictions=np.empty((0, part.n_outputs)),
        fit_s=seconds,
        predict_s=0.0,
        size=fitted.size,
        picks=fitted.picks,
        edges=at_edge(family.space, trials[winner].hyperparameters),
    )
    return fit, fitted


def _described(
    trials: Sequence[Trial], winner: int, fitted: Fitted, metric: Metric
) -> tuple[Trial, ...]:
    """Return the trials with scores in the metric's own direction, and the fit's remark on the winner."""
    described = [_in_own_direction(trial, metric) for trial in trials]
    message, remark = trials[winner].message, fitted.remark
    if message and remark:
        message = Sentence.of("models.trial.both", first=message, second=remark)
    described[winner] = described[winner].model_copy(
        update={"message": message or remark}
    )
    return tuple(described)


def _in_own_direction(trial: Trial, metric: Metric) -> Trial:
    """Return the trial with its loss as it is declared: lower is better."""
    if trial.score is None or metric not in LOSSES:
        return trial
    return trial.model_copy(update={"score": -trial.score})
