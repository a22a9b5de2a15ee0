"""Images beside a table to predict: a row names its own, whose pixels become columns."""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.errors import StudyError
from assay.formats.archives import Archive
from assay.formats.image_files import by_key, pixels_of
from assay.predict.parsing import Chunk
from assay.predict.schema import Form, Images
from assay.predict.source import TableFile


class Pictures:
    """A folder or an archive of images, for a form whose pixels came from files."""

    def __init__(self, path: Path, form: Form) -> None:
        """Look at the names of the images.

        Raises
        ------
        StudyError
            If there is no such folder or archive, or the model is not one of images in files.
        DataRefused
            If it cannot be read.
        """
        if form.images is None:
            raise StudyError("predict.images_unused", path=str(path))
        if not path.exists():
            raise StudyError("predict.images_not_there", path=str(path))
        if importlib.util.find_spec("PIL") is None:
            raise StudyError("predict.pillow_not_installed")
        self.images: Images = form.images
        self._source = TableFile(str(path), str(path))
        self._archive = Archive(path, str(path), self._source)
        self._names = by_key(self._archive.names())
        self.pixels = form.pixels

    def beside(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield chunks with the pixels of the images that their rows name.

        Raises
        ------
        DataRefused
            If a row's image is missing, ambiguous, too large, or not an image.
        """
        for chunk in chunks:
            table = str(chunk.table)
            source = TableFile(table, table)
            pixels, _ = pixels_of(
                _named(chunk, self.images.column),
                self.images,
                self._archive,
                self._names,
                source,
                chunk.place,
            )
            columns = dict(zip(self.pixels, pixels.T, strict=True))
            yield Chunk(
                chunk.table,
                chunk.n_rows,
                {**chunk.cells, **columns},
                chunk.as_text,
                chunk.first,
                chunk.lines,
            )


def _named(chunk: Chunk, column: str) -> Sequence[str | None]:
    return [None if cell in (None, "") else str(cell) for cell in chunk.cells[column]]
