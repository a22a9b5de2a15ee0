"""Workbooks (.xlsx, .xls, .xlsb, .ods): one sheet whose first row names the columns."""

import json
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import pandas as pd

from assay.data.readers.table import (
    Remark,
    Table,
    need_names,
    need_no_other,
    need_rows,
    sampled,
)
from assay.errors import DataRefused
from assay.formats import excel_worker
from assay.formats.checks import (
    check_cell,
    check_header,
    check_no_header,
    first_line,
    missing_words,
    row_number,
    words_remark,
)
from assay.formats.limits import (
    GIB,
    MAX_WORKBOOK_BYTES,
    check_file_size,
    check_shape,
    workbook_limits,
)
from assay.formats.missing import Words
from assay.study.sources import Source
from assay.wording import Sentence


def read_workbook(source: Source, n_bytes: int) -> Table:
    """Read the one sheet that holds anything, or the one that the study names.

    Raises
    ------
    DataRefused
        If the workbook cannot be opened, if several sheets hold something and none is named, or if
        cells are merged, for only the first of them has a value.
    """
    need_no_other(source, "workbook", "names", "sheet")
    if n_bytes > MAX_WORKBOOK_BYTES:
        check_file_size(n_bytes, source, MAX_WORKBOOK_BYTES)
    with closing(_from_worker(source, n_bytes)) as answers:
        head = next(answers)
        _one_sheet(head, source)
        n_sheet_rows, width = head["shape"]
        check_shape(n_sheet_rows, width, source)
        _need_unmerged(head, source)
        return _table(head, answers, source)


def _need_unmerged(head: dict[str, Any], source: Source) -> None:
    if head["merged"]:
        (top, left), (bottom, right) = head["merged"][0]
        raise DataRefused(
            "readers.merged_cells",
            file=source.name,
            sheet=head["filled"][0],
            cells=f"{_cell(top, left)}:{_cell(bottom, right)}",
        )


def _table(head: dict[str, Any], rows: Iterator[list[Any]], source: Source) -> Table:
    n_rows, width = head["shape"]
    sheet, first = head["filled"][0], next(rows, [])
    need_rows(int(len(first) == width), 1, source)
    header = list(source.read.names) or [_spelled(name) for name in first]
    check_header(header, source)
    n_above = 0 if source.read.names else 1
    if source.read.names:
        place = Sentence.of("readers.sheet_of", file=source.name, sheet=sheet)
        need_names(width, place, source)
        check_no_header([_spelled(value) for value in first], source)
        rows = chain([first], rows)
    body, n_read = _body(rows, header, head["start"][0] + 1 + n_above, source)
    need_rows(n_read + n_above, n_rows, source)
    if not body:
        raise DataRefused("formats.no_rows", file=source.name)
    frame, mixed = _frame(body, header)
    n_blank = n_read - len(frame)
    remarks: list[Remark] = [
        Sentence.of("readers.sheet", sheet=sheet),
        *words_remark(missing_words(source)),
    ]
    if n_blank:
        key = "readers.empty_row" if n_blank == 1 else "readers.empty_rows"
        remarks.append(Sentence.of(key, n=n_blank))
    if mixed:
        remarks.append(Sentence.of("readers.mixed", columns=tuple(mixed[:8])))
    return sampled(frame, tuple(remarks), source)


def _body(
    rows: Iterator[list[Any]], header: list[str], first: int, source: Source
) -> tuple[list[list[Any]], int]:
    """Return the rows that hold something, with None for what is missing, and how many rows there are.

    ``first`` is the number of the first.
    """
    words = Words(source.read.missing)
    body, n_read = [], 0
    for number, row in enumerate(rows, start=first):
        if len(row) != len(header):
            break  # the count tells
        n_read += 1
        if all(value == "" for value in row):
            continue
        for name, value in zip(header, row, strict=True):
            if isinstance(value, str):
                check_cell(value, row_number(number), name, source)
        body.append([None if _is_missing(value, words) else value for value in row])
    return body, n_read


def _is_missing(value: Any, words: Words) -> bool:
    return value in words.every if isinstance(value, str) else words.hold(value)


def _frame(body: list[list[Any]], header: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows as typed columns, and the names of those that mix text with other values."""
    columns = {
        name: _typed([row[at] for row in body]) for at, name in enumerate(header)
    }
    mixed = [name for name, (_, is_mixed) in columns.items() if is_mixed]
    return pd.DataFrame({name: column for name, (column, _) in columns.items()}), mixed


def _one_sheet(head: dict[str, Any], source: Source) -> None:
    """Refuse a workbook of which no sheet, or more than one, can be meant."""
    wanted, sheets, filled = source.read.sheet, head["sheets"], head["filled"]
    if wanted is not None and wanted not in sheets:
        raise DataRefused(
            "readers.no_sheet", file=source.name, sheet=wanted, sheets=tuple(sheets[:8])
        )
    if not filled:
        raise DataRefused("formats.empty", file=source.name)
    if len(filled) > 1:
        raise DataRefused(
            "readers.many_sheets",
            file=source.name,
            n=len(filled),
            sheets=tuple(filled[:8]),
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


def _from_worker(source: Source, n_bytes: int) -> Generator[Any, None, None]:
    """Yield what the worker reports of the workbook, then its rows.

    Raises
    ------
    DataRefused
        If the workbook cannot be opened, or the worker ended before the last row.
    """
    sheet = [] if source.read.sheet is None else [source.read.sheet]
    memory, cpu_s = workbook_limits(n_bytes)
    with subprocess.Popen(
        [
            sys.executable,
            "-I",
            excel_worker.__file__,
            source.path,
            str(memory),
            str(cpu_s),
            *sheet,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        try:
            yield _decoded(process.stdout.readline(), source, n_bytes)
            for line in process.stdout:
                row = _decoded(line, source, n_bytes)
                if row is None:
                    return
                yield row
            raise _ended(source, n_bytes)
        finally:
            process.kill()


def _decoded(line: bytes, source: Source, n_bytes: int) -> Any:
    try:
        answer = json.loads(line)
    except ValueError:
        raise _ended(source, n_bytes) from None
    if isinstance(answer, dict) and "error" in answer:
        reason = first_line(ValueError(answer["error"]))
        raise DataRefused("readers.no_workbook", file=source.name, reason=reason)
    if isinstance(answer, dict) and "unsure" in answer:
        row, value = answer["unsure"]
        raise DataRefused("readers.early_date", file=source.name, row=row, value=value)
    return answer


def _ended(source: Source, n_bytes: int) -> DataRefused:
    memory, cpu_s = workbook_limits(n_bytes)
    return DataRefused(
        "readers.workbook_limits",
        file=source.name,
        memory=memory / GIB,
        seconds=cpu_s,
    )
