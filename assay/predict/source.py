"""A table's file as the readers want it named, where no study declares how to read it."""

from dataclasses import dataclass, field

_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True)
class Found:
    """What is known of reading a file: nothing but names that its study gave to a file without a header.

    Attributes
    ----------
    sample
        Rows that are held at once: what readers take at most rests on it.
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
    read: Found = field(default_factory=Found)

    @property
    def in_a_study(self) -> bool:
        return False
