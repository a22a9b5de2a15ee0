"""NumPy archives (.npz): arrays of equal length side by side, images as columns of pixels."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.readers.table import Table, blank_words, only_for, sampled
from assay.errors import DataRefused
from assay.formats.array_headers import (
    UNREADABLE,
    check_characters,
    check_heads,
    heads_of,
    names_of,
    size_of,
)
from assay.formats.checks import check_cell, check_header, first_line, words_remark
from assay.study.sources import Source


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
            heads = dict(heads_of(archive, source))
            n_rows = check_heads(heads, source)
            with np.load(Path(source.path), allow_pickle=False) as arrays:
                frames = [_columns(name, arrays[name], source) for name in heads]
    except UNREADABLE as error:
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
    told = ", ".join(f"{name} of {size_of(head.shape)}" for name, head in heads.items())
    remarks = (f"arrays {told}", *words_remark(source.read.missing))
    return sampled(blank_words(frame, source), remarks, source)


def _columns(name: str, array: NDArray[Any], source: Source) -> pd.DataFrame:
    """Return an array as columns: one, one for each of its second axis, or one for each pixel."""
    if array.dtype.kind == "U":
        check_characters(name, array, source)
        for number, value in enumerate(map(str, array.ravel())):
            check_cell(
                value, f"row {number * len(array) // array.size + 1}", name, source
            )
    if array.ndim == 1:
        return pd.DataFrame({name: _native(array)})
    flat = _native(array.reshape(len(array), -1))
    return pd.DataFrame(flat, columns=names_of(name, array.shape), copy=False)


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return values in this machine's byte order; text as text, half precision as single."""
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64 if array.dtype.itemsize > 8 else np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
