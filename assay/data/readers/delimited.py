"""Text tables: comma, tab, semicolon or bar between cells, scanned strictly and then parsed.

Two programs look at every row. Python's ``csv`` counts rows and holds each to the header's number of
cells; pandas then reads them, and must have found as many. Both take the file as a stream.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.readers.table import (
    Remark,
    Table,
    blank_lines,
    drawn,
    exceeds_64_bits,
    need_no_other,
    table_of,
)
from assay.errors import DataRefused
from assay.formats.checks import (
    MAX_WHOLE,
    SEPARATORS,
    is_number,
    missing_words,
    words_remark,
)
from assay.formats.encoding import Encoding, find_encoding
from assay.formats.scan import Scan, separator_of, text_of
from assay.formats.unpack import Opened, explained
from assay.study.sources import Source
from assay.wording import Sentence


@dataclass(frozen=True)
class _Layout:
    """What the scan found: the header, how many rows follow, and how many lines are blank."""

    header: list[str]
    n_rows: int
    n_blank: int


def read_delimited(source: Source, opened: Opened, ending: str) -> Table:
    """Read a text table.

    Raises
    ------
    DataRefused
        If a row has not the header's number of cells, a quote stays open, a cell holds a control
        character, or the two counts of rows differ; the message names the line.
    """
    need_no_other(source, "text_table", "names", "encoding", "separator")
    with explained(source):
        encoding = find_encoding(opened, source)
        separator = source.read.separator or separator_of(opened, encoding, ending)
        layout = _scan(opened, encoding, separator, source)
        rows = drawn(layout.n_rows, source)

        def read(as_text: list[str]) -> pd.DataFrame:
            with text_of(opened, encoding) as text:
                kept = text if rows is None else _chosen(text, separator, rows, source)
                return _parsed(kept, separator, layout.header, as_text, source)

        frame = _frame(read, layout.header, source)
    n_wanted = layout.n_rows if rows is None else len(rows)
    if len(frame) != n_wanted or list(frame.columns) != layout.header:
        raise DataRefused(
            "readers.table_differs",
            file=source.name,
            n_rows=n_wanted,
            n_columns=len(layout.header),
            n_rows_read=len(frame),
            n_columns_read=len(frame.columns),
        )
    for column in layout.header:
        if exceeds_64_bits(frame[column]):
            frame[column] = frame[column].map(str, na_action="ignore")
        elif frame[column].dtype == object:  # true and false, and some missing
            frame[column] = frame[column].where(frame[column].notna(), None)
    remarks = (
        encoding.remark,
        Sentence.of(f"readers.separated_by.{SEPARATORS[separator]}"),
        *words_remark(missing_words(source)),
        *_remarks(layout, frame, separator, source),
    )
    return table_of(frame.reset_index(drop=True), remarks, layout.n_rows, source)


def _frame(
    read: Callable[[list[str]], pd.DataFrame], header: list[str], source: Source
) -> pd.DataFrame:
    """Return the rows as ``read`` gives them; it is handed the columns that are text whatever they look like."""
    column = source.images.plan.column if source.images else None
    as_text = [column] if column in header else []  # 007 names an image
    frame = read(as_text)
    rounded = _rounded(frame)
    if rounded:
        spelled = read([*as_text, *rounded])
        for name in rounded:
            if spelled[name].dropna().str.fullmatch(r"[+-]?\d+").all():
                frame[name] = spelled[name]
    return frame


def _rounded(frame: pd.DataFrame) -> list[str]:
    """Return columns whose whole numbers may have lost digits, because a value beside them is missing."""
    return [
        str(name)
        for name in frame.select_dtypes("float64").columns
        if (column := frame[name].dropna()).abs().max() >= MAX_WHOLE
        and len(column) < len(frame)
        and (column % 1 == 0).all()
    ]


def _remarks(
    layout: _Layout, frame: pd.DataFrame, separator: str, source: Source
) -> Iterator[Remark]:
    if source.read.names:
        yield Sentence.of("readers.no_header")
    elif all(is_number(name) for name in layout.header):
        yield Sentence.of("readers.numbers_as_names")
    yield from blank_lines(layout.n_blank)
    commas = [] if separator == "," else _with_decimal_commas(frame)
    if commas:
        yield Sentence.of("readers.decimal_commas", columns=tuple(commas[:8]))


def _with_decimal_commas(frame: pd.DataFrame) -> list[str]:
    texts: pd.DataFrame = frame.select_dtypes("str")
    return [
        str(name)
        for name in texts.columns
        if len(some := texts[name].dropna().head(100))
        and some.str.fullmatch(r"-?\d+,\d+").all()
    ]


def _scan(
    opened: Opened, encoding: Encoding, separator: str, source: Source
) -> _Layout:
    """Count the rows, and hold each to the header's number of cells."""
    scan = Scan(opened, encoding, separator, source)
    n_rows = sum(map(len, scan.batches()))
    if n_rows < 1:
        raise DataRefused("formats.no_rows", file=source.name)
    return _Layout(scan.header, n_rows, scan.n_blank)


def _chosen(
    text: IO[str], separator: str, rows: NDArray[np.int64], source: Source
) -> io.StringIO:
    """Return the header and the chosen rows of a table as a text of their own."""
    chosen = io.StringIO(newline="")
    writer = csv.writer(chosen, delimiter=separator)
    table = filter(None, csv.reader(text, delimiter=separator, strict=True))
    if not source.read.names:
        writer.writerow(next(table))
    at = 0
    for row in rows.tolist():
        writer.writerow(next(islice(table, row - at, None)))
        at = row + 1
    chosen.seek(0)
    return chosen


def _parsed(
    text: IO[str],
    separator: str,
    header: list[str],
    as_text: list[str],
    source: Source,
) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_csv(
        cast("io.StringIO", text),
        sep=separator,
        keep_default_na=False,
        na_values=list(missing_words(source)),
        header=None if source.read.names else 0,
        names=header if source.read.names else None,
        dtype=dict.fromkeys(as_text, "str"),
        low_memory=False,
        skip_blank_lines=True,
    )
    return frame
