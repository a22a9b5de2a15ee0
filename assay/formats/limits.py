"""What readers take at most. Every refusal for size names the limit it rests on."""

from assay.errors import DataRefused
from assay.formats.checks import Named

GIB = 1024**3
MAX_FILE_BYTES = 4 * GIB
MAX_UNPACKED_BYTES = 8 * GIB  # counted while unpacking, whatever a header claims
MAX_SAMPLED_BYTES = 64 * GIB  # of a file of which a sample of rows is drawn
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
    """Refuse a file of more than ``most`` bytes; more is taken where a sample is drawn."""
    if source.read.sample is not None:
        most = MAX_SAMPLED_BYTES
    if n_bytes > most:
        raise DataRefused(
            f"{source.name} has {n_bytes / GIB:.1f} GiB, and this reader takes {most / GIB:g} GiB at most. "
            f"{_way_out(source)}"
        )


def check_shape(n_rows: int, n_columns: int, source: Named) -> None:
    """Refuse a table of too many columns or cells."""
    if n_columns > MAX_COLUMNS:
        raise DataRefused(
            f"{source.name} has {n_columns:,} columns, and this reader takes {MAX_COLUMNS:,} at most. "
            f"Leave out those that say nothing."
        )
    kept = n_rows if source.read.sample is None else min(n_rows, source.read.sample)
    if kept * n_columns > MAX_CELLS:
        raise DataRefused(
            f"{source.name}: {kept:,} rows of {n_columns:,} columns are more than the {MAX_CELLS:,} cells that "
            f"this reader takes. {_way_out(source)}"
        )


def too_much_unpacked(source: Named, most: int, name: str = "") -> DataRefused:
    """Return the refusal of what grows beyond the limit while it is unpacked: the source, or its images."""
    return DataRefused(
        f"{name or source.name} unpacks to more than the {most / GIB:g} GiB that this reader takes. {_way_out(source)}"
    )


def _way_out(source: Named) -> str:
    if not source.in_a_study:
        return "Split the file."
    if source.read.sample is not None:
        return "Split the file, or draw a smaller sample."
    return "Take rows out, or declare plan.a.read.sample to draw some at random."
