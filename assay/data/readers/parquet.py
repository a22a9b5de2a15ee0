"""Parquet: every stored column of plain values; what pandas once noted about an index is not used."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assay.data.readers.table import (
    Remark,
    Table,
    blank_words,
    drawn,
    need_no_other,
    need_rows,
    replaced,
    table_of,
    with_gaps,
)
from assay.formats.checks import check_cell, cut, row_number, some_of, words_remark
from assay.formats.missing import Words
from assay.formats.parquet_file import batches, names_of, opened
from assay.study.sources import Source
from assay.wording import Sentence

# The last range in the characters themselves: two engines, which escape it differently, may read it.
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f" + "\x80-\x9f]"
_AT_ONCE = 8_192  # rows
_N_SHOWN = 8


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
        zoned = [cut(field.name) for field in file.schema_arrow if _has_zone(field)]
    frame = blank_words(_in_memory(table, source), source)
    _check_texts(frame, source)
    remarks: tuple[Remark, ...] = (
        Sentence.plain("Parquet"),
        *words_remark(source.read.missing),
    )
    if zoned:
        columns = some_of(zoned, _N_SHOWN)
        remarks += (Sentence.of("readers.in_utc", columns=columns),)
    return table_of(frame, remarks, n_rows, source)


def _has_zone(field: pa.Field) -> bool:
    return getattr(field.type, "tz", None) is not None


def _rows_of(file: pq.ParquetFile, source: Source) -> tuple[pa.Table, int]:
    """Return the rows that are wanted, and how many there are."""
    names = names_of(file, source)
    n_rows = file.metadata.num_rows
    rows = drawn(n_rows, source)
    kept, n_read = [], 0
    for batch in batches(file, names, _AT_ONCE, source):
        first, n_read = n_read, n_read + batch.num_rows
        if rows is not None:
            inside = rows[(rows >= first) & (rows < n_read)] - first
            batch = batch.take(pa.array(inside))
        kept.append(batch)
    need_rows(n_read, n_rows, source)
    return pa.Table.from_batches(kept), n_rows


def _in_memory(table: pa.Table, source: Source) -> pd.DataFrame:
    """Return a table whose whole numbers keep their digits beside missing ones."""
    words, whole = Words(source.read.missing), {}
    for field in table.schema:
        column = table.column(field.name)
        if pa.types.is_integer(field.type) and column.null_count:
            values, gaps = column.fill_null(0).to_numpy(), np.asarray(column.is_null())
            whole[field.name] = with_gaps(values, gaps | words.among(values))
    return replaced(table.to_pandas(), whole)


def _check_texts(frame: pd.DataFrame, source: Source) -> None:
    for name in frame.columns:
        if frame[name].dtype != "str":
            continue
        faulty = frame[name].str.contains(_CONTROL, na=False)
        if faulty.any():
            at = int(faulty.argmax())
            check_cell(str(frame[name].iloc[at]), row_number(at + 1), str(name), source)
