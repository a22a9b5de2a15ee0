"""Parquet files to predict; only they need pyarrow."""

from collections.abc import Iterator
from typing import Any

from assay.errors import DataRefused
from assay.predict.parsing import Cells, Chunk
from assay.predict.source import TableFile
from assay.predict.tables.table import Needs, Table, check_texts
from assay.wording import Sentence


def open_parquet(source: TableFile, needs: Needs) -> Table:
    """Open a Parquet file.

    Raises
    ------
    DataRefused
        If pyarrow is not installed, the file cannot be read, or a needed column is missing.
    """
    file = _parquet_file(source)
    notes = [Sentence.plain("Parquet")]
    with file.opened(source) as opened:
        names = file.names_of(opened, source)
    copied = needs.copied_of(names, source, notes)
    wanted = list(dict.fromkeys([*needs.columns, *copied]))
    n_rows = needs.rows_at_once(len(wanted))
    return Table(_chunks(source, wanted, n_rows), copied, notes)


def _chunks(source: TableFile, wanted: list[str], n_rows: int) -> Iterator[Chunk]:
    file, n_before = _parquet_file(source), 0
    with file.opened(source) as opened:
        for batch in file.batches(opened, wanted, n_rows, source):
            cells: dict[str, Cells] = {
                name: file.values_of(batch.column(name)) for name in wanted
            }
            for name, column in cells.items():
                check_texts(name, column, n_before, source)
            yield Chunk(source.name, batch.num_rows, cells, False, n_before)
            n_before += batch.num_rows
    if not n_before:
        raise DataRefused("formats.no_rows", file=source.name)


def _parquet_file(source: TableFile) -> Any:
    """Return the module that reads Parquet files, or refuse where its library is missing."""
    try:
        from assay.formats import parquet_file
    except ModuleNotFoundError as error:
        raise DataRefused(
            "predict.parquet_not_installed", file=source.name, library=str(error.name)
        ) from None
    return parquet_file
