"""A fitted scaling of numeric columns: impute, clip, transform, centre and divide."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

CLIP = 3.0  # scaled values beyond about this many spreads are bent towards it
_FAR = 1e100
_LEAST_SHARE = 1e-7  # of the rows below a value, from which ranks count: scikit-learn's
Array = NDArray[np.float64]

# Wichura 1988, "Algorithm AS 241: The percentage points of the normal distribution": numerators and
# denominators of three rational functions, the highest power first.
_MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_SIDES = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_ENDS = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip


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

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the scaling that :meth:`arrays` gave."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

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
            shares = [ranks(x[:, j], self.knots[:, j]) for j in range(x.shape[1])]
            x = self.deviates(np.column_stack(shares))
        return (x - self.centre) / self.scale

    @staticmethod
    def deviates(shares: Array) -> Array:
        """Return the normal deviates of shares between 0 and 1."""
        return normal_deviates(shares)

    def arrays(self) -> dict[str, Array]:
        """Return the fitted numbers."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


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


def ranks(x: Array, knots: Array) -> Array:
    """Return which share of training rows lies below ``x``, by their quantiles; of equal ones the middle.

    As scikit-learn's QuantileTransformer, but at the ends too: there it gives all equal values the
    outermost share, which would set a column of two levels ten deviations apart.
    """
    shares = np.linspace(0, 1, len(knots))
    from_below = np.interp(x, knots, shares)
    from_above = -np.interp(-x, -knots[::-1], -shares[::-1])
    share = (from_below + from_above) / 2
    return np.asarray(np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE))


def normal_deviates(shares: Array) -> Array:
    """Return the deviates that a share of a normal distribution lies below, to 16 digits.

    Examples
    --------
    >>> normal_deviates(np.array([0.5, 0.975, 1e-7])).round(6).tolist()
    [0.0, 1.959964, -5.199338]
    """
    from_middle = shares - 0.5
    middle = from_middle * _ratio(_MIDDLE, 0.180625 - from_middle**2)
    depth = np.sqrt(-np.log(np.minimum(shares, 1 - shares)))
    outer = np.where(depth <= 5, _ratio(_SIDES, depth - 1.6), _ratio(_ENDS, depth - 5))
    far = np.abs(from_middle) > 0.425
    return np.asarray(np.where(far, np.sign(from_middle) * outer, middle))


def _ratio(terms: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    above, below = (np.polyval(np.array(powers), x) for powers in terms)
    return np.asarray(above / below)
