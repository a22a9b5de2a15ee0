"""Workbooks (.xlsx, .xls, .xlsb, .ods): one sheet whose first row names the columns."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pandas as pd

from assay.data.readers.table import Table, only_for, sampled
from assay.errors import DataRefused
from assay.formats import excel_worker
from assay.formats.checks import (
    check_cell,
    check_header,
    check_no_header,
    first_line,
    missing_words,
    words_remark,
)
from assay.formats.limits import (
    GIB,
    MAX_WORKBOOK_BYTES,
    MAX_WORKBOOK_CPU_S,
    MAX_WORKBOOK_MEMORY,
    check_file_size,
    check_shape,
)
from assay.study.sources import Source


def read_workbook(source: Source, n_bytes: int) -> Table:
    """Read the one sheet that holds anything, or the one that the study names.

    Raises
    ------
    DataRefused
        If the workbook cannot be opened, if several sheets hold something and none is named, or if
        cells are merged, for only the first of them has a value.
    """
    only_for(source, "a workbook", "names", "sheet")
    if n_bytes > MAX_WORKBOOK_BYTES:
        check_file_size(n_bytes, source, MAX_WORKBOOK_BYTES)
    with closing(_told_by_worker(source)) as told:
        head = next(told)
        _one_sheet(head, source)
        n_sheet_rows, width = head["shape"]
        check_shape(n_sheet_rows, width, source)
        for merged in head["merged"]:
            (top, left), (bottom, right) = merged
            cells = f"{_cell(top, left)}:{_cell(bottom, right)}"
            raise DataRefused(
                f"{source.name}, sheet {head['filled'][0]}: cells {cells} are merged, and only the first of them "
                f"has a value. Take merged cells apart, and keep one row of column names on top."
            )
        rows = list(told)
    return _table(head, rows, source)


def _table(head: dict[str, Any], rows: list[list[Any]], source: Source) -> Table:
    n_rows, width = head["shape"]
    if len(rows) != n_rows or any(len(row) != width for row in rows):
        raise DataRefused(
            f"{source.name}: {n_rows} rows were counted, but {len(rows)} were read."
        )
    sheet = head["filled"][0]
    header = list(source.read.names) or [_spelled(name) for name in rows[0]]
    if len(header) != width:
        raise DataRefused(
            f"{source.name}, sheet {sheet}: {width} columns, but the study names {len(header)}."
        )
    check_header(header, source)
    if source.read.names:
        check_no_header([_spelled(value) for value in rows[0]], source)
    n_above = 0 if source.read.names else 1
    body = _body(rows[n_above:], header, head["start"][0] + 1 + n_above, source)
    if not body:
        raise DataRefused(f"{source.name} has a header and no rows.")
    frame, mixed = _frame(body, header)
    n_blank = n_rows - n_above - len(frame)
    remarks = [f"sheet {sheet}", *words_remark(missing_words(source))]
    if n_blank:
        remarks.append(f"{n_blank:,} empty row{'s' * (n_blank > 1)} passed over")
    if mixed:
        remarks.append(
            f"read as text, for they hold text and numbers: {', '.join(mixed[:8])}"
        )
    return sampled(frame, tuple(remarks), source)


def _body(
    rows: list[list[Any]], header: list[str], first: int, source: Source
) -> list[list[Any]]:
    """Return the rows that hold something, with None for what is missing; ``first`` is the number of the first."""
    words = frozenset(missing_words(source))
    body = []
    for number, row in enumerate(rows, start=first):
        if all(value == "" for value in row):
            continue
        for name, value in zip(header, row, strict=True):
            if isinstance(value, str):
                check_cell(value, f"row {number}", name, source)
        body.append([None if _spelled(value) in words else value for value in row])
    return body


def _frame(body: list[list[Any]], header: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows as typed columns, and the names of those that mix text with other values."""
    columns = {
        name: _typed([row[at] for row in body]) for at, name in enumerate(header)
    }
    mixed = [name for name, (_, is_mixed) in columns.items() if is_mixed]
    return pd.DataFrame({name: one for name, (one, _) in columns.items()}), mixed


def _one_sheet(head: dict[str, Any], source: Source) -> None:
    """Refuse a workbook of which no sheet, or more than one, can be meant."""
    wanted, listed = source.read.sheet, ", ".join(head["sheets"][:8])
    if wanted is not None and wanted not in head["sheets"]:
        raise DataRefused(
            f"{source.name} has no sheet {wanted!r}; its sheets are {listed or 'none'}."
        )
    if not head["filled"]:
        raise DataRefused(f"{source.name} is empty.")
    if len(head["filled"]) > 1:
        raise DataRefused(
            f"{source.name} has {len(head['filled'])} sheets that hold something: {', '.join(head['filled'][:8])}. "
            f"Name one in plan.a.read.sheet."
        )


def _typed(values: list[Any]) -> tuple["pd.Series[Any]", bool]:
    """Return a column as a text file's reader would type it, and whether it mixes text and other values."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float}:
        column = pd.Series(values, dtype="float64")
        whole = column.notna() & (column % 1 == 0) & (column.abs() < 2**53)
        return (column.astype("int64") if whole.all() else column), False
    if kinds == {bool}:
        return pd.Series(values, dtype=object if None in values else bool), False
    spelled = [None if value is None else _spelled(value) for value in values]
    return pd.Series(spelled, dtype="str"), kinds != {str}


def _spelled(value: Any) -> str:
    """Return a cell as a person reads it: 3, not 3.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _cell(row: int, column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _told_by_worker(source: Source) -> Generator[Any, None, None]:
    """Yield what the worker says of the workbook, then its rows.

    Raises
    ------
    DataRefused
        If the workbook cannot be opened, or the worker ended before it had told all.
    """
    sheet = [] if source.read.sheet is None else [source.read.sheet]
    bounds = [str(MAX_WORKBOOK_MEMORY), str(MAX_WORKBOOK_CPU_S)]
    with subprocess.Popen(
        [sys.executable, "-I", excel_worker.__file__, source.path, *bounds, *sheet],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        try:
            head = _heard(process.stdout.readline(), source)
            yield head
            for line in process.stdout:
                row = _heard(line, source)
                if row is None:
                    return
                yield row
            raise _ended(source)
        finally:
            process.kill()


def _heard(line: bytes, source: Source) -> Any:
    try:
        said = json.loads(line)
    except ValueError:
        raise _ended(source) from None
    if isinstance(said, dict) and "error" in said:
        raise DataRefused(
            f"{source.name} is not a readable workbook: {first_line(ValueError(said['error']))}."
        )
    return said


def _ended(source: Source) -> DataRefused:
    return DataRefused(
        f"{source.name} is damaged, or takes more than the {MAX_WORKBOOK_MEMORY / GIB:g} GiB of memory and "
        f"{MAX_WORKBOOK_CPU_S} s that this reader gives a workbook. Save the sheet as CSV."
    )
