"""JSON lines to predict: a flat object a line; a key that a row does not name is missing there."""

import io
from collections.abc import Iterator
from typing import Any

from assay.errors import DataRefused
from assay.formats.checks import check_cell, line_number
from assay.formats.encoding import find_encoding, lines_of
from assay.formats.json_objects import kind_of, object_in, row_of
from assay.formats.limits import check_shape
from assay.formats.scan import MOST_CHARACTERS
from assay.formats.unpack import Opened, explained
from assay.predict.parsing import Cells, Chunk
from assay.predict.source import TableFile
from assay.predict.tables.table import Needs, Table, note_unused
from assay.wording import Sentence


def open_json_lines(source: TableFile, opened: Opened, needs: Needs) -> Table:
    """Open a file of JSON lines.

    Raises
    ------
    DataRefused
        If its first rows are not flat objects, or a needed column is missing from all of them.
    """
    with explained(source):
        encoding = find_encoding(opened, source, needs.fallback_encoding)
    notes = [Sentence.plain("JSON lines"), encoding.remark]
    reader = _Objects(source, opened, encoding.codec, needs, notes)
    return Table(reader.chunks(), reader.copied, notes)


class _Objects:
    """Reads the objects of a file twice: the first of them for their keys, then all."""

    def __init__(
        self,
        source: TableFile,
        opened: Opened,
        codec: str,
        needs: Needs,
        notes: list[Sentence],
    ) -> None:
        self._source, self._opened, self._codec = source, opened, codec
        self._needs, self._notes = needs, notes
        self._keys: set[str] = set()
        if next(self._batches(), None) is None:
            raise DataRefused("formats.no_rows_at_all", file=source.name)
        self.copied = needs.copied_of(sorted(self._keys), source, notes=[])

    def chunks(self) -> Iterator[Chunk]:
        n_before = 0
        names = (*self._needs.columns, *self.copied)
        for rows, lines in self._batches():
            cells: dict[str, Cells] = {
                name: [row.get(name) for row in rows] for name in names
            }
            yield Chunk(self._source.name, len(rows), cells, False, n_before, lines)
            n_before += len(rows)
        note_unused(self._keys - {*names}, self._notes)

    def _batches(self) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
        """Yield rows that follow each other, and the line of each; fewer where lines are long."""
        most = self._needs.rows_at_once()
        rows: list[dict[str, Any]] = []
        lines: list[int] = []
        n_characters = 0
        with (
            explained(self._source),
            io.TextIOWrapper(
                self._opened(), encoding=self._codec, newline="\n"
            ) as text,
        ):
            for number, line in enumerate(lines_of(text, self._source), start=1):
                if not line.strip():
                    continue
                rows.append(self._row(line, number))
                lines.append(number)
                n_characters += len(line)
                if len(rows) == most or n_characters > MOST_CHARACTERS:
                    check_shape(0, len(self._keys), self._source)
                    yield rows, lines
                    rows, lines, n_characters = [], [], 0
        if rows:
            yield rows, lines

    def _row(self, line: str, number: int) -> dict[str, Any]:
        place, escaped = line_number(number), "\\" in line
        row = row_of(object_in(line, number, self._source), place, self._source)
        self._keys |= row.keys()
        for key, value in row.items():
            if value is None:
                continue
            kind = kind_of(value, key, place, self._source)
            if kind == "text" and escaped:  # it may hold a control character
                check_cell(value, place, key, self._source)
        return row
