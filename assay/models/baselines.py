"""Baselines: what deep learning is held against, tuned in the same parts by the same search.

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

_ROUNDS_WITHOUT_GAIN = 10
_MOST_HALVINGS = 5
_LEAST_KNOWN = 5_000  # one row in so many
_DIVERGED = 0.01  # below the trial's score, on rows the model was fitted on


# Linear models ---------------------------------------------------------------------------------


class Linear:
    """Logistic regression of classes, ridge regression of a number, on the prepared inputs."""

    def __init__(self, part: Part) -> None:
        self.part, self.space = part, part.plan.tune.logistic
        usual = float(np.clip(1.0, *self.space.inverse_penalty))
        self.first: list[Hyperparameters] = [{"inverse_penalty": usual}]

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        return [
            self.part.scored(
                [
                    _predictions(self._model(fold, one), fold.inputs[fold.validation])
                    for fold in self.part.trial_folds
                ]
            )
            for one in asked
        ]

    def fit(self, trial: Trial) -> Fitted:
        model = self._model(self.part.whole, trial.hyperparameters)
        size = np.asarray(model.coef_).nbytes + np.asarray(model.intercept_).nbytes
        return Fitted(lambda inputs: _predictions(model, inputs), size)

    def again(self, known: Hyperparameters) -> Fitted:
        """Fit what an earlier search chose, on this part, without searching."""
        return self.fit(Trial(number=0, hyperparameters=known, score=None))

    def _model(self, fold: Prepared, hyperparameters: Hyperparameters) -> Any:
        strength = float(hyperparameters["inverse_penalty"])
        inputs, labels = fold.inputs[fold.train], self.part.labels[fold.train]
        if self.part.regression:
            return Ridge(alpha=1 / strength).fit(inputs.astype(np.float64), labels)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # weak penalties; the score decides
            model = LogisticRegression(C=strength, max_iter=500)
            return model.fit(inputs, labels, self.part.row_weights(fold.train))


# Boosted trees ---------------------------------------------------------------------------------


class Boosting:
    """Boosted trees; the inner fold's best round gives a trial its rounds and its score.

    They take gaps and categories as they are: a node parts the levels of a category in two sets.
    """

    def __init__(self, part: Part, seed: int) -> None:
        self.part, self.seed, self.space = part, seed, part.plan.tune.boosting
        self.first: list[Hyperparameters] = [_usual(self.space)]
        self.rounds: list[float] = []  # of each trial, mean over the inner folds used

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        scores = []
        for one in asked:
            tried = [self._stopped_early(fold, one) for fold in self.part.trial_folds]
            self.rounds.append(float(np.mean([best for best, _ in tried])))
            scores.append(self.part.scored([predictions for _, predictions in tried]))
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
            _learnable(fold.trees(fold.train)),
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

        Newton steps on nearly pure leaves can grow without bound, in the winner's fit though in
        none of its trials. A fit that scores lower on its own training rows than its trial did on
        inner ones has gone that way: it is repeated at half the learning rate and twice the rounds.
        """
        part, won = self.part, trial.hyperparameters
        n_rounds = max(1, round(self.rounds[trial.number]))
        inputs = _learnable(part.whole.trees(part.whole.train))
        labels = part.labels[part.whole.train]
        weights = part.row_weights(part.whole.train)
        least = (trial.score or 0.0) - self._tolerance(labels)
        for halvings in range(_MOST_HALVINGS):
            slower = won | {"learning_rate": float(won["learning_rate"]) / 2**halvings}
            rounds = n_rounds * 2**halvings
            model = self._trees(part.whole, slower, rounds, stops_early=False)
            model.fit(inputs, labels, sample_weight=weights)
            predictions = _predictions(model, inputs)
            if (
                np.isfinite(predictions).all()
                and goodness(part.plan.metric, labels, predictions) >= least
            ):
                break
        remark = (
            f"diverged on the whole training part; learning rate halved {halvings} times"
            if halvings
            else ""
        )
        return Fitted(
            lambda rows: _predictions(model, rows),
            _size(model),
            remark=remark,
            of_trees=True,
        )

    def again(self, known: Hyperparameters) -> Fitted:
        """Fit what an earlier search chose, on this part: its inner folds say for how many rounds.

        Raises
        ------
        TrainingFailed
            If the trees come to nothing finite.
        """
        self.rounds = []
        [(score, message)] = self.try_all([known])
        if score is None:
            raise TrainingFailed(message)
        return self.fit(Trial(number=0, hyperparameters=known, score=score))

    def _tolerance(self, labels: NDArray[Any]) -> float:
        """Return how far below its trial a fit may score; errors count in units of a constant's."""
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
            "n_iter_no_change": _ROUNDS_WITHOUT_GAIN,
            "random_state": self.seed,
        }
        if not self.part.regression:
            return HistGradientBoostingClassifier(**settings)
        absolute = self.part.plan.metric == "absolute_error"
        loss = "absolute_error" if absolute else "squared_error"
        return HistGradientBoostingRegressor(loss=loss, **settings)


def _usual(space: BoostingSpace) -> Hyperparameters:
    """Return scikit-learn's own settings, as near as the space allows, and a mild penalty."""
    return {
        "learning_rate": float(np.clip(0.1, *space.learning_rate)),
        "leaves": nearest(space.leaves, 31),
        "min_rows_per_leaf": nearest(space.min_rows_per_leaf, 20),
        "l2": float(np.sqrt(space.l2[0] * space.l2[1])),
    }


def _learnable(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return training rows in which a column with next to no value is 0 throughout, and so never split.

    scikit-learn 1.9 fails on a column without any, also where only the 200,000 rows that it draws to
    bin by have none.
    """
    few = (~np.isnan(rows)).sum(axis=0) < max(1.0, len(rows) / _LEAST_KNOWN)
    rows[:, few] = 0.0
    return rows


def _size(model: Any) -> int:
    trees = [tree for of_round in model._predictors for tree in of_round]
    return sum(tree.nodes.nbytes + tree.raw_left_cat_bitsets.nbytes for tree in trees)


# Predictions -----------------------------------------------------------------------------------


def _predictions(model: Any, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return class probabilities, or numbers in one column."""
    if hasattr(model, "predict_proba"):
        return _as_columns(model.predict_proba(inputs))
    return _as_columns(model.predict(inputs))


def _as_columns(predictions: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(predictions.reshape(len(predictions), -1), dtype=np.float64)
