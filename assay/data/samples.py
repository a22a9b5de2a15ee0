"""Samples: what cleaning hands to every later stage, as arrays in memory."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.store.records import Cleaned, CleanStep, Task
from assay.store.store import Store

Labels = NDArray[Any]  # int32 class codes, or float64 values of a regression target


@dataclass(frozen=True)
class Samples:
    """Features and labels, one row a sample, and what is known of how the rows belong together.

    Attributes
    ----------
    features
        What models are shown: numbers as float64, everything else as text.
    labels : shape (n_rows,)
        int32 class codes from 0, or float64 values of a regression target.
    units : shape (n_rows,)
        int32 unit of each row, numbered from 0; None: every row is a unit of its own.
    times : shape (n_rows,)
        int32 rank of each row's time, never falling from one row to the next; None: no order.
    unit, order
        What a unit is, in words; the column the rows are ordered by.
    aside
        Columns that no model is shown, same rows: dropped ones, the unit's, the order's.
    image
        Whether the numbers among the features are the pixels of an image.
    """

    features: pd.DataFrame
    labels: Labels
    task: Task
    classes: tuple[str, ...] = ()
    units: NDArray[np.int32] | None = None
    times: NDArray[np.int32] | None = None
    unit: str = "row"
    order: str | None = None
    aside: pd.DataFrame = field(default_factory=pd.DataFrame)
    log: tuple[CleanStep, ...] = ()
    image: bool = False

    @property
    def n_rows(self) -> int:
        return len(self.labels)

    @property
    def n_units(self) -> int:
        return self.n_rows if self.units is None else int(self.units.max()) + 1

    def unit_of_rows(self) -> NDArray[np.int32]:
        """Return the unit of each row, also where every row is its own."""
        return (
            np.arange(self.n_rows, dtype=np.int32) if self.units is None else self.units
        )

    def counts(self) -> tuple[int, ...]:
        """Return the rows of each class; empty for a regression target."""
        if self.task == "regression":
            return ()
        return tuple(
            int(n) for n in np.bincount(self.labels, minlength=len(self.classes))
        )

    def keep(self, store: Store) -> Cleaned:
        """Store the arrays and return the record that describes them."""
        numeric = tuple(map(str, self.features.select_dtypes("number").columns))
        return Cleaned(
            task=self.task,
            features=store.put_table(self.features),
            labels=store.put_array(self.labels),
            aside=store.put_table(self.aside) if len(self.aside.columns) else None,
            units=store.put_array(self.units) if self.units is not None else None,
            times=store.put_array(self.times) if self.times is not None else None,
            unit=self.unit,
            n_units=self.n_units,
            order=self.order,
            classes=self.classes,
            counts=self.counts(),
            numeric=numeric,
            categorical=tuple(
                str(name) for name in self.features.columns if name not in set(numeric)
            ),
            n_rows=self.n_rows,
            log=self.log,
            image=self.image,
        )


def opened(store: Store, cleaned: Cleaned) -> Samples:
    """Return the samples that a record describes."""
    return Samples(
        features=store.get_table(cleaned.features),
        labels=store.get_array(cleaned.labels),
        task=cleaned.task,
        classes=cleaned.classes,
        units=store.get_array(cleaned.units) if cleaned.units else None,
        times=store.get_array(cleaned.times) if cleaned.times else None,
        unit=cleaned.unit,
        order=cleaned.order,
        aside=store.get_table(cleaned.aside) if cleaned.aside else pd.DataFrame(),
        log=cleaned.log,
        image=cleaned.image,
    )


def standardised(samples: Samples) -> Samples:
    """Return samples whose numbers to predict are in standard units, which no rank correlation notices."""
    if samples.task != "regression":
        return samples
    centred = samples.labels - samples.labels.mean()
    centred = centred / np.ptp(centred)  # squares of the tiniest numbers would vanish
    return replace(samples, labels=centred / centred.std())
