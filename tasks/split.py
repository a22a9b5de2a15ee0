"""The stage ``split`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

split = as_task(stages.split, timeout_s=600)
