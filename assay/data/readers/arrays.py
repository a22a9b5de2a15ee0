"""NumPy archives (.npz): arrays of equal length side by side, images as columns of pixels."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.readers.table import (
    Remark,
    Table,
    blank_words,
    need_names,
    need_no_other,
    need_rows,
    sampled,
)
from assay.errors import DataRefused
from assay.formats.array_headers import (
    UNREADABLE,
    check_characters,
    check_heads,
    heads_of,
    names_of,
    size_of,
)
from assay.formats.checks import (
    check_cell,
    check_header,
    first_line,
    row_number,
    some_of,
    words_remark,
)
from assay.study.sources import Source
from assay.wording import Sentence

_N_SHOWN = 8  # arrays of an archive, in a remark


def read_arrays(source: Source) -> Table:
    """Read an archive of arrays, whose first axis is the rows.

    Raises
    ------
    DataRefused
        If an array holds objects or anything but numbers, text, true and false; if arrays differ in
        length; or if there are several of images.
    """
    need_no_other(source, "arrays", "names")
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(Path(source.path)) as archive:
            warnings.simplefilter("ignore")
            heads = dict(heads_of(archive, source))
            n_rows = check_heads(heads, source)
            with np.load(Path(source.path), allow_pickle=False) as loaded:
                frames = [_columns(name, loaded[name], source) for name in heads]
    except UNREADABLE as error:
        reason = first_line(error)
        raise DataRefused(
            "readers.no_arrays", file=source.name, reason=reason
        ) from None
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, axis=1)
    if source.read.names:
        need_names(frame.shape[1], source.name, source)
        frame.columns = pd.Index(source.read.names)
    check_header(list(map(str, frame.columns)), source)
    need_rows(len(frame), n_rows, source)
    arrays = [
        Sentence.of("readers.array", name=name, size=size_of(head.shape))
        for name, head in heads.items()
    ]
    remarks: tuple[Remark, ...] = (
        Sentence.of("readers.arrays", arrays=some_of(arrays, _N_SHOWN)),
        *words_remark(source.read.missing),
    )
    return sampled(blank_words(frame, source), remarks, source)


def _columns(name: str, array: NDArray[Any], source: Source) -> pd.DataFrame:
    """Return an array as columns: one, one for each of its second axis, or one for each pixel."""
    if array.dtype.kind == "U":
        check_characters(name, array, source)
        for number, value in enumerate(map(str, array.ravel())):
            row = number * len(array) // array.size + 1
            check_cell(value, row_number(row), name, source)
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
