"""The form of a study's rows: everything that prediction needs about a table, as JSON values and arrays.

``prep.json`` and ``prep.npz`` of a bundle hold one :class:`Form`: which columns a table must have, how
their cells are read, which values training saw in them, and how they become a network's inputs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from assay.predict.preparation import Preparation
from assay.wording import Sentence, Value, render

VERSION = 1

Kind = Literal["number", "whole", "boolean", "text", "moment"]
Role = Literal["number", "category", "list", "text", "date"]


class Unfit(ValueError):
    """A form that is damaged, of another version, or whose parts do not fit together."""

    def __init__(self, key: str, /, **values: Value) -> None:
        super().__init__(key)
        self.sentence = Sentence.of(key, **values)

    def __str__(self) -> str:
        return render(self.sentence)


@dataclass(frozen=True)
class Column:
    """A column that prediction needs.

    Attributes
    ----------
    kind
        What its cells were in training, before anything was done to them.
    role
        What they are read as.
    spellings
        How values are spelled that are written in several ways.
    numbers
        Whether numbers stand in texts, such as ``90 min``.
    unit
        The unit whose cells count, where the study declares one; others are missing.
    units
        The units that training saw, where it declares none.
    format
        Of dates, as strptime has it; None: ISO 8601.
    """

    name: str
    kind: Kind
    role: Role
    spellings: Mapping[str, str]
    numbers: bool = False
    unit: str | None = None
    units: tuple[str, ...] = ()
    format: str | None = None


@dataclass(frozen=True)
class Dated:
    """A date column and the parts that it becomes; ``since``: another, from which its elapsed days count."""

    column: str
    parts: tuple[str, ...]
    since: str | None


@dataclass(frozen=True)
class Seen:
    """The range of values in training rows: a row outside of it is predicted all the same, and marked.

    Attributes
    ----------
    numbers
        The lowest and the highest of each numeric column, by its name; of the pixels of an image those
        of all together, under ``pixels``.
    gaps
        Columns of numbers that were missing in some rows.
    levels
        The levels of each category, rare ones too.
    """

    numbers: Mapping[str, tuple[float, float]]
    gaps: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Reading:
    """How the study's own file was read, as far as the study says so."""

    names: tuple[str, ...] = ()
    encoding: str | None = None
    separator: str | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Images:
    """Files that a column names, and what they are resized to; an image's pixels are the columns ``pixels``."""

    column: str
    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Form:
    """Everything that prediction needs about a table.

    Attributes
    ----------
    label
        What is predicted, in words.
    copied
        Columns that only name a row; they stand in the output where a table has them.
    pixels
        Names of the columns that are an image's pixels, in their order.
    images
        Where these came from files; None: the table itself had them.
    """

    study: str
    plan: str
    task: str
    classes: tuple[str, ...]
    label: str
    read: Reading
    columns: tuple[Column, ...]
    dates: tuple[Dated, ...]
    copied: tuple[str, ...]
    pixels: tuple[str, ...]
    images: Images | None
    seen: Seen
    preparation: Preparation

    @property
    def n_outputs(self) -> int:
        return max(1, len(self.classes))

    def as_json(self) -> dict[str, Any]:
        """Return everything but the fitted numbers as JSON values."""
        plain = {
            name: getattr(self, name)
            for name in ("study", "plan", "task", "classes", "label")
        }
        return {
            "format": VERSION,
            **plain,
            "n_inputs": self.preparation.n_inputs,
            "read": asdict(self.read),
            "columns": [_without_defaults(column) for column in self.columns],
            "dates": [asdict(date) for date in self.dates],
            "copied": self.copied,
            "pixels": self.pixels,
            "images": None if self.images is None else asdict(self.images),
            "seen": asdict(self.seen),
            "preparation": self.preparation.form(),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted numbers."""
        return self.preparation.arrays()

    @classmethod
    def of(cls, form: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the form that :meth:`as_json` and :meth:`arrays` gave.

        Raises
        ------
        Unfit
            If this is not such a form, or of another version.
        """
        version = form.get("format")
        if version != VERSION:
            raise Unfit("predict.form.version", version=repr(version), readable=VERSION)
        try:
            read = cls._of(form, arrays)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise Unfit("predict.form.incomplete", reason=repr(error)) from None
        _check(read, form["n_inputs"])
        return read

    @classmethod
    def _of(cls, form: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        read, seen = form["read"], form["seen"]
        return cls(
            **{name: form[name] for name in ("study", "plan", "task", "label")},
            classes=tuple(form["classes"]),
            read=Reading(
                names=tuple(read["names"]),
                encoding=read["encoding"],
                separator=read["separator"],
                missing=tuple(read["missing"]),
            ),
            columns=tuple(map(_column, form["columns"])),
            dates=tuple(
                Dated(date["column"], tuple(date["parts"]), date["since"])
                for date in form["dates"]
            ),
            copied=tuple(form["copied"]),
            pixels=tuple(form["pixels"]),
            images=None if form["images"] is None else Images(**form["images"]),
            seen=Seen(
                numbers={k: (low, high) for k, (low, high) in seen["numbers"].items()},
                gaps=tuple(seen["gaps"]),
                levels={k: tuple(levels) for k, levels in seen["levels"].items()},
            ),
            preparation=Preparation.of(form["preparation"], arrays),
        )


def _without_defaults(column: Column) -> dict[str, Any]:
    """Return a column without its empty attributes; thousands of pixels are then short."""
    return {
        key: value
        for key, value in asdict(column).items()
        if value or key in ("name", "kind", "role")
    }


def _column(form: dict[str, Any]) -> Column:
    units = {"units": tuple(form.get("units", ()))}
    return Column(**{"spellings": {}, **form, **units})


def _check(form: Form, n_inputs: int) -> None:
    """Refuse a form whose parts do not fit together.

    Raises
    ------
    Unfit
        If arrays have not the sizes that the form needs, or a number is not finite.
    """
    preparation, p = form.preparation, len(form.preparation.numeric)
    for name, array in preparation.arrays().items():
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
            kind, n_axes = str(array.dtype), array.ndim
            raise Unfit("predict.form.array", array=name, dtype=kind, n_axes=n_axes)
        if name not in ("low", "high") and not np.isfinite(array).all():
            raise Unfit("predict.form.not_finite", array=name)
    for name in ("fill", "low", "high", "centre", "scale"):
        if getattr(preparation.scaling, name).shape != (p,):
            raise Unfit("predict.form.array_length", array=name, n=p)
    if (
        preparation.indicated.size
        and not 0 <= preparation.indicated.min() <= preparation.indicated.max() < p
    ):
        raise Unfit("predict.form.indicated")
    for text in preparation.texts:
        if text.projection.shape != (len(text.terms), len(text.centre)):
            raise Unfit("predict.form.terms", column=text.column)
    if preparation.n_inputs != n_inputs:
        raise Unfit(
            "predict.form.inputs", n_made=preparation.n_inputs, n_declared=n_inputs
        )
