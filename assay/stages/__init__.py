"""The stages of a check, memoised in the store, and where their calls are computed."""

from assay.stages.definitions import (
    audit,
    bundle,
    clean,
    explain,
    final,
    gate,
    ingest,
    judge,
    self_test,
    split,
    tune,
    validate,
    weigh,
)
from assay.stages.execution import Execution, Memoised, Unstored
from assay.stages.stage import Call, Stage

__all__ = [
    "Call",
    "Execution",
    "Memoised",
    "Stage",
    "Unstored",
    "audit",
    "bundle",
    "clean",
    "explain",
    "final",
    "gate",
    "ingest",
    "judge",
    "self_test",
    "split",
    "tune",
    "validate",
    "weigh",
]
