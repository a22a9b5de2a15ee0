"""The task of the stage ``clean``."""

from assay.plans import Cleaning
from assay.records import Cleaned, Snapshot, ValidationReport
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=3600)
def clean(
    store: Store, snapshot: Snapshot, report: ValidationReport, plan: Cleaning
) -> Cleaned:
    """Turn the validated table into features and labels."""
    from assay.clean import clean_table

    return clean_table(store.get_table(snapshot.table), report, plan).keep(store)
