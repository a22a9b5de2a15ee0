"""Generators of tables with a known truth, which the catalogue states for each world of ``worlds``."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]


# Parts of tables -------------------------------------------------------------------------------------


def _columns(values: Floats, prefix: str = "x") -> pd.DataFrame:
    return pd.DataFrame(
        values, columns=[f"{prefix}{i + 1}" for i in range(values.shape[1])]
    )


def _coins(n: int, n_yes: int, generator: np.random.Generator) -> NDArray[np.str_]:
    """Return n labels of which exactly n_yes are 'yes', in random order."""
    return np.where(generator.permutation(n) < n_yes, "yes", "no")


def _series(n: int, phi: float, generator: np.random.Generator) -> Floats:
    """Return a stationary autoregressive series of order 1 with unit variance."""
    series = np.empty(n)
    series[0] = generator.normal()
    shocks = generator.normal(0, np.sqrt(1 - phi**2), n)
    for i in range(1, n):
        series[i] = phi * series[i - 1] + shocks[i]
    return series


def _bernoulli(logit: Floats, generator: np.random.Generator) -> NDArray[np.str_]:
    """Return labels that are 'yes' with these log-odds."""
    return np.where(
        generator.random(len(logit)) < 1 / (1 + np.exp(-logit)), "yes", "no"
    )


# Null worlds -----------------------------------------------------------------------------------------


def null(n: int, p: int, n_yes: int) -> Callable[[np.random.Generator], pd.DataFrame]:
    """Normal columns and labels independent of them."""

    def draw(generator: np.random.Generator) -> pd.DataFrame:
        table = _columns(generator.normal(size=(n, p)))
        return table.assign(y=_coins(n, n_yes, generator))

    return draw


def null_columns(generator: np.random.Generator) -> pd.DataFrame:
    """Numbers with missing cells and heavy tails, and columns of few and many categories."""
    n = 150
    table = _columns(generator.standard_t(2.5, size=(n, 4)))
    table = table.mask(generator.random(table.shape) < 0.1)
    return table.assign(
        few=generator.choice(["a", "b", "c"], n),
        many=generator.choice([f"level {i}" for i in range(12)], n),
        y=_coins(n, 60, generator),
    )


def null_units(
    mixed: bool, *, sizes: bool = False
) -> Callable[[np.random.Generator], pd.DataFrame]:
    """Rows of a unit are similar; its label, or the rate of its labels, is independent of its features."""

    def draw(generator: np.random.Generator) -> pd.DataFrame:
        n_units = 40
        rows = generator.integers(1, 10, n_units) if sizes else np.full(n_units, 5)
        unit = np.repeat(np.arange(n_units), rows)
        fingerprint = generator.normal(size=(n_units, 6))[unit]
        table = _columns(fingerprint + generator.normal(0, 0.5, fingerprint.shape))
        if mixed:
            rate = generator.beta(0.6, 0.6, n_units)[unit]
            label = np.where(generator.random(len(unit)) < rate, "yes", "no")
        else:
            label = _coins(n_units, n_units // 2, generator)[unit]
        names = np.array([f"unit {i}" for i in range(n_units)])
        return table.assign(who=names[unit], y=label)

    return draw


def null_time(generator: np.random.Generator) -> pd.DataFrame:
    """Independent autoregressive series of columns and label, phi .9, with the day of each row."""
    n = 300
    table = _columns(np.column_stack([_series(n, 0.9, generator) for _ in range(4)]))
    label = np.where(_series(n, 0.9, generator) > 0, "yes", "no")
    return table.assign(day=np.arange(n), y=label)


def null_copies(generator: np.random.Generator) -> pd.DataFrame:
    """A fifth of the rows are copies of others, label and all."""
    table = null(120, 6, 60)(generator)
    copies = table.iloc[generator.choice(120, 30)]
    whole = pd.concat([table, copies], ignore_index=True)
    return whole.iloc[generator.permutation(len(whole))].reset_index(drop=True)


def null_multiclass(generator: np.random.Generator) -> pd.DataFrame:
    """Three classes, as many rows of each."""
    n = 150
    label = np.array(["one", "two", "three"])[generator.permutation(n) % 3]
    return _columns(generator.normal(size=(n, 6))).assign(y=label)


def null_regression(generator: np.random.Generator) -> pd.DataFrame:
    """A number with heavy tails (Student's t, 3 degrees of freedom)."""
    n = 120
    return _columns(generator.normal(size=(n, 6))).assign(y=generator.standard_t(3, n))


def null_family(generator: np.random.Generator) -> pd.DataFrame:
    """Two related labels, both independent of the features."""
    n = 100
    hidden = generator.normal(size=n)
    first = hidden + generator.normal(size=n) > 0
    second = hidden + generator.normal(size=n) > 0
    table = _columns(generator.normal(size=(n, 6)))
    return table.assign(y=np.where(first, "yes", "no"), z=np.where(second, "yes", "no"))


# Signals ---------------------------------------------------------------------------------------------


def shifted(area: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    """Two normal classes whose best score has this AUC: ``Phi(d / sqrt 2)``, d their distance."""

    def draw(generator: np.random.Generator) -> pd.DataFrame:
        n, p = 300, 5
        direction = generator.normal(size=p)
        direction /= np.linalg.norm(direction)
        label = _coins(n, n // 2, generator)
        distance = np.sqrt(2) * norm.ppf(area)
        shift = np.where(label == "yes", distance, 0.0)[:, None] * direction
        return _columns(generator.normal(size=(n, p)) + shift).assign(y=label)

    return draw


def xor(generator: np.random.Generator) -> pd.DataFrame:
    """The label is the sign of a product, which no linear model can represent."""
    table = _columns(generator.normal(size=(300, 4)))
    product = np.sign(table["x1"].to_numpy() * table["x2"].to_numpy())
    return table.assign(y=_bernoulli(2.0 * product, generator))


def linear(n: int) -> Callable[[np.random.Generator], pd.DataFrame]:
    """Log-odds that are a weighted sum of the columns."""

    def draw(generator: np.random.Generator) -> pd.DataFrame:
        x = generator.normal(size=(n, 6))
        weights = np.array([1.0, -0.8, 0.6, -0.4, 0.2, 0.0])
        return _columns(x).assign(y=_bernoulli(x @ weights, generator))

    return draw


def linear_units(generator: np.random.Generator) -> pd.DataFrame:
    """Rows of a unit share part of their features and of their log-odds."""
    n_units, size = 100, 5
    unit = np.repeat(np.arange(n_units), size)
    x = 0.7 * generator.normal(size=(n_units, 5))[unit]
    x = x + 0.7 * generator.normal(size=(len(unit), 5))
    own = generator.normal(0, 1.0, n_units)[unit]
    weights = np.array([1.0, -0.8, 0.6, -0.4, 0.0])
    names = np.array([f"unit {i}" for i in range(n_units)])
    return _columns(x).assign(
        who=names[unit], y=_bernoulli(x @ weights + own, generator)
    )


def linear_number(generator: np.random.Generator) -> pd.DataFrame:
    """A number whose expectation is a weighted sum of the columns."""
    x = generator.normal(size=(500, 5))
    weights = np.array([1.0, -0.8, 0.6, -0.4, 0.0])
    return _columns(x).assign(y=x @ weights + generator.normal(0, 1.5, len(x)))


def curved(generator: np.random.Generator) -> pd.DataFrame:
    """Log-odds are the product of two oblique directions: hard for linear models and for trees."""
    n, p = 800, 6
    x = generator.normal(size=(n, p))
    first = np.array([1, 1, 1, 0, 0, 0]) / np.sqrt(3)
    second = np.array([0, 0, 0, 1, 1, 1]) / np.sqrt(3)
    return _columns(x).assign(y=_bernoulli(4.0 * (x @ first) * (x @ second), generator))


# Leaks -----------------------------------------------------------------------------------------------


def _clean_signal(n: int, generator: np.random.Generator) -> pd.DataFrame:
    x = generator.normal(size=(n, 6))
    return _columns(x).assign(y=_bernoulli(0.7 * x[:, 0] - 0.5 * x[:, 1], generator))


def leak_column(generator: np.random.Generator) -> pd.DataFrame:
    """A column holds the target in 99 of 100 rows."""
    table = _clean_signal(300, generator)
    code = (table["y"] == "yes") ^ (generator.random(300) < 0.01)
    return table.assign(result_code=code + generator.normal(0, 0.1, 300))


def leak_copies(generator: np.random.Generator) -> pd.DataFrame:
    """One row in twenty is an exact copy of another, label and all."""
    table = _clean_signal(300, generator)
    whole = pd.concat([table, table.iloc[:15]], ignore_index=True)
    return whole.iloc[generator.permutation(len(whole))].reset_index(drop=True)


def leak_near_copies(generator: np.random.Generator) -> pd.DataFrame:
    """One row in twenty is another one measured again, with noise .01."""
    table = _clean_signal(300, generator)
    again = table.iloc[:15].copy()
    numbers = again.columns.drop("y")
    again[numbers] += generator.normal(0, 0.01, (15, len(numbers)))
    whole = pd.concat([table, again], ignore_index=True)
    return whole.iloc[generator.permutation(len(whole))].reset_index(drop=True)


def leak_sorted(generator: np.random.Generator) -> pd.DataFrame:
    """The file is sorted by its target."""
    table = _clean_signal(300, generator)
    return table.sort_values("y", kind="stable").reset_index(drop=True)


def leak_time(generator: np.random.Generator) -> pd.DataFrame:
    """Time series whose order the study does not declare."""
    return null_time(generator).drop(columns="day")


def leak_unit(generator: np.random.Generator) -> pd.DataFrame:
    """Several rows per patient, named in a column that is not declared as the unit; rows shuffled."""
    table = null_units(mixed=False)(generator).rename(columns={"who": "patient"})
    return table.iloc[generator.permutation(len(table))].reset_index(drop=True)


def leak_site(generator: np.random.Generator) -> pd.DataFrame:
    """Three hospitals differ in devices and rates of illness; within each, features are independent of the label."""
    n = 300
    site = generator.integers(0, 3, n)
    device = generator.normal(size=(3, 5))[site]
    label = np.where(
        generator.random(n) < np.array([0.15, 0.5, 0.85])[site], "yes", "no"
    )
    table = _columns(1.5 * device + generator.normal(size=(n, 5)))
    return table.assign(hospital=np.array(["north", "south", "west"])[site], y=label)
