"""Images beside a table: each row's own, decoded, resized, and added as columns of pixels."""

import io
import struct
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError
from assay.plans import ImageSource
from assay.readers.archives import Archive
from assay.readers.limits import MAX_IMAGE_PIXELS, check_shape
from assay.readers.table import Table, first_line, pixel_names, shown
from assay.study import Source

_ENDINGS = (".jpg", ".jpeg", ".png")
_N_SHOWN = 3
_PLAIN_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}


def with_pixels(table: Table, source: Source) -> Table:
    """Return a table with the pixels of each row's image: row by row, channels last, 0 to 255.

    Raises
    ------
    StudyError
        If the column that should name the images is not there.
    DataRefused
        If a row's image is missing, ambiguous, too large, cut short, or none.
    """
    images = source.images
    if images is None:
        return table
    plan, frame = images.plan, table.frame
    if plan.column not in frame.columns:
        raise StudyError(
            f"images.column = {plan.column!r}, but the table has: {', '.join(map(str, frame.columns[:8]))}."
        )
    check_shape(len(frame), frame.shape[1] + plan.n_pixels, source)
    archive = Archive(Path(images.path), images.name, source)
    names = archive.names()
    rows_of = _rows_of(frame[plan.column], _by_key(names), archive.name, source)
    pixels = np.zeros((len(frame), plan.n_pixels), dtype=np.uint8)
    n_read = 0
    for name, content in archive.contents(rows_of):
        pixels[rows_of[name]] = _pixels(content, plan, f"{archive.name}: {name}")
        n_read += 1
    if n_read != len(rows_of):
        raise DataRefused(
            f"{archive.name}: {len(rows_of)} images were found, but {n_read} were read. The archive is damaged."
        )
    columns = pd.DataFrame(pixels, columns=pixel_names(plan.n_pixels), copy=False)
    clash = next((name for name in columns.columns if name in frame.columns), None)
    if clash is not None:
        raise DataRefused(
            f"{source.name} has a column {clash} of its own, which is the name of a pixel."
        )
    remarks = _remarks(names, rows_of, plan, archive.name)
    return Table(
        pd.concat([frame, columns], axis=1),
        (*table.remarks, *remarks),
        table.deviations,
    )


def _remarks(
    names: list[str], rows_of: Mapping[str, Any], plan: ImageSource, place: str
) -> list[str]:
    kind = "grey" if plan.channels == 1 else "colour"
    size = f"{plan.height} x {plan.width}"
    remarks = [
        f"{len(rows_of):,} images from {place}, resized to {size} in {kind} (Lanczos)"
    ]
    unnamed = sum(_is_image(name) for name in names) - len(rows_of)
    others = sum(not _is_image(name) for name in names)
    if unnamed:
        remarks.append(f"{unnamed:,} images that no row names")
    if others:
        remarks.append(f"{others:,} other files beside the images")
    return remarks


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _ENDINGS and not path.name.startswith("._")


def _by_key(names: list[str]) -> dict[str, list[str]]:
    """Return the images that a row may mean by each word: path or name, with or without its ending."""
    found: dict[str, list[str]] = {}
    for name in filter(_is_image, names):
        path = PurePosixPath(name)
        for key in {name, str(path.with_suffix("")), path.name, path.stem}:
            found.setdefault(key, []).append(name)
    return found


def _rows_of(
    column: "pd.Series[Any]",
    by_key: Mapping[str, list[str]],
    place: str,
    source: Source,
) -> dict[str, list[int]]:
    """Return which rows each image belongs to."""
    rows_of: dict[str, list[int]] = {}
    missing: list[str] = []
    for row, (value, absent) in enumerate(zip(column, column.isna(), strict=True)):
        if absent:
            raise DataRefused(
                f"{source.name}, row {row + 1}: column {column.name} is empty, but must name an image."
            )
        found = by_key.get(str(value), [])
        if len(found) > 1:
            raise DataRefused(
                f"{source.name}, row {row + 1}: {shown(str(value))} may be {found[0]} or {found[1]} of {place}. "
                f"Write the path in column {column.name}."
            )
        if found:
            rows_of.setdefault(found[0], []).append(row)
        else:
            missing.append(f"{shown(str(value))} (row {row + 1})")
    if missing:
        listed = ", ".join(missing[:_N_SHOWN])
        more = f" and {len(missing) - _N_SHOWN:,} more" * (len(missing) > _N_SHOWN)
        raise DataRefused(
            f"{place} has no image for {len(missing):,} of {len(column):,} rows: {listed}{more}."
        )
    return rows_of


def _pixels(content: bytes, plan: ImageSource, place: str) -> NDArray[np.uint8]:
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
                plain = upright.convert("L" if plan.channels == 1 else "RGB")
        resized = plain.resize((plan.width, plan.height), Image.Resampling.LANCZOS)
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
