"""How many rows a file holds, counted by other means than the readers'."""

import csv
import gzip
import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from assay.formats.checks import MISSING, SEPARATORS

_CODECS = {"UTF-8": "utf-8-sig", "UTF-16": "utf-16", "cp949 (Korean)": "cp949"}
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def n_rows(name: str, content: bytes, remarks: Sequence[str]) -> int | None:
    """Return the rows of a file, its header left out; None where there is no second way to count.

    ``remarks`` are the reader's: they say which characters and separators it found.
    """
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(archive.namelist()[0])
    if name.endswith(".parquet"):
        return int(pq.read_metadata(io.BytesIO(content)).num_rows)
    if name.endswith(".npz"):
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return len(arrays[arrays.files[0]])
    if name.endswith(".xlsx"):
        return _in_sheet(content)
    if name.endswith((".ods", ".xls", ".xlsb")):
        return None
    if remarks[0] == "JSON lines":
        text = content.decode(_CODECS[remarks[1]])
        return sum(bool(line.strip()) for line in text.split("\n"))
    return records(content.decode(_CODECS[remarks[0]]), _separator(remarks)) - 1


def check_cells(content: bytes, remarks: Sequence[str], frame: pd.DataFrame) -> None:
    """Hold every value of a text table to the cell it was read from.

    Raises
    ------
    AssertionError
        If a text is another, a number farther off than rounding, or a value where none should be.
    """
    text = content.decode(_CODECS[remarks[0]])
    mark = _separator(remarks)
    rows = list(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=mark)))
    for at, name in enumerate(frame.columns):
        for row, value in zip(rows[1:], frame[name].tolist(), strict=True):
            cell = row[at]
            if pd.isna(value):
                assert cell in MISSING, (name, cell)
            elif isinstance(value, str):
                assert value == cell, (name, cell)
            elif isinstance(value, bool):
                assert str(value).casefold() == cell.casefold(), (name, cell)
            else:
                assert np.isclose(value, float(cell), rtol=1e-15, atol=0), (name, cell)


def _separator(remarks: Sequence[str]) -> str:
    return next(
        mark for mark, word in SEPARATORS.items() if f"separated by {word}s" in remarks
    )


def records(text: str, separator: str) -> int:
    """Return how many records of text there are, by the states of RFC 4180; blank lines are none.

    Examples
    --------
    >>> records('a,b\\n"x\\ny",1\\n\\n2,"z""z"\\r\\n', ",")
    3
    """
    n, state, empty = 0, "start", True
    for sign in text:
        if state == "quoted":
            state = "closing" if sign == '"' else "quoted"
        elif state == "closing" and sign == '"':
            state = "quoted"
        elif sign in "\r\n":
            n += not empty
            state, empty = "start", True
        elif sign == separator:
            state, empty = "start", False
        else:
            state = "quoted" if sign == '"' and state == "start" else "plain"
            empty = False
    return n + (not empty)


def _in_sheet(content: bytes) -> int | None:
    """Return how many rows of the first sheet hold a value, but for the first of them."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheets = [name for name in book.namelist() if "worksheets/" in name]
        if sheets != ["xl/worksheets/sheet1.xml"]:
            return None
        try:
            root = ElementTree.fromstring(book.read(sheets[0]))
        except ElementTree.ParseError:
            return None
    rows = root.iter(f"{_SHEET}row")
    return sum(any((one.text or "") for one in row.iter()) for row in rows) - 1
