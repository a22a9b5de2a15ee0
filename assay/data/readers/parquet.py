"""Parquet: every stored column of plain values; what pandas once noted about an index is not used."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.data.readers.table import (
    Remark,
    Table,
    blank_words,
    drawn,
    need_no_other,
    need_rows,
    table_of,
)
from assay.formats.checks import (
    MAX_WHOLE,
    check_cell,
    row_number,
    words_remark,
)
from assay.formats.limits import MAX_UNPACKED_BYTES, too_much_unpacked
from assay.formats.parquet_file import names_of, opened
from assay.study.sources import Source
from assay.wording import Sentence

# The last range in the characters themselves: two engines, which escape it differently, may read it.
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f" + "\x80-\x9f]"
_AT_ONCE = 8_192  # rows


def read_parquet(source: Source) -> Table:
    """Read a Parquet file, a batch of rows at a time.

    Raises
    ------
    DataRefused
        If it cannot be read, holds columns of anything but numbers, text, dates, true and false,
        or has not the rows that it says.
    """
    need_no_other(source, "parquet")
    with opened(source) as file:
        table, n_rows = _rows_of(file, source)
    frame: pd.DataFrame = _whole(table).to_pandas()
    _check_texts(frame, source)
    frame = blank_words(frame, source)
    remarks: tuple[Remark, ...] = (
        Sentence.plain("Parquet"),
        *words_remark(source.read.missing),
    )
    return table_of(frame, remarks, n_rows, source)


def _rows_of(file: pq.ParquetFile, source: Source) -> tuple[pa.Table, int]:
    """Return the rows that are wanted, and how many there are."""
    names = names_of(file, source)
    n_rows = file.metadata.num_rows
    rows = drawn(n_rows, source)
    kept, n_read, n_bytes = [], 0, 0
    for batch in file.iter_batches(batch_size=_AT_ONCE, columns=names):
        first, n_read = n_read, n_read + batch.num_rows
        if rows is not None:
            inside = rows[(rows >= first) & (rows < n_read)] - first
            batch = batch.take(pa.array(inside))
        n_bytes += batch.nbytes
        if n_bytes > MAX_UNPACKED_BYTES:
            raise too_much_unpacked(source, MAX_UNPACKED_BYTES)
        kept.append(batch)
    need_rows(n_read, n_rows, source)
    return pa.Table.from_batches(kept).replace_schema_metadata(), n_rows


def _whole(table: pa.Table) -> pa.Table:
    """Return a table whose integers keep their digits: as text, where a value beside them is missing."""
    for at, field in enumerate(table.schema):
        column = table.column(at)
        if pa.types.is_integer(field.type) and column.null_count:
            ends = pc.min_max(column).as_py().values()
            if max(abs(end or 0) for end in ends) >= MAX_WHOLE:
                table = table.set_column(at, field.name, pc.cast(column, pa.string()))
    return table


def _check_texts(frame: pd.DataFrame, source: Source) -> None:
    for name in frame.columns:
        if frame[name].dtype != "str":
            continue
        faulty = frame[name].str.contains(_CONTROL, na=False)
        if faulty.any():
            at = int(faulty.argmax())
            check_cell(str(frame[name].iloc[at]), row_number(at + 1), str(name), source)
