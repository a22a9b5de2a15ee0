"""Parquet files before and while their rows are read: which columns they have, and that these hold plain values."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import Named, check_header, cut, first_line
from assay.formats.limits import check_shape

_UNNAMED_INDEX = re.compile(
    r"__index_level_\d+__"
)  # how pandas stores an index without a name
_PLAIN = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_dictionary,
    pa.types.is_null,
)
_NAT = np.iinfo(np.int64).min


@contextmanager
def opened(source: Named) -> Iterator[pq.ParquetFile]:
    """Open a file, and turn errors of reading it into refusals."""
    try:
        with pq.ParquetFile(Path(source.path)) as file:
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
        if not any(holds(field.type) for holds in _PLAIN):
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
    file: pq.ParquetFile, names: Sequence[str], most: int
) -> Iterator[tuple[dict[str, "list[Any] | NDArray[Any]"], int]]:
    """Yield some rows at a time: columns by name, and how many rows they have."""
    for batch in file.iter_batches(batch_size=most, columns=list(names)):
        columns = {name: _values(batch.column(name)) for name in names}
        yield columns, batch.num_rows


def _values(column: pa.Array) -> "list[Any] | NDArray[Any]":
    """Return numbers and moments as arrays, all else as Python's own values, None where missing."""
    plain_numbers = pa.types.is_integer(column.type) or pa.types.is_floating(
        column.type
    )
    if plain_numbers and not column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if pa.types.is_floating(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))  # NaN where missing
    if pa.types.is_timestamp(column.type):
        moments = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return np.asarray(moments.cast(pa.int64()).fill_null(_NAT)).view(
            "datetime64[us]"
        )
    return list(column.to_pylist())
