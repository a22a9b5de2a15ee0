"""Betting: a permutation test that stops as soon as it is won or lost (PROTOCOL step 2.5)."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

Array = NDArray[np.float64]

_SMALLEST_BATCH, _LARGEST_BATCH = 8, 64


def betting_wealth(n_permutations: int, n_at_least: int, alpha: float) -> float:
    """Return what a bet against chance is worth after so many permutations; it began at 1.

    Under chance its expectation never exceeds 1 at any stopping time, so ``1 / wealth`` is a
    p-value whenever one stops. Fischer & Ramdas, "Sequential Monte-Carlo testing by betting"
    (arXiv 2401.07365), binomial mixture strategy: ``P(Bin(t + 1, c) >= L + 1) / c`` with
    ``c = .7 alpha`` (PROTOCOL step 2.5).

    Examples
    --------
    >>> betting_wealth(0, 0, 0.05)
    1.0
    >>> betting_wealth(48, 0, 0.035) >= 1 / 0.035
    True
    """
    return float(_wealth(np.array(n_permutations), np.array(n_at_least), alpha))


def _wealth(
    n_permutations: NDArray[np.int64], n_at_least: NDArray[np.int64], alpha: float
) -> Array:
    c = 0.7 * alpha
    wealth: Array = binom.sf(n_at_least, n_permutations + 1, c) / c
    return wealth


def permutation_p_value(observed: float, null_scores: NDArray[np.float64]) -> float:
    """Return how often chance alone scores at least as high as the model.

    Parameters
    ----------
    observed
        The statistic with true labels. Higher is better.
    null_scores : shape (n_permutations,)
        The statistic with labels permuted, one entry per permutation.

    Returns
    -------
    float
        In ``[1 / (n_permutations + 1), 1]``. Never 0: the true labelling counts as one of the
        permutations.

    Raises
    ------
    ValueError
        If ``null_scores`` is empty or contains a NaN.

    Examples
    --------
    >>> permutation_p_value(0.90, np.array([0.40, 0.50, 0.60]))
    0.25
    """
    if null_scores.size == 0 or np.isnan(null_scores).any():
        raise ValueError("null_scores must hold at least one score, and no NaN")
    return float(
        (1 + np.count_nonzero(null_scores >= observed)) / (null_scores.size + 1)
    )


def stopping_point(
    observed: float, null_scores: Array, alpha: float
) -> tuple[int | None, float]:
    """Follow the bet one permutation at a time.

    Returns
    -------
    tuple
        After how many permutations the test stopped (None: it goes on), and the p-value there:
        ``1 / wealth`` at the largest wealth so far. The test stops to reject at
        ``wealth >= 1 / alpha`` and to accept at ``wealth < alpha``.
    """
    n_at_least = np.cumsum(null_scores >= observed, dtype=np.int64)
    wealth = _wealth(np.arange(1, len(null_scores) + 1), n_at_least, alpha)
    stops = np.flatnonzero((wealth >= 1 / alpha) | (wealth < alpha))
    number = int(stops[0]) + 1 if len(stops) else None
    return number, float(1 / max(1.0, *wealth[:number]))


def next_batch(observed: float, null_scores: Array, alpha: float) -> int:
    """Return how many permutations to draw next: as many as could decide, if no further one reaches the score.

    0 where the bet has stopped.
    """
    if stopping_point(observed, null_scores, alpha)[0] is not None:
        return 0
    ahead = np.arange(1, _LARGEST_BATCH + 1)
    n_at_least = np.count_nonzero(null_scores >= observed)
    wealth = _wealth(len(null_scores) + ahead, np.full(len(ahead), n_at_least), alpha)
    rich = ahead[wealth >= 1 / alpha]
    return max(_SMALLEST_BATCH, int(rich[0])) if len(rich) else _LARGEST_BATCH
