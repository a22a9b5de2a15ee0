"""Training: many networks of one shape at once.

A loop of ``model.fit`` calls spends nearly all its time outside arithmetic. Here the jobs that
share a shape and a number of steps are stacked (see :mod:`assay.networks.stack`), and a whole
training is a few calls. Each has its own rows, labels, learning rate, weight decay, dropout and early
stopping, and ends with the bits it would have alone.
"""

from collections.abc import Sequence
from typing import Any

from assay.networks.job import Job, Schedule, Trained
from assay.networks.layout import evaluation_batches, whole_vectors
from assay.networks.stack import Stack, watched_batches


def train(jobs: Sequence[Job], schedule: Schedule) -> list[Trained]:
    """Train every job; the order of ``jobs`` is the order of the results.

    Jobs of one shape, loss and number of steps are trained together, whatever matrices they use.

    Raises
    ------
    ValueError
        If a job has fewer than two rows to train on, one output for classes, or several for a
        number.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, job in enumerate(jobs):
        _check(number, job)
        groups.setdefault(_group(job, schedule), []).append(number)
    trained: dict[int, Trained] = {}
    for (*_, n_steps, batch_size), numbers in groups.items():
        stacked = [jobs[number] for number in numbers]
        results = Stack(stacked, n_steps, batch_size, schedule).run()
        trained.update(zip(numbers, results, strict=True))
    return [trained[number] for number in range(len(jobs))]


def _check(number: int, job: Job) -> None:
    if len(job.rows) < 2:
        raise ValueError(
            f"job {number} has {len(job.rows)} rows to train on; 2 are needed"
        )
    if (job.shape.n_outputs == 1) == (job.loss == "cross_entropy"):
        raise ValueError(
            f"job {number} has {job.shape.n_outputs} outputs for {job.loss}; "
            f"classes take one each, a number takes one"
        )


def _group(job: Job, schedule: Schedule) -> tuple[Any, ...]:
    """Return what jobs of one stack have in common, last the steps of an epoch and the batch size."""
    rows = min(schedule.batch_size, len(job.rows))
    batch_size = whole_vectors(rows) or rows
    return (
        *(job.shape, job.loss, job.emphasis is not None),
        evaluation_batches(len(job.stopping_rows), job.shape.rows_at_once),
        watched_batches(job),
        *(job.n_epochs_done, job.until),
        *(len(job.rows) // batch_size, batch_size),
    )
