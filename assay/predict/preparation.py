"""A fitted preparation: a row's numbers, levels, lists and texts become a network's inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from assay.predict.categories import one_hot
from assay.predict.decoding import decoded
from assay.predict.denoise import smoothed
from assay.predict.lists import Items
from assay.predict.scaling import CLIP, Scaling, bent
from assay.predict.text import Text, TextForm

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PreparationForm:
    """What JSON holds of a fitted preparation."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    further: Mapping[str, tuple[str, ...]]
    lists: tuple[Items, ...]
    texts: tuple[TextForm, ...]
    clip: float
    bent: bool
    smoothed: tuple[int, int, int] | None


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

    scaling_class: ClassVar[type[Scaling]] = Scaling
    text_class: ClassVar[type[Text]] = Text

    @classmethod
    def of(cls, form: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the preparation that :meth:`form` and :meth:`arrays` gave.

        Raises
        ------
        Unfit
            If ``form`` is not such a form.
        KeyError
            If it names a category without levels, or an array is missing.
        """
        return cls.written(decoded(PreparationForm, form), arrays)

    @classmethod
    def written(cls, form: PreparationForm, arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the preparation of a form that was read, and its arrays."""
        return cls(
            numeric=form.numeric,
            categorical=form.categorical,
            scaling=cls.scaling_class.of(arrays),
            indicated=arrays["indicated"],
            levels=tuple(form.levels[name] for name in form.categorical),
            further=tuple(form.further[name] for name in form.categorical),
            lists=form.lists,
            texts=tuple(
                cls.text_class.of(text, arrays, f"text{number}_")
                for number, text in enumerate(form.texts)
            ),
            bent=form.bent,
            smoothed=form.smoothed,
        )

    @property
    def n_inputs(self) -> int:
        further: tuple[Items | Text, ...] = (*self.lists, *self.texts)
        return self._n_plain + sum(column.n_inputs for column in further)

    @property
    def _n_plain(self) -> int:
        n_levels = sum(len(levels) + 1 for levels in self.levels)
        return len(self.numeric) + len(self.indicated) + n_levels

    def inputs(self, columns: Columns, n_rows: int) -> NDArray[np.float64]:
        """Return the network's inputs, shape (n_rows, n_inputs): numbers, gaps, levels, lists, texts.

        Scaled numbers pass through :func:`assay.predict.scaling.bent`, so that a single extreme cell
        cannot dominate a prediction.

        Parameters
        ----------
        columns
            Each of shape (n_rows,): numbers as float64 with NaN, all others as texts, None or NaN
            where there is none.
        """
        raw = self.raw(columns, n_rows)
        z = self.scaling.apply(raw)
        parts = [bent(z) if self.bent else z, np.isnan(raw)[:, self.indicated]]
        parts += [
            one_hot(columns[name], levels)  # type: ignore[arg-type]
            for name, levels in zip(self.categorical, self.levels, strict=True)
        ]
        parts += [items.apply(columns[items.column]) for items in self.lists]
        for text in self.texts:
            cells = columns[text.column]
            parts.append(bent(text.apply(cells)))
            if text.indicated:
                gaps = [not isinstance(cell, str) for cell in cells]
                parts.append(np.array(gaps, dtype=bool)[:, None])
        return np.concatenate(parts, axis=1, dtype=np.float64, casting="unsafe")

    def raw(self, columns: Columns, n_rows: int) -> NDArray[np.float64]:
        """Return the numeric columns, shape (n_rows, p)."""
        raw = np.empty((n_rows, len(self.numeric)))
        for place, name in enumerate(self.numeric):
            raw[:, place] = columns[name]
        return raw if self.smoothed is None else smoothed(raw, self.smoothed)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted numbers."""
        of_texts = {
            f"text{number}_{name}": array
            for number, text in enumerate(self.texts)
            for name, array in text.arrays().items()
        }
        return self.scaling.arrays() | {"indicated": self.indicated} | of_texts

    def form(self) -> dict[str, Any]:
        """Return everything else as JSON values: columns, levels, clipping, terms."""
        levels = dict(zip(self.categorical, map(list, self.levels), strict=True))
        further = dict(zip(self.categorical, map(list, self.further), strict=True))
        return {
            "numeric": list(self.numeric),
            "categorical": list(self.categorical),
            "levels": levels,
            "further": further,
            "lists": [items.form() for items in self.lists],
            "texts": [text.form() for text in self.texts],
            "clip": CLIP,
            "bent": self.bent,
            "smoothed": self.smoothed,
        }
