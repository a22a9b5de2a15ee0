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
from assay.preprocess import lists, scaling, text
from assay.study.plans import CleanPlan, most_levels

_BATCH_ROWS = 2**15  # prepared at a time, to bound memory
_MAX_TREE_CATEGORIES = 255  # of scikit-learn's trees, "other" among them


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
        inputs = np.empty((len(features), self.n_inputs), dtype=np.float32)
        for start in range(0, len(features), _BATCH_ROWS):
            rows = features.iloc[start : start + _BATCH_ROWS]
            inputs[start : start + len(rows)] = self.inputs(
                self._columns(rows), len(rows)
            )
        return inputs

    def trees(
        self, features: pd.DataFrame, inputs: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the inputs of boosted trees, shape (n_rows, n_columns).

        Clipped numbers, NaN where missing; a code for each category, rare and unseen ones sharing the
        last; lists and texts as in ``inputs``, which :meth:`apply` returned for the same rows.
        """
        coded = [
            codes(features[name], (*first, *further))
            for name, first, further in zip(
                self.categorical, self.levels, self.further, strict=True
            )
        ]
        lists_and_texts = inputs[:, self._n_plain : self.n_inputs]
        raw = self.raw(self._columns(features), len(features))
        return np.column_stack([self.scaling.drawn_in(raw), *coded, lists_and_texts])

    def _columns(self, features: pd.DataFrame) -> dict[str, NDArray[Any]]:
        numbers = {
            name: features[name].to_numpy(dtype=np.float64) for name in self.numeric
        }
        lists = (item.column for item in self.lists)
        texts = (text.column for text in self.texts)
        names = (*self.categorical, *lists, *texts)
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
        Training rows only: numeric columns as float64 with NaN, the others as text. The plan names
        those that hold lists or free text; the rest are categories.
    wide
        Whether categories get many inputs, see :func:`assay.study.plans.most_levels`.

    Numeric columns of three values or fewer come last: networks encode the leading ones piecewise.
    The pixels of an image stay in their places.
    """
    list_columns = [item for item in plan.lists if item.column in features.columns]
    texts = tuple(name for name in features.columns if name in plan.text)
    numeric = _numeric(features, plan)
    others = {*numeric, *texts, *(item.column for item in list_columns)}
    categorical = tuple(name for name in features.columns if name not in others)
    image, numbers, shape = plan.image, features[list(numeric)], None
    if image is not None and image.denoise == "median":
        shape = (image.height, image.width, image.channels)
        numbers = pd.DataFrame(smoothed(numbers.to_numpy(np.float64), shape))
    scaled, gaps = scaling.fit(numbers, plan)
    n_categories = most_levels(len(categorical), wide=wide)
    common = [_common(features[name], n_categories + 1) for name in categorical]
    return Preparation(
        numeric=numeric,
        categorical=categorical,
        scaling=scaled,
        indicated=np.flatnonzero(gaps),
        levels=tuple(common),
        further=tuple(
            _further(features[name], first) if len(first) == n_categories else ()
            for name, first in zip(categorical, common, strict=True)
        ),
        lists=tuple(lists.fit(features[item.column], item) for item in list_columns),
        texts=tuple(text.fit(features[name], plan.text_components) for name in texts),
        bent=plan.image is None and plan.scale != "none",
        smoothed=shape,
    )


def _numeric(features: pd.DataFrame, plan: CleanPlan) -> tuple[str, ...]:
    """Return the numeric columns; of a table those of three values or fewer last."""
    numeric = tuple(features.select_dtypes("number").columns)
    if plan.image:
        return numeric
    few = {
        name: _has_few_values(features[name].to_numpy(np.float64)) for name in numeric
    }
    return tuple(sorted(numeric, key=lambda name: few[name]))


def _has_few_values(values: NDArray[np.float64]) -> bool:
    """Return whether a column has three values or fewer; the first 1,000 cells mostly suffice."""
    present = values[~np.isnan(values)]
    return all(len(np.unique(cells)) <= 3 for cells in (present[:1000], present))


def _common(column: "pd.Series[Any]", most: int) -> tuple[str, ...]:
    """Return the categories with an input of their own: in two rows or more, at most ``most`` with "other"."""
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=2,
        max_categories=most,
    )
    encoder.fit(_filled(column))
    rare = encoder.infrequent_categories_[0]
    excluded = set() if rare is None else set(rare)
    return tuple(
        str(category) for category in encoder.categories_[0] if category not in excluded
    )


def _further(column: "pd.Series[Any]", first: tuple[str, ...]) -> tuple[str, ...]:
    """Return the categories that only trees tell apart: beyond ``first``, at most 254 with them."""
    common = _common(column, _MAX_TREE_CATEGORIES)
    return tuple(category for category in common if category not in set(first))


def _filled(column: "pd.Series[Any]") -> NDArray[np.object_]:
    return (
        column.astype(object)
        .where(column.notna(), ABSENT)
        .to_numpy(dtype=object)[:, None]
    )


def check_classes(labels: NDArray[np.int32], rows: NDArray[np.int64]) -> None:
    """Refuse training rows that lack a class.

    Raises
    ------
    DataRefused
        If the outlier rule or the folds leave none; scores of the other classes would be wrong.
    """
    missing = np.setdiff1d(labels, labels[rows])
    if missing.size:
        raise DataRefused("preprocess.class_missing", number=int(missing[0]))
