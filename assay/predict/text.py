"""Texts as numbers, as fitted: TF-IDF of character n-grams, projected on a few axes (latent semantic analysis)."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

SHORTEST, LONGEST = 2, 4  # characters of a term


@dataclass(frozen=True)
class TextForm:
    """What JSON holds of a fitted text column."""

    column: str
    terms: tuple[str, ...]
    indicated: bool


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

    @classmethod
    def of(cls, form: TextForm, arrays: dict[str, NDArray[Any]], at: str) -> Self:
        """Return the column that a form describes, with its arrays, whose names begin with ``at``."""
        return cls(
            column=form.column,
            terms=form.terms,
            idf=arrays[f"{at}idf"],
            projection=arrays[f"{at}projection"],
            centre=arrays[f"{at}centre"],
            scale=arrays[f"{at}scale"],
            indicated=form.indicated,
        )

    @property
    def n_inputs(self) -> int:
        return len(self.centre) + self.indicated

    def apply(self, cells: Iterable[object]) -> NDArray[np.float64]:
        """Return standardised places along the axes, shape (n_rows, k); 0 where there is no text.

        A row's numbers do not depend on the rows beside it, to the bit.
        """
        texts = list(cells)
        places = np.zeros((len(texts), self.projection.shape[1]))
        there = [row for row, text in enumerate(texts) if isinstance(text, str)]
        if there:
            projected = self.projected(words_of(texts[row] for row in there))
            places[there] = (projected - self.centre) / self.scale
        return places

    def projected(self, texts: Sequence[list[str]]) -> NDArray[np.float64]:
        """Return texts, given as their words, along the axes: terms counted, weighted, scaled to length 1."""
        numbers = {term: number for number, term in enumerate(self.terms)}
        of_words: dict[str, list[int]] = {}
        places = np.zeros((len(texts), self.projection.shape[1]))
        for row, words in enumerate(texts):
            for word in words:
                if word not in of_words:
                    held = (numbers.get(gram) for gram in grams(word))
                    of_words[word] = [number for number in held if number is not None]
            every = [number for word in words for number in of_words[word]]
            if every:
                terms, counts = np.unique(every, return_counts=True)
                weights = counts * self.idf[terms]
                along = weights @ self.projection[terms]
                places[row] = along / np.sqrt((weights**2).sum())
        return places

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


def words_of(texts: Iterable[Any]) -> list[list[str]]:
    """Return the words of each text in lower case and Unicode form NFC."""
    return [unicodedata.normalize("NFC", text.lower()).split() for text in texts]


def grams(word: str) -> list[str]:
    """Return the character n-grams of a word between two spaces, as scikit-learn's ``char_wb`` has them.

    Examples
    --------
    >>> grams("라면")
    [' 라', '라면', '면 ', ' 라면', '라면 ', ' 라면 ']
    """
    spaced = f" {word} "
    return [
        spaced[start : start + length]
        for length in range(SHORTEST, min(LONGEST, len(spaced)) + 1)
        for start in range(len(spaced) - length + 1)
    ]
