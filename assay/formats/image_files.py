"""Image files that rows name: which is whose, and each as a row of pixels."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.archives import Archive
from assay.formats.checks import Named, first_line, shown
from assay.formats.limits import MAX_IMAGE_PIXELS

_ENDINGS = (".jpg", ".jpeg", ".png")
_N_SHOWN = 3
_PLAIN_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}


class Size(Protocol):
    """What images are resized to, and the column that names them."""

    @property
    def column(self) -> str: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def channels(self) -> int: ...


def pixels_of(
    cells: Sequence[Any],
    size: Size,
    archive: Archive,
    names: Mapping[str, list[str]],
    source: Named,
    place: Callable[[int], str] = lambda row: f"row {row + 1}",
) -> tuple[NDArray[np.uint8], int]:
    """Return the pixels of each row's image, shape (n_rows, n_pixels), and how many images there are.

    Parameters
    ----------
    cells
        What names each row's image; None where nothing does.
    names
        Of :func:`by_key`.
    place
        Where a row stands, for a sentence.

    Raises
    ------
    DataRefused
        If a row's image is missing, ambiguous, too large, cut short, or none.
    """
    rows_of = _rows_of(cells, size.column, names, archive.name, source, place)
    n_pixels = size.height * size.width * size.channels
    pixels = np.zeros((len(cells), n_pixels), dtype=np.uint8)
    n_read = 0
    for name, content in archive.contents(rows_of):
        pixels[rows_of[name]] = _pixels(content, size, f"{archive.name}: {name}")
        n_read += 1
    if n_read != len(rows_of):
        raise DataRefused(
            f"{archive.name}: {len(rows_of)} images were found, but {n_read} were read. The archive is damaged."
        )
    return pixels, n_read


def is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _ENDINGS and not path.name.startswith("._")


def by_key(names: list[str]) -> dict[str, list[str]]:
    """Return the images that a row may mean by each word: path or name, with or without its ending."""
    found: dict[str, list[str]] = {}
    for name in filter(is_image, names):
        path = PurePosixPath(name)
        for key in {name, str(path.with_suffix("")), path.name, path.stem}:
            found.setdefault(key, []).append(name)
    return found


def _rows_of(
    cells: Sequence[Any],
    column: str,
    by_key: Mapping[str, list[str]],
    archive: str,
    source: Named,
    place: Callable[[int], str],
) -> dict[str, list[int]]:
    """Return which rows each image belongs to."""
    rows_of: dict[str, list[int]] = {}
    missing: list[str] = []
    for row, value in enumerate(cells):
        if value is None:
            raise DataRefused(
                f"{source.name}, {place(row)}: column {column} is empty, but must name an image."
            )
        found = by_key.get(str(value), [])
        if len(found) > 1:
            raise DataRefused(
                f"{source.name}, {place(row)}: {shown(str(value))} may be {found[0]} or {found[1]} of {archive}. "
                f"Write the path in column {column}."
            )
        if found:
            rows_of.setdefault(found[0], []).append(row)
        else:
            missing.append(f"{shown(str(value))} ({place(row)})")
    if missing:
        listed = ", ".join(missing[:_N_SHOWN])
        more = f" and {len(missing) - _N_SHOWN:,} more" * (len(missing) > _N_SHOWN)
        raise DataRefused(
            f"{archive} has no image for {len(missing):,} of {len(cells):,} rows: {listed}{more}."
        )
    return rows_of


def _pixels(content: bytes, size: Size, place: str) -> NDArray[np.uint8]:
    """Return an image as one row of pixels."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
                n_pixels = image.width * image.height
                if n_pixels > MAX_IMAGE_PIXELS:
                    raise DataRefused(
                        f"{place} has {n_pixels:,} pixels, and this reader takes {MAX_IMAGE_PIXELS:,} at most."
                    )
                if image.mode not in _PLAIN_MODES:
                    raise DataRefused(
                        f"{place} has pixels of mode {image.mode}. Save it with 8 bits a channel."
                    )
                upright = ImageOps.exif_transpose(image)  # as a camera was held
                plain = upright.convert("L" if size.channels == 1 else "RGB")
        resized = plain.resize((size.width, size.height), Image.Resampling.LANCZOS)
    except UnidentifiedImageError:
        raise DataRefused(f"{place} is no JPEG or PNG image.") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        MemoryError,
        OverflowError,
        Image.DecompressionBombError,
        Warning,
        struct.error,
        zlib.error,
    ) as error:
        raise DataRefused(f"{place} cannot be decoded: {first_line(error)}.") from None
    return np.asarray(resized, dtype=np.uint8).reshape(-1)
