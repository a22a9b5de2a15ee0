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
from assay.formats.checks import Named, Place, first_line, row_number, shown, some_of
from assay.formats.limits import MAX_IMAGE_PIXELS
from assay.wording import Sentence

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
    place: Callable[[int], Place] = lambda row: row_number(row + 1),
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
        pixels[rows_of[name]] = _pixels(content, size, archive.name, name)
        n_read += 1
    if n_read != len(rows_of):
        raise DataRefused(
            "formats.images_lost",
            file=archive.name,
            n_named=len(rows_of),
            n_read=n_read,
        )
    return pixels, n_read


def is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _ENDINGS and not path.name.startswith("._")


def by_key(names: list[str]) -> dict[str, list[str]]:
    """Return the images that a row may mean by each word: path or name, with or without its ending."""
    images: dict[str, list[str]] = {}
    for name in filter(is_image, names):
        path = PurePosixPath(name)
        for key in {name, str(path.with_suffix("")), path.name, path.stem}:
            images.setdefault(key, []).append(name)
    return images


def _rows_of(
    cells: Sequence[Any],
    column: str,
    by_key: Mapping[str, list[str]],
    archive: str,
    source: Named,
    place: Callable[[int], Place],
) -> dict[str, list[int]]:
    """Return which rows each image belongs to."""
    rows_of: dict[str, list[int]] = {}
    without: list[int] = []
    for row, value in enumerate(cells):
        if value is None:
            raise DataRefused(
                "formats.no_image_named",
                file=source.name,
                place=place(row),
                column=column,
            )
        images = by_key.get(str(value), [])
        if len(images) > 1:
            raise DataRefused(
                "formats.image_ambiguous",
                file=source.name,
                place=place(row),
                image=shown(str(value)),
                first=images[0],
                second=images[1],
                archive=archive,
                column=column,
            )
        if images:
            rows_of.setdefault(images[0], []).append(row)
        else:
            without.append(row)
    if without:
        named = [
            Sentence.of(
                "formats.image_of_row", image=shown(str(cells[row])), place=place(row)
            )
            for row in without[:_N_SHOWN]
        ]
        raise DataRefused(
            "formats.images_missing",
            archive=archive,
            n_missing=len(without),
            n_rows=len(cells),
            images=some_of(named, _N_SHOWN, n_all=len(without)),
        )
    return rows_of


def _pixels(content: bytes, size: Size, archive: str, name: str) -> NDArray[np.uint8]:
    """Return an image as one row of pixels."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
                n_pixels = image.width * image.height
                if n_pixels > MAX_IMAGE_PIXELS:
                    raise DataRefused(
                        "formats.too_many_pixels",
                        archive=archive,
                        image=name,
                        n_pixels=n_pixels,
                        most=MAX_IMAGE_PIXELS,
                    )
                if image.mode not in _PLAIN_MODES:
                    raise DataRefused(
                        "formats.image_mode",
                        archive=archive,
                        image=name,
                        mode=image.mode,
                    )
                upright = ImageOps.exif_transpose(image)  # as a camera was held
                plain = upright.convert("L" if size.channels == 1 else "RGB")
        resized = plain.resize((size.width, size.height), Image.Resampling.LANCZOS)
    except UnidentifiedImageError:
        raise DataRefused("formats.not_an_image", archive=archive, image=name) from None
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
        raise DataRefused(
            "formats.image_not_decoded",
            archive=archive,
            image=name,
            reason=first_line(error),
        ) from None
    return np.asarray(resized, dtype=np.uint8).reshape(-1)
