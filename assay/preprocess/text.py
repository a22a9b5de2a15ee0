"""Text columns as numbers: pieces of words, weighted by how rare they are, along a few axes.

Latent semantic analysis (Deerwester et al. 1990) of character n-grams: they need no dictionary, take
an inflected or misspelled word for nearly the same one, and do for Korean what they do for English.
scikit-learn fits; what was fitted is kept as terms and arrays, which ``assay.predict.text`` applies without it.
"""

from collections.abc import Sequence
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

from assay.predict import text as applied
from assay.predict.text import grams, words_of

_MOST_TERMS = 20_000
_FEWEST_ROWS = 2  # with a term: what one row alone says is no use to another
_MOST_ROWS = 20_000  # learned from, which bounds time and memory
_AT_ONCE = 4_096  # rows whose terms are held in memory
_LEAST_WEIGHT = 1e-6  # of the strongest axis: a weaker one is rounding


class Text(applied.Text):
    """A fitted text column, whose texts are placed many at once, by sparse matrices."""

    def projected(self, texts: Sequence[list[str]]) -> NDArray[np.float64]:
        numbers = {term: number for number, term in enumerate(self.terms)}
        parts = [
            self._projected(_counts(texts[start : start + _AT_ONCE], numbers))
            for start in range(0, len(texts), _AT_ONCE)
        ]
        return np.concatenate(parts)

    def _projected(self, counts: csr_array) -> NDArray[np.float64]:
        """Return the counts weighted, scaled to length 1 and projected."""
        weights = counts.data * self.idf[counts.indices]
        weighted = csr_array((weights, counts.indices, counts.indptr), counts.shape)
        length = np.sqrt((weighted**2) @ np.ones(len(self.terms)))
        projected = weighted @ self.projection
        return np.asarray(projected / np.where(length > 0, length, 1.0)[:, None])


def fit(column: "pd.Series[Any]", n_axes: int) -> Text:
    """Fit a text column on training rows; of more than 20,000 it looks at evenly spaced ones.

    A column that teaches nothing, having fewer than two terms, gives zeros along one axis.
    """
    known = column[column.notna()]
    rows = np.linspace(0, len(known) - 1, min(len(known), _MOST_ROWS)).astype(np.int64)
    texts = words_of(known.iloc[rows])
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


def _terms(texts: Sequence[list[str]]) -> tuple[str, ...]:
    """Return the terms of two rows or more, at most the 20,000 of most rows; ties go by the term."""
    words = set(chain.from_iterable(texts))
    every = sorted(set(chain.from_iterable(map(grams, words))))
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
    pieces = [
        [numbers[gram] for gram in grams(word) if gram in numbers] for word in words
    ]
    counts = _tallied(held, len(words)) @ _tallied(pieces, len(numbers))
    counts.sort_indices()
    return counts


def _tallied(held: Sequence[list[int]], n_columns: int) -> csr_array:
    """Return one row for each list, with a 1 in the column of each number it holds, as often as it does."""
    ends = np.cumsum([0, *map(len, held)])
    numbers = np.fromiter(chain.from_iterable(held), dtype=np.int64, count=ends[-1])
    return csr_array((np.ones(ends[-1]), numbers, ends), (len(held), n_columns))
