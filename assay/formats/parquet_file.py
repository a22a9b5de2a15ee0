"""Parquet files before and while their rows are read: which columns they have, and that these hold plain values."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import Named, check_header, cut, first_line
from assay.formats.limits import (
    MAX_DECODED_RATIO,
    check_shape,
    most_unpacked,
    too_much_unpacked,
)

_UNNAMED_INDEX = re.compile(
    r"__index_level_\d+__"
)  # how pandas stores an index without a name
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_PLAIN = (
    *_TEXTS,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_null,
)
_BYTES_AT_ONCE = 256 * 1024**2  # of texts, in memory at once
_NAT = np.iinfo(np.int64).min


@contextmanager
def opened(source: Named) -> Iterator[pq.ParquetFile]:
    """Open a file, and turn errors of reading it into refusals."""
    try:
        with pq.ParquetFile(
            Path(source.path), coerce_int96_timestamp_unit="us"
        ) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataRefused(
            "formats.not_parquet", file=source.name, reason=first_line(error)
        ) from None


def names_of(file: pq.ParquetFile, source: Named) -> list[str]:
    """Return the names of the columns; what pandas once noted about an index is none.

    Raises
    ------
    DataRefused
        If there are no rows or no columns, or one holds anything but numbers, text, dates, true and false.
    """
    schema = file.schema_arrow.remove_metadata()
    names = [name for name in schema.names if not _UNNAMED_INDEX.fullmatch(name)]
    check_header(names, source)
    for field in schema:
        of_dictionary = pa.types.is_dictionary(field.type)
        kind = field.type.value_type if of_dictionary else field.type
        if not any(holds(kind) for holds in _PLAIN):
            raise DataRefused(
                "formats.parquet_type",
                file=source.name,
                column=cut(field.name),
                kind=str(field.type),
            )
    n_rows = file.metadata.num_rows
    check_shape(n_rows, len(names), source)
    if n_rows < 1 or not names:
        raise DataRefused("formats.no_rows", file=source.name)
    return names


def batches(
    file: pq.ParquetFile, names: Sequence[str], most: int, source: Named
) -> Iterator[pa.RecordBatch]:
    """Yield up to ``most`` rows at a time, fewer where texts are long; every column is plain, no dictionary.

    Raises
    ------
    DataRefused
        If all rows together take too much memory, or one holds a date outside the years 1 to 9999.
    """
    limit = most_unpacked(source, source.path, MAX_DECODED_RATIO)
    n_bytes = 0
    if file.metadata.num_rows * _width(file, names) > limit:
        raise too_much_unpacked(source, limit)
    texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
    with pq.ParquetFile(source.path, read_dictionary=texts) as dictionaries:
        for group in range(file.num_row_groups):
            chunks = _chunks(file, group, names)
            n_stored = sum(chunk.total_uncompressed_size for chunk in chunks)
            if n_bytes + n_stored > limit:
                raise too_much_unpacked(source, limit)
            longest, n_of_texts = _size_of_texts(dictionaries, group, chunks)
            if n_bytes + n_of_texts > limit:
                raise too_much_unpacked(source, limit)
            n_rows = max(1, min(most, _BYTES_AT_ONCE // max(1, longest)))
            for batch in file.iter_batches(n_rows, row_groups=[group], columns=names):
                plain = [_plain(batch.column(name), name, source) for name in names]
                n_bytes += sum(column.nbytes for column in plain)
                if n_bytes > limit:
                    raise too_much_unpacked(source, limit)
                yield pa.RecordBatch.from_arrays(plain, names=names)


def _is_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(holds(plain) for holds in _TEXTS)


def _width(file: pq.ParquetFile, names: Sequence[str]) -> int:
    """Return how many bytes a row takes in columns of anything but texts."""
    kinds = (file.schema_arrow.field(name).type for name in names)
    widths = [int(kind.bit_width) for kind in kinds if pa.types.is_primitive(kind)]
    return sum(widths) // 8


def _chunks(
    file: pq.ParquetFile, group: int, names: Sequence[str]
) -> list[pq.ColumnChunkMetaData]:
    columns, wanted = file.metadata.row_group(group), frozenset(names)
    chunks = map(columns.column, range(columns.num_columns))
    return [chunk for chunk in chunks if chunk.path_in_schema in wanted]


def _size_of_texts(
    file: pq.ParquetFile, group: int, chunks: list[pq.ColumnChunkMetaData]
) -> tuple[int, int]:
    """Return how many bytes a row's texts take at most, and those of all rows; equal texts are read once.

    ``file`` reads texts as dictionaries.
    """
    longest = total = 0
    looked_into = []
    for chunk in chunks:
        if "DELTA_BYTE_ARRAY" in chunk.encodings:  # a text may repeat the one before
            longest += chunk.total_uncompressed_size
        elif "DELTA_LENGTH_BYTE_ARRAY" in chunk.encodings:  # each stands there
            total += chunk.total_uncompressed_size
        elif chunk.physical_type == "BYTE_ARRAY":
            looked_into.append(chunk.path_in_schema)
    for column in file.read_row_group(group, looked_into).columns:
        for part in column.chunks:
            sizes = pc.binary_length(part.dictionary.cast(pa.large_binary()))
            longest += pc.max(sizes).as_py() or 0
            total += pc.sum(sizes.take(part.indices)).as_py() or 0
    return longest, total


def _plain(column: pa.Array, name: str, source: Named) -> pa.Array:
    """Return a column of plain values: texts for a dictionary of them, and moments in UTC without their zone."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type):
        column.validate(full=True)
    elif pa.types.is_temporal(column.type):
        years = _moments(column).astype("datetime64[Y]").astype(np.int64) + 1970
        years = years[~np.asarray(column.is_null())]
        if years.size and not 1 <= years.min() <= years.max() <= 9999:
            raise DataRefused(
                "formats.parquet_years", file=source.name, column=cut(name)
            )
    if getattr(column.type, "tz", None) is not None:  # no zone needs to be known here
        return column.cast(pa.int64()).cast(pa.timestamp(column.type.unit))
    return column


def _moments(column: pa.Array) -> NDArray[np.datetime64]:
    if pa.types.is_date32(column.type):
        days = column.cast(pa.int32()).cast(pa.int64()).fill_null(_NAT)
        return np.asarray(days).view("datetime64[D]")
    unit = "ms" if pa.types.is_date64(column.type) else column.type.unit
    return np.asarray(column.cast(pa.int64()).fill_null(_NAT)).view(
        f"datetime64[{unit}]"
    )


def values_of(column: pa.Array) -> "list[Any] | NDArray[Any]":
    """Return numbers and moments as arrays, all else as Python's own values, None where missing."""
    types = pa.types
    whole = types.is_integer(column.type) and not column.null_count
    if whole or types.is_floating(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))  # NaN where missing
    if types.is_timestamp(column.type):
        return _moments(column)
    return list(column.to_pylist())
