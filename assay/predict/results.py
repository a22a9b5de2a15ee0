"""Predictions as a file: CSV, Parquet or JSON lines, whole or not there."""

import io
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused, StudyError
from assay.predict.bundle import Predictions
from assay.predict.parsing import Chunk

ENDINGS = (".csv", ".jsonl", ".parquet")
_TO_QUOTE = frozenset(',"\r\n')
_DIGITS = "%.9g"  # all that single precision has


class Writer(Protocol):
    """What writes the rows of chunks, one after the other."""

    def write(self, chunk: Chunk, found: Predictions) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None:
        """Let go of a file that will not be finished."""


@contextmanager
def written(
    output: Path | None, copied: Sequence[str], classes: Sequence[str]
) -> Iterator[Writer]:
    """Give a writer whose file appears under its name once all is written, and not before.

    Parameters
    ----------
    output
        Where it goes; None: to the standard output, as CSV, at the end.
    copied
        Columns of the table that stand beside the predictions.

    Raises
    ------
    StudyError
        If such a file cannot be written there.
    """
    heads = _heads(copied, classes)
    if output is None:
        with tempfile.TemporaryFile() as kept:
            with _finished(_Csv(kept, copied, heads)) as writer:
                yield writer
            kept.seek(0)
            shutil.copyfileobj(kept, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    kinds: dict[str, Callable[..., Writer]] = {
        ".csv": _Csv,
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
        If it is not one that can be written, or there is no such folder.
    """
    ending = output.suffix.lower()
    if ending not in ENDINGS:
        raise StudyError(
            f"-o {output}: predictions are written as {', '.join(ENDINGS)}. Give the file one of these endings."
        )
    if not output.parent.is_dir():
        raise StudyError(
            f"-o {output}: there is no folder {output.parent}. Make it first."
        )
    if output.is_dir():
        raise StudyError(f"-o {output}: that is a folder. Give the name of a file.")
    return ending


@contextmanager
def _pending(output: Path) -> Iterator[IO[bytes]]:
    """Open a file beside the one that is meant, which it becomes if nothing goes wrong."""
    part = output.with_name(f".{output.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    except PermissionError as error:
        raise StudyError(
            f"-o {output}: {error.strerror} in {output.parent}. Choose another folder."
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
    """Return the names of the columns; a copied one that has another's name is marked as the table's."""
    ours = ["row", "prediction", *(f"p:{name}" for name in classes), "remarks"]
    taken = {name.casefold() for name in ours}
    ids = [f"table:{name}" if name.casefold() in taken else name for name in copied]
    return [ours[0], *ids, *ours[1:]]


def _columns(
    chunk: Chunk,
    found: Predictions,
    copied: Sequence[str],
    spell: Callable[[str], Any] = float,
) -> list[Sequence[Any]]:
    """Return the columns of the output, as Python's own values; numbers as ``spell`` gives them."""
    rows = range(chunk.first + 1, chunk.first + chunk.n_rows + 1)

    def rounded(values: NDArray[np.float32]) -> list[Any]:
        return [spell(_DIGITS % value) for value in values.tolist()]

    numbers = found.prediction.dtype != object
    prediction = rounded(found.prediction) if numbers else found.prediction.tolist()
    shares = [rounded(column) for column in found.probabilities.T]
    ids = [_plain(chunk.cells[name]) for name in copied]
    return [rows, *ids, prediction, *shares, found.remarks]


def _plain(cells: Any) -> list[Any]:
    if isinstance(cells, np.ndarray):
        moments = cells.dtype.kind == "M"
        return [str(one) for one in cells] if moments else list(cells.tolist())
    kept = (str, int, float, bool, type(None))
    return [cell if isinstance(cell, kept) else str(cell) for cell in cells]


class _Csv:
    def __init__(
        self, file: IO[bytes], copied: Sequence[str], heads: Sequence[str]
    ) -> None:
        self._copied = copied
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        self._text.write(",".join(_quoted(heads)) + "\n")

    def write(self, chunk: Chunk, found: Predictions) -> None:
        columns = _columns(chunk, found, self._copied, str)
        lines = map(",".join, zip(*map(_quoted, columns), strict=True))
        self._text.write("\n".join([*lines, ""]))

    def finish(self) -> None:
        self._text.flush()
        self._text.detach()

    def abandon(self) -> None:
        with suppress(ValueError):  # as it was finished already
            self._text.detach()


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

    def write(self, chunk: Chunk, found: Predictions) -> None:
        for row in zip(*_columns(chunk, found, self._copied), strict=True):
            named = dict(zip(self._heads, row, strict=True))
            said = {k: None if v != v else v for k, v in named.items()}
            self._file.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")

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
                f"{error.name} is needed to write Parquet. Install the bundle's requirements.txt, or write CSV."
            ) from None
        self._pa, self._file = pyarrow, file
        self._copied, self._heads = copied, heads
        self._open: Any = None

    def write(self, chunk: Chunk, found: Predictions) -> None:
        pa = self._pa
        rows, *rest = _columns(chunk, found, self._copied)
        ids, rest = rest[: len(self._copied)], rest[len(self._copied) :]
        texts = [[None if cell is None else str(cell) for cell in one] for one in ids]
        arrays = [pa.array(rows, pa.int64())]
        arrays += [pa.array(one, pa.string()) for one in texts]
        kind = pa.string() if found.classes else pa.float64()
        arrays.append(pa.array(rest[0], kind))
        arrays += [pa.array(one, pa.float64()) for one in rest[1:-1]]
        arrays.append(pa.array(rest[-1], pa.string()))
        batch = pa.RecordBatch.from_arrays(arrays, names=list(self._heads))
        if self._open is None:
            self._open = pa.parquet.ParquetWriter(
                self._file, batch.schema, compression="zstd"
            )
        self._open.write_batch(batch)

    def finish(self) -> None:
        if self._open is None:
            raise DataRefused("There is no row to predict.")
        self._open.close()

    def abandon(self) -> None:
        if self._open is not None:
            self._open.close()
