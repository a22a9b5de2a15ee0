"""Preparation fitted on training rows only: impute, scale, encode.

scikit-learn fits; what was fitted is kept as a few arrays, so that the same small form prepares
rows while training and, later, in a bundle that needs no scikit-learn to predict.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from assay import items, scaling, text
from assay.errors import DataRefused
from assay.images import smoothed
from assay.items import Items
from assay.plans import CleanPlan, most_levels
from assay.scaling import CLIP, Scaling, bent
from assay.text import Text

_ROWS_AT_ONCE = 2**15  # prepared at a time: what is in between stays small
_MAX_TREE_LEVELS = 255  # what scikit-learn's trees tell apart, "other" among them
_ABSENT = "(missing)"


@dataclass(frozen=True)
class Preparation:
    """A fitted preparation. With p numeric columns of which m can be missing:

    Attributes
    ----------
    numeric, categorical
        Column names, in the order of the inputs.
    scaling
        Of the p numeric columns.
    indicated : shape (m,)
        Numbers of the numeric columns that get a column of their own saying "was missing".
    levels
        For each categorical column the levels with a column of their own; any other level,
        rare or unseen, shares one more.
    further
        For each categorical column the levels that only trees tell apart, the next by frequency.
    lists, texts
        The columns of several values a cell, and of texts.
    bent
        Whether scaled numbers are bent beyond about 3 spreads: not those of an image, in which no
        pixel stands for itself, and not those left as they are.
    smoothed
        Height, width and channels of images whose pixels are replaced by the median around them.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    scaling: Scaling
    indicated: NDArray[np.int64]
    levels: tuple[tuple[str, ...], ...]
    further: tuple[tuple[str, ...], ...]
    lists: tuple[Items, ...]
    texts: tuple[Text, ...]
    bent: bool = True
    smoothed: tuple[int, int, int] | None = None

    @property
    def n_inputs(self) -> int:
        further: tuple[Items | Text, ...] = (*self.lists, *self.texts)
        return self._n_plain + sum(one.n_inputs for one in further)

    @property
    def _n_plain(self) -> int:
        n_levels = sum(len(known) + 1 for known in self.levels)
        return len(self.numeric) + len(self.indicated) + n_levels

    @property
    def category_columns(self) -> slice:
        """Which columns of :meth:`trees` hold codes rather than numbers."""
        return slice(len(self.numeric), len(self.numeric) + len(self.categorical))

    def apply(self, features: pd.DataFrame) -> NDArray[np.float32]:
        """Return the network's inputs, shape (n_rows, n_inputs): numbers, gaps, levels, lists, texts.

        Scaled numbers pass through :func:`assay.scaling.bent`, so that one absurd cell cannot drive a
        prediction.
        """
        found = np.empty((len(features), self.n_inputs), dtype=np.float32)
        for start in range(0, len(features), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            found[rows] = self._inputs(features.iloc[rows])
        return found

    def _inputs(self, features: pd.DataFrame) -> NDArray[np.float64]:
        raw = self._raw(features)
        z = self.scaling.apply(raw)
        parts = [bent(z) if self.bent else z, np.isnan(raw)[:, self.indicated]]
        parts += [
            _one_hot(features[name], known)
            for name, known in zip(self.categorical, self.levels, strict=True)
        ]
        parts += [one.apply(features[one.column]) for one in self.lists]
        for one in self.texts:
            column = features[one.column]
            parts.append(bent(one.apply(column)))
            if one.indicated:
                parts.append(column.isna().to_numpy()[:, None])
        return np.concatenate(parts, axis=1, dtype=np.float64, casting="unsafe")

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
        codes = [
            _codes(features[name], levels)
            for name, levels in zip(self.categorical, known, strict=True)
        ]
        further = inputs[:, self._n_plain : self.n_inputs]
        numbers = self.scaling.drawn_in(self._raw(features))
        return np.column_stack([numbers, *codes, further])

    def _raw(self, features: pd.DataFrame) -> NDArray[np.float64]:
        raw = features[list(self.numeric)].to_numpy(dtype=np.float64)
        return raw if self.smoothed is None else smoothed(raw, self.smoothed)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted numbers."""
        of_texts = {
            f"text{number}_{name}": array
            for number, one in enumerate(self.texts)
            for name, array in one.arrays().items()
        }
        return self.scaling.arrays() | {"indicated": self.indicated} | of_texts

    def form(self) -> dict[str, Any]:
        """Return the rest as JSON values: which columns, which levels, which bend, which terms."""
        levels = dict(zip(self.categorical, map(list, self.levels), strict=True))
        further = dict(zip(self.categorical, map(list, self.further), strict=True))
        return {
            "numeric": list(self.numeric),
            "categorical": list(self.categorical),
            "levels": levels,
            "further": further,
            "lists": [one.form() for one in self.lists],
            "texts": [one.form() for one in self.texts],
            "clip": CLIP,
            "bent": self.bent,
            "smoothed": self.smoothed,
        }

    def packed(self) -> dict[str, NDArray[Any]]:
        """Return everything as plain arrays, the form in which it is stored."""
        form = np.frombuffer(
            json.dumps(self.form(), ensure_ascii=False).encode(), dtype=np.uint8
        )
        return self.arrays() | {"form": form}


def unpack(arrays: dict[str, NDArray[Any]]) -> Preparation:
    """Return the preparation that :meth:`Preparation.packed` stored."""
    form = json.loads(arrays["form"].tobytes())
    return Preparation(
        numeric=tuple(form["numeric"]),
        categorical=tuple(form["categorical"]),
        scaling=scaling.unpack(arrays),
        indicated=arrays["indicated"],
        levels=tuple(tuple(form["levels"][name]) for name in form["categorical"]),
        further=tuple(tuple(form["further"][name]) for name in form["categorical"]),
        lists=tuple(map(items.unpack, form["lists"])),
        texts=tuple(
            text.unpack(one, arrays, f"text{number}_")
            for number, one in enumerate(form["texts"])
        ),
        bent=form["bent"],
        smoothed=form["smoothed"] and tuple(form["smoothed"]),
    )


def fit(features: pd.DataFrame, plan: CleanPlan, *, wide: bool = False) -> Preparation:
    """Fit a preparation on training rows.

    Parameters
    ----------
    features
        Training rows only: numeric columns as float64 with NaN, the others as text. Which of
        those are more than levels the plan says.
    wide
        Whether categories get many inputs, see :func:`assay.plans.most_levels`.

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


def _codes(column: "pd.Series[Any]", known: tuple[str, ...]) -> NDArray[np.int64]:
    values = pd.Index(_filled(column)[:, 0])
    codes = pd.Index(known, dtype=object).get_indexer(values)
    return np.where(codes < 0, len(known), codes)


def _one_hot(column: "pd.Series[Any]", known: tuple[str, ...]) -> NDArray[np.bool_]:
    values = _filled(column)[:, 0]
    exact = values[:, None] == np.asarray(known, dtype=object)[None, :]
    return np.column_stack([exact, ~exact.any(axis=1)])


def _filled(column: "pd.Series[Any]") -> NDArray[np.object_]:
    return (
        column.astype(object)
        .where(column.notna(), _ABSENT)
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
