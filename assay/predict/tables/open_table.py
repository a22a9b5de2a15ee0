"""Which reader a table to predict goes to, by its ending."""

from dataclasses import replace
from pathlib import Path

from assay.errors import DataRefused, why_refused
from assay.formats.limits import check_file_size
from assay.formats.unpack import opener
from assay.predict.bundle import Bundle
from assay.predict.pictures import Pictures
from assay.predict.source import TableFile
from assay.predict.tables.arrays import open_arrays
from assay.predict.tables.delimited import open_delimited
from assay.predict.tables.json_lines import open_json_lines
from assay.predict.tables.parquet import open_parquet
from assay.predict.tables.table import Needs, Table

_TEXT, _JSON, _PACKED = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson"), (".gz", ".zip")
_WORKBOOK = (".xlsx", ".xls", ".xlsb", ".xlsm", ".ods")
_ENDINGS = (*_TEXT, *_JSON, ".parquet", ".npz")


def open_table(path: Path, bundle: Bundle, pictures: Pictures | None = None) -> Table:
    """Open a table for a bundle.

    Parameters
    ----------
    pictures
        Images that the rows name, where the table does not hold their pixels.

    Raises
    ------
    DataRefused
        If the file cannot be read, or a needed column is missing; while its rows are read, if one of
        them is not what it must be.
    """
    if pictures is None:
        return _opened(path, Needs(bundle, bundle.needed))
    pixels = frozenset(pictures.pixels)
    others = (name for name in bundle.needed if name not in pixels)
    needed = tuple(dict.fromkeys([pictures.images.column, *others]))
    table = _opened(path, Needs(bundle, needed))
    return replace(table, chunks=pictures.beside(table.chunks))


def _opened(path: Path, needs: Needs) -> Table:
    source, ending = TableFile(str(path), str(path)), path.suffix.lower()
    _check_file(path, source)
    if ending == ".parquet":
        return open_parquet(source, needs)
    if ending == ".npz":
        return open_arrays(source, needs)
    if ending in (*_TEXT, *_JSON, *_PACKED):
        opened, inner = opener(source)
        if inner in _TEXT:
            return open_delimited(source, opened, inner, needs)
        if inner in _JSON:
            return open_json_lines(source, opened, needs)
    raise DataRefused("predict.table_ending", file=source.name, endings=_ENDINGS)


def _check_file(path: Path, source: TableFile) -> None:
    """Refuse what is not there, is no file, or is too large."""
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        raise DataRefused(
            "formats.unreadable", file=source.name, reason=why_refused(error)
        ) from None
    if path.is_dir():
        raise DataRefused("predict.table_is_folder", file=source.name)
    if path.suffix.lower() in _WORKBOOK:
        raise DataRefused("predict.table_is_workbook", file=source.name)
    check_file_size(n_bytes, source)
    if n_bytes == 0:
        raise DataRefused("formats.empty", file=source.name)
