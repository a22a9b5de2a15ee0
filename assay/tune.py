"""Tune: in each outer training part, search and fit the deep model and its baselines alike.

Every family of models gets the same number of trials, scored on the same inner folds by the same
metric. Nothing here sees the rows of an outer test part before its model is final.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from assay import preprocess
from assay.errors import TrainingFailed
from assay.metrics import score
from assay.network import Shape, Weights, pack_weights, weights_digest
from assay.plans import CleanPlan, TunePlan, Tuning
from assay.preprocess import Preparation
from assay.progress import report
from assay.records import (
    FinalFit,
    FoldResult,
    Hyperparameters,
    ModelFit,
    Place,
    Ref,
    Trial,
)
from assay.search import Scores, TryAll, search
from assay.seeds import seed_for
from assay.train import Job, Schedule, predict, train

Predict = Callable[[NDArray[np.float32]], NDArray[np.float64]]

_ROUNDS_WITHOUT_GAIN = 10
_MOST_HALVINGS = 5
_DIVERGED = 0.01  # below the trial's score, on rows the model was fitted on


@dataclass(frozen=True)
class Found:
    """What one family of models came to on one part of the data."""

    trials: tuple[Trial, ...]
    winner: int
    probabilities: NDArray[np.float64]
    fit_s: float
    predict_s: float


@dataclass(frozen=True)
class Final:
    """The deep model on all rows."""

    found: Found
    preparation: Preparation
    members: tuple[Weights, ...]

    def packed_weights(self) -> dict[str, NDArray[np.float32]]:
        return pack_weights(self.members)

    def record(self, preparation: Ref, weights: Ref) -> FinalFit:
        """Describe the model once its parts are stored."""
        return FinalFit(
            model=_model_fit(self.found, None, None),
            preparation=preparation,
            weights=weights,
            weights_digest=weights_digest(self.members),
        )


def fold_result(
    place: Place,
    found: Mapping[str, Found],
    predictions: Mapping[str, Ref],
    test_labels: NDArray[np.int32],
    plan: Tuning,
) -> FoldResult:
    """Describe an outer fold once its predictions are stored, scored on the test part's labels."""
    models = {
        name: _model_fit(
            one, predictions[name], score(plan.metric, test_labels, one.probabilities)
        )
        for name, one in found.items()
    }
    return FoldResult(place=place, models=models)


def _model_fit(found: Found, predictions: Ref | None, scored: float | None) -> ModelFit:
    return ModelFit(
        trials=found.trials,
        winner=found.winner,
        predictions=predictions,
        score=scored,
        fit_s=found.fit_s,
        predict_s=found.predict_s,
    )


def tune_fold(
    features: pd.DataFrame,
    labels: NDArray[np.int32],
    inner: NDArray[np.int16],
    plan: Tuning,
    place: Place,
    seed: int,
) -> dict[str, Found]:
    """Search, fit and predict one outer fold with every family of models.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row of the outer training part; -1 marks the outer test part.

    Raises
    ------
    TrainingFailed
        If a family has no trial with a finite score.
    """
    seed = seed_for(seed, "tune", place.repeat, place.fold)
    with threadpool_limits(1):
        part = _Part(features, labels, inner, plan)
        families: dict[str, Callable[[], tuple[tuple[Trial, ...], int, Predict]]] = {
            "logistic": lambda: _fit_logistic(part, seed_for(seed, "logistic")),
            "boosting": lambda: _fit_boosting(part, seed_for(seed, "boosting")),
            "net": lambda: _fit_net(part, seed_for(seed, "net"))[:3],
        }
        found = {}
        for number, (name, fit) in enumerate(families.items()):
            report(name, number, len(families))
            found[name] = _timed(fit, part)
        report("models", len(families), len(families))
        return found


def tune_all(
    features: pd.DataFrame,
    labels: NDArray[np.int32],
    inner: NDArray[np.int16],
    plan: Tuning,
    seed: int,
) -> Final:
    """Search and fit the deep model on all rows, by the procedure that the outer folds measured."""
    with threadpool_limits(1):
        part = _Part(features, labels, inner, plan)
        started = time.perf_counter()
        trials, winner, _, members = _fit_net(part, seed_for(seed, "final"))
        none = np.empty((0, part.n_classes))
        found = Found(trials, winner, none, time.perf_counter() - started, 0.0)
        return Final(found, part.whole.preparation, members)


def _timed(
    fit: Callable[[], tuple[tuple[Trial, ...], int, Predict]], part: "_Part"
) -> Found:
    started = time.perf_counter()
    trials, winner, predicts = fit()
    fitted = time.perf_counter()
    probabilities = predicts(part.whole.inputs[part.test])
    return Found(
        trials, winner, probabilities, fitted - started, time.perf_counter() - fitted
    )


# The data of one outer fold --------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepared:
    """All rows, prepared by what some of them taught; ``train`` are those, without outliers."""

    preparation: Preparation
    inputs: NDArray[np.float32]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]


class _Part:
    """One outer training part with its inner folds, and the test part it must not see."""

    def __init__(
        self,
        features: pd.DataFrame,
        labels: NDArray[np.int32],
        inner: NDArray[np.int16],
        plan: Tuning,
    ) -> None:
        self.labels, self.plan, self.inner = labels, plan, inner
        self.n_classes = int(labels.max()) + 1
        self.test = np.flatnonzero(inner < 0)
        self.whole = _prepared(
            features, labels, inner >= 0, np.zeros(len(inner), dtype=bool), plan.clean
        )
        self.trial_folds = [
            _prepared(
                features, labels, (inner >= 0) & (inner != k), inner == k, plan.clean
            )
            for k in range(plan.tune.folds_per_trial)
        ]

    def score(self, fold: _Prepared, probabilities: NDArray[np.float64]) -> float:
        return score(self.plan.metric, self.labels[fold.validation], probabilities)


def _prepared(
    features: pd.DataFrame,
    labels: NDArray[np.int32],
    train_mask: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    plan: CleanPlan,
) -> _Prepared:
    rows = np.flatnonzero(train_mask)
    rows = rows[preprocess.kept_rows(features.iloc[rows], plan.outliers)]
    preprocess.check_classes(labels, rows)
    preparation = preprocess.fit(features.iloc[rows], plan)
    return _Prepared(
        preparation, preparation.apply(features), rows, np.flatnonzero(validation)
    )


def _one_by_one(
    part: _Part, fit: Callable[[_Prepared, Hyperparameters], Any]
) -> TryAll:
    """Try trials one after another; a trial's score is the mean over the inner folds used."""

    def try_all(asked: list[Hyperparameters]) -> Scores:
        scores: Scores = []
        for hyperparameters in asked:
            by_fold = []
            for fold in part.trial_folds:
                model = fit(fold, hyperparameters)
                by_fold.append(
                    part.score(fold, model.predict_proba(fold.inputs[fold.validation]))
                )
            scores.append((float(np.mean(by_fold)), ""))
        return scores

    return try_all


# Logistic regression ---------------------------------------------------------------------------


def _fit_logistic(part: _Part, seed: int) -> tuple[tuple[Trial, ...], int, Predict]:
    def fit(fold: _Prepared, hyperparameters: Hyperparameters) -> LogisticRegression:
        model = LogisticRegression(
            C=float(hyperparameters["inverse_penalty"]), max_iter=500
        )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # weak penalties; the score decides
            return model.fit(fold.inputs[fold.train], part.labels[fold.train])

    trials, winner = search(
        part.plan.tune.logistic, part.plan.tune.trials, seed, _one_by_one(part, fit)
    )
    return trials, winner, fit(part.whole, trials[winner].hyperparameters).predict_proba


# Boosted trees ---------------------------------------------------------------------------------


def _fit_boosting(part: _Part, seed: int) -> tuple[tuple[Trial, ...], int, Predict]:
    """The inner fold's best round gives each trial its rounds; the winner keeps their mean.

    Newton steps on nearly pure leaves can grow without bound, in the winner's fit though in none of
    its trials. A fit that scores lower on its own training rows than its trial did on inner ones has
    gone that way: it is repeated at half the learning rate and twice the rounds, and the trial says so.
    """
    plan = part.plan.tune.boosting
    rounds: dict[str, list[int]] = {}

    def fit(
        fold: _Prepared, hyperparameters: Hyperparameters
    ) -> HistGradientBoostingClassifier:
        model = _trees(hyperparameters, seed, plan.max_rounds, early_stopping=True)
        model.fit(
            fold.inputs[fold.train],
            part.labels[fold.train],
            X_val=fold.inputs[fold.validation],
            y_val=part.labels[fold.validation],
        )
        best = max(1, int(np.argmax(model.validation_score_)))
        rounds.setdefault(str(hyperparameters), []).append(best)
        return model

    trials, winner = search(plan, part.plan.tune.trials, seed, _one_by_one(part, fit))
    won, whole = trials[winner].hyperparameters, part.whole
    n_rounds = max(1, round(float(np.mean(rounds[str(won)]))))
    labels, inputs = part.labels[whole.train], whole.inputs[whole.train]
    for halvings in range(_MOST_HALVINGS):
        slower = won | {"learning_rate": float(won["learning_rate"]) / 2**halvings}
        final = _trees(slower, seed, n_rounds * 2**halvings, early_stopping=False)
        final.fit(inputs, labels)
        reached = score(part.plan.metric, labels, final.predict_proba(inputs))
        if reached >= (trials[winner].score or 0.0) - _DIVERGED:
            break
    if halvings:
        said = f"diverged on the whole training part; learning rate halved {halvings} times"
        said_so = trials[winner].model_copy(update={"message": said})
        trials = (*trials[:winner], said_so, *trials[winner + 1 :])
    return trials, winner, final.predict_proba


def _trees(
    won: Hyperparameters, seed: int, rounds: int, *, early_stopping: bool
) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=float(won["learning_rate"]),
        max_leaf_nodes=int(won["leaves"]),
        min_samples_leaf=int(won["min_rows_per_leaf"]),
        l2_regularization=float(won["l2"]),
        max_iter=rounds,
        early_stopping=early_stopping,
        n_iter_no_change=_ROUNDS_WITHOUT_GAIN,
        random_state=seed,
    )


# The deep model --------------------------------------------------------------------------------


def _fit_net(
    part: _Part, seed: int
) -> tuple[tuple[Trial, ...], int, Predict, tuple[Weights, ...]]:
    """Search with every trial in one stack; train the winner from several seeds and average.

    Seed s stops early on inner fold s and trains on the others, so that together the networks
    have trained on every row of the part.
    """
    plan = part.plan.tune
    trials, winner = search(
        plan.net, plan.trials, seed, lambda asked: _try_nets(part, asked, seed)
    )
    won = trials[winner].hyperparameters
    whole, kept = part.whole, np.zeros(len(part.inner), dtype=bool)
    kept[whole.train] = True
    jobs = [
        _job(
            part,
            whole,
            won,
            rows=np.flatnonzero(kept & (part.inner != s)),
            stopping_rows=np.flatnonzero(kept & (part.inner == s)),
            seed=seed_for(seed, "winner", s),
        )
        for s in range(plan.seeds)
    ]
    members = tuple(
        trained.weights
        for trained in train(whole.inputs, jobs, _schedule(plan, seed))
        if trained.weights
    )
    if len(members) < plan.seeds:
        raise TrainingFailed(
            f"{plan.seeds - len(members)} of {plan.seeds} networks of the winner had no finite loss."
        )
    return trials, winner, lambda inputs: predict(members, inputs).mean(axis=0), members


def _try_nets(part: _Part, asked: list[Hyperparameters], seed: int) -> Scores:
    scores = np.zeros((len(asked), len(part.trial_folds)))
    for k, fold in enumerate(part.trial_folds):
        jobs = [
            _job(
                part,
                fold,
                won,
                fold.train,
                fold.validation,
                seed_for(seed, "trial", number),
            )
            for number, won in enumerate(asked)
        ]
        for number, trained in enumerate(
            train(fold.inputs, jobs, _schedule(part.plan.tune, seed))
        ):
            if trained.weights:
                probabilities = predict(
                    [trained.weights], fold.inputs[fold.validation]
                )[0]
                scores[number, k] = part.score(fold, probabilities)
            else:
                scores[number, k] = np.nan
    means = scores.mean(axis=1)
    return [
        (float(mean), "") if np.isfinite(mean) else (None, "the loss was never finite")
        for mean in means
    ]


def _job(
    part: _Part,
    fold: _Prepared,
    won: Hyperparameters,
    rows: NDArray[np.int64],
    stopping_rows: NDArray[np.int64],
    seed: int,
) -> Job:
    shape = Shape(
        fold.inputs.shape[1], part.n_classes, int(won["depth"]), int(won["width"])
    )
    return Job(
        shape=shape,
        seed=seed,
        labels=part.labels,
        rows=rows,
        stopping_rows=stopping_rows,
        learning_rate=float(won["learning_rate"]),
        weight_decay=float(won["weight_decay"]),
        dropout=float(won["dropout"]),
    )


def _schedule(plan: TunePlan, seed: int) -> Schedule:
    return Schedule(
        epochs=plan.epochs,
        patience=plan.patience,
        batch_size=plan.batch_size,
        noise=seed_for(seed, "dropout") % 2**30,  # steps are counted on top of it
    )
