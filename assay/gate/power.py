"""Power of the gate: the smallest detectable score, and the rows that the smallest declared effect needs."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from assay.study.plans import Gating

_POWER = 0.8

Array = NDArray[np.float64]


def detectable(null_scores: Array, alpha: float) -> float:
    """Return the smallest score that would pass with a probability of 80 % on these rows.

    ``m + (z_{1 - alpha} + z_{.8}) s``, with mean and standard deviation of the scores under chance.
    PROTOCOL step 3 has the chance level in place of ``m``; but the score is the largest of two
    models', whose mean under chance lies above that of one (.52 to .54 at 100 rows).
    """
    z = norm.ppf(1 - alpha) + norm.ppf(_POWER)
    return float(null_scores.mean() + z * null_scores.std(ddof=1))


def needed_rows(n_rows: int, null_scores: Array, chance: float, plan: Gating) -> int:
    """Return about how many rows it takes for the smallest effect to be the :func:`detectable` one.

    How far a score detectable on n rows lies above chance shrinks with the root of n: so do the
    spread under chance and, with it, the distance from chance to the mean of a maximum. A mean
    below chance, as pooled predictions of a number have, is not counted on.
    """
    above = detectable(null_scores, plan.alpha) - null_scores.mean()
    above += max(0.0, null_scores.mean() - chance)
    return max(1, int(np.ceil(n_rows * (above / (plan.smallest_effect - chance)) ** 2)))
