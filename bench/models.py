"""The models ``bench_quality`` compares: ours, scikit-learn's, and others' where they are installed.

A model is a function of training features, training labels and test features that returns class
probabilities. All get one thread, except AutoGluon.
"""

import importlib
import importlib.metadata
import importlib.util
import tempfile
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from assay.store.code import code_digest
from bench import boosted, peers
from bench.boosted import FitPredict, Labels, Probabilities, probabilities

_AUTOGLUON_S = 60


@dataclass(frozen=True)
class Model:
    """A model and the package that brings it; ours is named ``assay``."""

    package: str
    fit_predict: FitPredict

    def version(self) -> str | None:
        """Return what the model comes from, package and our own code; None: not installed."""
        code = code_digest(self.fit_predict.__module__)[:8]
        if self.package == "assay":
            there = importlib.util.find_spec("keras_tuner") is not None
            return code_digest("bench.ours")[:8] if there else None
        try:
            return f"{importlib.metadata.version(self.package)} {code}"
        except importlib.metadata.PackageNotFoundError:
            return None


# Ours ------------------------------------------------------------------------------------------


def _of_ours(kind: Any) -> FitPredict:
    def fit_predict(
        train: pd.DataFrame, labels: Labels, test: pd.DataFrame
    ) -> Probabilities:
        from bench import ours  # imports TensorFlow

        return ours.probabilities(kind, train, labels, test)

    return fit_predict


# scikit-learn's --------------------------------------------------------------------------------


def _scaled(model: Any) -> Any:
    """Return a pipeline that imputes and scales numbers and gives levels a column each."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    )
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2)
    return make_pipeline(
        make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (levels, make_column_selector(dtype_exclude="number")),
            sparse_threshold=0,
        ),
        model,
    )


def logistic(train: pd.DataFrame, labels: Labels, test: pd.DataFrame) -> Probabilities:
    """Logistic regression, its penalty chosen among nine by five inner folds."""
    model = _scaled(LogisticRegression(max_iter=1000))
    grid = {"logisticregression__C": np.logspace(-4, 4, 9)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # weak penalties
        search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=5)
        return probabilities(search.fit(train, labels), test)


def mlp(train: pd.DataFrame, labels: Labels, test: pd.DataFrame) -> Probabilities:
    """scikit-learn's network as it comes, with more iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = _scaled(MLPClassifier(max_iter=500, random_state=0))
        return probabilities(model.fit(train, labels), test)


# Others' networks, and AutoGluon ---------------------------------------------------------------


def autogluon(train: pd.DataFrame, labels: Labels, test: pd.DataFrame) -> Probabilities:
    """Everything AutoGluon bags and stacks within its minute, on all cores."""
    tabular = importlib.import_module("autogluon.tabular")
    with tempfile.TemporaryDirectory() as folder:
        predictor = tabular.TabularPredictor(
            label="label", eval_metric="log_loss", path=folder, verbosity=0
        ).fit(
            train.assign(label=labels),
            time_limit=_AUTOGLUON_S,
            presets="best_quality",
            dynamic_stacking=False,
        )
        predicted = predictor.predict_proba(test)
    return np.asarray(predicted[sorted(predicted.columns)], dtype=np.float64)


MODELS: dict[str, Model] = {
    "net": Model("assay", _of_ours("net")),
    "ensemble": Model("assay", _of_ours("ensemble")),
    "ensemble-tuned": Model("assay", _of_ours("ensemble-tuned")),
    "logistic": Model("scikit-learn", logistic),
    "hist": Model("scikit-learn", boosted.untuned(boosted.HIST, 100)),
    "hist-tuned": Model("scikit-learn", boosted.tuned(boosted.HIST)),
    "mlp": Model("scikit-learn", mlp),
    "lightgbm": Model("lightgbm", boosted.untuned(boosted.LIGHTGBM, 100)),
    "lightgbm-tuned": Model("lightgbm", boosted.tuned(boosted.LIGHTGBM)),
    "catboost": Model("catboost", boosted.untuned(boosted.CATBOOST, 1000)),
    "catboost-tuned": Model("catboost", boosted.tuned(boosted.CATBOOST)),
    "realmlp": Model(
        "pytabkit",
        peers.of_pytabkit("RealMLP_TD_Classifier", val_metric_name="cross_entropy"),
    ),
    "tabm": Model(
        "pytabkit",
        peers.of_pytabkit("TabM_D_Classifier", val_metric_name="cross_entropy"),
    ),
    "autogluon": Model("autogluon.tabular", autogluon),
}
