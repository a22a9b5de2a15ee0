"""Upper limits of all readers. Every refusal for size names the limit."""

from pathlib import Path

from assay.errors import DataRefused
from assay.formats.checks import Named
from assay.wording import Sentence

GIB = 1024**3
MAX_FILE_BYTES = 4 * GIB
MAX_UNPACKED_BYTES = 8 * GIB  # counted while unpacking, whatever a header claims
MAX_SAMPLED_BYTES = 64 * GIB  # of a file of which a sample of rows is drawn
FREELY_UNPACKED = (
    GIB // 2
)  # whatever the file's own size; beyond it these times its size
MAX_TEXT_RATIO, MAX_DECODED_RATIO = 100, 1_000
MAX_COLUMNS = 20_000  # an image of 64 x 64 x 3 has 12,288
MAX_CELLS = 500_000_000
MAX_CELL_CHARACTERS = 16 * 1024**2
MAX_LINE_CHARACTERS = 64 * 1024**2
MAX_WORKBOOK_BYTES = 512 * 1024**2
MAX_WORKBOOK_MEMORY = 6 * GIB  # a sheet is held whole, its empty cells too
MAX_WORKBOOK_CPU_S = 600
MAX_IMAGES = 1_000_000
MAX_IMAGE_BYTES = 64 * 1024**2
MAX_IMAGE_PIXELS = 50_000_000  # before it is resized


def check_file_size(n_bytes: int, source: Named, most: int = MAX_FILE_BYTES) -> None:
    """Refuse a file of more than ``most`` bytes; a file to draw a sample from may have more."""
    if source.read.sample is not None:
        most = MAX_SAMPLED_BYTES
    if n_bytes > most:
        raise DataRefused(
            "formats.file_too_large",
            file=source.name,
            size=n_bytes / GIB,
            most=most / GIB,
            way_out=_way_out(source),
        )


def check_shape(n_rows: int, n_columns: int, source: Named) -> None:
    """Refuse a table of too many columns or cells."""
    if n_columns > MAX_COLUMNS:
        raise DataRefused(
            "formats.too_many_columns",
            file=source.name,
            n_columns=n_columns,
            most=MAX_COLUMNS,
        )
    kept = n_rows if source.read.sample is None else min(n_rows, source.read.sample)
    if kept * n_columns > MAX_CELLS:
        raise DataRefused(
            "formats.too_many_cells",
            file=source.name,
            n_rows=kept,
            n_columns=n_columns,
            most=MAX_CELLS,
            way_out=_way_out(source),
        )


def most_unpacked(source: Named, path: str | Path, ratio: int = MAX_TEXT_RATIO) -> int:
    """Return how many bytes a file may unpack to; a small one cannot ask for all memory."""
    most = MAX_UNPACKED_BYTES if source.read.sample is None else MAX_SAMPLED_BYTES
    return min(most, max(FREELY_UNPACKED, ratio * Path(path).stat().st_size))


def workbook_limits(n_bytes: int) -> tuple[int, int]:
    """Return how much memory and how many CPU-seconds a workbook of this size may take to open."""
    memory = min(MAX_WORKBOOK_MEMORY, GIB + MAX_DECODED_RATIO * n_bytes)
    return memory, min(MAX_WORKBOOK_CPU_S, 30 + n_bytes // 100_000)


def too_much_unpacked(source: Named, most: int, name: str = "") -> DataRefused:
    """Return the refusal of a source, or its images, that exceed the limit while they are unpacked."""
    return DataRefused(
        "formats.unpacks_too_large",
        file=name or source.name,
        most=most / GIB,
        way_out=_way_out(source),
    )


def _way_out(source: Named) -> Sentence:
    if not source.in_a_study:
        return Sentence.of("formats.split_file")
    if source.read.sample is not None:
        return Sentence.of("formats.split_or_sample_less")
    return Sentence.of("formats.declare_sample")
