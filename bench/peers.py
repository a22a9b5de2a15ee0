"""Networks for tables by others, as ``pytabkit`` brings them, in the form ``bench_quality`` compares."""

import importlib
import warnings
from typing import Any

import pandas as pd

from bench.boosted import FitPredict, Labels, Probabilities, categorical, probabilities


def of_pytabkit(name: str, **how: Any) -> FitPredict:
    """Return a classifier with its own defaults; missing numbers, which it refuses, become the median."""

    def fit_predict(
        train: pd.DataFrame, labels: Labels, test: pd.DataFrame
    ) -> Probabilities:
        medians = train.select_dtypes("number").median().fillna(0.0)
        train, test = categorical(train.fillna(medians), test.fillna(medians))
        pytabkit = importlib.import_module("pytabkit")
        model = getattr(pytabkit, name)(
            device="cpu", n_threads=1, random_state=0, verbosity=0, **how
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries it stands on
            return probabilities(model.fit(train, labels), test)

    return fit_predict
