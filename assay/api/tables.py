"""A DataFrame as a table that is read like a file: kept as Parquet under the digest of its content."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import DataRefused
from assay.store.store import Store

if TYPE_CHECKING:
    import pandas as pd


def keep_frame(frame: "pd.DataFrame", store: Store) -> Path:
    """Write a DataFrame to ``tables/`` of the store and return the file.

    A named index becomes a column; any other is left out. Categories are written as their values,
    times as ISO 8601 text.

    Raises
    ------
    DataRefused
        If a column holds values of several kinds, or of a kind that no table file has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = frame.reset_index(drop=all(name is None for name in frame.index.names))
    _check(named)
    columns = {}
    for name in named.columns:
        try:
            columns[str(name)] = pa.array(_plain(named[name]), from_pandas=True)
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            raise DataRefused("api.mixed_column", column=str(name)) from None
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, use_dictionary=False)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:12]
    path = store.folder / "tables" / f"table-{digest}.parquet"
    if not path.exists():
        store.files.write(path, content)
    return path


def _check(frame: "pd.DataFrame") -> None:
    """Refuse a frame without rows, or whose columns are not told apart by plain names."""
    if frame.columns.nlevels > 1:
        raise DataRefused("api.several_header_levels", n=frame.columns.nlevels)
    names = [str(name) for name in frame.columns]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise DataRefused("api.doubled_column", column=doubled)
    if not len(frame):
        raise DataRefused("api.no_rows")


def columns_of(rows: "pd.DataFrame | Mapping[str, Any]") -> dict[str, list[Any]]:
    """Return the columns of rows as lists of plain values; missing ones are None."""
    import pandas as pd

    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(dict(rows))
    named = frame.reset_index(drop=all(name is None for name in frame.index.names))
    return {
        str(name): [
            None if missing else value
            for value, missing in zip(
                _plain(named[name]).tolist(), named[name].isna(), strict=True
            )
        ]
        for name in named.columns
    }


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.astype(dtype.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        has_time = bool((column.dropna() != column.dropna().dt.normalize()).any())
        text = column.dt.strftime("%Y-%m-%dT%H:%M:%S" if has_time else "%Y-%m-%d")
        plain: pd.Series[Any] = text.where(column.notna(), None)
        return plain
    return column
