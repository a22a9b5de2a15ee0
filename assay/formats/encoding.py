"""The encoding of a text file, determined by decoding the whole file once."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal

from assay.errors import DataRefused
from assay.formats.checks import CONTROL, Named, line_number
from assay.formats.limits import MAX_LINE_CHARACTERS
from assay.formats.unpack import Opened
from assay.wording import Sentence

Codec = Literal[  # that a study may declare
    "utf-8",
    "utf-16",
    "cp949",
    "euc-kr",
    "cp1252",
    "iso-8859-1",
    "shift_jis",
    "gb18030",
]
_BLOCK = 1 << 20
_NOT_TEXT = {  # how files of other kinds begin
    b"PK\x03\x04": "zip",
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"\xd0\xcf\x11\xe0": "excel_97",
    b"%PDF": "pdf",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
}
_NAMES = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
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
    remark: Sentence
    clean: bool


@dataclass(frozen=True)
class _Seen:
    """The result of decoding a whole file; ``fault`` is the line that the codec stops at."""

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
    for mark, kind in _NOT_TEXT.items():
        if start.startswith(mark):
            kind_of_file = Sentence.of(f"formats.begins_like.{kind}")
            raise DataRefused("formats.not_text", file=source.name, kind=kind_of_file)
    declared = source.read.encoding
    if declared is not None:
        codecs_tried = ["utf-8-sig" if declared == "utf-8" else declared]
    elif start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise DataRefused("formats.utf_32", file=source.name)
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codecs_tried = ["utf-16"]
    else:
        codecs_tried = ["utf-8-sig", otherwise]
    first_fault: int | None = None
    for codec in codecs_tried:
        with opened() as file:
            seen = _look(file, codec, source)
        if seen.fault is None:
            remark = _name(codec)
            if declared is not None:
                remark = Sentence.of("formats.encoding_declared", encoding=remark)
            return Encoding(codec, remark, seen.clean)
        first_fault = first_fault or seen.fault
    raise _not_decoded(first_fault or 1, codecs_tried, source)


def _name(codec: str) -> Sentence:
    if codec == "cp949":
        return Sentence.of("formats.cp949")
    return Sentence.plain(_NAMES.get(codec, codec))


def _not_decoded(line: int, tried: list[str], source: Named) -> DataRefused:
    remedy = (
        "formats.save_or_declare_encoding"
        if source.in_a_study
        else "formats.save_as_utf_8"
    )
    return DataRefused(
        "formats.wrong_encoding" if len(tried) == 1 else "formats.unknown_encoding",
        file=source.name,
        place=line_number(line),
        encoding=_name(tried[0]) if len(tried) == 1 else tried[-1],
        remedy=Sentence.of(remedy),
    )


def lines_of(text: io.TextIOWrapper, source: Named) -> Iterator[str]:
    """Yield a text's lines, and refuse one that would fill the memory."""
    number = 0
    while line := text.readline(MAX_LINE_CHARACTERS):
        number += 1
        if len(line) >= MAX_LINE_CHARACTERS:
            raise DataRefused(
                "formats.line_too_long",
                file=source.name,
                place=line_number(number),
                most=MAX_LINE_CHARACTERS // 1024**2,
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
                "formats.zero_byte", file=source.name, place=line_number(line)
            )
        blank = blank and not text.strip()
        clean = clean and not _has_controls(block, text, codec)
        line += text.count("\n")
        if not block:
            break
    if blank:
        raise DataRefused("formats.empty", file=source.name)
    return _Seen(None, clean)


def _has_controls(block: bytes, text: str, codec: str) -> bool:
    """Return whether a block holds control characters; of bytes, which are faster to search, if possible."""
    if codec == "utf-16":
        return CONTROL.search(text) is not None
    if len(block.translate(None, _LOW_CONTROLS)) != len(block):
        return True
    return not text.isascii() and _HIGH_CONTROLS.search(text) is not None
