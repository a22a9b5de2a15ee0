"""Baselines: what deep learning is compared with, tuned on the same parts by the same search.

Logistic regression, or ridge regression for a number; and boosted trees.
"""

import itertools
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from assay.errors import TrainingFailed
from assay.metrics import chance_score, goodness
from assay.models.training_part import Fitted, Part, Prepared, Score, nearest
from assay.store.records import Hyperparameters, Trial
from assay.study.plans import BoostingSpace
from assay.wording import Sentence

_PATIENCE = 10  # rounds
_MAX_HALVINGS = 5
_ROWS_PER_VALUE = 5_000  # at most, for a column to be used
_DIVERGED = 0.01  # below the trial's score, on rows the model was fitted on


# Linear models ---------------------------------------------------------------------------------


class Linear:
    """Logistic regression of classes, ridge regression of a number, on the prepared inputs."""

    def __init__(self, part: Part) -> None:
        self.part, self.space = part, part.plan.tune.logistic
        default = float(np.clip(1.0, *self.space.inverse_penalty))
        self.first: list[Hyperparameters] = [{"inverse_penalty": default}]

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        return [self._score(hyperparameters) for hyperparameters in asked]

    def _score(self, hyperparameters: Hyperparameters) -> Score:
        by_fold = []
        for fold in self.part.trial_folds:
            model = self._model(fold, hyperparameters)
            by_fold.append(_predictions(model, fold.inputs[fold.validation]))
        return self.part.scored(by_fold)

    def fit(self, trial: Trial) -> Fitted:
        model = self._model(self.part.whole, trial.hyperparameters)
        size = np.asarray(model.coef_).nbytes + np.asarray(model.intercept_).nbytes
        return Fitted(lambda inputs: _predictions(model, inputs), size)

    def refit(self, hyperparameters: Hyperparameters) -> Fitted:
        """Fit the winner of an earlier search on this part, without searching."""
        return self.fit(Trial(number=0, hyperparameters=hyperparameters, score=None))

    def _model(self, fold: Prepared, hyperparameters: Hyperparameters) -> Any:
        strength = float(hyperparameters["inverse_penalty"])
        inputs, labels = fold.inputs[fold.train], self.part.labels[fold.train]
        if self.part.regression:
            return Ridge(alpha=1 / strength).fit(inputs.astype(np.float64), labels)
        with warnings.catch_warnings():
            # with a weak penalty; the score decides
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=strength, max_iter=500)
            return model.fit(inputs, labels, self.part.row_weights(fold.train))


# Boosted trees ---------------------------------------------------------------------------------


class Boosting:
    """Boosted trees; a trial's rounds and score are those of the best round on the inner folds.

    They take missing values and categories as they are: a node splits the categories into two sets.
    """

    def __init__(self, part: Part, seed: int) -> None:
        self.part, self.seed, self.space = part, seed, part.plan.tune.boosting
        self.first: list[Hyperparameters] = [_default(self.space)]
        self.rounds: list[float] = []  # of each trial, mean over the inner folds used

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        scores = []
        for hyperparameters in asked:
            by_fold = [
                self._stopped_early(fold, hyperparameters)
                for fold in self.part.trial_folds
            ]
            self.rounds.append(float(np.mean([best for best, _ in by_fold])))
            scores.append(self.part.scored([predictions for _, predictions in by_fold]))
        return scores

    def _stopped_early(
        self, fold: Prepared, hyperparameters: Hyperparameters
    ) -> tuple[int, NDArray[np.float64]]:
        """Return the best round, and what the trees up to it predict for the validation rows."""
        validation = fold.trees(fold.validation)
        model = self._trees(
            fold, hyperparameters, self.space.max_rounds, stops_early=True
        )
        model.fit(
            _without_sparse(fold.trees(fold.train)),
            self.part.labels[fold.train],
            sample_weight=self.part.row_weights(fold.train),
            X_val=validation,
            y_val=self.part.labels[fold.validation],
            sample_weight_val=self.part.row_weights(fold.validation),
        )
        best = max(1, int(np.nanargmax(model.validation_score_)))
        staged = (
            model.staged_predict(validation)
            if self.part.regression
            else model.staged_predict_proba(validation)
        )
        return best, _as_columns(next(itertools.islice(staged, best - 1, None)))

    def fit(self, trial: Trial) -> Fitted:
        """Fit the winner with its trial's rounds, again and more slowly where that diverges.

        Newton steps on nearly pure leaves can grow without bound, in the winner's fit though in none
        of its trials. A fit that scores lower on its own training rows than its trial did on inner
        folds has diverged: it is repeated with half the learning rate and twice the rounds.
        """
        part = self.part
        inputs = _without_sparse(part.whole.trees(part.whole.train))
        labels = part.labels[part.whole.train]
        least = (trial.score or 0.0) - self._tolerance(labels)
        for halvings in range(_MAX_HALVINGS):
            model = self._slowed(trial, inputs, labels, 2**halvings)
            predictions = _predictions(model, inputs)
            if (
                np.isfinite(predictions).all()
                and goodness(part.plan.metric, labels, predictions) >= least
            ):
                break
        slowed = Sentence.of("models.boosting.slowed", factor=2**halvings)
        return Fitted(
            lambda rows: _predictions(model, rows),
            _size(model),
            remark=slowed if halvings else None,
            of_trees=True,
        )

    def _slowed(
        self,
        trial: Trial,
        inputs: NDArray[np.float64],
        labels: NDArray[Any],
        factor: int,
    ) -> Any:
        """Return trees fitted with a smaller learning rate and more rounds, by this factor."""
        part, best = self.part, trial.hyperparameters
        slower = best | {"learning_rate": float(best["learning_rate"]) / factor}
        rounds = max(1, round(self.rounds[trial.number])) * factor
        model = self._trees(part.whole, slower, rounds, stops_early=False)
        weights = part.row_weights(part.whole.train)
        return model.fit(inputs, labels, sample_weight=weights)

    def refit(self, hyperparameters: Hyperparameters) -> Fitted:
        """Fit the winner of an earlier search on this part; its inner folds decide the rounds.

        Raises
        ------
        TrainingFailed
            If the trees predict nothing finite.
        """
        self.rounds = []
        [(score, message)] = self.try_all([hyperparameters])
        if score is None:
            raise TrainingFailed("models.boosting.failed", message=message or "")
        return self.fit(Trial(number=0, hyperparameters=hyperparameters, score=score))

    def _tolerance(self, labels: NDArray[Any]) -> float:
        """Return how far below its trial a fit may score; errors relative to those of a constant."""
        metric = self.part.plan.metric
        in_target_units = metric in ("squared_error", "absolute_error")
        return _DIVERGED * (chance_score(metric, labels) if in_target_units else 1.0)

    def _trees(
        self,
        fold: Prepared,
        hyperparameters: Hyperparameters,
        rounds: int,
        *,
        stops_early: bool,
    ) -> Any:
        codes = fold.preparation.category_columns
        settings: dict[str, Any] = {
            "learning_rate": float(hyperparameters["learning_rate"]),
            "max_leaf_nodes": int(hyperparameters["leaves"]),
            "min_samples_leaf": int(hyperparameters["min_rows_per_leaf"]),
            "l2_regularization": float(hyperparameters["l2"]),
            "max_iter": rounds,
            "categorical_features": np.arange(codes.start, codes.stop),
            "early_stopping": stops_early,
            "n_iter_no_change": _PATIENCE,
            "random_state": self.seed,
        }
        if not self.part.regression:
            return HistGradientBoostingClassifier(**settings)
        absolute = self.part.plan.metric == "absolute_error"
        loss = "absolute_error" if absolute else "squared_error"
        return HistGradientBoostingRegressor(loss=loss, **settings)


def _default(space: BoostingSpace) -> Hyperparameters:
    """Return scikit-learn's defaults, as near as the space allows, and a mild penalty."""
    return {
        "learning_rate": float(np.clip(0.1, *space.learning_rate)),
        "leaves": nearest(space.leaves, 31),
        "min_rows_per_leaf": nearest(space.min_rows_per_leaf, 20),
        "l2": float(np.sqrt(space.l2[0] * space.l2[1])),
    }


def _without_sparse(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return training rows in which an almost empty column is 0 throughout, and so never split.

    scikit-learn 1.9 fails on a column without values, also where only the 200,000 rows that it draws
    for binning have none.
    """
    n_values = (~np.isnan(rows)).sum(axis=0)
    rows[:, n_values < max(1.0, len(rows) / _ROWS_PER_VALUE)] = 0.0
    return rows


def _size(model: Any) -> int:
    trees = itertools.chain.from_iterable(model._predictors)
    return sum(tree.nodes.nbytes + tree.raw_left_cat_bitsets.nbytes for tree in trees)


# Predictions -----------------------------------------------------------------------------------


def _predictions(model: Any, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return class probabilities, or numbers in one column."""
    if hasattr(model, "predict_proba"):
        return _as_columns(model.predict_proba(inputs))
    return _as_columns(model.predict(inputs))


def _as_columns(predictions: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(predictions.reshape(len(predictions), -1), dtype=np.float64)
