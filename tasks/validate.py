"""The task of the stage ``validate``."""

from assay.store.records import Snapshot, ValidationReport
from assay.store.store import Store
from assay.study.sources import Suite
from tasks.policies import stage


@stage(timeout_s=3600)
def validate(store: Store, snapshot: Snapshot, suite: Suite) -> ValidationReport:
    """Hold the table to its suite; what a critical expectation refuses goes no further."""
    from assay.data.validate import validate_table

    return validate_table(store.get_table(snapshot.table), suite, snapshot)
