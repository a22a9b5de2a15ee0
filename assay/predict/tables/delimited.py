"""Text tables to predict: comma, tab, semicolon or bar between cells."""

from collections.abc import Iterator
from dataclasses import replace

from assay.errors import DataRefused
from assay.formats.checks import check_header
from assay.formats.encoding import Encoding, find_encoding
from assay.formats.scan import Scan, first_row, separator_of
from assay.formats.unpack import Opened, explained
from assay.predict.parsing import Cells, Chunk
from assay.predict.source import TableFile, Undeclared
from assay.predict.tables.table import Needs, Table
from assay.wording import Sentence


def open_delimited(
    source: TableFile, opened: Opened, ending: str, needs: Needs
) -> Table:
    """Open a text table.

    Raises
    ------
    DataRefused
        If its header is not what it must be, or a needed column is missing.
    """
    with explained(source):
        encoding = find_encoding(opened, source, needs.fallback_encoding)
        source, separator, names = _layout(source, opened, encoding, ending, needs)
    notes = [encoding.remark]
    if source.read.names:
        notes.append(Sentence.of("predict.no_header"))
    check_header(names, source)
    copied = needs.copied_of(names, source, notes)
    scan = Scan(opened, encoding, separator, source)
    places = {name: names.index(name) for name in (*needs.columns, *copied)}
    chunks = _chunks(scan, places, needs.rows_at_once(len(names)), source)
    return Table(chunks, copied, notes)


def _layout(
    source: TableFile,
    opened: Opened,
    encoding: Encoding,
    ending: str,
    needs: Needs,
) -> tuple[TableFile, str, list[str]]:
    """Return the separator and the names of the columns: the header's, or the study's if it has none."""
    declared, needed = needs.form.read, frozenset(needs.columns)
    separator: str = declared.separator or ""
    first: list[str] = []
    if separator:
        first = first_row(opened, encoding, separator)
    if not (needed <= frozenset(first) or len(first) == len(declared.names) > 0):
        separator = separator_of(opened, encoding, ending)
        first = first_row(opened, encoding, separator)
    headless = declared.names and len(first) == len(declared.names)
    if headless and not needed <= frozenset(first):
        named = replace(source, read=Undeclared(names=declared.names))
        return named, separator, list(declared.names)
    return source, separator, first


def _chunks(
    scan: Scan, places: dict[str, int], n_rows: int, source: TableFile
) -> Iterator[Chunk]:
    n_before = 0
    with explained(source):
        for batch in scan.batches(n_rows):
            if not len(batch):
                continue
            columns, n = batch.columns(), len(batch)
            cells: dict[str, Cells] = {
                name: columns[place] for name, place in places.items()
            }
            yield Chunk(source.name, n, cells, True, n_before, batch.lines)
            n_before += n
    if not n_before:
        raise DataRefused("formats.no_rows", file=source.name)
