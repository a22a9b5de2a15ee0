"""Preparation fitted on training rows only: impute, scale, encode.

scikit-learn fits; what was fitted is kept as a few arrays, so that the same small form prepares
rows while training and, later, in a bundle that needs no scikit-learn to predict: see
``assay.predict.preparation``, which applies both.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from assay.errors import DataRefused
from assay.predict import preparation as applied
from assay.predict.categories import ABSENT, codes
from assay.predict.denoise import smoothed
from assay.preprocess import lists as items
from assay.preprocess import scaling, text
from assay.study.plans import CleanPlan, most_levels

_ROWS_AT_ONCE = 2**15  # prepared at a time: what is in between stays small
_MAX_TREE_LEVELS = 255  # what scikit-learn's trees tell apart, "other" among them


class Preparation(applied.Preparation):
    """A fitted preparation, of tables."""

    scaling_class = scaling.Scaling
    text_class = text.Text

    @property
    def category_columns(self) -> slice:
        """Which columns of :meth:`trees` hold codes rather than numbers."""
        return slice(len(self.numeric), len(self.numeric) + len(self.categorical))

    def apply(self, features: pd.DataFrame) -> NDArray[np.float32]:
        """Return the network's inputs of a table, shape (n_rows, n_inputs)."""
        found = np.empty((len(features), self.n_inputs), dtype=np.float32)
        for start in range(0, len(features), _ROWS_AT_ONCE):
            rows = features.iloc[start : start + _ROWS_AT_ONCE]
            found[start : start + len(rows)] = self.inputs(
                self._columns(rows), len(rows)
            )
        return found

    def trees(
        self, features: pd.DataFrame, inputs: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return what boosted trees are shown, shape (n_rows, n_columns).

        Numbers within their bounds, NaN where missing; a code for each level, rare and unseen ones
        sharing the last; of ``inputs``, which :meth:`apply` gave for the same rows, lists and texts.
        """
        known = (
            (*first, *more)
            for first, more in zip(self.levels, self.further, strict=True)
        )
        coded = [
            codes(features[name], levels)
            for name, levels in zip(self.categorical, known, strict=True)
        ]
        further = inputs[:, self._n_plain : self.n_inputs]
        raw = self.raw(self._columns(features), len(features))
        return np.column_stack([self.scaling.drawn_in(raw), *coded, further])

    def _columns(self, features: pd.DataFrame) -> dict[str, NDArray[Any]]:
        numbers = {
            name: features[name].to_numpy(dtype=np.float64) for name in self.numeric
        }
        lists = (one.column for one in self.lists)
        names = (*self.categorical, *lists, *(one.column for one in self.texts))
        return numbers | {name: features[name].to_numpy(dtype=object) for name in names}

    def packed(self) -> dict[str, NDArray[Any]]:
        """Return everything as plain arrays, the form in which it is stored."""
        form = np.frombuffer(
            json.dumps(self.form(), ensure_ascii=False).encode(), dtype=np.uint8
        )
        return self.arrays() | {"form": form}


def unpack(arrays: dict[str, NDArray[Any]]) -> Preparation:
    """Return the preparation that :meth:`Preparation.packed` stored."""
    return Preparation.of(json.loads(arrays["form"].tobytes()), arrays)


def fit(features: pd.DataFrame, plan: CleanPlan, *, wide: bool = False) -> Preparation:
    """Fit a preparation on training rows.

    Parameters
    ----------
    features
        Training rows only: numeric columns as float64 with NaN, the others as text. Which of
        those are more than levels the plan says.
    wide
        Whether categories get many inputs, see :func:`assay.study.plans.most_levels`.

    Numeric columns of three values or fewer stand last: networks cut the leading ones into pieces.
    The pixels of an image stay in their places.
    """
    numeric = tuple(features.select_dtypes("number").columns)
    lists = [one for one in plan.lists if one.column in features.columns]
    texts = tuple(name for name in features.columns if name in plan.text)
    apart = {*numeric, *texts, *(one.column for one in lists)}
    categorical = tuple(name for name in features.columns if name not in apart)
    if not plan.image:
        numeric = tuple(
            sorted(
                numeric,
                key=lambda name: _has_few_values(features[name].to_numpy(np.float64)),
            )
        )
    image, known = plan.image, features[list(numeric)]
    shape = None
    if image is not None and image.denoise == "median":
        shape = (image.height, image.width, image.channels)
        known = pd.DataFrame(smoothed(known.to_numpy(np.float64), shape))
    scaled, gaps = scaling.fit(known, plan)
    n_levels = most_levels(len(categorical), wide=wide)
    levels = [_levels(features[name], n_levels + 1) for name in categorical]
    return Preparation(
        numeric=numeric,
        categorical=categorical,
        scaling=scaled,
        indicated=np.flatnonzero(gaps),
        levels=tuple(levels),
        further=tuple(
            _further(features[name], first) if len(first) == n_levels else ()
            for name, first in zip(categorical, levels, strict=True)
        ),
        lists=tuple(items.fit(features[one.column], one) for one in lists),
        texts=tuple(text.fit(features[name], plan.text_components) for name in texts),
        bent=plan.image is None and plan.scale != "none",
        smoothed=shape,
    )


def _has_few_values(values: NDArray[np.float64]) -> bool:
    """Return whether a column has three values or fewer: mostly told by its first cells."""
    seen = values[~np.isnan(values)]
    return all(len(np.unique(some)) <= 3 for some in (seen[:1000], seen))


def _levels(column: "pd.Series[Any]", most: int) -> tuple[str, ...]:
    """Return the levels that get a column: seen twice or more, at most ``most`` with the one they share."""
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=2,
        max_categories=most,
    )
    values = _filled(column)
    encoder.fit(values)
    rare = encoder.infrequent_categories_[0]
    excluded = set() if rare is None else set(rare)
    return tuple(
        str(level) for level in encoder.categories_[0] if level not in excluded
    )


def _further(column: "pd.Series[Any]", first: tuple[str, ...]) -> tuple[str, ...]:
    """Return the levels beyond those with a column, at most 254 with them."""
    most = _levels(column, _MAX_TREE_LEVELS)
    return tuple(level for level in most if level not in set(first))


def _filled(column: "pd.Series[Any]") -> NDArray[np.object_]:
    return (
        column.astype(object)
        .where(column.notna(), ABSENT)
        .to_numpy(dtype=object)[:, None]
    )


def check_classes(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> None:
    """Refuse training rows in which a class is left without any.

    Raises
    ------
    DataRefused
        If the outlier rule or the folds leave none; scores of the other classes would be wrong.
    """
    gone = np.setdiff1d(labels, labels[rows])
    if gone.size:
        raise DataRefused(
            f"A training part has no row of class number {int(gone[0])}. If clean.outliers takes them, raise its "
            f"factor or columns_needed; if the folds do (few units have it, or it comes late), lower split.folds."
        )
