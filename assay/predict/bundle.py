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
from assay.formats.checks import cut, first_line, some_of
from assay.formats.missing import Words
from assay.predict.expectations import Rules, rules_of
from assay.predict.features import features
from assay.predict.manifest import verified
from assay.predict.network import Network
from assay.predict.parsing import Cells, Chunk, typed
from assay.predict.schema import Form, Unfit
from assay.predict.source import TableFile
from assay.predict.warnings import Remarks
from assay.wording import Sentence

_MOST_CELLS, _MOST_ROWS, _FEWEST_ROWS = 4_000_000, 4_096, 64  # held at once


@dataclass(frozen=True)
class Predictions:
    """A bundle's predictions for some rows.

    Attributes
    ----------
    prediction : shape (n_rows,)
        The likeliest class of each, or the number.
    probabilities : shape (n_rows, n_classes)
        In the order of ``classes``; no columns where a number is predicted.
    remarks
        What in each row is outside of what training saw, in English whatever language is chosen: it is
        data, which a program may look through. Empty where nothing is.
    """

    prediction: NDArray[Any]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    remarks: tuple[str, ...]


class Bundle:
    """A model with all that prediction needs: the form of a row, the network, the rules of its suite."""

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
            If it was altered, or its files do not fit together.
        """
        bundle = verified(Path(path))
        folder, files = bundle.folder, bundle.contents
        try:
            arrays = _arrays(files["prep.npz"], f"{folder / 'prep.npz'}")
            form = Form.of(json.loads(files["prep.json"]), arrays)
            rules = rules_of(files["suite.json"].decode(), form)
        except (ValueError, RecursionError) as error:
            reason = error.sentence if isinstance(error, Unfit) else first_line(error)
            raise DataRefused(
                "predict.bundle_unusable", bundle=str(folder), reason=reason
            ) from None
        network = Network(files["net.onnx"], f"{folder / 'net.onnx'}")
        _check_fit(network, form, folder)
        return cls(form, network, rules, bundle.manifest)

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
        table = Sentence.of("predict.the_table")
        self.check_columns(list(columns), table)
        lengths = {len(columns[name]) for name in self.needed}
        if len(lengths) != 1:
            raise DataRefused("predict.lengths", lengths=tuple(sorted(lengths)))
        n_rows, step = lengths.pop(), self.rows_at_once()
        parts = []
        for first in range(0, n_rows, step):
            rows = slice(first, first + step)
            cells = {name: columns[name][rows] for name in self.needed}
            n = min(step, n_rows - first)
            parts.append(self.predict_chunk(Chunk(table, n, cells, as_text, first)))
        return self._joined(parts)

    def predict_chunk(self, chunk: Chunk) -> Predictions:
        """Predict rows that were read together."""
        inputs, remarks = self.prepared(chunk)
        return self.predictions(chunk, self.network.predict(inputs), remarks)

    def prepared(self, chunk: Chunk) -> tuple[NDArray[np.float32], Remarks]:
        """Return the network's inputs, shape (n_rows, n_inputs), and the remarks on the rows."""
        remarks, form = Remarks(), self.form
        values = {
            column.name: typed(column, chunk, self._words) for column in form.columns
        }
        self.rules.check(values, chunk, remarks)
        made = features(form, values, chunk, remarks)
        inputs = form.preparation.inputs(made, chunk.n_rows)
        return inputs.astype(np.float32), remarks

    def predictions(
        self, chunk: Chunk, outputs: NDArray[np.float32], remarks: Remarks
    ) -> Predictions:
        """Return the network's outputs for rows with the names of their classes."""
        if not np.isfinite(outputs).all():
            row = int((~np.isfinite(outputs)).any(axis=1).argmax())
            raise DataRefused(
                "predict.not_finite", table=chunk.table, place=chunk.place(row)
            )
        return Predictions(
            self._named(outputs),
            outputs[:, : len(self.form.classes)],
            self.form.classes,
            tuple(remarks.joined(chunk.n_rows)),
        )

    def check_columns(
        self,
        names: Sequence[str],
        table: str | Sentence,
        needed: Sequence[str] | None = None,
    ) -> None:
        """Refuse a table without the columns that are needed: all that the form has, or those given.

        Raises
        ------
        DataRefused
            If a column is missing; the message names it and the table's column most like it.
        """
        there, needed = frozenset(names), self.needed if needed is None else needed
        missing = [name for name in needed if name not in there]
        if not missing:
            return
        images = self.form.images
        if images is not None and missing[0] in self.form.pixels:
            raise DataRefused(
                "predict.no_pixels",
                table=table,
                pixel=missing[0],
                column=cut(images.column),
            )
        close = _closest(missing[0], [name for name in names if name not in needed])
        raise DataRefused(
            "predict.column_missing",
            table=table,
            columns=some_of([repr(cut(missing[0]))], 1, n_all=len(missing)),
            hint=Sentence.of("predict.closest_column", column=repr(cut(close)))
            if close
            else Sentence.of(
                "predict.columns_there", columns=some_of([*map(cut, names)], 8)
            ),
        )

    def _named(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        if not self.form.classes:
            return outputs[:, 0]
        names = np.array(self.form.classes, dtype=object)
        return np.asarray(names[outputs.argmax(axis=1)])

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
            tuple(remark for part in parts for remark in part.remarks),
        )


def _closest(name: str, names: Sequence[str]) -> str:
    """Return the name most like another, or an empty text."""
    folded = {other.casefold(): other for other in names}
    matches = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    return folded[matches[0]] if matches else ""


def _check_fit(network: Network, form: Form, folder: Path) -> None:
    """Refuse a network of other inputs or outputs than the form of the rows."""
    n_inputs, n_outputs = form.preparation.n_inputs, form.n_outputs
    if (network.n_inputs, network.n_outputs) != (n_inputs, n_outputs):
        raise DataRefused(
            "predict.network_and_form",
            bundle=str(folder),
            n_inputs=network.n_inputs,
            n_outputs=network.n_outputs,
            n_inputs_of_form=n_inputs,
            n_outputs_of_form=n_outputs,
        )


def _arrays(content: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive, whose sizes are checked before any is read.

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
                return {array: arrays[array] for array in arrays.files}
    except UNREADABLE as error:
        raise DataRefused(
            "formats.unreadable", file=name, reason=first_line(error)
        ) from None


def _check_sizes(archive: zipfile.ZipFile, n_bytes: int, name: str) -> None:
    """Refuse an archive that announces more numbers than it can hold, or objects."""
    heads = dict(heads_of(archive, TableFile(name, name)))
    announced = 0
    for array, (shape, dtype) in heads.items():
        if dtype.hasobject or any(n < 0 for n in shape):
            raise DataRefused("predict.array_not_plain", file=name, array=array)
        announced += prod(shape) * dtype.itemsize
    if announced > n_bytes:
        raise DataRefused(
            "predict.array_sizes", file=name, announced=announced, n_bytes=n_bytes
        )
