"""Ingest: read a source into one table, or say where it cannot be read.

What each kind of file takes is in ``assay/readers``; here a source is sent to its reader, its images
are added, and the table is described. Strict throughout: what cannot be read exactly is refused.
"""

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from assay.data.readers.read_file import read_file
from assay.data.readers.table import Table, check_values, sampled
from assay.errors import DataRefused
from assay.store.canonical import digest_path
from assay.store.records import Column, Ref, Snapshot
from assay.study.sources import Source
from assay.wording import Sentence

__all__ = ["Table", "read_source", "snapshot"]


def read_source(source: Source) -> Table:
    """Read a source into a table with a fresh row index.

    Raises
    ------
    StudyError
        If the study declares of reading what such a file has no use for, or a column of images that
        is not there.
    DataRefused
        If the file or an image cannot be read exactly: the message names the line or column and the
        reason.
    """
    if source.name.startswith("builtin:"):
        frame = _built_in(source.name.removeprefix("builtin:"))
        return sampled(frame, (Sentence.of("readers.built_in"),), source)
    from assay.data.readers.images import with_pixels

    table = with_pixels(read_file(source), source)
    check_values(table.frame, source)
    _check_unchanged(source.name, source.path, source.digest)
    if source.images is not None:
        _check_unchanged(source.images.name, source.images.path, source.images.digest)
    return table


def _check_unchanged(name: str, path: str, digest: str) -> None:
    if digest_path(Path(path)) != digest:
        raise DataRefused("readers.changed", file=name)


def snapshot(source: Source, table: Table, ref: Ref) -> Snapshot:
    """Describe a stored table: where it came from and what its columns hold."""
    frame = table.frame
    columns = tuple(
        Column(
            name=str(name),
            type=_kind(frame[name]),
            n_missing=int(frame[name].isna().sum()),
            n_distinct=int(frame[name].nunique()),
        )
        for name in frame.columns
    )
    return Snapshot(
        table=ref,
        source=source.name,
        source_digest=source.digest,
        n_rows=len(frame),
        columns=columns,
        remarks=table.remarks,
        deviations=table.deviations,
    )


def _kind(column: "pd.Series[Any]") -> Literal["number", "text", "boolean"]:
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _built_in(name: str) -> pd.DataFrame:
    from sklearn.datasets import load_breast_cancer, load_digits

    if name == "digits":
        digits = load_digits()
        columns = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
        return pd.DataFrame(digits.data, columns=columns).assign(
            digit=digits.target.astype(str)
        )
    cancer = load_breast_cancer()
    columns = [str(name).replace(" ", "_") for name in cancer.feature_names]
    return pd.DataFrame(cancer.data, columns=columns).assign(
        diagnosis=cancer.target_names[cancer.target]
    )
