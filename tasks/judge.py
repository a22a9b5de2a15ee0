"""The stage ``judge`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

judge = as_task(stages.judge, timeout_s=3600)
