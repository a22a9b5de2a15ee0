"""NumPy archives (.npz) to predict: arrays of equal length side by side, images as columns of pixels."""

import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
from assay.formats.checks import check_header, first_line
from assay.predict.parsing import Cells, Chunk
from assay.predict.source import TableFile
from assay.predict.tables.table import Needs, Table, check_texts
from assay.wording import Sentence

_NextRows = Callable[[int], NDArray[Any]]


def open_arrays(source: TableFile, needs: Needs) -> Table:
    """Open an archive of arrays, whose first axis is the rows.

    Raises
    ------
    DataRefused
        If the arrays cannot be columns of one table, or a needed column is missing.
    """
    notes = [Sentence.of("predict.numpy_arrays")]
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(source.path) as archive:
            warnings.simplefilter("ignore")
            heads = dict(heads_of(archive, source))
            n_rows = check_heads(heads, source)
    except UNREADABLE as error:
        raise _unreadable(source, error) from None
    columns = _columns_of(heads, needs)
    names = [name for held in columns.values() for name in held]
    check_header(names, source)
    copied = needs.copied_of(names, source, notes)
    wanted = frozenset((*needs.columns, *copied))
    used = {array: held for array, held in columns.items() if wanted & set(held)}
    n_at_once = needs.rows_at_once(len(names))
    return Table(_chunks(source, used, wanted, n_rows, n_at_once), copied, notes)


def _columns_of(heads: dict[str, Head], needs: Needs) -> dict[str, list[str]]:
    """Return the columns of each array: named after it, or as the study names all of them in turn."""
    columns = {array: names_of(array, head.shape) for array, head in heads.items()}
    names = [name for held in columns.values() for name in held]
    declared = needs.form.read.names
    if len(declared) != len(names) or set(needs.columns) <= set(names):
        return columns
    further = iter(declared)
    return {array: [next(further) for _ in held] for array, held in columns.items()}


def _chunks(
    source: TableFile,
    columns: dict[str, list[str]],
    wanted: frozenset[str],
    n_rows: int,
    n_at_once: int,
) -> Iterator[Chunk]:
    try:
        with zipfile.ZipFile(source.path) as archive, ExitStack() as stack:
            readers = {}
            for array in columns:
                file = stack.enter_context(archive.open(f"{array}.npy"))
                readers[array] = _reader(file, array, source)
            for first in range(0, n_rows, n_at_once):
                n = min(n_at_once, n_rows - first)
                cells = _next_cells(readers, columns, wanted, n)
                for name, values in cells.items():
                    check_texts(name, values, first, source)
                yield Chunk(source.name, n, cells, False, first)
    except UNREADABLE as error:
        raise _unreadable(source, error) from None


def _next_cells(
    readers: dict[str, _NextRows],
    columns: dict[str, list[str]],
    wanted: frozenset[str],
    n: int,
) -> dict[str, Cells]:
    """Return the next n rows of the wanted columns; texts as Python's own."""
    cells: dict[str, Cells] = {}
    for array, names in columns.items():
        flat = readers[array](n).reshape(n, -1)
        is_text = flat.dtype.kind == "U"
        for place, name in enumerate(names):
            if name in wanted:
                column = flat[:, place]
                cells[name] = column.tolist() if is_text else column
    return cells


def _reader(file: IO[bytes], name: str, source: TableFile) -> _NextRows:
    """Return a function of the next rows of an array; one in Fortran order is read whole."""
    head, fortran = head_in(file, name, source)
    inner = head.shape[1:]
    if fortran and inner:
        whole = _taken(file, head, head.shape[0]).reshape(head.shape[::-1]).T
        rows = iter(whole)
        return lambda n: np.stack([next(rows) for _ in range(n)])
    return lambda n: _checked(name, _taken(file, head, n), source).reshape(n, *inner)


def _taken(file: IO[bytes], head: Head, n_rows: int) -> NDArray[Any]:
    n_values = n_rows * int(np.prod(head.shape[1:]))
    content = file.read(n_values * head.dtype.itemsize)
    if len(content) != n_values * head.dtype.itemsize:
        raise EOFError("an array is cut short")
    if not head.dtype.itemsize:
        return np.full(n_values, "", dtype="U1")
    return np.frombuffer(content, dtype=head.dtype)


def _checked(name: str, array: NDArray[Any], source: TableFile) -> NDArray[Any]:
    if array.dtype.kind == "U":
        check_characters(name, array, source)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _unreadable(source: TableFile, error: BaseException) -> DataRefused:
    return DataRefused("predict.not_numpy", file=source.name, reason=first_line(error))
