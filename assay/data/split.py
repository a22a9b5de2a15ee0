"""Split: outer folds for each repeat, inner folds inside each outer training part.

Folds keep units whole. Classes are spread evenly by drawing whole strata; the draw looks at labels
only in the way that ``permute`` allows for. Rows in order of time are split in time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.data.blocks import in_blocks
from assay.data.permute import first_rows, has_one_label_each
from assay.data.samples import Samples
from assay.errors import DataRefused
from assay.store.records import Ref, Split, unit_name
from assay.store.seeds import generator_for, seed_for
from assay.study.plans import SplitPlan
from assay.wording import Sentence

TEST, LEFT_OUT = -1, -2
_MANY_ROWS, _REPEATS, _REPEATS_OF_FEW = 500, 3, 5  # PROTOCOL section 1, measured in T6

Scheme = Literal["stratified", "shuffled", "forward", "blocks"]


@dataclass(frozen=True)
class Folds:
    """Fold numbers of every row.

    Attributes
    ----------
    outer : shape (repeats, n_rows)
        The outer fold in whose test part a row lies, once per repeat; -1: in none.
    inner : shape (repeats, folds, n_rows)
        The inner fold of each row of an outer training part; -1 for the rows of its test part,
        -2 for rows in neither.
    """

    outer: NDArray[np.int16]
    inner: NDArray[np.int16]
    scheme: Scheme = "stratified"
    unit: str = "row"

    def record(self, outer: Ref, inner: Ref) -> Split:
        """Describe the folds once they are stored."""
        repeats, folds, _ = self.inner.shape
        return Split(
            scheme=self.scheme,
            unit=self.unit,
            outer=outer,
            inner=inner,
            repeats=repeats,
            folds=folds,
            inner_folds=int(self.inner.max()) + 1,
        )


def draw_folds(samples: Samples, plan: SplitPlan, seed: int) -> Folds:
    """Draw the folds of a plan.

    Raises
    ------
    DataRefused
        If there are fewer units, times or rows of a class than folds.
    """
    if samples.times is not None:
        return _in_time(samples.times, samples.order or "time", plan)
    _check_counts(samples, plan)
    units = _units(samples)
    repeats = plan.repeats or (
        _REPEATS if samples.n_rows >= _MANY_ROWS else _REPEATS_OF_FEW
    )
    outer = np.empty((repeats, samples.n_rows), dtype=np.int16)
    inner = np.full((repeats, plan.folds, samples.n_rows), TEST, dtype=np.int16)
    for repeat in range(repeats):
        of_units = units.draw(
            np.arange(samples.n_units), plan.folds, seed_for(seed, "outer", repeat)
        )
        outer[repeat] = of_units[units.of_rows]
        for fold in range(plan.folds):
            train = np.flatnonzero(of_units != fold)
            inside = np.full(len(of_units), TEST, dtype=np.int16)
            inside[train] = units.draw(
                train, plan.inner_folds, seed_for(seed, "inner", repeat, fold)
            )
            inner[repeat, fold] = inside[units.of_rows]
    scheme: Scheme = "shuffled" if samples.task == "regression" else "stratified"
    return Folds(outer, inner, scheme, samples.unit)


# Units and what they hold ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Units:
    """What is drawn into folds. Units of equal content form a stratum.

    Attributes
    ----------
    of_rows : shape (n_rows,)
        The unit of each row.
    stratum : shape (n_units,)
    contents : shape (n_strata, n_kinds)
        How much of each kind a unit of the stratum holds; each kind is spread over the folds.
    """

    of_rows: NDArray[np.int32]
    stratum: NDArray[np.int64]
    contents: NDArray[np.int64]

    def draw(
        self, among: NDArray[np.int64], folds: int, seed: int
    ) -> NDArray[np.int16]:
        """Return the fold of each of some units, drawn so that every fold holds about as much of each kind.

        The units of a stratum are dealt in whole rounds. Those left over go one by one, the largest
        shares of a kind first, to the fold that has least of what they hold. How many units of a
        stratum a fold gets depends on the strata alone, never on which unit is which.
        """
        generator = generator_for(seed, "deal")
        stratum = self.stratum[among]
        sizes = np.bincount(stratum, minlength=len(self.contents))
        dealt = generator.permutation(len(among))
        dealt = dealt[np.argsort(stratum[dealt], kind="stable")]
        place = np.arange(len(among)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        number = place % folds
        left = place >= np.repeat(sizes - sizes % folds, sizes)
        rest = self.contents[stratum[dealt[left]]]
        number[left] = _evenly(rest, sizes @ self.contents, folds)
        drawn = np.empty(len(among), dtype=np.int16)
        drawn[dealt] = generator.permutation(folds)[number]
        return drawn


def _units(samples: Samples) -> _Units:
    """Return the units, known by nothing but what every relabelling leaves in its fold.

    That is the label of a unit that has one, else its rows of each class (see ``permute``); of a
    regression target nothing, so that units are spread by size.
    """
    units = samples.unit_of_rows()
    if samples.task == "regression":
        contents = np.bincount(units)[:, None]
    elif has_one_label_each(samples.labels, units):
        contents = np.eye(len(samples.classes), dtype=np.int64)
        return _Units(units, samples.labels[first_rows(units)], contents)
    else:
        contents = np.zeros((samples.n_units, len(samples.classes)), dtype=np.int64)
        np.add.at(contents, (units, samples.labels), 1)
    kinds, stratum = np.unique(contents, axis=0, return_inverse=True)
    return _Units(units, stratum.reshape(-1), kinds)


def _evenly(
    contents: NDArray[np.int64], totals: NDArray[np.int64], folds: int
) -> list[int]:
    """Return a fold for each unit: the one with least of what the unit holds, then with fewest rows."""
    shares = contents / np.maximum(totals, 1)
    loads, rows = np.zeros((folds, contents.shape[1])), np.zeros(folds)
    number = [0] * len(contents)
    for unit in np.argsort(-shares.max(axis=1), kind="stable"):
        of_kinds = np.round(loads @ shares[unit], 12)
        fold = int(np.lexsort((rows, of_kinds))[0])
        loads[fold] += shares[unit]
        rows[fold] += contents[unit].sum()
        number[unit] = fold
    return number


def _check_counts(samples: Samples, plan: SplitPlan) -> None:
    folds = Sentence.of("data.split.folds", outer=plan.folds, inner=plan.inner_folds)
    things = Sentence.of("data.split.rows")
    if samples.units is not None:
        things = Sentence.of("data.split.units", unit=unit_name(samples.unit))
    if not _enough(samples.n_units, plan):
        raise DataRefused(
            "data.split.few_units", n=samples.n_units, things=things, folds=folds
        )
    units = samples.unit_of_rows()
    for code, name in enumerate(samples.classes):
        n = len(np.unique(units[samples.labels == code]))
        if not _enough(n, plan):
            raise DataRefused(
                "data.split.few_of_class", name=name, n=n, things=things, folds=folds
            )


def _enough(n: int, plan: SplitPlan) -> bool:
    """Return whether n things can be in every outer fold, and the rest in every inner one."""
    return n >= plan.folds and n - -(-n // plan.folds) >= plan.inner_folds


# Time ------------------------------------------------------------------------------------------


def _in_time(times: NDArray[np.int32], order: str, plan: SplitPlan) -> Folds:
    """Cut the series into blocks; rows of one time are never parted.

    Forward: the first block is never tested, each later one is predicted from all before it.
    Blocks: each is predicted from those on both sides. ``gap`` rows beside a test part are left
    out. Inner folds are blocks of the training part, the latest one first.
    """
    forward = plan.time == "forward"
    blocks = in_blocks(times, plan.folds + forward, order)
    n = len(times)
    outer = (blocks - forward).astype(np.int16)
    inner = np.full((plan.folds, n), LEFT_OUT, dtype=np.int16)
    for fold in range(plan.folds):
        test = np.flatnonzero(outer == fold)
        first, last = int(test[0]), int(test[-1])
        keep = np.zeros(n, dtype=bool)
        keep[: max(0, first - plan.gap)] = True
        if not forward:
            keep[last + 1 + plan.gap :] = True
        train = np.flatnonzero(keep)
        inside = in_blocks(times[train], plan.inner_folds, order)
        inner[fold, train] = plan.inner_folds - 1 - inside
        inner[fold, test] = TEST
    return Folds(
        outer[None], inner[None], "forward" if forward else "blocks", f"time of {order}"
    )
