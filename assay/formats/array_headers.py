"""Headers of NumPy archives (.npz): which arrays they hold, and whether these can be columns of one table."""

import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import Named, pixel_names, shown, some_of
from assay.formats.limits import (
    MAX_COLUMNS,
    MAX_UNPACKED_BYTES,
    check_shape,
    too_much_unpacked,
)

MAX_RATIO = 100  # of what arrays unpack to to what the file has
_FREE_BYTES = 64 * 1024**2  # whatever the file has
_EMPTY_BYTES = 8  # in memory, of a text that has none in the file
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
    """Shape and type of an array, from its header alone."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def heads_of(archive: zipfile.ZipFile, source: Named) -> Iterator[tuple[str, Head]]:
    """Yield the name and the header of every array of an archive.

    Raises
    ------
    DataRefused
        If a member is not an array, has another's name, or holds fields.
    """
    members = [member for member in archive.namelist() if not member.endswith("/")]
    if len(members) > MAX_COLUMNS:
        n = {"n_columns": len(members), "most": MAX_COLUMNS}
        raise DataRefused("formats.too_many_columns", file=source.name, **n)
    seen: set[str] = set()
    for member in members:
        name = member.removesuffix(".npy")
        if name == member or not name.isprintable() or member in seen:
            raise DataRefused(
                "formats.not_an_array", file=source.name, member=shown(member)
            )
        seen.add(member)
        with archive.open(member) as file:
            head, _ = head_in(file, name, source)
        yield name, head


def head_in(file: IO[bytes], name: str, source: Named) -> tuple[Head, bool]:
    """Return the header of an array, and whether its first axis runs fastest (Fortran order)."""
    version = npy.read_magic(file)
    read = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    if version not in read:
        raise DataRefused("formats.array_fields", file=source.name, array=name)
    shape, fortran, dtype = read[version](file)
    return Head(shape, dtype), fortran


def check_heads(heads: Mapping[str, Head], source: Named) -> int:
    """Return how many rows the arrays have.

    Raises
    ------
    DataRefused
        If the arrays cannot be the columns of one table.
    """
    for name, head in heads.items():
        _check_type(name, head.dtype, source)
        _check_axes(name, head, source)
    _check_claim(heads, source)
    n_rows = _common_length(heads, source)
    _check_one_of_images(heads, source)
    n_columns = sum(prod(head.shape[1:]) for head in heads.values())
    if n_rows < 1 or n_columns < 1:
        raise DataRefused("formats.no_rows_at_all", file=source.name)
    check_shape(n_rows, n_columns, source)
    return n_rows


def _check_type(name: str, dtype: np.dtype[Any], source: Named) -> None:
    if dtype.hasobject:
        raise DataRefused("formats.array_objects", file=source.name, array=name)
    if dtype.names or dtype.kind not in _KINDS:
        raise DataRefused(
            "formats.array_type", file=source.name, array=name, dtype=str(dtype)
        )


def _check_axes(name: str, head: Head, source: Named) -> None:
    """Refuse a shape that is no table or stack of images."""
    shape, dtype = head
    if any(n < 0 for n in shape) or not 1 <= len(shape) <= 4:
        raise DataRefused(
            "formats.array_axes", file=source.name, array=name, n_axes=len(shape)
        )
    if len(shape) > 2 and dtype != np.uint8:
        raise DataRefused(
            "formats.array_not_images",
            file=source.name,
            array=name,
            shape=size_of(shape),
            dtype=str(dtype),
        )


def _check_claim(heads: Mapping[str, Head], source: Named) -> None:
    """Refuse arrays that unpack to more than a limit, or to far more than a small file has."""
    claimed = sum(
        prod(shape) * (dtype.itemsize or _EMPTY_BYTES)
        for shape, dtype in heads.values()
    )
    if claimed > MAX_UNPACKED_BYTES:
        raise too_much_unpacked(source, MAX_UNPACKED_BYTES)
    n_bytes = Path(source.path).stat().st_size
    if claimed > max(_FREE_BYTES, MAX_RATIO * n_bytes):
        sizes = {"claimed": claimed, "n_bytes": n_bytes, "most": MAX_RATIO}
        raise DataRefused("formats.arrays_of_blanks", file=source.name, **sizes)


def _common_length(heads: Mapping[str, Head], source: Named) -> int:
    """Return the length that all arrays share; 0 if there are none."""
    lengths = {name: head.shape[0] for name, head in heads.items()}
    if len(set(lengths.values())) > 1:
        raise DataRefused(
            "formats.array_lengths",
            file=source.name,
            lengths=some_of([f"{n} {length}" for n, length in lengths.items()], 8),
        )
    return next(iter(lengths.values()), 0)


def _check_one_of_images(heads: Mapping[str, Head], source: Named) -> None:
    images = [name for name, head in heads.items() if len(head.shape) > 2]
    if len(images) > 1:
        raise DataRefused(
            "formats.two_of_images",
            file=source.name,
            first=images[0],
            second=images[1],
        )


def check_characters(name: str, array: NDArray[Any], source: Named) -> None:
    """Refuse text with code points beyond Unicode, which Python cannot show."""
    if array.dtype.itemsize:
        codes = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
        if codes.view(np.uint32).max() > sys.maxunicode:
            raise DataRefused("formats.array_text", file=source.name, array=name)


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
