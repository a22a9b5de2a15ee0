"""Cells as values of the same kind as in training, or a refusal that names the cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import (
    MAX_NUMBER,
    MAX_WHOLE,
    cut,
    is_number,
    line_number,
    row_number,
    shown,
)
from assay.formats.dates import moment_texts, moments
from assay.formats.missing import TRUTHS, Words
from assay.formats.numbers import number_in, spelled
from assay.predict.schema import Column
from assay.wording import Sentence, Value

Cells = Sequence[Any] | NDArray[Any]
_MOST_DIGITS = 21  # and a sign, of 64 bits
_NAMES = {1.0: "True", 0.0: "False"}


@dataclass(frozen=True)
class Chunk:
    """Rows of a table that follow each other.

    Attributes
    ----------
    table
        Its name, for a sentence.
    cells
        By column: texts, or values of several kinds with None where one is missing, or an array.
    as_text
        Whether cells are those of a text file, in which some words stand for a missing one.
    first
        How many rows stand before these.
    lines
        The line that each row ends in, in a text file.
    """

    table: str | Sentence
    n_rows: int
    cells: dict[str, Cells]
    as_text: bool = False
    first: int = 0
    lines: Sequence[int] | None = None

    def place(self, row: int) -> Sentence:
        """Return the line or the row of the table, for a sentence."""
        if self.lines is not None:
            return line_number(self.lines[row])
        return row_number(self.first + row + 1)

    def refuse(
        self, key: str, row: int, column: str, cell: object, **values: Value
    ) -> NoReturn:
        """Refuse a cell by a sentence of the catalogue, which names its place, its column and its value."""
        raise DataRefused(
            key,
            table=self.table,
            place=self.place(row),
            column=cut(column),
            cell=shown(cell),
            **values,
        )


def typed(column: Column, chunk: Chunk, words: Words) -> NDArray[Any]:
    """Return a column's values, shape (n_rows,), of the kind that the column had in training.

    Numbers as float64 with NaN; moments as ``datetime64[us]``; all else as texts, None where missing.
    Numbers that are read as categories are texts too, written as in training.

    Raises
    ------
    DataRefused
        If a cell is of another kind; the message names the line, the column and the cell.
    """
    cells = chunk.cells[column.name]
    missing = words.every if chunk.as_text else words.declared
    if column.kind == "moment":
        return _moments(column, cells, chunk, missing, words)
    if column.kind == "text":
        return _texts(cells, missing, words)
    if column.kind == "boolean":
        truths = _truths(column, cells, chunk, missing, words)
        if column.role == "number":
            return truths
        return _objects([_NAMES.get(truth) for truth in truths.tolist()])
    if column.role in ("category", "date"):
        return _codes(column, cells, missing, words)
    numbers = _numbers(column, cells, chunk, missing, words)
    if words.of_values:
        numbers[_stand_for_missing(column, cells, numbers, words)] = np.nan
    return numbers


# Numbers ---------------------------------------------------------------------------------------


def _numbers(
    column: Column,
    cells: Cells,
    chunk: Chunk,
    missing: frozenset[str],
    words: Words,
) -> NDArray[np.float64]:
    plain = _plainly(cells, missing)
    values = np.empty(len(cells)) if plain is None else plain
    if plain is None:
        for row, cell in enumerate(cells):
            number = _number(cell, missing, column, words)
            if number is None:
                chunk.refuse("predict.not_a_number", row, column.name, cell)
            values[row] = number
    beyond = np.abs(values) > MAX_NUMBER
    if beyond.any():
        row = int(beyond.argmax())
        cell = cells[row]
        chunk.refuse("predict.too_large", row, column.name, cell, most=MAX_NUMBER)
    return values


def _stand_for_missing(
    column: Column, cells: Cells, numbers: NDArray[np.float64], words: Words
) -> NDArray[np.bool_]:
    """Return which numbers are declared as missing; of whole ones every digit counts, as in training."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
        return words.among(cells)
    gaps = words.among(numbers)
    for row in np.flatnonzero(gaps & (np.abs(numbers) >= MAX_WHOLE)).tolist():
        cell = cells[row]
        whole = column.kind == "whole"
        gaps[row] = words.hold(
            _in_digits(cell, whole) if isinstance(cell, str) else cell
        )
    return gaps


def _plainly(cells: Cells, missing: frozenset[str]) -> NDArray[np.float64] | None:
    """Return the numbers of cells that are all numbers or missing; None if that takes a closer look."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
        return cells.astype(np.float64)
    kinds = set(map(type, cells))
    if kinds <= {int, float, type(None)}:
        return np.array([np.nan if cell is None else _as_float(cell) for cell in cells])
    if kinds != {str}:
        return None
    texts = cast("Sequence[str]", cells)
    try:
        values = np.array(list(map(float, texts)))
    except ValueError:
        return _with_gaps(texts, missing)
    if np.isnan(values).any():
        return _with_gaps(texts, missing)
    return values if _is_plain(texts) else None


def _with_gaps(
    cells: Sequence[str], missing: frozenset[str]
) -> NDArray[np.float64] | None:
    gaps = np.array([cell in missing for cell in cells], dtype=bool)
    there = [cell for cell in cells if cell not in missing]
    try:
        numbers = np.array(list(map(float, there)), dtype=np.float64)
    except ValueError:
        return None
    if np.isnan(numbers).any() or not _is_plain(there):
        return None
    values = np.full(len(cells), np.nan)
    values[~gaps] = numbers
    return values


def _is_plain(numbers: Sequence[str]) -> bool:
    """Return whether numbers are in plain digits: Python also reads 1_000 and the digits of other scripts."""
    together = "".join(numbers)
    return together.isascii() and "_" not in together


def _number(
    cell: Any, missing: frozenset[str], column: Column, words: Words
) -> float | None:
    """Return a cell's number, NaN if it is missing, None if it is not a number."""
    if _is_missing(cell, missing, words):
        return np.nan
    if isinstance(cell, bool | np.bool_) or not isinstance(
        cell, str | int | float | np.number
    ):
        return None
    if not isinstance(cell, str):
        return _as_float(cell)
    if cell.isascii() and "_" not in cell and is_number(cell):
        number = float(cell)
        return None if number != number else number
    if column.numbers:
        with_unit = number_in(cell)
        return with_unit[0] if with_unit and not with_unit[1] else None
    return None


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number beyond all that are refused
        return np.inf


def _codes(
    column: Column, cells: Cells, missing: frozenset[str], words: Words
) -> NDArray[np.object_]:
    """Return numbers that are codes, or dates, as training wrote them; a cell that is not a number as it stands."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
        cells = [
            None if gap else cell
            for cell, gap in zip(
                cells.tolist(), words.among(cells).tolist(), strict=True
            )
        ]
    cached: dict[Any, str | None] = {}
    texts = []
    for cell in _listed(cells):
        key = (type(cell), cell)
        if key not in cached:
            cached[key] = _code(cell, missing, words, whole=column.kind == "whole")
        texts.append(cached[key])
    return _objects(texts)


def _code(
    cell: Any, missing: frozenset[str], words: Words, *, whole: bool
) -> str | None:
    """Return a cell as training wrote it, of whole numbers all digits of them."""
    number = cell
    if isinstance(cell, str):
        if cell in missing:
            return None
        number = _in_digits(cell, whole)
        if number is None:
            return cell
    if words.hold(number):
        return None
    if isinstance(number, int) and not isinstance(number, bool) and not whole:
        number = _as_float(number)
    return spelled(number)


def _in_digits(text: str, whole: bool) -> int | float | None:
    """Return the number that a text is, with every digit of one that is whole; None if it is none."""
    text = text.strip()
    if not (text.isascii() and "_" not in text and is_number(text)):
        return None
    is_whole = text.lstrip("+-").isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if whole and is_whole else float(text)


# Other kinds -----------------------------------------------------------------------------------


def _texts(cells: Cells, missing: frozenset[str], words: Words) -> NDArray[np.object_]:
    if isinstance(cells, list) and set(map(type, cells)) == {str}:
        return _objects([None if cell in missing else cell for cell in cells])
    return _objects(
        [
            None if _is_missing(cell, missing, words) else _text(cell)
            for cell in _listed(cells)
        ]
    )


def _text(cell: Any) -> str:
    return spelled(cell) if isinstance(cell, float) else str(cell)


def _truths(
    column: Column,
    cells: Cells,
    chunk: Chunk,
    missing: frozenset[str],
    words: Words,
) -> NDArray[np.float64]:
    values = np.empty(len(cells))
    for row, cell in enumerate(_listed(cells)):
        truth = TRUTHS.get(cell) if isinstance(cell, str) else cell
        if _is_missing(cell, missing, words) or (
            words.hold(truth) and truth is not None
        ):
            values[row] = np.nan
        elif isinstance(truth, bool):
            values[row] = truth
        else:
            chunk.refuse("predict.not_a_boolean", row, column.name, cell)
    return values


def _moments(
    column: Column,
    cells: Cells,
    chunk: Chunk,
    missing: frozenset[str],
    words: Words,
) -> NDArray[Any]:
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        dates = cells.copy()
    else:
        texts = _texts(cells, missing, words)
        dates = moments(texts, None)
        for row in np.flatnonzero(np.isnat(dates)).tolist():
            if texts[row] is not None:
                chunk.refuse("predict.not_a_date", row, column.name, texts[row])
    dates[words.among(dates)] = np.datetime64("NaT")
    if column.role == "date":
        return dates.astype("datetime64[us]")
    return _objects(moment_texts(dates))


def _is_missing(cell: Any, missing: frozenset[str], words: Words) -> bool:
    return cell in missing if isinstance(cell, str) else words.hold(cell)


def _listed(cells: Cells) -> list[Any]:
    """Return cells as Python's own values, moments as texts."""
    if not isinstance(cells, np.ndarray):
        return list(cells)
    return moment_texts(cells) if cells.dtype.kind == "M" else list(cells.tolist())


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects
