"""What a reader returns, and which of a table's columns a bundle needs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import CONTROL, check_cell, cut, row_number, some_of
from assay.predict.bundle import Bundle
from assay.predict.parsing import Chunk
from assay.predict.schema import Form
from assay.predict.source import TableFile
from assay.wording import Sentence

_N_SHOWN = 6


@dataclass
class Table:
    """Rows of a file, some thousands at a time.

    Attributes
    ----------
    chunks
        The rows, with the needed and the copied columns only.
    copied
        Columns that only name a row, as far as the table has them.
    notes
        What the reader decided; complete once all chunks were read.
    """

    chunks: Iterator[Chunk]
    copied: tuple[str, ...]
    notes: list[Sentence]


@dataclass(frozen=True)
class Needs:
    """The columns that a bundle needs of a table: all of its own, or names of images in place of their pixels."""

    bundle: Bundle
    columns: tuple[str, ...]

    @property
    def form(self) -> Form:
        return self.bundle.form

    @property
    def fallback_encoding(self) -> str:
        """The encoding of a text that is not UTF-8."""
        return self.form.read.encoding or "cp949"

    def rows_at_once(self, n_columns: int = 0) -> int:
        return self.bundle.rows_at_once(n_columns)

    def copied_of(
        self, names: Collection[str], source: TableFile, notes: list[Sentence]
    ) -> tuple[str, ...]:
        """Return the columns of a table that are copied, once it has those that are needed.

        Raises
        ------
        DataRefused
            If a needed column is missing.
        """
        self.bundle.check_columns(list(names), source.name, self.columns)
        there = frozenset(names)
        copied = tuple(name for name in self.form.copied if name in there)
        note_unused(there - {*self.columns, *copied}, notes)
        return copied


def note_unused(names: Collection[str], notes: list[Sentence]) -> None:
    """Note which columns of a table prediction does not use."""
    if names:
        columns = some_of([*map(cut, sorted(names))], _N_SHOWN)
        notes.append(Sentence.of("predict.columns_unused", columns=columns))


def check_texts(
    name: str, cells: Sequence[Any] | NDArray[Any], n_before: int, source: TableFile
) -> None:
    """Refuse control characters in a column of a format that is not text; numbers are in arrays."""
    if isinstance(cells, np.ndarray):
        return
    texts = [cell for cell in cells if isinstance(cell, str)]
    if CONTROL.search("".join(texts)):
        for row, cell in enumerate(cells):
            if isinstance(cell, str):
                check_cell(cell, row_number(n_before + row + 1), name, source)
