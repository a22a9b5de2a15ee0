"""The stage ``explain`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

explain = as_task(stages.explain, timeout_s=4 * 3600)
