"""The form of a study's rows: everything that prediction needs about a table, as JSON values and arrays.

``prep.json`` and ``prep.npz`` of a bundle hold one :class:`Form`: which columns a table must have, how
their cells are read, which values training saw in them, and how they become a network's inputs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from assay.formats.checks import Separator
from assay.formats.encoding import Codec
from assay.predict.preparation import Preparation

VERSION = 1

Kind = Literal["number", "whole", "boolean", "text", "moment"]
Role = Literal["number", "category", "list", "text", "date"]
Part = Literal["elapsed", "year", "month", "weekday", "hour"]
Task = Literal["binary", "multiclass", "regression"]


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
    spellings: Mapping[str, str] = field(default_factory=dict)
    numbers: bool = False
    unit: str | None = None
    units: tuple[str, ...] = ()
    format: str | None = None


@dataclass(frozen=True)
class Dated:
    """A date column and the parts that it becomes; ``since``: another, from which its elapsed days count."""

    column: str
    parts: tuple[Part, ...]
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
    encoding: Codec | None = None
    separator: Separator | None = None
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
    """Everything that prediction needs about a table; :mod:`assay.predict.stored_form` reads it back.

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
    task: Task
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


def _without_defaults(column: Column) -> dict[str, Any]:
    """Return a column without its empty attributes; thousands of pixels are then short."""
    return {
        key: value
        for key, value in asdict(column).items()
        if value or key in ("name", "kind", "role")
    }
