"""Tables to predict, read a few thousand rows at a time, by the rules that training's readers keep."""

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.array_headers import (
    UNREADABLE,
    Head,
    check_characters,
    check_heads,
    head_in,
    heads_of,
    names_of,
)
from assay.formats.checks import CONTROL, check_cell, check_header, cut, first_line
from assay.formats.encoding import Encoding, find_encoding, lines_of
from assay.formats.json_objects import kind_of, object_in, row_of
from assay.formats.limits import check_file_size, check_shape
from assay.formats.scan import MOST_CHARACTERS, Scan, first_row, separator_of
from assay.formats.unpack import Opened, explained, opener
from assay.predict.bundle import Bundle
from assay.predict.parsing import Cells, Chunk
from assay.predict.pictures import Pictures
from assay.predict.schema import Form
from assay.predict.source import Found, TableFile

_TEXT, _JSON, _PACKED = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson"), (".gz", ".zip")
_WORKBOOK = (".xlsx", ".xls", ".xlsb", ".xlsm", ".ods")
ENDINGS = (*_TEXT, *_JSON, ".parquet", ".npz")


@dataclass
class Table:
    """Rows of a file, and what is known of it once they are read.

    Attributes
    ----------
    chunks
        Of the columns that are wanted, some rows at a time.
    copied
        Columns that only name a row, as far as the table has them.
    notes
        What the reader decided, in words.
    """

    chunks: Iterator[Chunk]
    copied: tuple[str, ...]
    notes: list[str]


@dataclass(frozen=True)
class Wants:
    """What a bundle wants of a table: all that it needs, or the names of images instead of their pixels."""

    bundle: Bundle
    needed: tuple[str, ...]

    @property
    def form(self) -> Form:
        return self.bundle.form

    def rows_at_once(self, n_columns: int = 0) -> int:
        return self.bundle.rows_at_once(n_columns)

    def check(self, names: Sequence[str], table: str) -> None:
        self.bundle.check_columns(names, table, self.needed)


def open_table(path: Path, bundle: Bundle, pictures: Pictures | None = None) -> Table:
    """Open a table for a bundle.

    Parameters
    ----------
    pictures
        Images that the rows name, where the table has not their pixels.

    Raises
    ------
    DataRefused
        If the file cannot be read, or a column that is needed is missing; while its rows are read, if
        one of them is not what it must be.
    """
    if pictures is None:
        return _opened(path, Wants(bundle, bundle.needed))
    pixels = frozenset(pictures.pixels)
    others = (name for name in bundle.needed if name not in pixels)
    needed = tuple(dict.fromkeys([pictures.images.column, *others]))
    table = _opened(path, Wants(bundle, needed))
    return replace(table, chunks=pictures.beside(table.chunks))


def _opened(path: Path, wants: Wants) -> Table:
    source = TableFile(str(path), str(path))
    ending = path.suffix.lower()
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        raise DataRefused(f"{path} cannot be read: {error.strerror}.") from None
    if path.is_dir():
        raise DataRefused(f"{path} is a folder. Give the file of a table.")
    if ending in _WORKBOOK:
        raise DataRefused(
            f"{path} is a workbook, which prediction does not read. Save its sheet as CSV (UTF-8) and give that."
        )
    check_file_size(n_bytes, source)
    if n_bytes == 0:
        raise DataRefused(f"{path} is empty.")
    if ending == ".parquet":
        return _parquet(source, wants)
    if ending == ".npz":
        return _arrays(source, wants)
    if ending in (*_TEXT, *_JSON, *_PACKED):
        opened, inner = opener(source)
        if inner in _TEXT:
            return _delimited(source, opened, inner, wants)
        if inner in _JSON:
            return _json_lines(source, opened, wants)
    raise DataRefused(
        f"{path}: the ending is not one of {', '.join(ENDINGS)}; the text files among them may be packed as .gz or .zip."
    )


def _chosen(
    names: Sequence[str], wants: Wants, source: TableFile, notes: list[str]
) -> tuple[str, ...]:
    """Return the columns that are copied, once a table has those that are needed."""
    wants.check(names, source.name)
    there = frozenset(names)
    copied = tuple(name for name in wants.form.copied if name in there)
    _note_further(there - {*wants.needed, *copied}, notes)
    return copied


def _note_further(further: "frozenset[str] | set[str]", notes: list[str]) -> None:
    if further:
        some = ", ".join(cut(name) for name in sorted(further)[:6])
        more = f" and {len(further) - 6} more" if len(further) > 6 else ""
        notes.append(
            f"columns that prediction does not need are passed over: {some}{more}"
        )


# Text tables ---------------------------------------------------------------------------------------


def _delimited(source: TableFile, opened: Opened, ending: str, wants: Wants) -> Table:
    with explained(source):
        encoding = find_encoding(opened, source, wants.form.read.encoding or "cp949")
        source, separator, names = _layout(source, opened, encoding, ending, wants)
    notes = [encoding.remark]
    if source.read.names:
        notes.append("no header: the columns are named as in the study")
    check_header(names, source)
    copied = _chosen(names, wants, source, notes)
    scan = Scan(opened, encoding, separator, source)
    wanted = dict.fromkeys([*wants.needed, *copied])
    places = {name: names.index(name) for name in wanted}
    return Table(
        _chunks_of_rows(scan, places, wants.rows_at_once(len(names)), source),
        copied,
        notes,
    )


def _layout(
    source: TableFile,
    opened: Opened,
    encoding: Encoding,
    ending: str,
    wants: Wants,
) -> tuple[TableFile, str, list[str]]:
    """Return the separator and the names of the columns: the header's, or the study's if it has none."""
    declared, needed = wants.form.read, frozenset(wants.needed)
    separator = separator_of(opened, encoding, ending)
    first = first_row(opened, encoding, separator)
    if declared.separator is not None and not needed <= frozenset(first):
        second = first_row(opened, encoding, declared.separator)
        if needed <= frozenset(second) or len(second) == len(declared.names):
            separator, first = declared.separator, second
    headless = declared.names and len(first) == len(declared.names)
    if headless and not needed <= frozenset(first):
        named = replace(source, read=Found(names=declared.names))
        return named, separator, list(declared.names)
    return source, separator, first


def _chunks_of_rows(
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
        raise DataRefused(f"{source.name} has a header and no rows.")


# JSON lines ----------------------------------------------------------------------------------------


def _json_lines(source: TableFile, opened: Opened, wants: Wants) -> Table:
    with explained(source):
        encoding = find_encoding(opened, source, wants.form.read.encoding or "cp949")
    notes = ["JSON lines", encoding.remark]
    reader = _Objects(source, opened, encoding.codec, wants, notes)
    return Table(reader.chunks(), reader.copied, notes)


class _Objects:
    """Objects of a file of JSON lines; a key that a row does not name is missing there."""

    def __init__(
        self,
        source: TableFile,
        opened: Opened,
        codec: str,
        wants: Wants,
        notes: list[str],
    ) -> None:
        self._source, self._opened, self._codec = source, opened, codec
        self._wants, self._notes = wants, notes
        self._keys: set[str] = set()
        first = next(self._some(wants.rows_at_once()), None)
        if first is None:
            raise DataRefused(f"{source.name} has no rows.")
        wants.check(sorted(self._keys), source.name)
        self.copied = tuple(n for n in wants.form.copied if n in self._keys)

    def chunks(self) -> Iterator[Chunk]:
        n_before = 0
        wanted = (*self._wants.needed, *self.copied)
        for rows, lines in self._some(self._wants.rows_at_once()):
            cells: dict[str, Cells] = {
                name: [row.get(name) for row in rows] for name in wanted
            }
            yield Chunk(self._source.name, len(rows), cells, False, n_before, lines)
            n_before += len(rows)
        _note_further(self._keys - set(wanted), self._notes)

    def _some(self, most: int) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
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
        place = f"line {number}"
        row = row_of(object_in(line, number, self._source), place, self._source)
        self._keys |= row.keys()
        for key, value in row.items():
            if value is None:
                continue
            kind = kind_of(value, key, place, self._source)
            if kind == "text" and "\\" in line:  # it may hold what no text should
                check_cell(value, place, key, self._source)
        return row


# Parquet -------------------------------------------------------------------------------------------


def _parquet(source: TableFile, wants: Wants) -> Table:
    try:
        from assay.formats import parquet_file
    except ModuleNotFoundError as error:
        raise DataRefused(
            f"{source.name} is a Parquet file, for which {error.name} is needed. Install the bundle's requirements.txt, "
            f"or save the table as CSV."
        ) from None
    notes = ["Parquet"]
    with parquet_file.opened(source) as file:
        names = parquet_file.names_of(file, source)
    copied = _chosen(names, wants, source, notes)
    wanted = list(dict.fromkeys([*wants.needed, *copied]))
    size = wants.rows_at_once(len(wanted))

    def chunks() -> Iterator[Chunk]:
        n_before = 0
        with parquet_file.opened(source) as file:
            for columns, n in parquet_file.batches(file, wanted, size):
                cells: dict[str, Cells] = dict(columns)
                for name, column in cells.items():
                    _check_characters(name, column, n_before, source)
                yield Chunk(source.name, n, cells, False, n_before)
                n_before += n
        if not n_before:
            raise DataRefused(f"{source.name} has a header and no rows.")

    return Table(chunks(), copied, notes)


def _check_characters(
    name: str, cells: Cells, n_before: int, source: TableFile
) -> None:
    if isinstance(cells, np.ndarray):
        return
    texts = [cell for cell in cells if isinstance(cell, str)]
    if CONTROL.search("".join(texts)):
        for row, cell in enumerate(cells):
            if isinstance(cell, str):
                check_cell(cell, f"row {n_before + row + 1}", name, source)


# NumPy archives ------------------------------------------------------------------------------------


def _arrays(source: TableFile, wants: Wants) -> Table:
    notes = ["NumPy arrays"]
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(source.path) as archive:
            warnings.simplefilter("ignore")
            heads = dict(heads_of(archive, source))
            n_rows = check_heads(heads, source)
    except UNREADABLE as error:
        raise _unreadable(source, error) from None
    of_arrays = {name: names_of(name, head.shape) for name, head in heads.items()}
    names = [one for some in of_arrays.values() for one in some]
    declared = wants.form.read.names
    if len(declared) == len(names) and not set(wants.needed) <= set(names):
        further = iter(declared)
        of_arrays = {k: [next(further) for _ in some] for k, some in of_arrays.items()}
        names = list(declared)
    check_header(names, source)
    copied = _chosen(names, wants, source, notes)
    wanted = frozenset((*wants.needed, *copied))
    some = {k: held for k, held in of_arrays.items() if wanted & set(held)}
    size = wants.rows_at_once(len(names))
    return Table(_chunks_of_arrays(source, some, wanted, n_rows, size), copied, notes)


def _chunks_of_arrays(
    source: TableFile,
    of_arrays: dict[str, list[str]],
    wanted: frozenset[str],
    n_rows: int,
    size: int,
) -> Iterator[Chunk]:
    try:
        with zipfile.ZipFile(source.path) as archive, ExitStack() as stack:
            read = {
                name: _reader(
                    stack.enter_context(archive.open(f"{name}.npy")), name, source
                )
                for name in of_arrays
            }
            for first in range(0, n_rows, size):
                n = min(size, n_rows - first)
                cells: dict[str, Cells] = {}
                for name, names in of_arrays.items():
                    flat = read[name](n).reshape(n, -1)
                    text = flat.dtype.kind == "U"
                    for place, one in enumerate(names):
                        if one in wanted:
                            column = flat[:, place]
                            cells[one] = column.tolist() if text else column
                for one, values in cells.items():
                    _check_characters(one, values, first, source)
                yield Chunk(source.name, n, cells, False, first)
    except UNREADABLE as error:
        raise _unreadable(source, error) from None


def _reader(
    file: IO[bytes], name: str, source: TableFile
) -> Callable[[int], NDArray[Any]]:
    """Return what gives the next rows of an array; one whose first axis runs fastest is read whole."""
    head, fortran = head_in(file, name, source)
    inner = head.shape[1:]
    if fortran and inner:
        whole = _taken(file, head, head.shape[0]).reshape(head.shape[::-1]).T
        rest = iter(whole)
        return lambda n: np.stack([next(rest) for _ in range(n)])
    return lambda n: _checked(name, _taken(file, head, n), source).reshape(n, *inner)


def _taken(file: IO[bytes], head: Head, n_rows: int) -> NDArray[Any]:
    n_bytes = n_rows * int(np.prod(head.shape[1:])) * head.dtype.itemsize
    content = file.read(n_bytes)
    if len(content) != n_bytes:
        raise EOFError("an array is cut short")
    if not head.dtype.itemsize:
        return np.full(n_rows * int(np.prod(head.shape[1:])), "", dtype="U1")
    return np.frombuffer(content, dtype=head.dtype)


def _checked(name: str, array: NDArray[Any], source: TableFile) -> NDArray[Any]:
    if array.dtype.kind == "U":
        check_characters(name, array, source)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _unreadable(source: TableFile, error: BaseException) -> DataRefused:
    return DataRefused(
        f"{source.name} is not a readable NumPy archive: {first_line(error)}."
    )
