"""The stage ``gate`` as Prefect tasks: the test, and what preparations are worth to its models."""

from assay import stages
from tasks.policies import as_task

gate = as_task(stages.gate, timeout_s=4 * 3600)
weigh = as_task(stages.weigh, timeout_s=4 * 3600)
