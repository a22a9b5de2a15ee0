"""Text tables row by row: their separator, and a check that every row has as many cells as the header."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import cast

from assay.errors import DataRefused
from assay.formats.checks import (
    SEPARATORS,
    Named,
    check_cell,
    check_header,
    check_no_header,
    first_line,
    line_number,
)
from assay.formats.encoding import Encoding, lines_of
from assay.formats.limits import MAX_CELL_CHARACTERS, check_shape
from assay.formats.unpack import Opened

_N_CHARACTERS_SNIFFED, _N_ROWS_SNIFFED = 1 << 16, 50
MOST_CHARACTERS = 8 * 1024**2  # in memory at once, as lines


@dataclass(frozen=True)
class Batch:
    """Rows that follow each other, and the line that each of them ends in.

    Attributes
    ----------
    rows
        Each as its cells; or, where no cell has a quote, as the line that it is.
    """

    rows: list[list[str]] | list[str]
    lines: list[int]
    separator: str

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, place: int) -> list[str]:
        """Return the cells of a row."""
        row = self.rows[place]
        return row.split(self.separator) if isinstance(row, str) else row

    def widths(self) -> list[int]:
        """Return how many cells each row has."""
        separator = self.separator
        return [
            row.count(separator) + 1 if isinstance(row, str) else len(row)
            for row in self.rows
        ]

    def columns(self) -> list[list[str]]:
        """Return the cells by column, of rows that all have as many."""
        first = self.rows[0]
        if isinstance(first, str):
            n = first.count(self.separator) + 1
            flat = self.separator.join(cast("list[str]", self.rows)).split(
                self.separator
            )
            return [flat[place::n] for place in range(n)]
        return [list(column) for column in zip(*self.rows, strict=True)]

    def taken(self, places: Sequence[int]) -> "Batch":
        """Return some of the rows."""
        rows = cast("list[str]", [self.rows[at] for at in places])
        return Batch(rows, [self.lines[at] for at in places], self.separator)


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
        n_lines = n_before + len(bare)
        numbers = list(range(n_before + 1, n_lines + 1))
        return Batch(bare, numbers, self._separator), n_lines

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
                "formats.quotes",
                file=self._source.name,
                place=line_number(n_before + reader.line_num),
                reason=first_line(error),
                first=begun + 1,
            ) from None
        return Batch(rows, ends, self._separator), n_before + reader.line_num

    def _checked(self, batch: Batch) -> Batch:
        """Return a batch without blank lines and the header."""
        there = [at for at, row in enumerate(batch.rows) if row]
        self.n_blank += len(batch) - len(there)
        if len(there) < len(batch):
            batch = batch.taken(there)
        if len(batch) and not self._n_rows:
            batch = self._begun(batch)
        self._check_widths(batch)
        if not self._encoding.clean:
            self._check_cells(batch)
        self._n_rows += len(batch)
        check_shape(self._n_rows, len(self.header), self._source)
        return batch

    def _begun(self, batch: Batch) -> Batch:
        """Take the header off the first rows, or see that there is none where names are declared."""
        if self._source.read.names:
            check_no_header(batch.row(0), self._source)
            return batch
        if not self.header:
            self.header = batch.row(0)
            check_shape(0, len(self.header), self._source)
            check_header(self.header, self._source)
            return batch.taken(range(1, len(batch)))
        return batch

    def _check_widths(self, batch: Batch) -> None:
        wanted, widths = len(self.header), batch.widths()
        if set(widths) <= {wanted}:
            return
        place = next(at for at, width in enumerate(widths) if width != wanted)
        declared = self._source.read.names
        raise DataRefused(
            "formats.fields_and_names" if declared else "formats.fields_and_header",
            file=self._source.name,
            place=line_number(batch.lines[place]),
            n_fields=widths[place],
            n_wanted=wanted,
        )

    def _check_cells(self, batch: Batch) -> None:
        for at, line in enumerate(batch.lines):
            place = line_number(line)
            for name, cell in zip(self.header, batch.row(at), strict=True):
                check_cell(cell, place, name, self._source)


def _some(lines: Iterator[str], most: int) -> list[str]:
    """Return the next lines, fewer where they are long."""
    some, n_characters = [], 0
    for line in islice(lines, most):
        some.append(line)
        n_characters += len(line)
        if n_characters > MOST_CHARACTERS:
            break
    return some


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
