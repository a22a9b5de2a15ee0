"""``prep.npz`` read back: plain arrays, of the types and sizes that a preparation needs."""

import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.formats.array_headers import UNREADABLE, Head, heads_of
from assay.formats.checks import first_line, shown
from assay.predict.preparation import PreparationForm
from assay.predict.source import TableFile
from assay.predict.unfit import Unfit

Arrays = dict[str, NDArray[Any]]


def arrays_in(content: bytes, name: str) -> Arrays:
    """Return the arrays of an archive, whose sizes are checked before any is read.

    Raises
    ------
    Unfit
        If it is no archive of plain arrays, or they unpack to more than the archive has.
    DataRefused
        If a member is not an array, or has another's name.
    """
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(content)) as archive:
            warnings.simplefilter("ignore")
            heads = dict(heads_of(archive, TableFile(name, name)))
            _check_sizes(heads, len(content))
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {array: arrays[array] for array in heads}
    except Unfit:
        raise
    except UNREADABLE as error:
        raise Unfit("predict.form.no_arrays", reason=first_line(error)) from None


def _check_sizes(heads: Mapping[str, Head], n_bytes: int) -> None:
    announced = 0
    for name, (shape, dtype) in heads.items():
        if dtype.hasobject or any(n < 0 for n in shape):
            raise Unfit("predict.form.array", array=name, size=str(dtype))
        announced += prod(shape) * dtype.itemsize
    if announced > n_bytes:
        raise Unfit("predict.form.array_sizes", announced=announced, n_bytes=n_bytes)


def check_arrays(form: PreparationForm, arrays: Arrays) -> None:
    """Refuse arrays of another type or size than the form needs, or that hold what no fit gives."""
    expected = dict(_expected(form, arrays))
    for name in sorted(expected.keys() ^ arrays.keys()):
        raise Unfit("predict.form.arrays", array=shown(name))
    for name, (dtype, shapes) in expected.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape not in shapes:
            size = f"{array.dtype} {array.shape}"
            raise Unfit("predict.form.array", array=name, size=size)
        if not _holds_numbers(name, array):
            raise Unfit("predict.form.not_finite", array=name)
    indicated, p = arrays["indicated"], len(form.numeric)
    if indicated.size and not 0 <= indicated.min() <= indicated.max() < p:
        raise Unfit("predict.form.indicated")
    for name in form.categorical:
        if name not in form.levels or name not in form.further:
            raise Unfit("predict.form.levels", column=shown(name))


def _holds_numbers(name: str, array: NDArray[Any]) -> bool:
    """Return whether all numbers are finite; bounds may be infinite, and spreads are positive."""
    if name in ("low", "high"):
        return not np.isnan(array).any()
    positive = array[1] if name == "powers" and array.size else array
    spreads = name.endswith("scale") or name == "powers"
    return bool(np.isfinite(array).all() and (not spreads or (positive > 0).all()))


def _expected(
    form: PreparationForm, arrays: Arrays
) -> Iterator[tuple[str, tuple[str, list[tuple[int, ...]]]]]:
    """Yield the name of each array, its type, and the shapes that it can have."""
    p = len(form.numeric)
    for name in ("fill", "low", "high", "centre", "scale"):
        yield name, ("float64", [(p,)])
    yield "powers", ("float64", [(3, p), (3, 0)])
    yield "knots", ("float64", [(_length(arrays, "knots"), p)])
    yield "indicated", ("int64", [(_length(arrays, "indicated"),)])
    for number, text in enumerate(form.texts):
        at, t = f"text{number}_", len(text.terms)
        k = _length(arrays, f"{at}centre")
        yield f"{at}idf", ("float64", [(t,)])
        yield f"{at}projection", ("float64", [(t, k)])
        yield f"{at}centre", ("float64", [(k,)])
        yield f"{at}scale", ("float64", [(k,)])


def _length(arrays: Arrays, name: str) -> int:
    array = arrays.get(name)
    return len(array) if array is not None and array.ndim else 0
