"""The stage ``audit`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

audit = as_task(stages.audit, timeout_s=3600)
