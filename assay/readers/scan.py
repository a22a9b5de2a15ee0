"""Text tables row by row: what divides their cells, and every row held to the header's number of them."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from assay.errors import DataRefused
from assay.readers.encoding import Encoding, lines_of
from assay.readers.limits import MAX_CELL_CHARACTERS, check_shape
from assay.readers.rules import (
    SEPARATORS,
    Named,
    check_cell,
    check_header,
    check_no_header,
    first_line,
)
from assay.readers.unpack import Opened

_N_CHARACTERS_SNIFFED, _N_ROWS_SNIFFED = 1 << 16, 50
_MOST_CHARACTERS = 8 * 1024**2  # in memory at once, as lines


@dataclass(frozen=True)
class Batch:
    """Rows that follow each other, and the line that each of them ends in."""

    rows: list[list[str]]
    lines: list[int]


class Scan:
    """The rows of a text table in batches, each row held to the header's number of cells.

    Attributes
    ----------
    header
        The names of the columns: those declared, or else the first row's, from the first batch on.
    n_blank
        Blank lines passed over so far.
    """

    def __init__(
        self, opened: Opened, encoding: Encoding, separator: str, source: Named
    ) -> None:
        self.header = list(source.read.names)
        self.n_blank = 0
        self._opened, self._encoding = opened, encoding
        self._separator, self._source = separator, source
        self._n_rows = 0

    def batches(self, most: int = 8_192) -> Iterator[Batch]:
        """Yield the rows, up to ``most`` at once or less where their lines are long.

        Raises
        ------
        DataRefused
            If the header or a row is not what it must be; the message names the line.
        """
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        with text_of(self._opened, self._encoding) as text:
            lines, n_lines = lines_of(text, self._source), 0
            while some := _some(lines, most):
                batch, n_lines = self._parted(some, lines, n_lines)
                yield self._checked(batch)

    def _parted(
        self, some: list[str], further: Iterator[str], n_before: int
    ) -> tuple[Batch, int]:
        """Return the rows that begin in ``some`` lines, and how many lines there were up to their end."""
        if any('"' in line or len(line) >= MAX_CELL_CHARACTERS for line in some):
            return self._parted_by_csv(some, further, n_before)
        bare = [line.rstrip("\r\n") for line in some]
        separator = self._separator
        rows = [line.split(separator) if line else [] for line in bare]
        n_lines = n_before + len(rows)
        return Batch(rows, list(range(n_before + 1, n_lines + 1))), n_lines

    def _parted_by_csv(
        self, some: list[str], further: Iterator[str], n_before: int
    ) -> tuple[Batch, int]:
        """Do the same where there are quotes, which may lead a row beyond its line."""
        rows: list[list[str]] = []
        ends: list[int] = []
        reader = csv.reader(
            chain(some, further), delimiter=self._separator, strict=True
        )
        try:
            while reader.line_num < len(some):
                rows.append(next(reader))
                ends.append(n_before + reader.line_num)
        except csv.Error as error:
            begun = ends[-1] if ends else n_before
            raise DataRefused(
                f"{self._source.name}, line {n_before + reader.line_num}: {first_line(error)}. Check the quotes of "
                f"the row that begins in line {begun + 1}."
            ) from None
        return Batch(rows, ends), n_before + reader.line_num

    def _checked(self, batch: Batch) -> Batch:
        """Return a batch without blank lines and the header."""
        there = [at for at, row in enumerate(batch.rows) if row]
        self.n_blank += len(batch.rows) - len(there)
        if len(there) < len(batch.rows):
            batch = _taken(batch, there)
        if batch.rows and not self._n_rows:
            batch = self._begun(batch)
        self._check_lengths(batch)
        if not self._encoding.clean:
            self._check_cells(batch)
        self._n_rows += len(batch.rows)
        check_shape(self._n_rows, len(self.header), self._source)
        return batch

    def _begun(self, batch: Batch) -> Batch:
        """Take the header off the first rows, or see that there is none where names are declared."""
        if self._source.read.names:
            check_no_header(batch.rows[0], self._source)
            return batch
        if not self.header:
            self.header = batch.rows[0]
            check_shape(0, len(self.header), self._source)
            check_header(self.header, self._source)
            return _taken(batch, list(range(1, len(batch.rows))))
        return batch

    def _check_lengths(self, batch: Batch) -> None:
        wanted = len(self.header)
        if set(map(len, batch.rows)) <= {wanted}:
            return
        row, line = next(
            (row, line)
            for row, line in zip(batch.rows, batch.lines, strict=True)
            if len(row) != wanted
        )
        declared = "names in the study" if self._source.read.names else "header"
        raise DataRefused(
            f"{self._source.name}, line {line}: {len(row)} fields, but the {declared} has {wanted}. Check the quotes "
            f"and separators of this line."
        )

    def _check_cells(self, batch: Batch) -> None:
        for row, line in zip(batch.rows, batch.lines, strict=True):
            for name, cell in zip(self.header, row, strict=True):
                check_cell(cell, f"line {line}", name, self._source)


def _some(lines: Iterator[str], most: int) -> list[str]:
    """Return the next lines, fewer where they are long."""
    some, n_characters = [], 0
    for line in islice(lines, most):
        some.append(line)
        n_characters += len(line)
        if n_characters > _MOST_CHARACTERS:
            break
    return some


def _taken(batch: Batch, places: list[int]) -> Batch:
    return Batch([batch.rows[at] for at in places], [batch.lines[at] for at in places])


def text_of(opened: Opened, encoding: Encoding) -> io.TextIOWrapper:
    return io.TextIOWrapper(opened(), encoding=encoding.codec, newline="")


def separator_of(opened: Opened, encoding: Encoding, ending: str) -> str:
    """Return what divides the first rows into the same number of cells, the most if several do."""
    if ending == ".tsv":
        return "\t"
    with text_of(opened, encoding) as text:
        start = text.read(_N_CHARACTERS_SNIFFED)

    def fit(separator: str) -> tuple[float, int]:
        counts = [len(row) for row in _first_rows(start, separator)]
        if not counts or counts[0] < 2:
            return 0.0, 0
        return sum(n == counts[0] for n in counts) / len(counts), counts[0]

    fits = {separator: fit(separator) for separator in SEPARATORS}
    best = max(fits, key=lambda separator: fits[separator])
    return best if fits[best][1] else ","


def first_row(opened: Opened, encoding: Encoding, separator: str) -> list[str]:
    """Return the cells of the first row that is not blank; none where its quotes are not closed."""
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    with text_of(opened, encoding) as text:
        lines = csv.reader(text, delimiter=separator)
        try:
            return next(filter(None, lines), [])
        except csv.Error:
            return []


def _first_rows(start: str, separator: str) -> list[list[str]]:
    """Return the rows at the start of a text; the last of them may be cut off, and is left out."""
    lines = csv.reader(io.StringIO(start, newline=""), delimiter=separator)
    rows = []
    try:
        for row in islice(filter(None, lines), _N_ROWS_SNIFFED + 1):
            rows.append(row)  # noqa: PERF402  (what was read before an error counts)
    except csv.Error:
        return rows
    whole = len(rows) <= _N_ROWS_SNIFFED and len(start) < _N_CHARACTERS_SNIFFED
    return rows if whole or len(rows) < 2 else rows[:-1]
