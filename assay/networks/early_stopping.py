"""Early stopping: the best epoch of each job, and the losses of all its epochs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.networks.job import Checkpoint, Course, Job
from assay.networks.tensors import State

_SMALLEST_GAIN = 1e-5  # in the loss, for an epoch to count as better


class BestEpochs:
    """The best epoch of each job so far: its loss, its number and its parameters."""

    def __init__(self, jobs: Sequence[Job], n_parameters: int) -> None:
        self.loss, self.epoch = np.full(len(jobs), np.inf), np.zeros(len(jobs), int)
        self.rows = np.full((len(jobs), n_parameters), np.nan, dtype=np.float32)
        for number, job in enumerate(jobs):
            if job.paused:
                self.rows[number] = job.paused.kept
                self.epoch[number] = job.paused.best_epoch
                self.loss[number] = job.paused.best_loss

    def update(
        self,
        jobs: NDArray[np.int64],
        losses: NDArray[np.float32],
        epoch: int,
        state: State,
    ) -> None:
        """Keep the epoch of each job still in training whose loss is smaller by enough."""
        better = losses < self.loss[jobs] - _SMALLEST_GAIN
        if better.any():
            improved = jobs[better]
            self.loss[improved], self.epoch[improved] = losses[better], epoch
            self.rows[improved] = state.parameters.numpy()[better]

    def checkpoint(
        self, job: int, epochs: int, state: NDArray[np.float32]
    ) -> Checkpoint:
        """Return where a job stands after some epochs."""
        best_epoch, best_loss = int(self.epoch[job]), float(self.loss[job])
        return Checkpoint(epochs, state, self.rows[job].copy(), best_epoch, best_loss)


class Courses:
    """The losses of each job after every epoch that it was trained for."""

    def __init__(self, n_jobs: int) -> None:
        self.watched: list[list[float]] = [[] for _ in range(n_jobs)]
        self.stopping: list[list[float]] = [[] for _ in range(n_jobs)]

    def record(
        self,
        jobs: NDArray[np.int64],
        watched: NDArray[np.float32],
        stopping: NDArray[np.float32],
    ) -> None:
        """Append the losses of the jobs still in training."""
        for place, number in enumerate(jobs):
            self.watched[number].append(float(watched[place]))
            self.stopping[number].append(float(stopping[place]))

    def course(self, number: int) -> Course:
        """Return the losses of one job."""
        return Course(tuple(self.watched[number]), tuple(self.stopping[number]))
