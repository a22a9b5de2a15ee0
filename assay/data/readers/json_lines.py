"""JSON lines: one flat object a line; a key is a column, and a value has one kind in all of them."""

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from assay.data.readers.table import (
    Remark,
    Table,
    blank_lines,
    drawn,
    need_no_other,
    need_rows,
    table_of,
    whole_numbers,
)
from assay.errors import DataRefused
from assay.formats.checks import (
    check_cell,
    check_header,
    line_number,
    shown,
    words_remark,
)
from assay.formats.encoding import find_encoding, lines_of
from assay.formats.json_objects import Pairs, kind_name, kind_of, object_in, row_of
from assay.formats.limits import check_shape
from assay.formats.missing import Words
from assay.formats.unpack import Opened, explained
from assay.study.sources import Source
from assay.wording import Sentence

_ROWS_BETWEEN_CHECKS = 10_000
_MANY_CELLS, _SHARE_NAMED = 10_000_000, 0.01


@dataclass
class _Columns:
    """Columns that grow row by row; what a row does not name is missing there."""

    source: Source
    words: Words
    values: dict[str, list[Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    n_rows: int = 0
    n_values: int = 0

    def add(self, pairs: Pairs, line: int, *, escaped: bool) -> None:
        """Add a row; ``escaped``: its text may hold characters that no text should."""
        row = row_of(pairs, line_number(line), self.source)
        self.n_values += len(row)
        for key, value in row.items():
            cell = self._checked(key, value, line, escaped=escaped)
            if key not in self.values:
                self.values[key] = []
                self.check_shape()
            column = self.values[key]
            column.extend([None] * (self.n_rows - len(column)))
            column.append(cell)
        self.n_rows += 1

    @property
    def n_absent(self) -> int:
        return self.n_rows * len(self.values) - self.n_values

    def check_shape(self) -> None:
        """Refuse a table that is too large, or so for its empty cells: a file of some KB could ask for any memory."""
        check_shape(self.n_rows + 1, len(self.values), self.source)
        n_cells = self.n_rows * len(self.values)
        if n_cells > _MANY_CELLS and self.n_values < _SHARE_NAMED * n_cells:
            raise DataRefused(
                "readers.sparse",
                file=self.source.name,
                n_rows=self.n_rows,
                n_columns=len(self.values),
                n=self.n_values,
            )

    def _checked(self, key: str, value: Any, line: int, *, escaped: bool) -> Any:
        """Return a value, None if it is missing."""
        if self.words.hold(value):
            return None
        place = line_number(line)
        kind = kind_of(value, key, place, self.source)
        if kind == "text" and escaped:
            check_cell(value, place, key, self.source)
        images = self.source.images
        if images and key == images.plan.column and isinstance(value, int):
            return str(value)
        if self.kinds.setdefault(key, kind) != kind:
            raise DataRefused(
                "readers.mixed_kinds",
                file=self.source.name,
                place=place,
                key=shown(key),
                kind=kind_name(kind),
                before=kind_name(self.kinds[key]),
            )
        return value

    def frame(self) -> pd.DataFrame:
        """Return the columns as a table; each is let go as soon as it is typed."""
        typed = {}
        for key in list(self.values):
            column = self.values.pop(key)
            typed[key] = _typed(column + [None] * (self.n_rows - len(column)))
        return pd.DataFrame(typed)


def read_json_lines(source: Source, opened: Opened) -> Table:
    """Read a file of flat JSON objects, one a line.

    Raises
    ------
    DataRefused
        If a line is no flat object, names a key twice, or holds another kind of value than the lines
        before it; the message names the line and the key.
    """
    need_no_other(source, "json_lines", "encoding")
    with explained(source):
        encoding = find_encoding(opened, source)
        n_lines, n_rows = _count(opened, encoding.codec, source)
        rows = drawn(n_rows, source)
        wanted = None if rows is None else frozenset(rows.tolist())
        columns = _gathered(opened, encoding.codec, wanted, source)
    check_header(list(columns.values), source)
    if not columns.values:
        raise DataRefused("readers.no_keys", file=source.name)
    n_absent, frame = columns.n_absent, columns.frame()
    n_wanted = n_rows if wanted is None else len(wanted)
    need_rows(columns.n_rows, n_wanted, source)
    need_rows(len(frame), n_wanted, source)
    remarks: list[Remark] = [
        Sentence.of("readers.json_lines"),
        encoding.remark,
        *words_remark(source.read.missing),
        *blank_lines(n_lines - n_rows),
    ]
    if n_absent:
        remarks.append(Sentence.of("readers.absent_keys", n=n_absent))
    return table_of(frame, tuple(remarks), n_rows, source)


def _gathered(
    opened: Opened, codec: str, wanted: frozenset[int] | None, source: Source
) -> _Columns:
    """Return the columns of the wanted rows, of all if None; rows are counted from 0, without blank lines."""
    columns, row = _Columns(source, Words(source.read.missing)), -1
    with _text(opened, codec) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            row += 1
            if wanted is None or row in wanted:
                pairs = object_in(line, number, source)
                columns.add(pairs, number, escaped="\\" in line)
            if columns.n_rows % _ROWS_BETWEEN_CHECKS == 0:
                columns.check_shape()
    columns.check_shape()
    return columns


def _text(opened: Opened, codec: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(opened(), encoding=codec, newline="\n")


def _count(opened: Opened, codec: str, source: Source) -> tuple[int, int]:
    """Return how many lines there are, and how many of them are not blank."""
    n_lines = n_rows = 0
    with _text(opened, codec) as text:
        for line in lines_of(text, source):
            n_lines += 1
            n_rows += bool(line.strip())
    return n_lines, n_rows


def _typed(values: list[Any]) -> "pd.Series[Any]":
    """Return a column as a text file's reader would type it."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {str}:
        return pd.Series(values, dtype="str")
    if kinds == {int}:
        return whole_numbers(values)
    if kinds == {bool}:
        return pd.Series(values, dtype=object if None in values else "bool")
    return pd.Series(list(map(_number, values)), dtype="float64")


def _number(value: float | None) -> float:
    try:
        return np.nan if value is None else float(value)
    except OverflowError:  # a whole number beyond all that are refused
        return np.inf
