"""One small table in every kind of file that is read, written by hand where no library here writes it."""

import csv
import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

Cells = Sequence[Sequence[Any]]
_EPOCH = (1980, 1, 1, 0, 0, 0)


def table(n_rows: int = 12) -> pd.DataFrame:
    """Return a table of text, numbers, whole numbers, true and false, that every kind of file can hold."""
    words = ["Seoul", "Busan", "a, b", 'say "hi"', "두 줄\n둘째", "서울", "x;y|z", "-"]
    rows = range(n_rows)
    return pd.DataFrame(
        {
            "town": [words[row % len(words)] for row in rows],
            "height": [row * 0.5 - 1.25 for row in rows],
            "count": [row * row for row in rows],
            "open": [row % 3 == 0 for row in rows],
        }
    )


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    return [list(frame.columns), *frame.astype(object).to_numpy().tolist()]


def files(frame: pd.DataFrame) -> dict[str, bytes]:
    """Return the table under the name of a file of each kind."""
    texts = {mark: separated(cells(frame), mark) for mark in ",;|\t"}
    lines = json_lines(frame).encode()
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    return {
        "comma.csv": texts[","].encode(),
        "mark.csv": texts[","].encode("utf-8-sig"),
        "korean.csv": texts[","].encode("cp949"),
        "wide.csv": texts[","].encode("utf-16"),
        "semicolon.csv": texts[";"].encode(),
        "bar.txt": texts["|"].encode(),
        "tab.tsv": texts["\t"].encode(),
        "packed.csv.gz": gzip.compress(texts[","].encode(), mtime=0),
        "packed.csv.zip": zipped({"inner.csv": texts[","].encode()}),
        "lines.jsonl": lines,
        "lines.ndjson.gz": gzip.compress(lines, mtime=0),
        "table.parquet": parquet.getvalue(),
        "book.xlsx": xlsx({"Sheet1": cells(frame)}),
        "book.ods": ods({"Sheet1": cells(frame)}),
        "book.xls": xls(cells(frame)),
        "book.xlsb": xlsb(cells(frame)),
        "arrays.npz": npz({str(name): frame[name].to_numpy() for name in frame}),
    }


def separated(rows: Cells, separator: str = ",") -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=separator).writerows(rows)
    return buffer.getvalue()


def json_lines(frame: pd.DataFrame) -> str:
    rows = frame.astype(object).to_dict("records")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    plain = {
        name: values.astype(str) if values.dtype == object else values
        for name, values in arrays.items()
    }
    np.savez_compressed(buffer, allow_pickle=False, **plain)
    return buffer.getvalue()


# Archives --------------------------------------------------------------------------------------


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(members: Mapping[str, bytes], *, packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    content = buffer.getvalue()
    return gzip.compress(content, mtime=0) if packed else content


def picture(seed: int, kind: str = "PNG", size: tuple[int, int] = (20, 15)) -> bytes:
    """Return an image file of random colours."""
    values = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


# Workbooks -------------------------------------------------------------------------------------

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def xlsx(sheets: Mapping[str, Cells], merged: Sequence[str] = ()) -> bytes:
    """Return a workbook of Office Open XML."""
    numbered = list(enumerate(sheets, start=1))
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in numbered
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n, _ in numbered
    )
    together = "".join(f'<mergeCell ref="{cell}"/>' for cell in merged)
    tail = f"<mergeCells>{together}</mergeCells>" if merged else ""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{related}</Relationships>',
    }
    for n, name in numbered:
        rows = "".join(
            f'<row r="{row}">{"".join(_xlsx_cell(row, at, cell) for at, cell in enumerate(line))}</row>'
            for row, line in enumerate(sheets[name], start=1)
        )
        parts[f"xl/worksheets/sheet{n}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData>{tail}</worksheet>'
        )
    return zipped({name: _HEAD + part for name, part in parts.items()})


def _xlsx_cell(row: int, at: int, value: Any) -> str:
    place = f"{chr(65 + at)}{row}"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    text = f'<t xml:space="preserve">{escape(str(value))}</t>'
    return f'<c r="{place}" t="inlineStr"><is>{text}</is></c>'


def xlsb(rows: Cells) -> bytes:
    """Return a workbook of Excel's binary form, with one sheet."""
    bundle = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Sheet1")
    book = _part(131) + _part(143) + _part(156, bundle) + _part(144) + _part(132)
    size = struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    body = b"".join(
        _part(0, struct.pack("<IIH", row, 0, 300) + bytes(7))
        + b"".join(
            _xlsb_cell(at, cell) for at, cell in enumerate(line) if cell is not None
        )
        for row, line in enumerate(rows)
    )
    sheet = _part(129) + _part(148, size) + _part(145) + body + _part(146) + _part(130)
    related = (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>'
    )
    return zipped(
        {
            "xl/_rels/workbook.bin.rels": related,
            "xl/workbook.bin": book,
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


def _part(number: int, content: bytes = b"") -> bytes:
    """Return a record; its number and length take seven bits a byte."""
    head = bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])
    length, n = b"", len(content)
    while True:
        length += bytes([n & 127 | (128 if n > 127 else 0)])
        n >>= 7
        if not n:
            return head + length + content


def _wide(text: str) -> bytes:
    content = text.encode("utf-16-le")
    return struct.pack("<I", len(content) // 2) + content


def _xlsb_cell(at: int, value: Any) -> bytes:
    place = struct.pack("<II", at, 0)
    if isinstance(value, bool):
        return _part(4, place + bytes([value]))
    if isinstance(value, int | float):
        return _part(5, place + struct.pack("<d", value))
    return _part(6, place + _wide(str(value)))


def ods(sheets: Mapping[str, Cells]) -> bytes:
    """Return a workbook of OpenDocument."""
    names = "office table text"
    spaces = " ".join(
        f'xmlns:{cell}="urn:oasis:names:tc:opendocument:xmlns:{cell}:1.0"'
        for cell in names.split()
    )
    body = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(
            f"<table:table-row>{''.join(map(_ods_cell, line))}</table:table-row>"
            for line in rows
        )
        + "</table:table>"
        for name, rows in sheets.items()
    )
    content = (
        f"{_HEAD}<office:document-content {spaces}><office:body><office:spreadsheet>"
        f"{body}</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        f'{_HEAD}<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    return zipped(
        {"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": manifest}
    )


def _ods_cell(value: Any) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, bool):
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(value).lower()}"/>'
    if isinstance(value, int | float):
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
    lines = "".join(
        f"<text:p>{escape(line)}</text:p>" for line in str(value).split("\n")
    )
    return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'


def xls(rows: Cells) -> bytes:
    """Return a workbook of Excel 97: one sheet in BIFF8 records, in a compound file of one stream."""
    sheet = b"".join(
        _biff_cell(row, at, value)
        for row, line in enumerate(rows)
        for at, value in enumerate(line)
        if value is not None
    )
    size = struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows)), 0)
    end = _record(0x0A, b"")
    body = _begin(0x0010) + _record(0x0200, size) + sheet + end
    name = b"\x06\x00Sheet1"
    begin = _begin(0x0005)
    at = len(begin) + 4 + 6 + len(name) + len(end)
    bound = _record(0x85, struct.pack("<IBB", at, 0, 0) + name)
    return _compound(begin + bound + end + body)


def _begin(kind: int) -> bytes:
    return _record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 0, 0, 0))


def _record(number: int, content: bytes) -> bytes:
    return struct.pack("<HH", number, len(content)) + content


def _biff_cell(row: int, at: int, value: Any) -> bytes:
    place = struct.pack("<HHH", row, at, 0)
    if isinstance(value, bool):
        return _record(0x0205, place + struct.pack("<BB", value, 0))
    if isinstance(value, int | float):
        return _record(0x0203, place + struct.pack("<d", value))
    text = str(value).encode("utf-16-le")
    return _record(0x0204, place + struct.pack("<HB", len(text) // 2, 1) + text)


def _compound(stream: bytes) -> bytes:
    """Return a compound file whose only stream is the workbook."""
    sector, end, free = 512, 0xFFFFFFFE, 0xFFFFFFFF
    stream = stream.ljust(4096, b"\0")  # a shorter one would lie among the small ones
    stream += b"\0" * (-len(stream) % sector)
    n = len(stream) // sector
    chain = [0xFFFFFFFD, end, *range(3, n + 2), end]
    if len(chain) > sector // 4:
        raise ValueError("one sector of the allocation table is too few")
    table = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0, 0)
    header += struct.pack("<108I", *[free] * 108)
    folder = _entry("Root Entry", 5, 1, end, 0) + _entry(
        "Workbook", 2, free, 2, len(stream)
    )
    return header + table + folder.ljust(sector, b"\0") + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    none = 0xFFFFFFFF
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, none, none, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )
