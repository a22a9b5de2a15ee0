"""Numeric columns on one scale: filled, drawn in at the ends, and scaled in the shape the study declares.

scikit-learn fits; what was fitted is kept as arrays, which are applied without it.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.preprocessing import (
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from assay.plans import CleanPlan

CLIP = 3.0  # scaled values beyond about this many spreads are bent towards it
_MOST_KNOTS, _FAR = 256, 1e100
_LEAST_SHARE = 1e-7  # of the rows below a value, from which ranks count: scikit-learn's
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """A fitted scaling of p numeric columns: ``z = (shape(x) - centre) / scale``.

    Attributes
    ----------
    fill : shape (p,)
        Value for missing cells.
    low, high : shape (p,)
        Where values are drawn in to; without bounds infinite. Of a column without a value both are 0:
        nothing was learned of it.
    powers : shape (3, p) or (3, 0)
        Where the shape is a power (Yeo & Johnson 2000): median and range of the quartiles, by which a
        column is put in units of its own first, and the power.
    knots : shape (k, p) or (0, p)
        Evenly spaced quantiles, where the shape is that of ranks in a normal distribution.
    centre, scale : shape (p,)
    """

    fill: Array
    low: Array
    high: Array
    powers: Array
    knots: Array
    centre: Array
    scale: Array

    def drawn_in(self, raw: Array) -> Array:
        """Return cells, shape (n_rows, p), no lower and no higher than the bounds; NaN where missing."""
        return np.clip(raw, self.low, self.high)

    def apply(self, raw: Array) -> Array:
        """Return scaled numbers, shape (n_rows, p), missing cells filled."""
        x = self.drawn_in(np.where(np.isnan(raw), self.fill, raw))
        if self.powers.size:
            middle, spread, power = self.powers
            x = powered((x - middle) / spread, power)
        if len(self.knots):
            x = np.column_stack(
                [normal_scores(x[:, j], self.knots[:, j]) for j in range(x.shape[1])]
            )
        return (x - self.centre) / self.scale

    def arrays(self) -> dict[str, Array]:
        """Return the fitted numbers."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def unpack(arrays: dict[str, NDArray[Any]]) -> Scaling:
    """Return the scaling that :meth:`Scaling.arrays` stored."""
    return Scaling(**{field.name: arrays[field.name] for field in fields(Scaling)})


def bent(z: Array) -> Array:
    """Return ``z / sqrt(1 + (z / 3)**2)``: linear near the middle, never beyond 3 spreads."""
    near = np.clip(z, -_FAR, _FAR)  # whose square is a number
    return np.asarray(near / np.sqrt(1 + (near / CLIP) ** 2))


def powered(x: Array, powers: Array) -> Array:
    """Return the power transform of Yeo & Johnson (2000), column by column.

    Examples
    --------
    >>> powered(np.array([[-1.0, 3.0]]), np.array([2.0, 0.5])).round(4).tolist()
    [[-0.6931, 2.0]]
    """
    above, below = np.maximum(x, 0.0), np.maximum(-x, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        up = np.where(
            powers == 0, np.log1p(above), ((above + 1) ** powers - 1) / powers
        )
        down = np.where(
            powers == 2,
            np.log1p(below),
            ((below + 1) ** (2 - powers) - 1) / (2 - powers),
        )
    return np.asarray(np.where(x >= 0, up, -down))


def normal_scores(x: Array, knots: Array) -> Array:
    """Return which normal deviates have the ranks of ``x`` among quantiles; of equal ones the middle.

    As scikit-learn's QuantileTransformer, but at the ends too: there it gives all equal values the
    outermost deviate, which would set a column of two levels ten deviations apart.
    """
    shares = np.linspace(0, 1, len(knots))
    from_below = np.interp(x, knots, shares)
    from_above = -np.interp(-x, -knots[::-1], -shares[::-1])
    share = (from_below + from_above) / 2
    return np.asarray(ndtri(np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE)))


# Fitting -----------------------------------------------------------------------------------------


def fit(columns: pd.DataFrame, plan: CleanPlan) -> tuple[Scaling, NDArray[np.bool_]]:
    """Fit a scaling on training rows.

    Returns
    -------
    tuple
        The scaling, and which columns have missing cells, shape (p,). A column without a value
        becomes 0 throughout. The pixels of an image share a centre and a spread by channel.
    """
    known = [_column(columns[name].to_numpy(np.float64), plan) for name in columns]
    numbers = np.array([one.numbers for one in known]).reshape(-1, 8).T
    fill, low, high, *powers, centre, scale = numbers
    if plan.image and plan.scale != "none":
        centre, scale = _by_channel(centre, scale, plan.image.channels)
    knots = np.array([one.knots for one in known])
    scaling = Scaling(
        fill=fill,
        low=low,
        high=high,
        powers=np.array(powers) if plan.scale == "power" else np.empty((3, 0)),
        knots=knots.reshape(len(known), -1).T if known else np.empty((0, 0)),
        centre=centre,
        scale=scale,
    )
    return scaling, np.array([one.gaps for one in known], dtype=bool)


class _Fitted(NamedTuple):
    """Of one column: fill, bounds, middle, range and power, centre and spread; its knots; whether it has gaps."""

    numbers: tuple[float, ...]
    knots: Array
    gaps: bool


def _column(values: Array, plan: CleanPlan) -> _Fitted:
    missing = np.isnan(values)
    if missing.all():
        return _Fitted(
            (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0),
            _knots_of(plan, np.zeros(len(values))),
            True,
        )
    seen = values[~missing]
    low, high = -np.inf, np.inf
    if plan.clip:
        low, high = np.quantile(seen, [plan.clip, 1 - plan.clip])
        seen = np.clip(seen, low, high)
    elif plan.scale == "power":  # beyond what was seen a power has no bound
        low, high = seen.min(), seen.max()
    fill = float(np.median(seen) if plan.impute == "median" else np.mean(seen))
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
    return _Fitted(numbers, _knots_of(plan, filled), bool(missing.any()))


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
    """Return the power that makes a column most like a normal distribution; 1 where none can be told."""
    if np.ptp(values) == 0:
        return 1.0
    with np.errstate(all="ignore"):
        fitted = PowerTransformer(standardize=False).fit(values[:, None])
    power = float(fitted.lambdas_[0])
    return power if np.isfinite(power) else 1.0


def _knots_of(plan: CleanPlan, values: Array) -> Array:
    if plan.scale != "quantile":
        return np.empty(0)
    n_knots = min(_MOST_KNOTS, len(values))
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
