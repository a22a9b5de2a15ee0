"""The stage ``validate`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

validate = as_task(stages.validate, timeout_s=3600)
