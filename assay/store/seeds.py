"""Seeds that belong to a place, not to a moment."""

import hashlib
from typing import TYPE_CHECKING

from assay.store.canonical import canonical_json

if TYPE_CHECKING:
    import numpy as np  # loaded only where numbers are drawn

Place = str | int


def seed_for(seed: int, *place: Place) -> int:
    """Return the seed of a place (stage, repeat, fold, trial, ...) in a study.

    A retry, a resumed run or another order of work draws the same numbers, because the seed
    depends on where the numbers are used and on nothing else. The value lies in
    ``[1, 2**31 - 1]``: keras-tuner reads 0 as "random", and some libraries take signed 32 bits.

    Examples
    --------
    >>> seed_for(7, "tune", 0, 3) == seed_for(7, "tune", 0, 3)
    True
    >>> seed_for(7, "tune", 0, 3) == seed_for(7, "tune", 3, 0)
    False
    """
    hashed = hashlib.blake2b(canonical_json([seed, *place]), digest_size=8).digest()
    return int.from_bytes(hashed, "little") % (2**31 - 1) + 1


def generator_for(seed: int, *place: Place) -> "np.random.Generator":
    """Return a counter-based generator for a place; its stream is the same on every platform."""
    import numpy as np

    return np.random.Generator(np.random.Philox(seed_for(seed, *place)))
