"""A table's file as the readers want it named, where no study declares how to read it."""

from dataclasses import dataclass, field

_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True)
class Undeclared:
    """How a file is read that no study declares; its names are those that a study gave to a file without a header.

    Attributes
    ----------
    sample
        Rows that are held at once: the limits of the readers rest on it.
    """

    names: tuple[str, ...] = ()
    encoding: str | None = None
    separator: str | None = None
    missing: tuple[str, ...] = ()
    sample: int | None = _ROWS_AT_ONCE


@dataclass(frozen=True)
class TableFile:
    """A file of rows to predict."""

    name: str
    path: str
    read: Undeclared = field(default_factory=Undeclared)

    @property
    def in_a_study(self) -> bool:
        return False
