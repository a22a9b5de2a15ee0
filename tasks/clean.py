"""The stage ``clean`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

clean = as_task(stages.clean, timeout_s=3600)
