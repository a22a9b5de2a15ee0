"""What a study may declare about leaks: levels of the sentinels, and alarms it answers."""

from pydantic import Field

from assay.store.records import Record, Sentinel
from assay.study.plans.label import Words


class Accept(Record):
    """A sentinel's alarm that the study accepts, with a reason that the report repeats."""

    sentinel: Sentinel
    columns: tuple[str, ...] = ()
    reason: Words


class AuditPlan(Record):
    """Levels of the leak sentinels."""

    alarm: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Level of each sentinel but row_order.",
    )
    row_order: float = Field(
        default=0.02, gt=0, lt=1, description="Level of the sentinel row_order."
    )
    single_column_auc: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="AUC that a single column may reach without alarm.",
    )
    smallest_leak: float = Field(
        default=0.02,
        ge=0,
        lt=0.5,
        description="AUC (or correlation) that a unit or a confounder must add to raise an alarm.",
    )
    sources: tuple[str, ...] = Field(
        default=(),
        description="Columns that say where a row came from, however many values they have.",
    )
    self_test: int = Field(
        default=20,
        ge=5,
        le=1000,
        description="Permutations of the labels on which tuning is tested.",
    )
    accept: tuple[Accept, ...] = ()
