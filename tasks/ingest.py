"""The stage ``ingest`` as a Prefect task."""

from assay import stages
from tasks.policies import as_task

ingest = as_task(stages.ingest, timeout_s=3600)
