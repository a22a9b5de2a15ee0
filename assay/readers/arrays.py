"""NumPy archives (.npz): arrays of equal length side by side, images as columns of pixels."""

import struct
import sys
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.readers.limits import MAX_UNPACKED_BYTES, check_shape, too_much_unpacked
from assay.readers.table import (
    Table,
    blank_words,
    check_cell,
    check_header,
    first_line,
    only_for,
    pixel_names,
    sampled,
    shown,
    words_remark,
)
from assay.study import Source

_KINDS = "biufU"
_UNREADABLE = (
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


class _Head(NamedTuple):
    """What the header of an array says, before any of its values is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_arrays(source: Source) -> Table:
    """Read an archive of arrays, whose first axis is the rows.

    Raises
    ------
    DataRefused
        If an array holds objects or anything but numbers, text, true and false; if arrays differ in
        length; or if there are several of images.
    """
    only_for(source, "a NumPy archive", "names")
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(Path(source.path)) as archive:
            warnings.simplefilter("ignore")
            heads = dict(_heads(archive, source))
            n_rows = _check(heads, source)
            with np.load(Path(source.path), allow_pickle=False) as arrays:
                frames = [_columns(name, arrays[name], source) for name in heads]
    except _UNREADABLE as error:
        raise DataRefused(
            f"{source.name} is not a readable NumPy archive: {first_line(error)}."
        ) from None
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, axis=1)
    if source.read.names:
        if len(source.read.names) != frame.shape[1]:
            raise DataRefused(
                f"{source.name} has {frame.shape[1]} columns, but the study names {len(source.read.names)}."
            )
        frame.columns = pd.Index(source.read.names)
    check_header(list(map(str, frame.columns)), source)
    if len(frame) != n_rows:
        raise DataRefused(
            f"{source.name}: {n_rows} rows were announced, but {len(frame)} were read."
        )
    told = ", ".join(f"{name} of {_size(head.shape)}" for name, head in heads.items())
    remarks = (f"arrays {told}", *words_remark(source.read.missing))
    return sampled(blank_words(frame, source), remarks, source)


def _heads(archive: zipfile.ZipFile, source: Source) -> Iterator[tuple[str, _Head]]:
    members = [one for one in archive.namelist() if not one.endswith("/")]
    for member in members:
        name = member.removesuffix(".npy")
        if name == member or not name.isprintable() or members.count(member) > 1:
            raise DataRefused(
                f"{source.name}: its member {shown(member)} is no array, or stands twice."
            )
        with archive.open(member) as file:
            version = npy.read_magic(file)
            read = {
                (1, 0): npy.read_array_header_1_0,
                (2, 0): npy.read_array_header_2_0,
            }
            if version not in read:
                raise DataRefused(
                    f"{source.name}: array {name} has fields. Store each as an array of its own."
                )
            shape, _, dtype = read[version](file)
        yield name, _Head(shape, dtype)


def _check(heads: dict[str, _Head], source: Source) -> int:
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
                f"{source.name}: array {name} is {_size(shape)} of {dtype}. Images are uint8; other arrays have "
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


def _columns(name: str, array: NDArray[Any], source: Source) -> pd.DataFrame:
    """Return an array as columns: one, one for each of its second axis, or one for each pixel."""
    if array.dtype.kind == "U":
        _check_characters(name, array, source)
        for number, value in enumerate(map(str, array.ravel())):
            check_cell(
                value, f"row {number * len(array) // array.size + 1}", name, source
            )
    if array.ndim == 1:
        return pd.DataFrame({name: _native(array)})
    flat = _native(array.reshape(len(array), -1))
    n = flat.shape[1]
    if array.ndim > 2:
        return pd.DataFrame(flat, columns=pixel_names(n), copy=False)
    width = len(str(n - 1))
    names = [f"{name}_{number:0{width}}" for number in range(n)]
    return pd.DataFrame(flat, columns=names, copy=False)


def _check_characters(name: str, array: NDArray[Any], source: Source) -> None:
    """Refuse text with numbers that stand for no character: Python cannot even show them."""
    if array.dtype.itemsize:
        codes = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
        if codes.view(np.uint32).max() > sys.maxunicode:
            raise DataRefused(
                f"{source.name}: array {name} holds text that is damaged: a number beyond every character."
            )


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return values in this machine's byte order; text as text, half precision as single."""
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64 if array.dtype.itemsize > 8 else np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
