"""Boosted trees that ``bench_quality`` compares: scikit-learn's, LightGBM, CatBoost.

Tuned ones take twenty random draws, each stopped early on a stratified fifth of the training rows
and chosen by log loss there; the best is fitted again on all of them with the rounds it took.
"""

import importlib
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

Labels = NDArray[np.int32]
Probabilities = NDArray[np.float64]
FitPredict = Callable[[pd.DataFrame, Labels, pd.DataFrame], Probabilities]
Draw = dict[str, Any]
Stopped = tuple[Probabilities, int]

_TRIALS, _MOST_ROUNDS, _PATIENCE = 20, 1000, 30
_MOST_LEVELS = 250


@dataclass(frozen=True)
class Boosted:
    """How one kind of boosted trees is drawn, stopped early and fitted.

    Attributes
    ----------
    draw
        Draws hyperparameters.
    stopped
        Fits on the first pair and stops on the second; returns what the best round says of the
        second, and that round.
    fitted
        Fits so many rounds.
    """

    draw: Callable[[np.random.Generator], Draw]
    stopped: Callable[[Draw, Any, Labels, Any, Labels], Stopped]
    fitted: Callable[[Draw, int, Any, Labels], Any]


def tuned(boosted: Boosted) -> FitPredict:
    """Return the model whose hyperparameters and rounds are chosen as this module says."""

    def fit_predict(
        train: pd.DataFrame, labels: Labels, test: pd.DataFrame
    ) -> Probabilities:
        train, test = categorical(train, test)
        X, V, y, v = train_test_split(
            train, labels, test_size=0.2, stratify=labels, random_state=0
        )
        generator, tried = np.random.default_rng(0), []
        for number in range(_TRIALS):
            draw = boosted.draw(generator)
            predicted, rounds = boosted.stopped(draw, X, y, V, v)
            loss = log_loss(v, predicted, labels=np.unique(labels))
            tried.append((loss, number, draw, rounds))
        _, _, draw, rounds = min(tried, key=lambda trial: trial[:2])
        return probabilities(boosted.fitted(draw, rounds, train, labels), test)

    return fit_predict


def untuned(boosted: Boosted, rounds: int) -> FitPredict:
    """Return the model as it comes, with so many rounds."""

    def fit_predict(
        train: pd.DataFrame, labels: Labels, test: pd.DataFrame
    ) -> Probabilities:
        train, test = categorical(train, test)
        return probabilities(boosted.fitted({}, rounds, train, labels), test)

    return fit_predict


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


# The three --------------------------------------------------------------------------------------


def _hist(draw: Draw, **how: Any) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        categorical_features="from_dtype", random_state=0, **(draw | how)
    )


def _draw_hist(generator: np.random.Generator) -> Draw:
    return {
        "learning_rate": _log_uniform(generator, 0.02, 0.3),
        "max_leaf_nodes": int(generator.choice([7, 15, 31, 63])),
        "min_samples_leaf": int(generator.choice([5, 10, 20, 50])),
        "l2_regularization": _log_uniform(generator, 1e-3, 1e1),
        "max_features": float(generator.choice([0.3, 0.6, 1.0])),
    }


def _stopped_hist(draw: Draw, X: Any, y: Labels, V: Any, v: Labels) -> Stopped:
    model = _hist(
        draw,
        max_iter=_MOST_ROUNDS,
        early_stopping=True,
        n_iter_no_change=_PATIENCE,
    ).fit(X, y, X_val=V, y_val=v)
    rounds = max(1, int(np.argmax(model.validation_score_)))  # the first is of none
    staged = model.staged_predict_proba(V)
    return next(itertools.islice(staged, rounds - 1, None)), rounds


def _fitted_hist(draw: Draw, rounds: int, X: Any, y: Labels) -> Any:
    return _hist(draw, max_iter=rounds, early_stopping=False).fit(X, y)


def _draw_lightgbm(generator: np.random.Generator) -> Draw:
    return {
        "learning_rate": _log_uniform(generator, 0.02, 0.3),
        "num_leaves": int(generator.choice([7, 15, 31, 63])),
        "min_child_samples": int(generator.choice([5, 10, 20, 50])),
        "reg_lambda": _log_uniform(generator, 1e-3, 1e1),
        "colsample_bytree": float(generator.choice([0.3, 0.6, 1.0])),
        "subsample": float(generator.choice([0.6, 0.8, 1.0])),
        "subsample_freq": 1,
    }


def _lightgbm(draw: Draw, rounds: int) -> Any:
    lightgbm = importlib.import_module("lightgbm")
    return lightgbm.LGBMClassifier(
        n_estimators=rounds, random_state=0, n_jobs=1, verbose=-1, **draw
    )


def _stopped_lightgbm(draw: Draw, X: Any, y: Labels, V: Any, v: Labels) -> Stopped:
    stop = importlib.import_module("lightgbm").early_stopping(_PATIENCE, verbose=False)
    model = _lightgbm(draw, _MOST_ROUNDS)
    model.fit(X, y, eval_X=V, eval_y=v, callbacks=[stop])
    return probabilities(model, V), max(1, int(model.best_iteration_))


def _fitted_lightgbm(draw: Draw, rounds: int, X: Any, y: Labels) -> Any:
    return _lightgbm(draw, rounds).fit(X, y)


def _draw_catboost(generator: np.random.Generator) -> Draw:
    return {
        "learning_rate": _log_uniform(generator, 0.05, 0.3),
        "depth": int(generator.choice([4, 6, 8])),
        "l2_leaf_reg": _log_uniform(generator, 1.0, 10.0),
        "random_strength": _log_uniform(generator, 0.1, 10.0),
        "bagging_temperature": float(generator.choice([0.0, 0.5, 1.0])),
    }


def _catboost(draw: Draw, rounds: int, X: Any) -> Any:
    catboost = importlib.import_module("catboost")
    return catboost.CatBoostClassifier(
        iterations=rounds,
        random_seed=0,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
        cat_features=[*X.columns[X.dtypes == "category"]],
        **draw,
    )


def _stopped_catboost(draw: Draw, X: Any, y: Labels, V: Any, v: Labels) -> Stopped:
    model = _catboost(draw, _MOST_ROUNDS, X)
    model.fit(X, y, eval_set=(V, v), early_stopping_rounds=_PATIENCE)
    return probabilities(model, V), max(1, int(model.tree_count_))


def _fitted_catboost(draw: Draw, rounds: int, X: Any, y: Labels) -> Any:
    return _catboost(draw, rounds, X).fit(X, y)


HIST = Boosted(_draw_hist, _stopped_hist, _fitted_hist)
LIGHTGBM = Boosted(_draw_lightgbm, _stopped_lightgbm, _fitted_lightgbm)
CATBOOST = Boosted(_draw_catboost, _stopped_catboost, _fitted_catboost)


# Shared ----------------------------------------------------------------------------------------


def categorical(
    train: pd.DataFrame, test: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both with plain column names, and text as categories.

    Levels are the 250 commonest of the training rows, as many as scikit-learn's trees take, and
    "(other)" for the rest.
    """
    names = [f"c{number}" for number in range(train.shape[1])]
    train, test = train.set_axis(names, axis=1), test.set_axis(names, axis=1)
    for name in train.select_dtypes(exclude="number").columns:
        common = Counter(sorted(train[name])).most_common(_MOST_LEVELS)
        kind = pd.CategoricalDtype([*(level for level, _ in common), "(other)"])
        train[name], test[name] = (
            column.where(column.isin(kind.categories), "(other)").astype(kind)
            for column in (train[name], test[name])
        )
    return train, test


def probabilities(model: Any, features: Any) -> Probabilities:
    return np.asarray(model.predict_proba(features), dtype=np.float64)
