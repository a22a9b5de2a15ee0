"""Ingest: read a source into one table, or say where it cannot be read.

CSV, TSV and semicolon files (plain or gzip, UTF-8 or cp949), Parquet, and the two tables that
scikit-learn brings. Strict: a short row, a long row or an open quote is refused with its line.
"""

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assay.canonical import digest_file
from assay.errors import DataRefused
from assay.records import Column, Ref, Snapshot
from assay.study import Source

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MAX_BYTES = 4 * 1024**3
MAX_NUMBER = 1e38  # what single precision, in which networks compute, can hold
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_UNNAMED_INDEX = re.compile(
    r"__index_level_\d+__"
)  # how pandas stores an index without a name
_PLAIN = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_dictionary,
    pa.types.is_null,
)


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
        table = Table(_read_parquet(path, source.name), ("Parquet",))
    elif endings[-1:] in ([".csv"], [".tsv"], [".txt"]) or endings[-2:] in (
        [".csv", ".gz"],
        [".tsv", ".gz"],
    ):
        table = _read_delimited(path, source.name)
    else:
        raise DataRefused(
            f"{source.name}: the ending is not one of .csv, .tsv, .txt, .csv.gz, .tsv.gz, .parquet."
        )
    _check_values(table.frame, source.name)
    if digest_file(path) != source.digest:
        raise DataRefused(
            f"{source.name} was changed while it was read. Run again once it rests."
        )
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


def _read_parquet(path: Path, name: str) -> pd.DataFrame:
    """Return every stored column; what pandas once noted in the file about an index is not used."""
    try:
        with pq.ParquetFile(path) as file:
            table = file.read().replace_schema_metadata()
    except (pa.ArrowException, OSError, ValueError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise DataRefused(f"{name} is not a readable Parquet file: {said}.") from None
    table = table.select(
        [
            at
            for at, column in enumerate(table.column_names)
            if not _UNNAMED_INDEX.fullmatch(column)
        ]
    )
    _check_header(table.column_names, name)
    for field in table.schema:
        if not any(holds(field.type) for holds in _PLAIN):
            raise DataRefused(
                f"{name}: column {field.name} holds {field.type}. Store it as numbers, text or true and false."
            )
    if table.num_rows == 0:
        raise DataRefused(f"{name} has a header and no rows.")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_delimited(path: Path, name: str) -> Table:
    text, encoding = _decode(_bytes_of(path, name), name)
    if not text.strip():
        raise DataRefused(f"{name} is empty.")
    separator = _separator(text, path)
    header, n_rows = _scan(text, separator, name)
    _check_header(header, name)
    try:
        frame = pd.read_csv(
            io.StringIO(text, newline=""),
            sep=separator,
            keep_default_na=False,
            na_values=list(MISSING),
            low_memory=False,
            skip_blank_lines=True,
        )
    except ValueError as error:
        raise DataRefused(f"{name} cannot be read: {error}.") from None
    if len(frame) != n_rows or list(frame.columns) != header:
        raise DataRefused(
            f"{name}: {n_rows} rows of {len(header)} columns were counted, but {len(frame)} of "
            f"{len(frame.columns)} were read. Check its quotes, and lines that hold blanks only."
        )
    for column in header:
        if _beyond_a_word(frame[column]):
            frame[column] = frame[column].map(str, na_action="ignore")
    missing = ", ".join(repr(word) for word in MISSING)
    remarks = (
        encoding,
        f"separated by {SEPARATORS[separator]}s",
        f"read as missing: {missing}",
    )
    return Table(frame.reset_index(drop=True), remarks)


def _beyond_a_word(column: "pd.Series[Any]") -> bool:
    """Return whether a column holds integers of more than 64 bits, which name things."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    return column.dtype == object and kind == "integer"


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


def _scan(text: str, separator: str, name: str) -> tuple[list[str], int]:
    """Return the header and how many rows follow; hold each row to the header's number of fields."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    csv.field_size_limit(16 * 1024**2)
    header: list[str] = []
    n_rows = 0
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = row
                continue
            n_rows += 1
            if len(row) != len(header):
                raise DataRefused(
                    f"{name}, line {reader.line_num}: {len(row)} fields, but the header has {len(header)}. "
                    f"Mend the line, or quote the cell that holds a {SEPARATORS[separator]}."
                )
    except csv.Error as error:
        raise DataRefused(
            f"{name}, line {reader.line_num}: {error}. Check the quotes from here up."
        ) from None
    if n_rows < 1:
        raise DataRefused(f"{name} has a header and no rows.")
    return header, n_rows


def _check_header(names: list[str], source: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not name.strip():
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
        values = frame[name].to_numpy(dtype=float, na_value=0.0)
        beyond = np.flatnonzero(np.abs(values) > MAX_NUMBER)
        if beyond.size:
            raise DataRefused(
                f"{source}: column {name} holds {values[beyond[0]]:g} in row {beyond[0] + 1}, beyond {MAX_NUMBER:g}. "
                f"Leave the cell empty instead."
            )
