"""What a study may declare about folds."""

from typing import Literal

from pydantic import Field

from assay.store.records import Record
from assay.study.invalid import Invalid


class SplitPlan(Record):
    """Outer folds times repeats, and the inner folds inside each outer training part."""

    folds: int = Field(default=5, ge=2, le=20)
    repeats: int | None = Field(
        default=None, ge=1, le=20, description="Default: 3 from 500 rows up, 5 below."
    )
    inner_folds: int = Field(default=5, ge=2, le=20)
    time: Literal["forward", "blocks"] = Field(
        default="forward",
        description="With order: train on earlier rows only, or on both sides of a block.",
    )
    gap: int = Field(
        default=0,
        ge=0,
        le=10**9,
        description="With order: rows left out on either side of a test part.",
    )


# Rules of a plan ---------------------------------------------------------------------------------


def check_independence(unit: str, order: str | None, label: tuple[str, ...]) -> None:
    """Refuse a unit or an order that is the label's own column, and both at once."""
    for role, column in (("unit", unit), ("order", order)):
        if column in label:
            raise Invalid("study.split.is_target", role=role, column=str(column))
    if order is not None and unit != "row":
        raise Invalid("study.split.unit_and_order")
