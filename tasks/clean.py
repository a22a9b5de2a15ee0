"""The task of the stage ``clean``."""

from assay.store.records import Cleaned, Snapshot, ValidationReport
from assay.store.store import Store
from assay.study.plans import Cleaning
from tasks.policies import stage


@stage(timeout_s=3600)
def clean(
    store: Store, snapshot: Snapshot, report: ValidationReport, plan: Cleaning
) -> Cleaned:
    """Turn the validated table into features and labels."""
    from assay.data.clean import clean_table

    return clean_table(store.get_table(snapshot.table), report, plan).keep(store)
