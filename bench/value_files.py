"""Tables of random columns, written as CSV, JSON lines, Parquet and workbooks, with what every cell must be read as."""

import csv
import datetime
import gzip
import io
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.valid_files import ods, xls, xlsb, xlsx, zipped

USUAL = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}  # fmt: skip
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_TEXTS = (
    "Seoul", "서울", "a, b", 'say "hi"', "두 줄\n둘째", "x;y|z", "-", "é", "😀", " x ", "x\ty", "'", "\u00a0", "NAN", "none",
    "n/a", "-1_000", "1,5", "１２", "0x10", "1e", "--1", "1 2", "#N/A", "=1+1", "yes", "T", "\u3000", "1.2.3", "+", ".", "1e5x",
    "2020-01-01", "2020-01-01 10:00", "12:30", "a\r\nb", '"', '""', "\\", "\\n", "%", "NaN ", " NA",
)  # fmt: skip
_SENTINELS = ("-1", "-999", "-999.9", "9", "0", "Unrated", "?", "false", "1e3", "1900-01-01", str(2**63 - 1), str(2**53 + 1))  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What a column must be: its kind and the value of each cell, None where it is missing."""

    name: str
    kind: str  # number, text, truth, moment
    values: list[Any]


@dataclass
class Case:
    """A file, how it is declared, and what its columns must be; ``may_refuse``: for a reason that is documented."""

    name: str
    content: bytes
    read: dict[str, Any]
    columns: list[Expected]
    raw: Any = None  # what the trusted reader must find
    may_refuse: bool = False


# What cells are written ----------------------------------------------------------------------------


def whole(draw: random.Random) -> int:
    near = draw.choice((0, 1, 9, 255, 2**31, 2**53, 2**63, 2**64, 10**19, 10**22))
    number = near + draw.randint(-3, 3) if draw.random() < 0.6 else draw.randrange(10 ** draw.randint(1, 25))  # fmt: skip
    return -number if draw.random() < 0.2 else number


def small(draw: random.Random) -> int:
    return draw.randint(-20, 1000)


def real(draw: random.Random) -> float:
    way = draw.random()
    if way < 0.3:
        return round(draw.gauss(0, 100), draw.randint(0, 6))
    if way < 0.5:
        return draw.gauss(0, 1) * 10.0 ** draw.randint(-30, 30)
    if way < 0.6:
        return draw.choice((-0.0, 0.0, 5e-324, 2.2250738585072011e-308, 1e22, 1e23, 0.1, 1 / 3, 9007199254740993.0, 2.5e-310, 1e38, -999.9))  # fmt: skip
    if way < 0.8:
        return float(np.frombuffer(draw.randbytes(8)[:7] + bytes([draw.choice((0x3F, 0x40, 0xBF, 0x00))]))[0])  # fmt: skip
    return float(draw.randint(-1000, 1000))


def real_text(draw: random.Random) -> str:
    """A number as people and programs write it."""
    value = real(draw)
    text = draw.choice((repr(value), f"{value:.6g}", f"{value:e}", f"{value:.17g}", f"{value:.20f}", f"{value:E}"))  # fmt: skip
    if draw.random() < 0.1:
        text = draw.choice(("+1.5", ".5", "5.", "007.50", "1E+05", "-.5e-3", "0.1234567890123456789012345", "00", " 2.5", "2.5 "))  # fmt: skip
    return text


def whole_text(draw: random.Random, make: Callable[[random.Random], int]) -> str:
    text = str(make(draw))
    return draw.choice((text, text, text, "0" + text if text[0] != "-" else text, "+" + text if text[0] != "-" else text, f" {text}"))  # fmt: skip


def texts(draw: random.Random) -> str:
    if draw.random() < 0.7:
        return draw.choice(_TEXTS)
    letters = "abcXYZ 0189.,;|\"'가나다éß-_\n\t"
    return "".join(draw.choice(letters) for _ in range(draw.randint(1, 12)))


def declared(draw: random.Random) -> list[str]:
    if draw.random() < 0.5:
        return []
    return sorted(set(draw.choices(_SENTINELS, k=draw.randint(1, 3))))


def is_value(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None


# What they must be read as ---------------------------------------------------------------------------


def of_texts(name: str, cells: list[str], words: list[str]) -> Expected:
    """The rules for a column of a text file."""
    kept: list[str | None] = [None if cell in USUAL or cell in words else cell for cell in cells]  # fmt: skip
    there = [cell for cell in kept if cell is not None]
    if there and all(cell in TRUTHS for cell in there):
        truths = {TRUTHS[word] for word in words if word in TRUTHS}
        found = [None if cell is None or TRUTHS[cell] in truths else TRUTHS[cell] for cell in kept]  # fmt: skip
        return Expected(name, "truth", found)
    if there and all(map(_WHOLE.fullmatch, there)):
        return _wholes(name, kept, words)
    if all(map(_NUMBER.fullmatch, there)):
        meant = {float(word) for word in words if is_value(word)}
        numbers = [None if cell is None or float(cell) in meant else float(cell) for cell in kept]  # fmt: skip
        return Expected(name, "number", numbers)
    return Expected(name, "text", kept)


def _wholes(name: str, cells: list[str | None], words: list[str]) -> Expected:
    meant = {_meant(word) for word in words if is_value(word)}
    numbers = [None if cell is None else int(cell) for cell in cells]
    found = [None if number in meant else number for number in numbers]
    there = [number for number in found if number is not None]
    low, high = min(there, default=0), max(there, default=0)
    fits = (low >= -(2**63) and high < 2**63) or (low >= 0 and high < 2**64)
    rounded = None in found and max(-low, high) >= 2**53
    if not fits or rounded:  # names of things, with all their digits
        return Expected(name, "text", cells)
    return Expected(name, "number", found)


def _meant(word: str) -> float | int:
    return int(word) if _WHOLE.fullmatch(word) else float(word)


def of_values(name: str, cells: list[Any], words: list[str], kind: str) -> Expected:
    """The rules for a column whose cells have types; whole numbers that would lose digits are text."""
    kept = [None if _is_missing(cell, words) else cell for cell in cells]
    there = [cell for cell in kept if cell is not None]
    if kind == "whole":
        low, high = min(there, default=0), max(there, default=0)
        if None in kept:
            fits = max(-low, high) < 2**53
        else:
            fits = (low >= -(2**63) and high < 2**63) or (low >= 0 and high < 2**64)
        if not fits:
            return Expected(name, "text", [None if cell is None else str(cell) for cell in kept])  # fmt: skip
        return Expected(name, "number", kept)
    return Expected(name, kind, kept)


def _is_missing(cell: Any, words: list[str]) -> bool:
    if cell is None or isinstance(cell, str):
        return cell is None or cell in words
    if isinstance(cell, bool):
        return cell in [TRUTHS[word] for word in words if word in TRUTHS]
    if isinstance(cell, int | float):
        own = type(cell)
        return math.isnan(cell) or any(cell == (_meant(word) if own is int else float(word)) for word in words if is_value(word))  # fmt: skip
    return str(cell) in words or f"{cell:%Y-%m-%d %H:%M:%S}" in [f"{word} 00:00:00" for word in words]  # fmt: skip


# CSV -------------------------------------------------------------------------------------------------


def csv_case(draw: random.Random) -> Case:
    words, n_rows = declared(draw), draw.randint(1, 30)
    makers: list[Callable[[], str]] = [
        lambda: whole_text(draw, small),
        lambda: whole_text(draw, whole),
        lambda: real_text(draw),
        lambda: draw.choice((whole_text(draw, whole), real_text(draw))),
        lambda: draw.choice(list(TRUTHS)),
        lambda: texts(draw),
        lambda: draw.choice((whole_text(draw, small), texts(draw))),
        lambda: draw.choice((draw.choice(list(TRUTHS)), whole_text(draw, small))),
        lambda: f"{draw.randint(1900, 2030)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        lambda: "",
    ]  # fmt: skip
    names = [f"c{at}" for at in range(draw.randint(1, 6))]
    columns = {}
    for name in names:
        make, gaps = draw.choice(makers), draw.choice((0, 0, 0.1, 0.6))
        columns[name] = [
            draw.choice((*USUAL, *words)) if draw.random() < gaps else make()
            for _ in range(n_rows)
        ]
    codec = draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp949"))
    separator = draw.choice(",;\t|")
    rows = [names, *map(list, zip(*columns.values(), strict=True))]
    text = _written(rows, separator, draw)
    try:
        content = text.encode(codec)
    except UnicodeEncodeError:
        content, codec = text.encode(), "utf-8"
    read: dict[str, Any] = {"missing": words, "separator": separator}
    if codec == "cp949":
        read["encoding"] = codec  # a short text may be both
    name = "t.csv"
    if draw.random() < 0.05:
        name, content = "t.csv.gz", gzip.compress(content, mtime=0)
    elif draw.random() < 0.05:
        name, content = "t.zip", zipped({"t.csv": content})
    found = [of_texts(name, cells, words) for name, cells in columns.items()]
    case = Case(name, content, read, found, (text, separator, columns))
    blank = any(line and not line.strip() for line in text.splitlines())
    case.may_refuse = len(names) == 1 and blank  # a line of blanks is a row, or none
    return case


def _written(rows: list[list[str]], separator: str, draw: random.Random) -> str:
    buffer = io.StringIO(newline="")
    quoting = draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = draw.choice(("\n", "\r\n"))
    writer = csv.writer(buffer, delimiter=separator, quoting=quoting, lineterminator=end)  # fmt: skip
    for row in rows:
        writer.writerow(row)
        if draw.random() < 0.02:
            buffer.write(end)
    text = buffer.getvalue()
    return text.removesuffix(end) if draw.random() < 0.2 else text


# JSON lines ------------------------------------------------------------------------------------------


def json_case(draw: random.Random) -> Case:
    words, n_rows = declared(draw), draw.randint(1, 30)
    makers: dict[str, list[Callable[[], Any]]] = {
        "whole": [lambda: small(draw), lambda: whole(draw)],
        "number": [lambda: real(draw), lambda: draw.choice((small(draw), real(draw), whole(draw)))],
        "truth": [lambda: draw.random() < 0.5],
        "text": [lambda: texts(draw), lambda: draw.choice((*USUAL, "x"))],
    }  # fmt: skip
    columns, found = {}, []
    for at in range(draw.randint(1, 6)):
        name, kind = f"c{at}", draw.choice(list(makers))
        make, gaps = draw.choice(makers[kind]), draw.choice((0, 0, 0.1, 0.6))
        cells = [_gap(draw, words) if draw.random() < gaps else make() for _ in range(n_rows)]  # fmt: skip
        columns[name] = cells
        found.append(_of_json(name, cells, words, kind))
    ascii_only = draw.random() < 0.3
    lines = []
    for row in range(n_rows):
        values = {
            name: cells[row]
            for name, cells in columns.items()
            if cells[row] is not None or row == 0 or draw.random() < 0.7
        }
        lines.append(json.dumps(values, ensure_ascii=ascii_only))
        if draw.random() < 0.03:
            lines.append("")
    text = draw.choice(("\n", "\r\n")).join(lines) + "\n"
    content = text.encode(draw.choice(("utf-8", "utf-8-sig", "utf-16")))
    return Case("t.jsonl", content, {"missing": words}, found, columns)


def _gap(draw: random.Random, words: list[str]) -> Any:
    """Null, or what is declared as missing, as text or as the value that it spells."""
    word = draw.choice([None, *words])
    if word is None or draw.random() < 0.5:
        return word
    return TRUTHS[word] if word in TRUTHS else _meant(word) if is_value(word) else word


def _of_json(name: str, cells: list[Any], words: list[str], kind: str) -> Expected:
    kept = [None if _is_missing(cell, words) else cell for cell in cells]
    there = [cell for cell in kept if cell is not None]
    if there and kind == "number" and all(type(cell) is int for cell in there):
        kind = "whole"
    if kind == "number":
        return Expected(name, kind, [None if cell is None else float(cell) for cell in kept])  # fmt: skip
    return of_values(name, kept, words, kind)


# Parquet ---------------------------------------------------------------------------------------------

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def parquet_case(draw: random.Random) -> Case:
    words, n_rows = declared(draw), draw.randint(1, 40)
    arrays, found, encodings = {}, [], {}
    for at in range(draw.randint(1, 6)):
        name = draw.choice(("c{}", "c.{}", "열 {}", "c [{}]")).format(at)
        gaps = draw.choice((0, 0, 0.1, 0.6, 1))
        array, expected = _arrow(draw, name, n_rows, gaps, words)
        arrays[name] = array
        found.append(expected)
        if pa.types.is_string(array.type) and draw.random() < 0.3:
            encodings[name] = draw.choice(("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"))  # fmt: skip
        elif pa.types.is_float64(array.type) and draw.random() < 0.3:
            encodings[name] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_int64(array.type) and draw.random() < 0.3:
            encodings[name] = "DELTA_BINARY_PACKED"
    buffer = io.BytesIO()
    dictionary = [name for name in arrays if name not in encodings and draw.random() < 0.7]  # fmt: skip
    pq.write_table(
        pa.table(arrays),
        buffer,
        row_group_size=draw.choice((1, 3, 7, 1000)),
        compression=draw.choice(("none", "snappy", "zstd", "gzip", "brotli")),
        use_dictionary=dictionary,
        column_encoding=encodings or None,
        data_page_version=draw.choice(("1.0", "2.0")),
        store_schema=draw.random() < 0.8,
    )
    return Case("t.parquet", buffer.getvalue(), {"missing": words}, found, arrays)


def _arrow(
    draw: random.Random, name: str, n_rows: int, gaps: float, words: list[str]
) -> tuple[pa.Array, Expected]:
    def cells(make: Callable[[], Any]) -> list[Any]:
        return [None if draw.random() < gaps else make() for _ in range(n_rows)]

    way = draw.choice(("int", "int", "float", "bool", "text", "text", "date", "moment", "null"))  # fmt: skip
    if way == "int":
        kind = getattr(pa, draw.choice(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")))()  # fmt: skip
        bounds = np.iinfo(kind.to_pandas_dtype())
        top = draw.choice((100, bounds.max))
        values = cells(lambda: draw.choice((draw.randint(max(bounds.min, -top), top), min(9, top), max(-1, bounds.min), top)))  # fmt: skip
        array = pa.array(values, kind)
        if draw.random() < 0.2:
            array = array.dictionary_encode()
        return array, of_values(name, values, words, "whole")
    if way == "float":
        kind = draw.choice((pa.float16(), pa.float32(), pa.float64()))
        values = cells(lambda: draw.choice((real(draw), -1.0, -999.9, 9.0)))
        if kind != pa.float64():
            values = [None if value is None else max(-6e4, min(6e4, value)) for value in values]  # fmt: skip
        array = pa.array(np.array([np.nan if v is None else v for v in values], kind.to_pandas_dtype()), kind, mask=np.array([v is None for v in values]))  # fmt: skip
        stored = [None if value is None else float(value) for value in array.to_pylist()]  # fmt: skip
        meant = [float(np.array(float(word)).astype(kind.to_pandas_dtype())) for word in words if is_value(word) and abs(float(word)) < 6e4]  # fmt: skip
        if kind == pa.float64() or kind == pa.float32():
            meant += [float(np.array(float(word)).astype(kind.to_pandas_dtype())) for word in words if is_value(word)]  # fmt: skip
        kept = [None if value is None or value in meant else value for value in stored]
        return array, Expected(name, "number", kept)
    if way == "bool":
        values = cells(lambda: draw.random() < 0.5)
        return pa.array(values, pa.bool_()), of_values(name, values, words, "truth")
    if way == "text":
        kind = draw.choice((pa.string(), pa.large_string(), pa.string_view(), pa.string()))  # fmt: skip
        values = cells(lambda: draw.choice((*words, *USUAL)) if draw.random() < 0.1 else texts(draw))  # fmt: skip
        array = pa.array(values, kind)
        if kind != pa.string_view() and draw.random() < 0.4:
            array = array.dictionary_encode()
        return array, of_values(name, values, words, "text")
    if way == "date":
        day = datetime.date(1900, 1, 1)
        values = cells(lambda: day + datetime.timedelta(draw.choice((0, draw.randint(0, 60_000)))))  # fmt: skip
        kind = draw.choice((pa.date32(), pa.date64()))
        expected = of_values(name, values, words, "text")
        return pa.array(values, kind), Expected(name, "text", [None if v is None else str(v) for v in expected.values])  # fmt: skip
    if way == "moment":
        return _moments(draw, name, cells, words)
    return pa.nulls(n_rows), Expected(name, "text", [None] * n_rows)


def _moments(
    draw: random.Random,
    name: str,
    cells: Callable[[Callable[[], Any]], list[Any]],
    words: list[str],
) -> tuple[pa.Array, Expected]:
    unit = draw.choice(list(_UNITS))
    zone = draw.choice((None, None, "UTC", "Asia/Seoul", "+09:00", "Mars/Phobos", "Z"))
    start = -25567 * 86_400  # 1900-01-01
    counts = cells(lambda: draw.choice((start * _UNITS[unit], draw.randint(start * _UNITS[unit], 4_000_000_000 * _UNITS[unit]))))  # fmt: skip
    stored = "ms" if unit == "s" else unit
    sooner = _UNITS[stored] // _UNITS[unit]
    values = [None if n is None else n * sooner for n in counts]
    if "1900-01-01" in words:
        values = [None if n == start * _UNITS[stored] else n for n in values]
    array = pa.array(counts, pa.int64()).cast(pa.timestamp(unit, zone))
    return array, Expected(name, f"moment {stored}", values)


# Workbooks -------------------------------------------------------------------------------------------


def excel_case(draw: random.Random) -> Case:
    words, n_rows = declared(draw), draw.randint(1, 12)
    columns, found = {}, []
    for at in range(draw.randint(1, 4)):
        name = f"c{at}"
        kind = draw.choice(("number", "number", "truth", "text", "mixed"))
        makers: dict[str, Callable[[], Any]] = {
            "number": lambda: draw.choice(
                (small(draw), real(draw), float(whole(draw)))
            ),
            "truth": lambda: draw.random() < 0.5,
            "text": lambda: texts(draw).replace("\r", "").strip() or "x",
            "mixed": lambda: draw.choice((small(draw), "x", 2.5)),
        }
        gaps = draw.choice((0, 0.1, 0.5))
        cells = [None if draw.random() < gaps else makers[kind]() for _ in range(n_rows)]  # fmt: skip
        cells[0] = makers[kind]()  # rows left empty are left out
        columns[name] = cells
        found.append(_of_sheet(name, cells, words))
    full = [row for row in range(n_rows) if any(cells[row] is not None for cells in columns.values())]  # fmt: skip
    found = [Expected(one.name, one.kind, [one.values[row] for row in full]) for one in found]  # fmt: skip
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    write: dict[str, Callable[[], bytes]] = {
        "t.xlsx": lambda: xlsx({"One": rows}),
        "t.ods": lambda: ods({"One": rows}),
        "t.xlsb": lambda: xlsb(rows),
        "t.xls": lambda: xls(rows),
    }
    name = draw.choice(list(write))
    return Case(name, write[name](), {"missing": words}, found)


def _of_sheet(name: str, cells: list[Any], words: list[str]) -> Expected:
    kept = [None if _is_missing(cell, [*words]) or (isinstance(cell, str) and cell in USUAL) else cell for cell in cells]  # fmt: skip
    kinds = {bool: "truth", int: "number", float: "number", str: "text"}
    present = {kinds[type(cell)] for cell in kept if cell is not None}
    if present <= {"number"}:
        return Expected(name, "number", [None if cell is None else float(cell) for cell in kept])  # fmt: skip
    if present == {"truth"}:
        return Expected(name, "truth", kept)
    return Expected(name, "text", [None if cell is None else _as_shown(cell) for cell in kept])  # fmt: skip


def _as_shown(cell: Any) -> str:
    if isinstance(cell, bool | str):
        return str(cell)
    value = float(cell)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)


KINDS: dict[str, Callable[[random.Random], Case]] = {
    "csv": csv_case,
    "json": json_case,
    "parquet": parquet_case,
    "excel": excel_case,
}
