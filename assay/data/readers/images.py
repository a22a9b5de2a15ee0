"""Images beside a table: each row's own, decoded, resized, and added as columns of pixels."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from assay.data.readers.table import Table
from assay.errors import DataRefused, StudyError
from assay.formats.archives import Archive
from assay.formats.checks import pixel_names
from assay.formats.image_files import by_key, is_image, pixels_of
from assay.formats.limits import check_shape
from assay.study.plans import ImageSource
from assay.study.sources import Source
from assay.wording import Sentence


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
            "readers.no_image_column",
            column=plan.column,
            columns=tuple(map(str, frame.columns[:8])),
        )
    check_shape(len(frame), frame.shape[1] + plan.n_pixels, source)
    archive = Archive(Path(images.path), images.name, source)
    names = archive.names()
    named = frame[plan.column].astype(object)
    cells = named.where(named.notna(), None).tolist()
    pixels, n_read = pixels_of(cells, plan, archive, by_key(names), source)
    columns = pd.DataFrame(pixels, columns=pixel_names(plan.n_pixels), copy=False)
    clash = next((name for name in columns.columns if name in frame.columns), None)
    if clash is not None:
        raise DataRefused("readers.pixel_column", file=source.name, column=str(clash))
    remarks = _remarks(names, n_read, plan, archive.name)
    return Table(
        pd.concat([frame, columns], axis=1),
        (*table.remarks, *remarks),
        table.deviations,
    )


def _remarks(
    names: list[str], n_read: int, plan: ImageSource, place: str
) -> Iterator[Sentence]:
    yield Sentence.of(
        "readers.images_grey" if plan.channels == 1 else "readers.images_colour",
        n=n_read,
        place=place,
        height=plan.height,
        width=plan.width,
    )
    n_images = sum(map(is_image, names))
    if n_images > n_read:
        yield Sentence.of("readers.images_without_row", n=n_images - n_read)
    if len(names) > n_images:
        yield Sentence.of("readers.other_files", n=len(names) - n_images)
