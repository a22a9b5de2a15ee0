"""What a sentinel brings back."""

from dataclasses import dataclass, field

from assay.store.records import Flag


@dataclass(frozen=True)
class Look:
    """What one sentinel saw.

    Attributes
    ----------
    looked_for
        What it did look for, in one word each.
    not_looked_for
        What it could not look for, wholly or in part, and why.
    """

    flags: tuple[Flag, ...] = ()
    looked_for: tuple[str, ...] = ()
    not_looked_for: dict[str, str] = field(default_factory=dict)
