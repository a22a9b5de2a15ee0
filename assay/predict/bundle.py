"""A bundle opened for prediction."""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.array_headers import UNREADABLE, heads_of
from assay.formats.checks import cut, first_line
from assay.predict.expectations import Rules, rules_of
from assay.predict.features import features
from assay.predict.manifest import verified
from assay.predict.network import Network
from assay.predict.parsing import Cells, Chunk, Words, typed
from assay.predict.schema import Form
from assay.predict.source import TableFile
from assay.predict.warnings import Remarks

_MOST_CELLS, _MOST_ROWS, _FEWEST_ROWS = 4_000_000, 4_096, 64  # held at once


@dataclass(frozen=True)
class Predictions:
    """What a bundle predicts of some rows.

    Attributes
    ----------
    prediction : shape (n_rows,)
        The likeliest class of each, or the number.
    probabilities : shape (n_rows, n_classes)
        In the order of ``classes``; no columns where a number is predicted.
    remarks
        What about each row is outside of what training saw; empty where nothing is.
    """

    prediction: NDArray[Any]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    remarks: tuple[str, ...]


class Bundle:
    """A model with all that it takes to predict: the form of a row, the network, the rules of its suite."""

    def __init__(
        self, form: Form, network: Network, rules: Rules, manifest: Mapping[str, Any]
    ) -> None:
        self.form, self.network, self.rules = form, network, rules
        self.manifest = manifest
        self._words = Words(form.read.missing)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a bundle, every file of it verified.

        Parameters
        ----------
        path
            Its folder, or that of the run which left it.

        Raises
        ------
        StudyError
            If no bundle lies there.
        DataRefused
            If it was altered, or does not fit together.
        """
        held = verified(Path(path))
        place = held.folder
        try:
            arrays = _arrays(held.contents["prep.npz"], f"{place / 'prep.npz'}")
            form = Form.of(json.loads(held.contents["prep.json"]), arrays)
            rules = rules_of(held.contents["suite.json"].decode(), form)
        except (ValueError, RecursionError) as error:
            raise DataRefused(f"{place} cannot be used: {first_line(error)}.") from None
        network = Network(held.contents["net.onnx"], f"{place / 'net.onnx'}")
        wanted = form.preparation.n_inputs, form.n_outputs
        if (network.n_inputs, network.n_outputs) != wanted:
            raise DataRefused(
                f"{place} does not fit together: its network has {network.n_inputs} inputs and {network.n_outputs} "
                f"outputs, and its form {wanted[0]} and {wanted[1]}."
            )
        return cls(form, network, rules, held.manifest)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return tuple(column.name for column in self.form.columns)

    def rows_at_once(self, n_columns: int = 0) -> int:
        """Return how many rows are held in memory at a time, of a table with so many columns."""
        width = max(self.form.preparation.n_inputs, n_columns, 1)
        return max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_CELLS // width))

    def predict(
        self, columns: Mapping[str, Cells], *, as_text: bool = False
    ) -> Predictions:
        """Predict rows.

        Parameters
        ----------
        columns
            By name: sequences or arrays of one length. Numbers, texts, true and false; None is missing.
        as_text
            Whether cells are as in a text file, where ``""`` or ``NA`` is missing too.

        Raises
        ------
        DataRefused
            If a column is missing, or a cell is not what it must be.
        """
        self.check_columns(list(columns), "the table")
        lengths = {len(columns[name]) for name in self.needed}
        if len(lengths) != 1:
            raise DataRefused(
                f"The columns have different lengths: {', '.join(map(str, sorted(lengths)))}. Each has one cell a row."
            )
        n_rows, step = lengths.pop(), self.rows_at_once()
        parts = []
        for first in range(0, n_rows, step):
            rows = slice(first, first + step)
            cells = {name: columns[name][rows] for name in self.needed}
            n = min(step, n_rows - first)
            parts.append(
                self.predict_chunk(Chunk("the table", n, cells, as_text, first))
            )
        return self._joined(parts)

    def predict_chunk(self, chunk: Chunk) -> Predictions:
        """Predict rows that were read together."""
        inputs, remarks = self.prepared(chunk)
        return self.predictions(chunk, self.network.predict(inputs), remarks)

    def prepared(self, chunk: Chunk) -> tuple[NDArray[np.float32], Remarks]:
        """Return what the network sees of rows, shape (n_rows, n_inputs), and the remarks on them."""
        remarks, form = Remarks(), self.form
        values = {
            column.name: typed(column, chunk, self._words) for column in form.columns
        }
        self.rules.check(values, chunk, remarks)
        made = features(form, values, chunk, remarks)
        inputs = form.preparation.inputs(made, chunk.n_rows)
        return inputs.astype(np.float32), remarks

    def predictions(
        self, chunk: Chunk, found: NDArray[np.float32], remarks: Remarks
    ) -> Predictions:
        """Return what the network found of rows under the names of their classes."""
        if not np.isfinite(found).all():
            row = int((~np.isfinite(found)).any(axis=1).argmax())
            raise DataRefused(
                f"{chunk.table}, {chunk.place(row)}: its numbers are so large that nothing can be predicted from them. "
                f"Correct them, or leave the row out."
            )
        return Predictions(
            self._named(found),
            found[:, : len(self.form.classes)],
            self.form.classes,
            tuple(remarks.joined(chunk.n_rows)),
        )

    def check_columns(
        self, names: Sequence[str], table: str, needed: Sequence[str] | None = None
    ) -> None:
        """Refuse a table without the columns that are needed: all that the form has, or those given.

        Raises
        ------
        DataRefused
            If one is missing; the message names it and the one of the table most like it.
        """
        there, needed = frozenset(names), self.needed if needed is None else needed
        missing = [name for name in needed if name not in there]
        if not missing:
            return
        images = self.form.images
        if images is not None and missing[0] in self.form.pixels:
            raise DataRefused(
                f"{table} has no pixels, such as {missing[0]}. Its column {cut(images.column)} may name images: say with "
                f"--images where they lie."
            )
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        close = _closest(missing[0], [name for name in names if name not in needed])
        hint = (
            f"its {cut(close)!r} is the closest"
            if close
            else f"it has {_listed(names)}"
        )
        raise DataRefused(
            f"{table} has no column {cut(missing[0])!r}{more}, which prediction needs; {hint}. Name it as in training."
        )

    def _named(self, found: NDArray[np.float32]) -> NDArray[Any]:
        if not self.form.classes:
            return found[:, 0]
        names = np.array(self.form.classes, dtype=object)
        return np.asarray(names[found.argmax(axis=1)])

    def _joined(self, parts: Sequence[Predictions]) -> Predictions:
        if not parts:
            nothing = np.empty((0, self.form.n_outputs), dtype=np.float32)
            classes = self.form.classes
            return Predictions(
                self._named(nothing), nothing[:, : len(classes)], classes, ()
            )
        return Predictions(
            np.concatenate([part.prediction for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            self.form.classes,
            tuple(said for part in parts for said in part.remarks),
        )


def _closest(name: str, names: Sequence[str]) -> str:
    folded = {one.casefold(): one for one in names}
    found = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else ""


def _listed(names: Sequence[str]) -> str:
    said = ", ".join(cut(name) for name in names[:8])
    return f"{said} and {len(names) - 8} more" if len(names) > 8 else said or "none"


def _arrays(content: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive, whose sizes are looked at before any is read.

    Raises
    ------
    DataRefused
        If it is no archive of plain arrays.
    """
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(content)) as archive:
            warnings.simplefilter("ignore")
            _check_sizes(archive, len(content), name)
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {one: arrays[one] for one in arrays.files}
    except UNREADABLE as error:
        raise DataRefused(f"{name} cannot be read: {first_line(error)}.") from None


def _check_sizes(archive: zipfile.ZipFile, n_bytes: int, name: str) -> None:
    """Refuse an archive that announces more numbers than it can hold, or objects."""
    heads = dict(heads_of(archive, TableFile(name, name)))
    announced = 0
    for one, (shape, dtype) in heads.items():
        if dtype.hasobject or any(n < 0 for n in shape):
            raise DataRefused(f"{name}: its array {one} holds no plain numbers.")
        announced += prod(shape) * dtype.itemsize
    if announced > n_bytes:
        raise DataRefused(f"{name} announces {announced:,} bytes and has {n_bytes:,}.")
