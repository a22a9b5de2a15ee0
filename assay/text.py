"""Text columns as numbers: pieces of words, weighted by how rare they are, along a few axes.

Latent semantic analysis (Deerwester et al. 1990) of character n-grams: they need no dictionary, take
an inflected or misspelled word for nearly the same one, and do for Korean what they do for English.
scikit-learn fits; what was fitted is kept as terms and arrays, which are applied without it.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

SHORTEST, LONGEST = 2, 4  # characters of a term
_MOST_TERMS = 20_000
_FEWEST_ROWS = 2  # with a term: what one row alone says is no use to another
_MOST_ROWS = 20_000  # learned from, which bounds time and memory
_AT_ONCE = 4_096  # rows whose terms are held in memory
_LEAST_WEIGHT = 1e-6  # of the strongest axis: a weaker one is rounding


@dataclass(frozen=True)
class Text:
    """A fitted text column, with t terms and k axes.

    Attributes
    ----------
    column
        Its name.
    terms
        The character n-grams that count, in ascending order.
    idf : shape (t,)
        Weight of each term: ``1 + log((1 + n_rows) / (1 + n_rows_with_it))``.
    projection : shape (t, k)
        Axes, the strongest first.
    centre, scale : shape (k,)
        Mean and standard deviation along each axis.
    indicated
        Whether a column of its own says "was missing".
    """

    column: str
    terms: tuple[str, ...]
    idf: NDArray[np.float64]
    projection: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    indicated: bool

    @property
    def n_inputs(self) -> int:
        return len(self.centre) + self.indicated

    def apply(self, column: "pd.Series[Any]") -> NDArray[np.float64]:
        """Return standardised places along the axes, shape (n_rows, k); 0 where the text is missing.

        A row's numbers do not depend on the rows beside it, to the bit.
        """
        places = np.zeros((len(column), self.projection.shape[1]))
        numbers = {term: number for number, term in enumerate(self.terms)}
        known = np.flatnonzero(column.notna())
        for start in range(0, len(known), _AT_ONCE):
            rows = known[start : start + _AT_ONCE]
            counts = _counts(_split(column.iloc[rows]), numbers)
            places[rows] = (self._projected(counts) - self.centre) / self.scale
        return places

    def _projected(self, counts: csr_array) -> NDArray[np.float64]:
        """Return the counts weighted, scaled to length 1 and projected."""
        weights = counts.data * self.idf[counts.indices]
        weighted = csr_array((weights, counts.indices, counts.indptr), counts.shape)
        length = np.sqrt((weighted**2) @ np.ones(len(self.terms)))
        projected = weighted @ self.projection
        return np.asarray(projected / np.where(length > 0, length, 1.0)[:, None])

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the fitted numbers."""
        return {
            "idf": self.idf,
            "projection": self.projection,
            "centre": self.centre,
            "scale": self.scale,
        }

    def form(self) -> dict[str, Any]:
        """Return the rest as JSON values."""
        return {
            "column": self.column,
            "terms": list(self.terms),
            "indicated": self.indicated,
        }


def unpack(form: dict[str, Any], arrays: dict[str, NDArray[Any]], at: str) -> Text:
    """Return the column that a form describes, with its arrays, whose names begin with ``at``."""
    return Text(
        column=form["column"],
        terms=tuple(form["terms"]),
        idf=arrays[f"{at}idf"],
        projection=arrays[f"{at}projection"],
        centre=arrays[f"{at}centre"],
        scale=arrays[f"{at}scale"],
        indicated=form["indicated"],
    )


def fit(column: "pd.Series[Any]", n_axes: int) -> Text:
    """Fit a text column on training rows; of more than 20,000 it looks at evenly spaced ones.

    A column that teaches nothing, having fewer than two terms, gives zeros along one axis.
    """
    known = column[column.notna()]
    rows = np.linspace(0, len(known) - 1, min(len(known), _MOST_ROWS)).astype(np.int64)
    texts = _split(known.iloc[rows])
    terms = _terms(texts)
    nothing = np.zeros(len(terms)), np.zeros((len(terms), 1)), np.zeros(1), np.ones(1)
    idf, projection, centre, scale = (
        _axes(texts, terms, n_axes) if len(terms) > 1 else nothing
    )
    return Text(
        column=str(column.name),
        terms=terms,
        idf=idf,
        projection=projection,
        centre=centre,
        scale=scale,
        indicated=bool(column.isna().any()),
    )


def _axes(
    texts: Sequence[list[str]], terms: tuple[str, ...], n_axes: int
) -> tuple[NDArray[np.float64], ...]:
    """Return idf, projection, centre and scale.

    The randomised SVD from a fixed seed: ARPACK's restarts draw from the system where there are
    fewer axes than asked for, so that its bits differ from call to call.
    """
    counts = _counts(texts, {term: number for number, term in enumerate(terms)})
    tfidf = TfidfTransformer()
    weighted = tfidf.fit_transform(counts)
    svd = TruncatedSVD(min(n_axes, *weighted.shape), random_state=0)
    with (
        threadpool_limits(1),  # two sum in another order than one
        np.errstate(divide="ignore", invalid="ignore"),  # variance of rows all alike
    ):
        svd.fit(weighted)
    strong = svd.singular_values_ > _LEAST_WEIGHT * svd.singular_values_[0]
    projection = np.ascontiguousarray(svd.components_[strong].T)
    standard = StandardScaler().fit(weighted @ projection)
    return tfidf.idf_, projection, standard.mean_, standard.scale_


# Terms -----------------------------------------------------------------------------------------


def _split(column: "pd.Series[Any]") -> list[list[str]]:
    """Return the words of each text; a letter is the same however it was composed."""
    return [unicodedata.normalize("NFC", text.lower()).split() for text in column]


def _grams(word: str) -> list[str]:
    """Return the pieces of a word between two spaces, as scikit-learn's ``char_wb`` has them.

    Examples
    --------
    >>> _grams("라면")
    [' 라', '라면', '면 ', ' 라면', '라면 ', ' 라면 ']
    """
    spaced = f" {word} "
    return [
        spaced[start : start + length]
        for length in range(SHORTEST, min(LONGEST, len(spaced)) + 1)
        for start in range(len(spaced) - length + 1)
    ]


def _terms(texts: Sequence[list[str]]) -> tuple[str, ...]:
    """Return the terms of two rows or more, at most the 20,000 of most rows; ties go by the term."""
    words = set(chain.from_iterable(texts))
    every = sorted(set(chain.from_iterable(map(_grams, words))))
    numbers, n_rows = {term: k for k, term in enumerate(every)}, np.zeros(len(every))
    for start in range(0, len(texts), _AT_ONCE):
        held = _counts(texts[start : start + _AT_ONCE], numbers).indices
        n_rows += np.bincount(held, minlength=len(every))
    order = np.argsort(-n_rows, kind="stable")[:_MOST_TERMS]
    return tuple(every[k] for k in np.sort(order[n_rows[order] >= _FEWEST_ROWS]))


def _counts(texts: Sequence[list[str]], numbers: dict[str, int]) -> csr_array:
    """Return how often each text holds each term, shape (n_texts, n_terms), sparse.

    Words are few and come again: rows by words times words by terms.
    """
    words: dict[str, int] = {}
    held = [[words.setdefault(word, len(words)) for word in text] for text in texts]
    grams = [
        [numbers[gram] for gram in _grams(word) if gram in numbers] for word in words
    ]
    counts = _tallied(held, len(words)) @ _tallied(grams, len(numbers))
    counts.sort_indices()
    return counts


def _tallied(held: Sequence[list[int]], n_columns: int) -> csr_array:
    """Return one row for each list, with a 1 in the column of each number it holds, as often as it does."""
    ends = np.cumsum([0, *map(len, held)])
    numbers = np.fromiter(chain.from_iterable(held), dtype=np.int64, count=ends[-1])
    return csr_array((np.ones(ends[-1]), numbers, ends), (len(held), n_columns))
