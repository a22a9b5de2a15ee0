"""Which characters a file's bytes stand for, found by decoding all of them once."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from assay.errors import DataRefused
from assay.formats.checks import CONTROL, Named
from assay.formats.limits import MAX_LINE_CHARACTERS
from assay.formats.unpack import Opened

_BLOCK = 1 << 20
_NO_TEXT = {  # how files of other kinds begin
    b"PK\x03\x04": "a zip archive or a workbook",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel 97",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
}
_SAID = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "cp949": "cp949 (Korean)",
}
_LOW_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_HIGH_CONTROLS = re.compile(r"[\x80-\x9f]")


@dataclass(frozen=True)
class Encoding:
    """A codec that decodes the whole file.

    Attributes
    ----------
    clean
        Whether the text has no control characters but tabs and line ends.
    """

    codec: str
    remark: str
    clean: bool


@dataclass(frozen=True)
class _Seen:
    """What a first look at the text found; ``fault`` is the line that the codec stops at."""

    fault: int | None
    clean: bool


def find_encoding(opened: Opened, source: Named, otherwise: str = "cp949") -> Encoding:
    """Return the encoding: the one declared, that of a byte-order mark, or UTF-8 or else another.

    Raises
    ------
    DataRefused
        If the file is empty, holds a zero byte, or is no text in any of these encodings.
    """
    with opened() as file:
        start = file.read(4)
    for mark, kind in _NO_TEXT.items():
        if start.startswith(mark):
            raise DataRefused(
                f"{source.name} is no text: it begins like {kind}. Give it the ending of what it is, or export it as text."
            )
    declared = source.read.encoding
    if declared is not None:
        codecs_tried = ["utf-8-sig" if declared == "utf-8" else declared]
    elif start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise DataRefused(f"{source.name} is UTF-32 text. Save it as UTF-8.")
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codecs_tried = ["utf-16"]
    else:
        codecs_tried = ["utf-8-sig", otherwise]
    first_fault: int | None = None
    for codec in codecs_tried:
        with opened() as file:
            seen = _look(file, codec, source)
        if seen.fault is None:
            said = _SAID.get(codec, codec)
            remark = f"{said}, as declared" if declared is not None else said
            return Encoding(codec, remark, seen.clean)
        first_fault = first_fault or seen.fault
    if declared is not None or codecs_tried == ["utf-16"]:
        said = f"not {_SAID.get(codecs_tried[0], codecs_tried[0])} text"
    else:
        said = f"neither UTF-8 nor {otherwise} text"
    raise DataRefused(
        f"{source.name}, line {first_fault}: {said}. Save the file as UTF-8"
        f"{', or declare plan.a.read.encoding' if source.in_a_study else ''}."
    )


def lines_of(text: io.TextIOWrapper, source: Named) -> Iterator[str]:
    """Yield a text's lines, and refuse one that would fill the memory."""
    number = 0
    while line := text.readline(MAX_LINE_CHARACTERS):
        number += 1
        if len(line) >= MAX_LINE_CHARACTERS:
            raise DataRefused(
                f"{source.name}, line {number}: more than the {MAX_LINE_CHARACTERS // 1024**2} Mi characters that this "
                f"reader takes in a line. Check that the file has line ends."
            )
        yield line


def _look(file: IO[bytes], codec: str, source: Named) -> _Seen:
    """Decode a file a block at a time.

    Raises
    ------
    DataRefused
        If it is empty or holds a zero byte.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    line, blank, clean = 1, True, True
    while True:
        block = file.read(_BLOCK)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            return _Seen(line + error.object[: error.start].count(b"\n"), clean)
        if "\x00" in text:
            line += text[: text.index("\x00")].count("\n")
            raise DataRefused(
                f"{source.name}, line {line}: a zero byte. The file is damaged, or no text at all."
            )
        blank = blank and not text.strip()
        clean = clean and not _has_controls(block, text, codec)
        line += text.count("\n")
        if not block:
            break
    if blank:
        raise DataRefused(f"{source.name} is empty.")
    return _Seen(None, clean)


def _has_controls(block: bytes, text: str, codec: str) -> bool:
    """Return whether a block holds control characters; of bytes, which are looked through faster, if it can be."""
    if codec == "utf-16":
        return CONTROL.search(text) is not None
    if len(block.translate(None, _LOW_CONTROLS)) != len(block):
        return True
    return not text.isascii() and _HIGH_CONTROLS.search(text) is not None
