"""The stage ``bundle`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

bundle = as_task(stages.bundle, timeout_s=3600)
