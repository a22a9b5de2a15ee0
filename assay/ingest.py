"""Ingest: read a source into one table, or say where it cannot be read.

CSV, TSV and semicolon files (plain or gzip, UTF-8 or cp949), Parquet, and the two tables that
scikit-learn brings. Strict: a short row, a long row or an open quote is refused with its line.
"""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.errors import DataRefused
from assay.records import Column, Ref, Snapshot
from assay.study import Source

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MAX_BYTES = 4 * 1024**3
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


@dataclass(frozen=True)
class Table:
    """A table as read, and what the reader had to decide."""

    frame: pd.DataFrame
    remarks: tuple[str, ...]


def read_source(source: Source) -> Table:
    """Read a source into a table with a fresh row index.

    Raises
    ------
    DataRefused
        If the file cannot be read exactly: the message names the line or column and the reason.
    """
    if source.name.startswith("builtin:"):
        return Table(
            _built_in(source.name.removeprefix("builtin:")),
            ("the table scikit-learn brings",),
        )
    path = Path(source.path)
    endings = [ending.lower() for ending in path.suffixes]
    if endings[-1:] == [".parquet"]:
        table = Table(_read_parquet(path), ("Parquet",))
    elif endings[-1:] in ([".csv"], [".tsv"], [".txt"]) or endings[-2:] in (
        [".csv", ".gz"],
        [".tsv", ".gz"],
    ):
        table = _read_delimited(path, source.name)
    else:
        raise DataRefused(
            f"{source.name}: the ending is not one of .csv, .tsv, .txt, .csv.gz, .tsv.gz, .parquet."
        )
    _check_header(list(table.frame.columns), source.name)
    _check_values(table.frame, source.name)
    return table


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


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataRefused(
            f"{path.name} is not a readable Parquet file: {str(error).splitlines()[0]}."
        ) from None


def _read_delimited(path: Path, name: str) -> Table:
    text, encoding = _decode(_bytes_of(path, name), name)
    separator = _separator(text, path)
    n_rows = _scan(text, separator, name)
    frame = pd.read_csv(
        io.StringIO(text, newline=""),
        sep=separator,
        keep_default_na=False,
        na_values=list(MISSING),
        low_memory=False,
        skip_blank_lines=True,
    )
    if len(frame) != n_rows:
        raise DataRefused(
            f"{name}: {n_rows} rows were counted but {len(frame)} were read. Check its quotes."
        )
    missing = ", ".join(repr(word) for word in MISSING)
    remarks = (
        encoding,
        f"separated by {SEPARATORS[separator]}s",
        f"read as missing: {missing}",
    )
    return Table(frame.reset_index(drop=True), remarks)


def _bytes_of(path: Path, name: str) -> bytes:
    """Return the file's bytes, unpacked if gzip; count while unpacking, whatever the header says."""
    try:
        with (
            gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file
        ):
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataRefused(f"{name} cannot be read: {error}.") from None
    if len(content) > MAX_BYTES:
        raise DataRefused(
            f"{name} holds more than {MAX_BYTES / 1024**3:.0f} GiB, the most this reader takes."
        )
    if not content.strip():
        raise DataRefused(f"{name} is empty.")
    if b"\x00" in content:
        line = content[: content.index(b"\x00")].count(b"\n") + 1
        raise DataRefused(
            f"{name}, line {line}: a zero byte. The file is damaged, or no text at all."
        )
    return content


def _decode(content: bytes, name: str) -> tuple[str, str]:
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        at = error.start
    try:
        return content.decode("cp949"), "cp949 (Korean)"
    except UnicodeDecodeError:
        line = content[:at].count(b"\n") + 1
        raise DataRefused(
            f"{name}, line {line}: neither UTF-8 nor cp949 text. Save the file as UTF-8."
        ) from None


def _separator(text: str, path: Path) -> str:
    if ".tsv" in (ending.lower() for ending in path.suffixes):
        return "\t"
    header = next(line for line in text.splitlines() if line.strip())
    counts = {separator: header.count(separator) for separator in SEPARATORS}
    return (
        max(counts, key=lambda separator: counts[separator])
        if any(counts.values())
        else ","
    )


def _scan(text: str, separator: str, name: str) -> int:
    """Count the rows and hold each to the header's number of fields."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    csv.field_size_limit(16 * 1024**2)
    n_rows, expected = -1, 0
    try:
        for row in reader:
            if not row:
                continue
            n_rows += 1
            if n_rows == 0:
                expected = len(row)
            elif len(row) != expected:
                raise DataRefused(
                    f"{name}, line {reader.line_num}: {len(row)} fields, but the header has {expected}. "
                    f"Mend the line, or quote the cell that holds a {SEPARATORS[separator]}."
                )
    except csv.Error as error:
        raise DataRefused(
            f"{name}, line {reader.line_num}: {error}. Check the quotes from here up."
        ) from None
    if n_rows < 1:
        raise DataRefused(f"{name} has a header and no rows.")
    return n_rows


def _check_header(names: list[object], source: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if (
            not isinstance(name, str)
            or not name.strip()
            or name.startswith("Unnamed: ")
        ):
            raise DataRefused(
                f"{source}: a column has no name. Give every column one in the header."
            )
        if name != name.strip() or not name.isprintable():
            raise DataRefused(
                f"{source}: column {name!r} has blanks around it or control characters in its name."
            )
        if name.casefold() in seen:
            raise DataRefused(
                f"{source}: columns {seen[name.casefold()]!r} and {name!r} differ only in case or not at all."
            )
        seen[name.casefold()] = name


def _check_values(frame: pd.DataFrame, source: str) -> None:
    for name in frame.select_dtypes("number").columns:
        infinite = np.flatnonzero(
            np.isinf(frame[name].to_numpy(dtype=float, na_value=0.0))
        )
        if infinite.size:
            raise DataRefused(
                f"{source}: column {name} is infinite in row {infinite[0] + 1}. Leave the cell empty instead."
            )
