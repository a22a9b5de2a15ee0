"""Numeric columns on one scale: imputed, clipped and scaled as the study declares.

scikit-learn fits; what was fitted is kept as arrays, which ``assay.predict.scaling`` applies without it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.preprocessing import (
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from assay.predict import scaling as applied
from assay.predict.scaling import Array, powered
from assay.study.plans import CleanPlan

_MAX_KNOTS = 256


class Scaling(applied.Scaling):
    """A fitted scaling with SciPy's normal quantiles, which are the fit's own to the last bit."""

    @staticmethod
    def deviates(shares: Array) -> Array:
        return np.asarray(ndtri(shares))


# Fitting -----------------------------------------------------------------------------------------


def fit(columns: pd.DataFrame, plan: CleanPlan) -> tuple[Scaling, NDArray[np.bool_]]:
    """Fit a scaling on training rows.

    Returns
    -------
    tuple
        The scaling, and which columns have missing cells, shape (p,). A column without a value
        becomes 0 throughout. The pixels of an image share a centre and a spread by channel.
    """
    fits = [_column(columns[name].to_numpy(np.float64), plan) for name in columns]
    numbers = np.array([fit.numbers for fit in fits]).reshape(-1, 8).T
    fill, low, high, *powers, centre, scale = numbers
    if plan.image and plan.scale != "none":
        centre, scale = _by_channel(centre, scale, plan.image.channels)
    knots = np.array([fit.knots for fit in fits])
    scaling = Scaling(
        fill=fill,
        low=low,
        high=high,
        powers=np.array(powers) if plan.scale == "power" else np.empty((3, 0)),
        knots=knots.reshape(len(fits), -1).T if fits else np.empty((0, 0)),
        centre=centre,
        scale=scale,
    )
    return scaling, np.array([fit.gaps for fit in fits], dtype=bool)


class _ColumnFit(NamedTuple):
    """One column: fill, bounds, middle, range, power, centre and spread; its knots; whether cells are missing."""

    numbers: tuple[float, ...]
    knots: Array
    gaps: bool


def _column(values: Array, plan: CleanPlan) -> _ColumnFit:
    missing = np.isnan(values)
    if missing.all():
        return _ColumnFit(
            (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0),
            _knots_of(plan, np.zeros(len(values))),
            True,
        )
    present = values[~missing]
    low, high = -np.inf, np.inf
    if plan.clip:
        low, high = np.quantile(present, [plan.clip, 1 - plan.clip])
        present = np.clip(present, low, high)
    elif plan.scale == "power":  # a power is unbounded outside the training range
        low, high = present.min(), present.max()
    fill = float(np.median(present) if plan.impute == "median" else np.mean(present))
    filled = np.clip(np.where(missing, fill, values), low, high)
    middle, spread, power = 0.0, 1.0, 1.0
    if plan.scale in ("none", "quantile"):
        centre, scale = 0.0, 1.0
    elif plan.image:
        centre, scale = float(filled.mean()), float(filled.std())
    elif plan.scale == "standard":
        centre, scale = _standard(filled)
    elif plan.scale == "power":
        middle, spread = _robust(filled)
        filled = (filled - middle) / spread
        power = _power(filled)
        centre, scale = _standard(powered(filled[:, None], np.array([power]))[:, 0])
    else:
        centre, scale = _robust(filled)
    numbers = (fill, low, high, middle, spread, power, centre, scale)
    return _ColumnFit(numbers, _knots_of(plan, filled), bool(missing.any()))


def _standard(values: Array) -> tuple[float, float]:
    standard = StandardScaler().fit(values[:, None])
    return float(standard.mean_[0]), float(standard.scale_[0])


def _robust(values: Array) -> tuple[float, float]:
    """Return the median, and the range of the quartiles; where they agree, half the whole range."""
    low, centre, high = np.quantile(values, [0.25, 0.5, 0.75])
    half_range = np.ptp(values) / 2
    floor = np.finfo(np.float64).tiny  # columns in very small units keep their spread
    spread = next((s for s in (high - low, half_range) if s > floor), 1.0)
    return float(centre), float(spread)


def _power(values: Array) -> float:
    """Return the power that makes a column most like a normal distribution; 1 where it is undefined."""
    if np.ptp(values) == 0:
        return 1.0
    with np.errstate(all="ignore"):
        fitted = PowerTransformer(standardize=False).fit(values[:, None])
    power = float(fitted.lambdas_[0])
    return power if np.isfinite(power) else 1.0


def _knots_of(plan: CleanPlan, values: Array) -> Array:
    if plan.scale != "quantile":
        return np.empty(0)
    n_knots = min(_MAX_KNOTS, len(values))
    transformer = QuantileTransformer(
        n_quantiles=n_knots, output_distribution="normal", subsample=None
    )
    return np.asarray(transformer.fit(values[:, None]).quantiles_[:, 0])


def _by_channel(means: Array, deviations: Array, channels: int) -> tuple[Array, Array]:
    """Return every pixel's centre and spread: those of all pixels of its channel."""
    of_pixels = means.reshape(-1, channels)
    centre = of_pixels.mean(axis=0)
    variance = deviations.reshape(-1, channels) ** 2 + (of_pixels - centre) ** 2
    spread = np.sqrt(variance.mean(axis=0))
    spread[spread == 0] = 1.0
    n_places = len(of_pixels)
    return np.tile(centre, n_places), np.tile(spread, n_places)
