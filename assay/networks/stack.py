"""A stack: jobs of one shape, loss and number of steps, trained together on a replica axis."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.networks.batches import EvaluationRows, StackedRows
from assay.networks.conv_graph import conv_graph, conv_structure
from assay.networks.conv_spec import ImageShape
from assay.networks.dense_graph import DenseStructure, dense_graph
from assay.networks.early_stopping import BestEpochs, Courses
from assay.networks.graph import Graph
from assay.networks.job import Job, Schedule, Trained
from assay.networks.layout import Layout, evaluation_batches
from assay.networks.net import Net, in_units
from assay.networks.tensors import Replicas, Setup, State
from assay.store.seeds import seed_for

_NUMBERS_AT_ONCE = 2**22  # in the largest array of one call: 16 MB
_NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class _Feed:
    """What differs between replicas, one entry each.

    Attributes
    ----------
    jobs : shape (n_replicas,)
        The number of a replica's job.
    """

    jobs: NDArray[np.int64]
    replicas: Replicas
    stopping: EvaluationRows
    watched: EvaluationRows

    def keep(self, places: NDArray[np.int64]) -> "_Feed":
        return _Feed(
            self.jobs[places],
            self.replicas.keep(places),
            self.stopping.keep(places),
            self.watched.keep(places),
        )


class Stack:
    """Jobs of one shape, loss and number of steps in an epoch."""

    def __init__(
        self, jobs: list[Job], n_steps: int, batch_size: int, schedule: Schedule
    ) -> None:
        self.jobs, self.schedule = jobs, schedule
        self.n_steps, self.batch_size = n_steps, batch_size
        self.layout = Layout(jobs[0].shape, scaled=jobs[0].emphasis is not None)
        self.graph = _graph(jobs)
        self.rows = StackedRows(jobs)
        longest = max(len(job.stopping_rows) for job in jobs)
        batches = evaluation_batches(longest, jobs[0].shape.rows_at_once)
        watched = [_NO_ROWS if job.watched is None else job.watched for job in jobs]
        self.feed = _Feed(
            jobs=np.arange(len(jobs)),
            replicas=_replicas(jobs),
            stopping=self.rows.evaluation([job.stopping_rows for job in jobs], batches),
            watched=self.rows.evaluation(watched, watched_batches(jobs[0])),
        )
        self.courses = Courses(len(jobs)) if jobs[0].watched is not None else None

    def run(self) -> list[Trained]:
        """Train until every replica has stopped; a stopped replica leaves the stack."""
        if not len(self.jobs[0].stopping_rows):
            return self._to_the_last_epoch(self._start())
        return self._to_the_best_epoch(self._start())

    def _start(self) -> State:
        checkpoints = [job.paused for job in self.jobs if job.paused]
        if checkpoints:
            for order in self.rows.orders:
                order.skip(checkpoints[0].epochs)
            return State.resume([checkpoint.state for checkpoint in checkpoints])
        first = [job.shape.first_weights(job.seed) for job in self.jobs]
        emphases = [job.emphasis for job in self.jobs]
        return State.start(self.layout.rows(first, emphases))

    def _to_the_last_epoch(self, state: State) -> list[Trained]:
        n_epochs, n_jobs = self.schedule.epochs, len(self.jobs)
        rows_an_epoch = n_jobs * self.n_steps * self.batch_size
        at_once = max(1, _NUMBERS_AT_ONCE // rows_an_epoch)
        for epoch in range(0, n_epochs, at_once):
            to = min(epoch + at_once, n_epochs)
            state = self._advance(state, self.feed, epoch, to)
        rows, loss = state.parameters.numpy(), np.full(n_jobs, np.inf)
        return self._trained(rows, np.full(n_jobs, n_epochs - 1), loss)

    def _to_the_best_epoch(self, state: State) -> list[Trained]:
        feed, first = self.feed, self.jobs[0]
        best = BestEpochs(self.jobs, self.layout.n_parameters)
        until = min(first.until or self.schedule.epochs, self.schedule.epochs)
        for epoch in range(first.n_epochs_done, until):
            state = self._advance(state, feed, epoch, epoch + 1)
            losses = self._losses(state, feed, feed.stopping)
            best.update(feed.jobs, losses, epoch, state)
            if self.courses:
                watched = self._losses(state, feed, feed.watched)
                self.courses.record(feed.jobs, watched, losses)
            going_on = epoch - best.epoch[feed.jobs] < self.schedule.patience
            if not going_on.any():
                feed = feed.keep(_NO_ROWS)
                break
            if not going_on.all():
                still = np.flatnonzero(going_on)
                feed, state = feed.keep(still), state.keep(still)
        trained = self._trained(best.rows, best.epoch, best.loss)
        if until < self.schedule.epochs:
            for place, job in enumerate(feed.jobs):
                paused = best.checkpoint(job, until, state.of_replica(place))
                trained[job] = replace(trained[job], paused=paused)
        return trained

    def _advance(self, state: State, feed: _Feed, epoch: int, to: int) -> State:
        """Train from one epoch to another in one call."""
        shape = (to - epoch, self.n_steps, self.batch_size)
        inputs, batches = self.rows.draw(feed.jobs, shape)
        n_steps = float(self.schedule.epochs * self.n_steps)
        setup = Setup(self.layout.arrays, inputs, feed.replicas, n_steps)
        after: State = self.graph.advance(state, setup, batches, epoch * self.n_steps)
        return after

    def _losses(
        self, state: State, feed: _Feed, rows: EvaluationRows
    ) -> NDArray[np.float32]:
        losses: NDArray[np.float32] = self.graph.loss_on(
            state.parameters,
            self.layout.arrays.forms,
            self.rows.inputs(feed.jobs),
            rows.in_batches(),
            feed.replicas.class_weights,
        ).numpy()
        return losses

    def _trained(
        self,
        rows: NDArray[np.float32],
        epochs: NDArray[np.int64],
        losses: NDArray[np.float64],
    ) -> list[Trained]:
        return [
            Trained(
                self._net(number, row),
                int(epochs[number]),
                float(losses[number]),
                course=self.courses.course(number) if self.courses else None,
            )
            for number, row in enumerate(rows)
        ]

    def _net(self, number: int, row: NDArray[np.float32]) -> Net | None:
        if not np.isfinite(row).all():
            return None
        job, weights = self.jobs[number], self.layout.weights(row)
        image = job.shape if isinstance(job.shape, ImageShape) else None
        weights = in_units(weights, *self.rows.units[number])
        return Net(weights, job.shape.activation, job.encoding, image)


def watched_batches(job: Job) -> tuple[int, int]:
    """Return into how many batches the watched rows are cut, and their size; zeros without any."""
    if job.watched is None:
        return 0, 0
    return evaluation_batches(len(job.watched), job.shape.rows_at_once)


def _graph(jobs: list[Job]) -> Graph:
    shape, loss = jobs[0].shape, jobs[0].loss
    if isinstance(shape, ImageShape):
        return conv_graph(conv_structure(shape, loss))
    return dense_graph(
        DenseStructure(
            n_layers=len(shape.widths) + 1,
            activation=shape.activation,
            encoded=shape.encoded != (0, 0),
            loss=loss,
            drops=any(job.dropout > 0 for job in jobs),
            scaled=jobs[0].emphasis is not None,
        )
    )


def _replicas(jobs: list[Job]) -> Replicas:
    rates = [
        (
            *(job.learning_rate, job.weight_decay, 1.0 / (1.0 - job.dropout)),
            *(job.smoothing, *_augmentation(job)),
        )
        for job in jobs
    ]
    noise = [
        (2 * seed_for(job.seed, "dropout") + 1, round(job.dropout * 2**32))
        for job in jobs
    ]
    equal = (1.0,) * jobs[0].shape.n_outputs
    class_weights = [job.class_weights or equal for job in jobs]
    return Replicas(
        np.array(rates, dtype=np.float32),
        np.array(noise, dtype=np.uint32),
        np.array(class_weights, dtype=np.float32),
    )


def _augmentation(job: Job) -> tuple[float, float, float, float]:
    if isinstance(job.shape, ImageShape) and job.augmentation:
        return job.augmentation.numbers(job.shape)
    return 0.0, 0.0, 0.0, 0.0
