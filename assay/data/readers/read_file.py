"""Which reader a file goes to, by its ending."""

from pathlib import Path

from assay.data.readers.arrays import read_arrays
from assay.data.readers.delimited import read_delimited
from assay.data.readers.excel import read_workbook
from assay.data.readers.json_lines import read_json_lines
from assay.data.readers.parquet import read_parquet
from assay.data.readers.table import Table
from assay.errors import DataRefused, why_refused
from assay.formats.limits import check_file_size
from assay.formats.unpack import opener
from assay.study.sources import Source

_TEXT, _JSON = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")
_WORKBOOK, _PACKED = (".xlsx", ".xls", ".xlsb", ".ods"), (".gz", ".zip")
ENDINGS = (*_TEXT, *_JSON, ".parquet", *_WORKBOOK, ".npz")


def read_file(source: Source) -> Table:
    """Read a file by the reader that its ending names.

    Raises
    ------
    DataRefused
        If nobody reads such a file, it is too large, or its reader refuses it.
    """
    path = Path(source.path)
    ending = path.suffix.lower()
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        raise DataRefused(
            "formats.unreadable", file=source.name, reason=why_refused(error)
        ) from None
    check_file_size(n_bytes, source)
    if n_bytes == 0:
        raise DataRefused("formats.empty", file=source.name)
    if ending == ".parquet":
        return read_parquet(source)
    if ending in _WORKBOOK:
        return read_workbook(source, n_bytes)
    if ending == ".npz":
        return read_arrays(source)
    opened, inner = (
        opener(source) if ending in (*_TEXT, *_JSON, *_PACKED) else (None, "")
    )
    if opened is not None and inner in _TEXT:
        return read_delimited(source, opened, inner)
    if opened is not None and inner in _JSON:
        return read_json_lines(source, opened)
    raise DataRefused("readers.ending", file=source.name, endings=ENDINGS)
