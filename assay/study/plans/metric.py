"""Metrics: which a task takes, which are losses, and how a claim is stated in them."""

from typing import Any

from assay.store.records import Metric, Task
from assay.study.invalid import Invalid

METRICS_OF: dict[Task, tuple[Metric, ...]] = {
    "binary": ("auc", "accuracy", "log_loss", "brier"),
    "multiclass": ("auc", "accuracy", "log_loss", "brier"),
    "regression": ("r2", "squared_error", "absolute_error"),
}
LOSSES: frozenset[Metric] = frozenset(
    ("log_loss", "brier", "squared_error", "absolute_error")
)
_IN_TARGET_UNITS = ("squared_error", "absolute_error")
_SMALLEST_EFFECT = {"binary": 0.60, "multiclass": 0.60, "regression": 0.20}


def defaults_of_task(task: Any) -> dict[str, Any]:
    """Return the metric and the smallest effect of a task; nothing of what is no task."""
    if not isinstance(task, str) or task not in METRICS_OF:
        return {}
    return {"metric": METRICS_OF[task][0], "smallest_effect": _SMALLEST_EFFECT[task]}


# Rules of a plan ---------------------------------------------------------------------------------


def check_metric(
    metric: Metric, task: Task, at_least: float | None, at_most: float | None
) -> None:
    """Refuse a metric that the task does not take, and a claim that goes the other way."""
    if metric not in METRICS_OF[task]:
        raise Invalid(
            "study.metric.of_task", metric=metric, task=task, metrics=METRICS_OF[task]
        )
    claim, other = (at_most, at_least) if metric in LOSSES else (at_least, at_most)
    if claim is None or other is not None:
        key = "study.metric.loss" if metric in LOSSES else "study.metric.score"
        raise Invalid(key, metric=metric)


def check_effects(
    metric: Metric, task: Task, *, margin: float | None, smallest_effect: float
) -> None:
    """Refuse a margin or a smallest effect outside the metric's range; ``margin`` is None if not declared."""
    if margin is None:
        if metric in _IN_TARGET_UNITS:
            raise Invalid("study.metric.margin_in_units", metric=metric)
    elif metric not in (*_IN_TARGET_UNITS, "log_loss") and margin >= 0.5:
        raise Invalid("study.metric.margin", metric=metric, margin=margin)
    if task != "regression" and smallest_effect <= 0.5:
        raise Invalid("study.metric.smallest_effect", smallest_effect=smallest_effect)
