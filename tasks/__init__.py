"""What Prefect adds to a stage: cache key, retries, timeout. One thin task per stage."""

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

__all__ = [
    "audit",
    "bundle",
    "clean",
    "explain",
    "final",
    "gate",
    "ingest",
    "judge",
    "self_test",
    "split",
    "tune",
    "validate",
    "weigh",
]
