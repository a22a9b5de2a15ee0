"""The task of the stage ``audit``."""

from assay.store.records import AuditReport, Cleaned
from assay.store.store import Store
from assay.study.plans import AuditPlan
from tasks.policies import stage


@stage(timeout_s=3600)
def audit(store: Store, cleaned: Cleaned, plan: AuditPlan, seed: int) -> AuditReport:
    """Look for leaks before anything is scored."""
    from assay.audit.stage import audit_samples
    from assay.data.samples import opened

    return audit_samples(opened(store, cleaned), plan, seed)
