"""What refuses a study before anything is started for it: a small table is read at once, in a fraction of a second."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from assay.errors import DataRefused
from assay.study.plans import LEAST_ROWS, PlanName, Study
from assay.study.sources import Source

_SMALL = 1_000_000  # bytes of a table that is read in passing


def foresee(study: Study, sources: Mapping[str, Source]) -> None:
    """Refuse a study whose small table has not its columns, or too few rows under every plan.

    Raises
    ------
    StudyError
        If the first plan names a column that its table has not.
    DataRefused
        If its table cannot be read, or no plan has the rows that a test against chance takes.
    """
    from assay.data.clean import need_columns
    from assay.data.readers.read_file import read_file

    for number, (name, source) in enumerate(sources.items()):
        if (
            source.name.startswith("builtin:")
            or Path(source.path).stat().st_size > _SMALL
        ):
            return
        frame = read_file(source).frame
        if number == 0 and source.images is None:
            need_columns(frame, study.of(cast("PlanName", name)).cleaning())
        if len(frame) >= LEAST_ROWS:
            return
    need_rows(len(frame), source.name)


def need_rows(n_rows: int, source: str) -> None:
    """Refuse a table that is too small for any answer.

    Raises
    ------
    DataRefused
        If it has fewer rows than a test against chance takes.
    """
    if n_rows < LEAST_ROWS:
        raise DataRefused(
            "data.too_few_rows", source=source, n_rows=n_rows, least=LEAST_ROWS
        )
