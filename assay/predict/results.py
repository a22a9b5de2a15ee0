"""Predictions as a file: CSV, Parquet or JSON lines, written completely or not at all."""

import io
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError, why_refused
from assay.predict.bundle import Predictions
from assay.predict.parsing import Chunk

ENDINGS = (".csv", ".jsonl", ".parquet")
_TO_QUOTE = frozenset(',"\r\n')
# A text that begins so, after a separator of some country too, is run by spreadsheets as a formula (OWASP, CSV injection).
# At the beginning of a cell, or of what a spreadsheet of another separator takes for one, quotes and all.
_FORMULA = re.compile(
    r"""(?:^|(?<=[;|\t\r\n]))(?=["']*[=+\-@＝＋－＠])|^(?=["']*[\t\r\n])"""
)
_FORMULA_SIGNS = frozenset("=+-@＝＋－＠\t\r\n")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_DIGITS = "%.9g"  # all that single precision has


class Writer(Protocol):
    """Writes the rows of chunks in their order."""

    def write(self, chunk: Chunk, predictions: Predictions) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None:
        """Release a file that will not be finished."""


@contextmanager
def written(
    output: Path | None,
    copied: Sequence[str],
    classes: Sequence[str],
    *,
    raw: bool = False,
) -> Iterator[Writer]:
    """Give a writer whose file appears under its name only once everything is written.

    The column ``remarks`` is data, in English whatever language is chosen.

    Parameters
    ----------
    output
        Where it goes; None: to the standard output, as CSV, at the end.
    copied
        Columns of the table that stand beside the predictions.
    raw
        Whether a CSV has texts as they are, also those that a spreadsheet would run as a formula.

    Raises
    ------
    StudyError
        If such a file cannot be written there.
    """
    heads = _heads(copied, classes)
    if output is None:
        with tempfile.TemporaryFile() as kept:
            with _finished(_Csv(kept, copied, heads, raw=raw)) as writer:
                yield writer
            kept.seek(0)
            shutil.copyfileobj(kept, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    kinds: dict[str, Callable[..., Writer]] = {
        ".csv": partial(_Csv, raw=raw),
        ".jsonl": _JsonLines,
        ".parquet": _Parquet,
    }
    make = kinds[check_output(output)]
    with _pending(output) as part, _finished(make(part, copied, heads)) as writer:
        yield writer


@contextmanager
def _finished(writer: Writer) -> Iterator[Writer]:
    try:
        yield writer
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


def check_output(output: Path) -> str:
    """Return the ending of a file to write.

    Raises
    ------
    StudyError
        If no such file can be written, or its folder does not exist.
    """
    ending = output.suffix.lower()
    if ending not in ENDINGS:
        raise StudyError("predict.output_ending", file=str(output), endings=ENDINGS)
    if not output.parent.is_dir():
        folder = str(output.parent)
        raise StudyError("predict.output_no_folder", file=str(output), folder=folder)
    if output.is_dir():
        raise StudyError("predict.output_is_folder", file=str(output))
    return ending


@contextmanager
def _pending(output: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside the output, which replaces the output once it is complete."""
    part = output.with_name(f".{output.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    except PermissionError as error:
        raise StudyError(
            "predict.output_not_allowed",
            file=str(output),
            reason=why_refused(error),
            folder=str(output.parent),
        ) from None
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _heads(copied: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return the names of the columns; a copied column with the name of another is marked as the table's."""
    ours = ["row", "prediction", *(f"p:{name}" for name in classes), "remarks"]
    taken = {name.casefold() for name in ours}
    ids = [f"table:{name}" if name.casefold() in taken else name for name in copied]
    return [ours[0], *ids, *ours[1:]]


def _columns(
    chunk: Chunk,
    predictions: Predictions,
    copied: Sequence[str],
    spell: Callable[[str], Any] = float,
) -> list[Sequence[Any]]:
    """Return the columns of the output, as Python's own values; numbers as ``spell`` gives them."""
    rows = range(chunk.first + 1, chunk.first + chunk.n_rows + 1)

    def rounded(values: NDArray[np.float32]) -> list[Any]:
        return [spell(_DIGITS % value) for value in values.tolist()]

    values = predictions.prediction
    prediction = rounded(values) if values.dtype != object else values.tolist()
    shares = [rounded(column) for column in predictions.probabilities.T]
    ids = [_plain(chunk.cells[name]) for name in copied]
    return [rows, *ids, prediction, *shares, predictions.remarks]


def _plain(cells: Any) -> list[Any]:
    if isinstance(cells, np.ndarray):
        is_date = cells.dtype.kind == "M"
        return list(map(str, cells)) if is_date else list(cells.tolist())
    plain = (str, int, float, bool, type(None))
    return [cell if isinstance(cell, plain) else str(cell) for cell in cells]


class _Csv:
    def __init__(
        self,
        file: IO[bytes],
        copied: Sequence[str],
        heads: Sequence[str],
        *,
        raw: bool,
    ) -> None:
        self._copied, self._raw = copied, raw
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        self._text.write(",".join(_quoted(self._safe(heads))) + "\n")

    def write(self, chunk: Chunk, predictions: Predictions) -> None:
        columns = _columns(chunk, predictions, self._copied, str)
        cells = [_quoted(self._safe(column)) for column in columns]
        lines = map(",".join, zip(*cells, strict=True))
        self._text.write("\n".join([*lines, ""]))

    def _safe(self, cells: Sequence[Any]) -> Sequence[Any]:
        return cells if self._raw else without_formulas(cells)

    def finish(self) -> None:
        self._text.flush()
        self._text.detach()

    def abandon(self) -> None:
        with suppress(ValueError):  # as it was finished already
            self._text.detach()


def without_formulas(cells: Sequence[Any]) -> Sequence[Any]:
    """Return cells with an apostrophe before each text that a spreadsheet would run; numbers stay as they are.

    Examples
    --------
    >>> without_formulas(["=1+1", "a", "-5", -5, "'=1", "x;@SUM(A1)"])
    ["'=1+1", 'a', '-5', -5, "''=1", "x;'@SUM(A1)"]
    """
    return [
        _FORMULA.sub("'", cell)
        if isinstance(cell, str)
        and not _FORMULA_SIGNS.isdisjoint(cell)
        and not _NUMBER.fullmatch(cell)
        else cell
        for cell in cells
    ]


def _quoted(cells: Sequence[Any]) -> Sequence[str]:
    """Return cells as CSV has them (RFC 4180), a column at once: a fifth of what ``csv.writer`` takes."""
    try:
        together = "".join(cells)
    except TypeError:
        cells = ["" if cell is None else str(cell) for cell in cells]
        together = "".join(cells)
    if not any(mark in together for mark in _TO_QUOTE):
        return cells
    return [
        '"' + cell.replace('"', '""') + '"' if _TO_QUOTE & set(cell) else cell
        for cell in cells
    ]


class _JsonLines:
    def __init__(
        self, file: IO[bytes], copied: Sequence[str], heads: Sequence[str]
    ) -> None:
        self._file, self._copied, self._heads = file, copied, heads

    def write(self, chunk: Chunk, predictions: Predictions) -> None:
        for row in zip(*_columns(chunk, predictions, self._copied), strict=True):
            cells = [None if cell != cell else cell for cell in row]  # NaN is not JSON
            named = dict(zip(self._heads, cells, strict=True))
            self._file.write(json.dumps(named, ensure_ascii=False).encode() + b"\n")

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class _Parquet:
    def __init__(
        self, file: IO[bytes], copied: Sequence[str], heads: Sequence[str]
    ) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise StudyError(
                "predict.parquet_not_written", library=str(error.name)
            ) from None
        self._pa, self._file = pyarrow, file
        self._copied, self._heads = copied, heads
        self._open: Any = None

    def write(self, chunk: Chunk, predictions: Predictions) -> None:
        pa, n_ids = self._pa, len(self._copied)
        rows, *columns = _columns(chunk, predictions, self._copied)
        ids, (prediction, *shares, remarks) = columns[:n_ids], columns[n_ids:]
        arrays = [pa.array(rows, pa.int64())]
        for cells in ids:
            texts = [None if cell is None else str(cell) for cell in cells]
            arrays.append(pa.array(texts, pa.string()))
        kind = pa.string() if predictions.classes else pa.float64()
        arrays.append(pa.array(prediction, kind))
        arrays += [pa.array(share, pa.float64()) for share in shares]
        arrays.append(pa.array(remarks, pa.string()))
        batch = pa.RecordBatch.from_arrays(arrays, names=list(self._heads))
        if self._open is None:
            self._open = pa.parquet.ParquetWriter(
                self._file, batch.schema, compression="zstd"
            )
        self._open.write_batch(batch)

    def finish(self) -> None:
        if self._open is None:
            raise DataRefused("predict.no_row")
        self._open.close()

    def abandon(self) -> None:
        if self._open is not None:
            self._open.close()
