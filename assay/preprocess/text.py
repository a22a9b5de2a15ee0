"""Text columns as numbers: TF-IDF of character n-grams, projected onto a few axes.

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

_MAX_TERMS = 20_000
_MIN_ROWS = 2  # with a term, for it to count
_MAX_ROWS = 20_000  # fitted to, to bound time and memory
_BATCH_ROWS = 4_096  # whose terms are held in memory
_MIN_SINGULAR_VALUE = 1e-6  # of the largest: a smaller one is rounding error


class Text(applied.Text):
    """A fitted text column that projects many texts at once, by sparse matrices."""

    def projected(self, texts: Sequence[list[str]]) -> NDArray[np.float64]:
        numbers = {term: number for number, term in enumerate(self.terms)}
        parts = [
            self._projected(_counts(texts[start : start + _BATCH_ROWS], numbers))
            for start in range(0, len(texts), _BATCH_ROWS)
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
    """Fit a text column on training rows; of more than 20,000 on evenly spaced ones.

    A column with fewer than two terms becomes zeros along one axis.
    """
    present = column[column.notna()]
    n_rows = min(len(present), _MAX_ROWS)
    rows = np.linspace(0, len(present) - 1, n_rows).astype(np.int64)
    texts = words_of(present.iloc[rows])
    terms = _terms(texts)
    zeros = np.zeros(len(terms)), np.zeros((len(terms), 1)), np.zeros(1), np.ones(1)
    idf, projection, centre, scale = (
        _axes(texts, terms, n_axes) if len(terms) > 1 else zeros
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
    strong = svd.singular_values_ > _MIN_SINGULAR_VALUE * svd.singular_values_[0]
    projection = np.ascontiguousarray(svd.components_[strong].T)
    standard = StandardScaler().fit(weighted @ projection)
    return tfidf.idf_, projection, standard.mean_, standard.scale_


# Terms -----------------------------------------------------------------------------------------


def _terms(texts: Sequence[list[str]]) -> tuple[str, ...]:
    """Return the terms in two rows or more, at most the 20,000 most frequent; ties in alphabetical order."""
    words = set(chain.from_iterable(texts))
    every = sorted(set(chain.from_iterable(map(grams, words))))
    numbers, n_rows = {term: k for k, term in enumerate(every)}, np.zeros(len(every))
    for start in range(0, len(texts), _BATCH_ROWS):
        counts = _counts(texts[start : start + _BATCH_ROWS], numbers)
        n_rows += np.bincount(counts.indices, minlength=len(every))
    order = np.argsort(-n_rows, kind="stable")[:_MAX_TERMS]
    return tuple(every[k] for k in np.sort(order[n_rows[order] >= _MIN_ROWS]))


def _counts(texts: Sequence[list[str]], numbers: dict[str, int]) -> csr_array:
    """Return how often each term occurs in each text, shape (n_texts, n_terms), sparse.

    Words are few and repeat, so it is the product of texts by words and words by terms.
    """
    words: dict[str, int] = {}
    by_text = [[words.setdefault(word, len(words)) for word in text] for text in texts]
    by_word = [
        [numbers[gram] for gram in grams(word) if gram in numbers] for word in words
    ]
    counts = _count_matrix(by_text, len(words)) @ _count_matrix(by_word, len(numbers))
    counts.sort_indices()
    return counts


def _count_matrix(rows: Sequence[list[int]], n_columns: int) -> csr_array:
    """Return a row for each list of column numbers, with a 1 for each time a column occurs in it."""
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=ends[-1])
    return csr_array((np.ones(ends[-1]), columns, ends), (len(rows), n_columns))
