"""The stage ``tune`` as Prefect tasks: a self-test, one outer fold, and the final fit."""

from assay import stages
from tasks.policies import as_task

self_test = as_task(stages.self_test, timeout_s=4 * 3600)
tune = as_task(stages.tune, timeout_s=4 * 3600)
final = as_task(stages.final, timeout_s=4 * 3600)
