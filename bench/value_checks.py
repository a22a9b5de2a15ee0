"""Holds what the readers return to what was written, to pyarrow's reading of it, and training to prediction."""

import io
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from assay.data import columns as cleaning
from assay.formats.missing import Words
from assay.formats.numbers import spelled
from assay.formats.unpack import opener
from assay.predict.bundle import Bundle
from assay.predict.parsing import typed
from assay.predict.schema import Column, Reading
from assay.predict.source import TableFile
from assay.predict.tables.delimited import open_delimited
from assay.predict.tables.json_lines import open_json_lines
from assay.predict.tables.parquet import open_parquet
from assay.predict.tables.table import Needs, Table
from assay.preprocess.schema import kind_of
from bench.value_files import Case, Expected

_ROWS_AT_ONCE = 7


def same(one: Any, other: Any) -> bool:
    """Return whether two values are one: missing alike, of numbers also the sign of zero in floats."""
    if one is None or other is None or one != one or other != other:
        return (one is None or one != one) and (other is None or other != other)
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return isinstance(one, str) == isinstance(other, str) and bool(one == other)


def check_frame(case: Case, frame: pd.DataFrame) -> None:
    assert list(frame.columns) == [column.name for column in case.columns]
    for column in case.columns:
        cells_read = _values(frame[column.name], column)
        kinds = {"number": "iuf", "truth": "bO", "text": "O", "moment": "M"}
        if any(value is not None for value in column.values):
            assert frame[column.name].dtype.kind in kinds[column.kind.split()[0]], (column, frame[column.name].dtype)  # fmt: skip
        assert len(cells_read) == len(column.values), (
            len(cells_read),
            len(column.values),
        )
        for row, (one, other) in enumerate(zip(cells_read, column.values, strict=True)):
            assert same(one, other), (column.name, row, one, other, frame[column.name].dtype)  # fmt: skip


def _values(cells: "pd.Series[Any]", column: Expected) -> list[Any]:
    if column.kind.startswith("moment"):
        unit = column.kind.split()[1]
        counts = cells.to_numpy().astype(f"datetime64[{unit}]")
        return [None if np.isnat(one) else int(one.astype(np.int64)) for one in counts]
    values = [None if value is None or value != value else value for value in cells.tolist()]  # fmt: skip
    if column.kind == "text":
        return [None if value is None else str(value) for value in values]
    return values


# The trusted reader --------------------------------------------------------------------------------


def check_trusted(case: Case) -> None:
    """Hold what was written to what pyarrow reads, so that the file holds what the generator meant."""
    if case.name.endswith((".csv", ".gz", ".zip")):
        text, separator, columns = case.raw
        table = pacsv.read_csv(
            io.BytesIO(text.encode()),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=True),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False),
        )  # fmt: skip
        for name, cells in columns.items():
            assert table.column(name).to_pylist() == cells, (name, table.column(name).to_pylist(), cells)  # fmt: skip
        for column in case.columns:
            if column.kind == "number":
                _check_numbers(column, columns[column.name])
    elif case.name == "t.parquet":
        table = pq.read_table(io.BytesIO(case.content))
        for name, array in case.raw.items():
            stored = table.column(name).cast(_plain(array).type).combine_chunks()
            assert _plain(stored).equals(_plain(array)) or str(stored) == str(_plain(array)), name  # fmt: skip
    elif case.name == "t.jsonl":
        _check_json(case)


def _plain(array: pa.Array) -> pa.Array:
    """Return texts and numbers themselves for a dictionary of them."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _check_numbers(column: Expected, cells: list[str]) -> None:
    for cell, value in zip(cells, column.values, strict=True):
        if value is not None:
            number = pa.array([cell.strip().removeprefix("+")]).cast(pa.float64())
            assert number[0].as_py() == float(value), (cell, value)


def _check_json(case: Case) -> None:
    content = case.content
    codec = "utf-16" if content.startswith(b"\xff\xfe") else "utf-8-sig"
    content = content.decode(codec).encode()
    for name, cells in case.raw.items():
        kinds = {type(cell) for cell in cells} - {type(None)}
        of_64_bits = all(-(2**63) <= cell < 2**63 for cell in cells if type(cell) is int)  # fmt: skip
        if len(kinds) != 1 or not of_64_bits:
            continue  # pyarrow takes one type a column, and no larger numbers
        schema = pa.schema([(name, {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}[kinds.pop()])])  # fmt: skip
        options = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")  # fmt: skip
        cells_read = pajson.read_json(io.BytesIO(content), parse_options=options).column(name).to_pylist()  # fmt: skip
        assert len(cells_read) == len(cells), (name, cells_read, cells)
        assert all(map(same, cells_read, cells)), (name, cells_read, cells)


# Prediction ----------------------------------------------------------------------------------------


def check_prediction(case: Case, frame: pd.DataFrame, path: Path) -> None:
    """Hold what a bundle's readers make of the file to what training made of it."""
    if case.name.endswith((".xlsx", ".ods", ".xls", ".xlsb")):
        return  # prediction reads no workbooks
    names = tuple(map(str, frame.columns))
    declared = {key: case.read.get(key) for key in ("encoding", "separator")}
    read = Reading(missing=tuple(case.read["missing"]), **declared)
    bundle = SimpleNamespace(
        form=SimpleNamespace(read=read, copied=()),
        rows_at_once=lambda *_: _ROWS_AT_ONCE,
        check_columns=lambda *_: None,
    )
    chunks = list(_opened(path, Needs(cast("Bundle", bundle), names)).chunks)
    features, words = cleaning.typed(frame), Words(case.read["missing"])
    for name in names:
        if frame[name].isna().all():
            continue  # it is of no kind, and no model is shown it
        kind = kind_of(frame[name])
        codes = frame[name].map(spelled, "ignore").astype(object).tolist()
        for role, expected in (
            ("number", features[name].tolist()),
            ("category", codes),
        ):
            if role == "number" and (kind in ("text", "moment") or frame[name].dtype == object):  # fmt: skip
                continue
            if role == "category":
                expected = features[name].tolist() if kind not in ("number", "whole") else codes  # fmt: skip
            if role == "category" and kind == "boolean":
                expected = [None if value is None or value != value else str(value) for value in frame[name].tolist()]  # fmt: skip
            column = Column(name, kind, cast("Any", role), {})
            cells_read = [value for chunk in chunks for value in typed(column, chunk, words).tolist()]  # fmt: skip
            assert len(cells_read) == len(expected), (
                name,
                len(cells_read),
                len(expected),
            )
            for row, (one, other) in enumerate(zip(cells_read, expected, strict=True)):
                if one == 0 and other == 0:
                    continue  # of whole numbers training knows no sign of zero
                assert same(one, other), (name, kind, role, row, one, other)


def _opened(path: Path, needs: Needs) -> Table:
    source = TableFile(str(path), str(path))
    if path.suffix == ".parquet":
        return open_parquet(source, needs)
    opened, inner = opener(source)
    if inner == ".jsonl":
        return open_json_lines(source, opened, needs)
    return open_delimited(source, opened, inner, needs)
