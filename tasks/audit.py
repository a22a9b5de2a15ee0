"""The task of the stage ``audit``."""

from assay.plans import AuditPlan
from assay.records import AuditReport, Cleaned
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=3600)
def audit(store: Store, cleaned: Cleaned, plan: AuditPlan, seed: int) -> AuditReport:
    """Look for leaks before anything is scored."""
    from assay.audit import audit_samples
    from assay.samples import opened

    return audit_samples(opened(store, cleaned), plan, seed)
