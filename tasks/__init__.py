"""The stages as Prefect tasks, by name."""

from typing import Any

from prefect import Task

from tasks.audit import audit
from tasks.bundle import bundle
from tasks.clean import clean
from tasks.explain import explain
from tasks.gate import gate, weigh
from tasks.ingest import ingest
from tasks.judge import judge
from tasks.split import split
from tasks.tune import final, self_test, tune
from tasks.validate import validate

TASKS: dict[str, Task[..., Any]] = {
    task.name: task
    for task in (
        ingest,
        validate,
        clean,
        split,
        audit,
        gate,
        self_test,
        tune,
        final,
        judge,
        weigh,
        explain,
        bundle,
    )
}
