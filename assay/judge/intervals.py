"""Intervals of scores and of gains, and how many rows would decide what they leave open.

PROTOCOL steps 4 and 5. The interval is CLT-split: the variance of the rows' mean contributions,
plus the variance between repeats in full.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

_POWER = 0.8


@dataclass(frozen=True)
class Interval:
    """An estimate with its standard error and one-sided bounds at ``alpha``.

    ``freedom`` are the degrees of freedom of Student's t; None: the normal distribution.
    """

    estimate: float
    error: float
    lower: float
    upper: float
    interval_95: tuple[float, float]
    n_rows: int
    method: str
    freedom: float | None = None

    def support(self, low: float, high: float) -> tuple[float, float, float]:
        """Return degrees of support for: above ``high``, between, below ``low``.

        By the distribution of the bounds, so that ``lower > high`` and a support of more than
        ``1 - alpha`` are the same event (PROTOCOL step 5).
        """
        if self.error == 0:
            return (
                float(self.estimate > high),
                float(low <= self.estimate <= high),
                float(self.estimate < low),
            )
        law = norm if self.freedom is None else t(self.freedom)
        above = float(law.sf((high - self.estimate) / self.error))
        below = float(law.cdf((low - self.estimate) / self.error))
        return above, max(0.0, 1 - above - below), below


def clt_split(
    contributions: NDArray[np.float64],
    alpha: float,
    units: NDArray[np.integer[Any]] | None = None,
) -> Interval:
    """Return the CLT-split interval of a mean over rows and repeats (PROTOCOL step 4).

    ``SE^2 = var_i(mean_j d_ij) / n + var_j(mean_i d_ij)``, both with ddof 1, the second term in
    full: a new draw of folds moves the whole mean.

    With units the first term is the jackknife that leaves out one unit at a time,
    ``(m - 1) / m sum_u (s_u / (n - n_u))^2``, s_u the sum of unit u's centred contributions and n_u
    its rows; of units of equal size it is the cluster-robust ``m / (m - 1) sum_u s_u^2 / n^2`` of
    Liang & Zeger (1986), of single rows the term above. The bounds are Student's t, its degrees of
    freedom one less than the units of equal size that would weigh as much, ``n^2 / sum_u n_u^2 - 1``
    (Kish 1965). What this covers: docs/decisions/0007.

    Parameters
    ----------
    contributions : shape (n_rows, n_repeats)
        What each row adds in each repeat, d_ij; the mean over rows is a repeat's estimate.
    units : shape (n_rows,)
        None: every row is a unit of its own.

    Raises
    ------
    ValueError
        If there are fewer than two units or two repeats.

    Examples
    --------
    >>> d = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> interval = clt_split(d, alpha=0.05)
    >>> interval.estimate, round(interval.error**2, 6)
    (0.5, 0.041667)
    """
    n, r = contributions.shape
    number = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1]
    sizes = np.bincount(number)
    m = len(sizes)
    if m < 2 or r < 2:
        raise ValueError(f"{m} units and {r} repeats, but a variance needs two of each")
    rows, repeats = contributions.mean(axis=1), contributions.mean(axis=0)
    estimate = float(rows.mean())
    moved = np.bincount(number, rows - estimate) / (n - sizes)
    error = math.sqrt((m - 1) / m * float((moved**2).sum()) + repeats.var(ddof=1))
    freedom = None if units is None else float(n**2 / (sizes**2).sum() - 1)
    return _interval(estimate, error, alpha, n, f"CLT-split over {r} repeats", freedom)


def nadeau_bengio(
    fold_values: NDArray[np.float64], test_share: float, n_rows: int, alpha: float
) -> Interval:
    """Return the corrected resampled t interval of one repeat's fold values.

    Nadeau & Bengio (2003): the variance of the mean of k folds is taken as
    ``(1/k + n_test/n_train) s^2``, with k - 1 degrees of freedom.

    Parameters
    ----------
    fold_values : shape (n_folds,)
    test_share
        Test rows per training row, ``n_test/n_train``: ``1/(k - 1)`` of ordinary folds, the mean
        over the folds where training parts differ in size.

    Raises
    ------
    ValueError
        If there are fewer than two folds.
    """
    k = len(fold_values)
    if k < 2:
        raise ValueError(f"{k} folds with a score, but a variance needs two")
    error = math.sqrt((1 / k + test_share) * fold_values.var(ddof=1))
    return _interval(
        float(fold_values.mean()),
        error,
        alpha,
        n_rows,
        "Nadeau-Bengio, because there is one repeat",
        k - 1,
    )


def _interval(
    estimate: float,
    error: float,
    alpha: float,
    n_rows: int,
    method: str,
    freedom: float | None,
) -> Interval:
    law = norm if freedom is None else t(freedom)
    z, z_95 = float(law.ppf(1 - alpha)), float(law.ppf(0.975))
    return Interval(
        estimate,
        error,
        estimate - z * error,
        estimate + z * error,
        (estimate - z_95 * error, estimate + z_95 * error),
        n_rows,
        method,
        freedom,
    )


def needed_rows(interval: Interval, margin: float, alpha: float) -> int | None:
    """Return about how many rows would decide the comparison with 80 % power, to one digit.

    ``V ((z_{1-alpha} + z_{.8}) / |delta - margin|)^2`` with ``V = n SE^2``; a gap under half the
    margin counts as half the margin, or the figure would explode on noise (PROTOCOL step 5).
    None when there is no spread to extrapolate from, and when an open interval has so many rows
    already: the gain then lies at the margin itself.
    """
    gap = max(abs(interval.estimate - margin), margin / 2)
    z = float(norm.ppf(1 - alpha) + norm.ppf(_POWER))
    rows = interval.n_rows * interval.error**2 * (z / gap) ** 2
    is_open = interval.lower <= margin <= interval.upper
    if rows <= 0 or (is_open and rows <= interval.n_rows):
        return None
    digit = 10.0 ** math.floor(math.log10(rows))
    return max(1, round(math.ceil(rows / digit) * digit))
