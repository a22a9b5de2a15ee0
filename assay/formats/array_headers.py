"""NumPy archives (.npz) before any value is read: which arrays they hold, and whether those make a table."""

import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from math import prod
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import Named, pixel_names, shown
from assay.formats.limits import MAX_UNPACKED_BYTES, check_shape, too_much_unpacked

_KINDS = "biufU"
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    TypeError,
    SyntaxError,
    KeyError,
    MemoryError,
    OverflowError,
    struct.error,
    tokenize.TokenError,
)


class Head(NamedTuple):
    """What the header of an array says, before any of its values is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def heads_of(archive: zipfile.ZipFile, source: Named) -> Iterator[tuple[str, Head]]:
    members = [one for one in archive.namelist() if not one.endswith("/")]
    for member in members:
        name = member.removesuffix(".npy")
        if name == member or not name.isprintable() or members.count(member) > 1:
            raise DataRefused(
                f"{source.name}: its member {shown(member)} is no array, or stands twice."
            )
        with archive.open(member) as file:
            head, _ = head_in(file, name, source)
        yield name, head


def head_in(file: IO[bytes], name: str, source: Named) -> tuple[Head, bool]:
    """Return what the header of an array says, and whether its first axis is the one that runs fastest."""
    version = npy.read_magic(file)
    read = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    if version not in read:
        raise DataRefused(
            f"{source.name}: array {name} has fields. Store each as an array of its own."
        )
    shape, fortran, dtype = read[version](file)
    return Head(shape, dtype), fortran


def check_heads(heads: dict[str, Head], source: Named) -> int:
    """Return how many rows the arrays have; refuse what cannot become one table."""
    for name, (shape, dtype) in heads.items():
        if dtype.hasobject:
            raise DataRefused(
                f"{source.name}: array {name} holds Python objects, which would have to be unpickled. "
                f"Store numbers or text."
            )
        if dtype.names or dtype.kind not in _KINDS:
            raise DataRefused(
                f"{source.name}: array {name} holds {dtype}. Store numbers, text, or true and false."
            )
        if any(n < 0 for n in shape) or not 1 <= len(shape) <= 4:
            raise DataRefused(
                f"{source.name}: array {name} has {len(shape)} axes, and this reader takes 1 to 4."
            )
        if len(shape) > 2 and dtype != np.uint8:
            raise DataRefused(
                f"{source.name}: array {name} is {size_of(shape)} of {dtype}. Images are uint8; other arrays have "
                f"one axis or two."
            )
        if prod(shape) * dtype.itemsize > MAX_UNPACKED_BYTES:
            raise too_much_unpacked(source, MAX_UNPACKED_BYTES)
    lengths = {shape[0] for shape, _ in heads.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{name} {head.shape[0]}" for name, head in heads.items())
        raise DataRefused(
            f"{source.name}: its arrays have different lengths ({told}). Each must have one value a row."
        )
    images = [name for name, head in heads.items() if len(head.shape) > 2]
    if len(images) > 1:
        raise DataRefused(
            f"{source.name}: arrays {images[0]} and {images[1]} both hold images. Keep one."
        )
    n_rows = lengths.pop() if lengths else 0
    n_columns = sum(prod(head.shape[1:]) for head in heads.values())
    if n_rows < 1 or n_columns < 1:
        raise DataRefused(f"{source.name} has no rows.")
    check_shape(n_rows, n_columns, source)
    return n_rows


def check_characters(name: str, array: NDArray[Any], source: Named) -> None:
    """Refuse text with numbers that stand for no character: Python cannot even show them."""
    if array.dtype.itemsize:
        codes = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
        if codes.view(np.uint32).max() > sys.maxunicode:
            raise DataRefused(
                f"{source.name}: array {name} holds text that is damaged: a number beyond every character."
            )


def names_of(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the columns that an array becomes: one, one for each of its second axis, or one for each pixel."""
    if len(shape) == 1:
        return [name]
    n = prod(shape[1:])
    if len(shape) > 2:
        return pixel_names(n)
    width = len(str(n - 1))
    return [f"{name}_{number:0{width}}" for number in range(n)]


def size_of(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
