"""A bundle opened for prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataRefused
from assay.formats.checks import cut, some_of
from assay.formats.missing import Words
from assay.predict.decoding import json_in
from assay.predict.expectations import Rules, rules_of
from assay.predict.features import features
from assay.predict.manifest import Verified, verified
from assay.predict.network import Network
from assay.predict.parsing import Cells, Chunk, typed
from assay.predict.schema import Form
from assay.predict.stored_arrays import arrays_in
from assay.predict.stored_form import form_of
from assay.predict.unfit import Unfit, explained
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
        self, form: Form, network: Network, rules: Rules, verified: Verified
    ) -> None:
        self.form, self.network, self.rules = form, network, rules
        self.manifest, self.folder = verified.manifest, verified.folder
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
        npz = folder / "prep.npz"
        with explained(npz):
            arrays = arrays_in(files["prep.npz"], str(npz))
        with explained(folder / "prep.json"):
            form = form_of(json_in(files["prep.json"]), arrays)
        with explained(folder / "suite.json"):
            rules = rules_of(files["suite.json"], form)
        with explained(folder / "net.onnx"):
            network = Network(files["net.onnx"])
            _check_fit(network, form)
        return cls(form, network, rules, bundle)

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
        return self.predictions(chunk, self.outputs(inputs), remarks)

    def prepared(self, chunk: Chunk) -> tuple[NDArray[np.float32], Remarks]:
        """Return the network's inputs, shape (n_rows, n_inputs), and the remarks on the rows.

        A number that overflows shows in the network's outputs.
        """
        remarks, form = Remarks(), self.form
        values = {
            column.name: typed(column, chunk, self._words) for column in form.columns
        }
        with explained(self.folder), np.errstate(all="ignore"):
            self.rules.check(values, chunk, remarks)
            made = features(form, values, chunk, remarks)
            inputs = form.preparation.inputs(made, chunk.n_rows)
            return inputs.astype(np.float32), remarks

    def outputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network predicts from its inputs; several threads may call at once."""
        with explained(self.folder):
            return self.network.predict(inputs)

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


def _check_fit(network: Network, form: Form) -> None:
    """Refuse a network of other inputs or outputs than the form of the rows."""
    n_inputs, n_outputs = form.preparation.n_inputs, form.n_outputs
    if (network.n_inputs, network.n_outputs) != (n_inputs, n_outputs):
        raise Unfit(
            "predict.graph.another_form",
            n_inputs=network.n_inputs,
            n_outputs=network.n_outputs,
            n_inputs_of_form=n_inputs,
            n_outputs_of_form=n_outputs,
        )
