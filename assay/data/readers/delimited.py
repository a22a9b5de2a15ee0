"""Text tables: comma, tab, semicolon or bar between cells, scanned strictly and then parsed.

Two programs look at every row. Python's ``csv`` counts rows and holds each to the header's number of
cells; pandas then reads them, and must have found as many. Both take the file as a stream.
"""

import csv
import io
from collections.abc import Iterator
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
    need_no_other,
    table_of,
)
from assay.data.readers.text_columns import typed_columns
from assay.errors import DataRefused
from assay.formats.checks import (
    SEPARATORS,
    is_number,
    missing_words,
    words_remark,
)
from assay.formats.encoding import Encoding, find_encoding
from assay.formats.missing import Words
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

        def read(columns: list[str], as_text: list[str]) -> pd.DataFrame:
            with text_of(opened, encoding) as text:
                kept = text if rows is None else _chosen(text, separator, rows, source)
                return _parsed(kept, separator, layout.header, columns, as_text, source)

        frame = typed_columns(read, layout.header, source)
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
    remarks = (
        encoding.remark,
        Sentence.of(f"readers.separated_by.{SEPARATORS[separator]}"),
        *words_remark(missing_words(source)),
        *_remarks(layout, frame, separator, source),
    )
    return table_of(frame, remarks, layout.n_rows, source)


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
    columns: list[str],
    as_text: list[str],
    source: Source,
) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_csv(
        cast("io.StringIO", text),
        sep=separator,
        keep_default_na=False,
        na_values=Words(source.read.missing).of_text(),
        header=None if source.read.names else 0,
        names=header if source.read.names else None,
        usecols=frozenset(columns).__contains__,
        dtype=dict.fromkeys(as_text, "str"),
        low_memory=False,
        skip_blank_lines=True,
    )
    return frame
