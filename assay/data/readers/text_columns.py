"""Columns of a text table as pandas guesses them, put right: missing words, and whole numbers that would lose digits."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

from assay.data.readers.table import blank_words, blanked, replaced, whole_numbers
from assay.formats.checks import MAX_WHOLE
from assay.formats.missing import TRUTHS, Words
from assay.study.sources import Source

_WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_VALUE = re.compile(f"{_NUMBER.pattern}|{'|'.join(TRUTHS)}", re.ASCII)


def typed_columns(
    read: Callable[[list[str], list[str]], pd.DataFrame],
    header: list[str],
    source: Source,
) -> pd.DataFrame:
    """Return the rows, each column as what all of its cells are.

    Parameters
    ----------
    read
        Returns the rows as pandas types them; it is handed which columns to read, and which of them as text.
    """
    words = Words(source.read.missing)
    column = source.images.plan.column if source.images else None
    as_text = [column] if column in header else []  # 007 names an image
    frame = read(header, as_text).reset_index(drop=True)
    if list(frame.columns) != header:
        return frame  # which is refused
    changed = {}
    rounded = [name for name in header if _is_rounded(frame[name], words)]
    if rounded:
        spelled = blank_words(read(rounded, rounded).reset_index(drop=True), source)
        whole = [name for name in rounded if _are(_WHOLE, spelled[name])]
        changed = {name: _with_digits(spelled[name], words) for name in whole}
    for name in header:
        if name not in changed and name not in as_text:
            typed = _typed(frame[name], words)
            if typed is not None:
                changed[name] = typed
    return replaced(frame, changed)


def _are(pattern: re.Pattern[str], texts: "pd.Series[Any]") -> bool:
    return all(map(pattern.fullmatch, texts.dropna().tolist()))


def _is_rounded(column: "pd.Series[Any]", words: Words) -> bool:
    """Return whether whole numbers may have lost digits, for their size or for a missing one beside them."""
    values = column.to_numpy()
    if values.dtype.kind == "O":
        return column.dtype == object and infer_dtype(column, skipna=True) == "integer"
    if values.dtype.kind not in "iuf":
        return False
    there = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not there.size or max(-float(there.min()), float(there.max())) < MAX_WHOLE:
        return False
    meant = words.among(there)
    beside_gaps = len(there) < len(values) or bool(meant.any())
    return beside_gaps and bool((there[~meant] % 1 == 0).all())


def _with_digits(texts: "pd.Series[Any]", words: Words) -> "pd.Series[Any]":
    """Return whole numbers, or the texts that they are where a number would not hold their digits."""
    cells = [None if text != text else int(text) for text in texts.tolist()]
    numbers = whole_numbers([None if words.hold(cell) else cell for cell in cells])
    return texts if numbers.dtype == "str" else numbers


def _typed(column: "pd.Series[Any]", words: Words) -> "pd.Series[Any] | None":
    """Return a column without its missing cells, as what the others are; None where it is so already."""
    if column.dtype == object:  # true and false, and some missing
        return _truths(column.tolist(), words)
    if column.dtype != "str":
        return blanked(column, words) if words.declared else None
    cells = (cell for cell in column if cell == cell and cell not in words.every)
    of_values = _VALUE.fullmatch(next(cells, "")) is not None
    if not of_values and not words.of_values:
        return None  # pandas knew all words
    gaps = column.isin(words.every)
    any_gaps = bool(gaps.any())
    texts = column.mask(gaps) if any_gaps else column
    if not of_values:
        return texts if any_gaps else None
    if any_gaps and set(texts.dropna()) <= TRUTHS.keys():
        return _truths([TRUTHS.get(text) for text in texts.tolist()], words)
    if _are(_NUMBER, texts) and not _are(_WHOLE, texts):
        return blanked(texts.astype("float64"), words)
    return texts if any_gaps else None


def _truths(cells: list[Any], words: Words) -> "pd.Series[Any]":
    cells = [None if words.hold(cell) else cell for cell in cells]
    return pd.Series(cells, dtype=object)
