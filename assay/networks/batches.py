"""Batches: which rows the jobs of a stack train on in each step, and which they are evaluated on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.networks.encoding import Encoding
from assay.networks.job import Job
from assay.networks.tensors import Batches, Evaluated, Inputs, one_matrix, stacked
from assay.store.seeds import generator_for


class Order:
    """The order in which jobs of one seed see the same rows, drawn epoch by epoch."""

    def __init__(
        self, seed: int, rows: NDArray[np.int64], encoding: Encoding | None
    ) -> None:
        self.rows, self.encoding = rows.astype(np.int32), encoding
        self.generator = generator_for(seed, "order")

    def skip(self, n_epochs: int) -> None:
        """Draw epochs that were trained before a pause."""
        self.draw(n_epochs, 1)

    def draw(self, n_epochs: int, n_used: int) -> NDArray[np.int32]:
        """Return places among the rows, shape (n_epochs, n_used)."""
        places = np.empty((n_epochs, n_used), dtype=np.int32)
        for epoch in range(n_epochs):
            places[epoch] = self.generator.permutation(len(self.rows))[:n_used]
        return places


@dataclass(frozen=True)
class EvaluationRows:
    """Rows on which each replica's mean loss is computed, padded to equal numbers.

    Attributes
    ----------
    batches
        How many batches, and the rows of each.
    rows, targets, weights : shape (n_replicas, n)
        ``weights`` is a row's weight in the mean, 0 for padding.
    """

    batches: tuple[int, int]
    rows: NDArray[np.int32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def in_batches(self) -> Evaluated:
        """Return each array as (n_batches, n_replicas, batch_size)."""
        return Evaluated(
            *(
                array.reshape(len(array), *self.batches).transpose(1, 0, 2)
                for array in (self.rows, self.targets, self.weights)
            )
        )

    def keep(self, replicas: NDArray[np.int64]) -> "EvaluationRows":
        """Return the rows of some replicas."""
        rows, targets, weights = self.rows, self.targets, self.weights
        return EvaluationRows(
            self.batches, rows[replicas], targets[replicas], weights[replicas]
        )


class StackedRows:
    """The matrices, targets and orders of the jobs in a stack.

    Attributes
    ----------
    matrix
        All matrices, one below another.
    units
        Centre and scale of each job's targets.
    orders
        Each order of rows once.
    order_of : shape (n_jobs,)
        The order that a job follows.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        matrices = {id(job.inputs): job.inputs for job in jobs}
        self.matrix = one_matrix([*matrices.values()])
        starts = np.cumsum([0, *map(len, matrices.values())]).tolist()
        start_of = dict(zip(matrices, starts, strict=False))
        self.starts = [start_of[id(job.inputs)] for job in jobs]
        self.units = [job.units() for job in jobs]
        self.targets = [self._targets(i, job.rows) for i, job in enumerate(jobs)]
        keys = [(job.seed, id(job.inputs), id(job.rows)) for job in jobs]
        orders = {
            key: Order(job.seed, job.rows + start, job.encoding)
            for key, job, start in zip(keys, jobs, self.starts, strict=True)
        }
        self.orders = [*orders.values()]
        self.order_of = np.array([[*orders].index(key) for key in keys])

    def draw(
        self, jobs: NDArray[np.int64], shape: tuple[int, int, int]
    ) -> tuple[Inputs, Batches]:
        """Return what some jobs train on next; ``shape``: epochs, steps in each, rows of a batch."""
        n_epochs, n_steps, batch_size = shape
        numbers, place = np.unique(self.order_of[jobs], return_inverse=True)
        orders = [self.orders[number] for number in numbers]
        by_step = (n_epochs * n_steps, batch_size)
        drawn = [order.draw(n_epochs, n_steps * batch_size) for order in orders]
        rows = [
            order.rows[places].reshape(by_step)
            for order, places in zip(orders, drawn, strict=True)
        ]
        targets = [
            self.targets[job][drawn[number]].reshape(by_step)
            for job, number in zip(jobs, place, strict=True)
        ]
        encodings = stacked([order.encoding for order in orders])
        return Inputs(self.matrix, encodings), Batches(
            np.stack(rows, axis=1), np.stack(targets, axis=1), place.astype(np.int32)
        )

    def inputs(self, jobs: NDArray[np.int64]) -> Inputs:
        """Return the matrix with an encoding for each of some jobs, for evaluation."""
        return Inputs(self.matrix, stacked([self.jobs[job].encoding for job in jobs]))

    def evaluation(
        self, rows_of: Sequence[NDArray[np.int64]], batches: tuple[int, int]
    ) -> EvaluationRows:
        """Return the evaluation rows of every job; those of fewer rows are padded."""
        sizes = len(rows_of), int(np.prod(batches))
        padded = np.zeros(sizes, dtype=np.int32)
        targets, weights = np.zeros((2, *sizes), dtype=np.float32)
        for number, rows in enumerate(rows_of):
            n = len(rows)
            padded[number, :n] = rows + self.starts[number]
            targets[number, :n] = self._targets(number, rows)
            weights[number, :n] = 1.0 / n if n else 0.0
        return EvaluationRows(batches, padded, targets, weights)

    def _targets(self, number: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        centre, scale = self.units[number]
        return ((self.jobs[number].labels[rows] - centre) / scale).astype(np.float32)
