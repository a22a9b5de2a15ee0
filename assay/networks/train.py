"""Training: many networks of one shape at once.

A loop of ``model.fit`` calls spends nearly all its time outside arithmetic. Here the jobs that
share a shape and a number of steps are stacked (see ``graph``), and a whole training is a few calls.
Each has its own rows, labels, learning rate, weight decay, dropout and early stopping, and ends with
the bits it would have alone.

AdamW (Loshchilov & Hutter 2019) with a cosine schedule; early stopping on the loss, the best
epoch's weights kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.networks.conv_graph import image_graph, image_outputs_of, image_structure
from assay.networks.conv_spec import ImageShape, Moves
from assay.networks.dense_graph import (
    VECTOR,
    Graph,
    Layout,
    Loss,
    State,
    Structure,
    graph,
    one_below_another,
    outputs_of,
    portions,
    resumed,
    stacked,
    stay,
    whole_vectors,
)
from assay.networks.spec import Encoding, Net, Shape, alike, in_units
from assay.store.seeds import generator_for, seed_for

_LEAST_GAIN = 1e-5  # in the loss, for an epoch to count as better
_NUMBERS_AT_ONCE = 2**22  # in the largest array handed to one call: 16 MB
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Job:
    """One network to be trained on some rows of a matrix.

    Attributes
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared rows; jobs may share a matrix or bring their own.
    labels : shape (n_rows,)
        Class codes of all rows of the matrix, or the numbers to predict.
    rows : shape (n_train,)
        Rows to train on. Jobs of one seed with the same array here share its shuffling.
    stopping_rows : shape (n_stopping,)
        Rows whose loss decides when to stop; empty: train to the last epoch.
    loss
        What training makes small: cross-entropy of classes, or the error of a number.
    encoding
        Of the leading columns of the matrix; jobs that share a matrix share it.
    moves
        What may happen to an image while training; None: nothing.
    emphasis : shape (n_inputs of the first layer,)
        How much of each input, or piece of one, the network is shown: it then has factors that learn
        faster than the weights, see ``graph.Layout``. None: it has none.
    smoothing
        Share of a label that is spread over all classes while training.
    class_weights : shape (n_classes,)
        By what the loss of a class's rows is multiplied; empty: by 1.
    until
        Epochs after which to pause; None: train to the end.
    paused
        Where an equal job paused before: it goes on from there, to the bits of one that never did.
    watched : shape (n_watched,)
        Rows whose loss is told after every epoch, for a reader: it changes nothing. None: not told.
    """

    shape: Shape | ImageShape
    seed: int
    inputs: NDArray[np.float32]
    labels: Labels
    rows: NDArray[np.int64]
    stopping_rows: NDArray[np.int64]
    learning_rate: float
    weight_decay: float
    dropout: float
    loss: Loss = "cross_entropy"
    encoding: Encoding | None = None
    moves: Moves | None = None
    emphasis: NDArray[np.float32] | None = None
    smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    until: int | None = None
    paused: "Paused | None" = None
    watched: NDArray[np.int64] | None = None

    def units(self) -> tuple[float, float]:
        """Return the centre and scale by which numbers are put in standard units; 0 and 1 for classes.

        The constant that the loss would choose on the training rows, and the error it would leave:
        mean and standard deviation, or median and mean absolute deviation.
        """
        if self.loss == "cross_entropy":
            return 0.0, 1.0
        numbers = self.labels[self.rows]
        if self.loss == "squared_error":
            centre, scale = float(numbers.mean()), float(numbers.std())
        else:
            centre = float(np.median(numbers))
            scale = float(np.abs(numbers - centre).mean())
        return centre, scale or 1.0


@dataclass(frozen=True)
class Schedule:
    """How long and in what portions; ``patience`` counts epochs without a better one."""

    epochs: int
    patience: int
    batch_size: int


@dataclass(frozen=True)
class Paused:
    """A training that was interrupted after some epochs.

    Attributes
    ----------
    state : shape (3, n_parameters)
        Parameters and AdamW's two moments.
    kept : shape (n_parameters,)
        Parameters of the best epoch so far.
    """

    epochs: int
    state: NDArray[np.float32]
    kept: NDArray[np.float32]
    best_epoch: int
    best_loss: float


@dataclass(frozen=True)
class Course:
    """The losses after each epoch of a training: on the rows that were watched, and to stop by."""

    watched: tuple[float, ...]
    stopping: tuple[float, ...]


@dataclass(frozen=True)
class Trained:
    """A trained network: that of its best epoch, and the loss it had on the stopping rows.

    A network for a number predicts in the units of its labels; the loss is in standard ones (see
    :meth:`Job.units`). Without a finite loss or a finite weight there is no network.
    """

    net: Net | None
    epoch: int
    stopping_loss: float
    paused: Paused | None = None
    course: Course | None = None


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
        batch = _batch(schedule, job)
        n_stopping = portions(len(job.stopping_rows), job.shape.rows_at_once)
        started = job.paused.epochs if job.paused else 0
        scaled = job.emphasis is not None
        n_watched = _watched_portions(job)
        key = (job.shape, job.loss, scaled, n_stopping, n_watched, started, job.until)
        groups.setdefault((*key, len(job.rows) // batch, batch), []).append(number)
    trained: dict[int, Trained] = {}
    for (*_, n_steps, batch), numbers in groups.items():
        stack = _Stack([jobs[number] for number in numbers], n_steps, batch, schedule)
        trained.update(zip(numbers, stack.run(), strict=True))
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


def _watched_portions(job: Job) -> tuple[int, int]:
    """Return portions and rows of each, as of the stopping rows; none where nothing is watched."""
    if job.watched is None:
        return 0, 0
    return portions(len(job.watched), job.shape.rows_at_once)


def _batch(schedule: Schedule, job: Job) -> int:
    n = min(schedule.batch_size, len(job.rows))
    return whole_vectors(n) or n


def predict(members: Sequence[Net], inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what each member predicts, shape (n_members, n_rows, n_outputs).

    Class probabilities; where a network has one output, the number it predicts.
    """
    found = np.empty((len(members), len(inputs), members[0].n_outputs))
    for places in alike(members):
        together = [members[place] for place in places]
        if (image := together[0].image) is not None:
            for place in places:
                weights = members[place].weights
                found[place] = image_outputs_of(image, weights, inputs)
            continue
        widest = max(len(layer) for layer in members[places[0]].weights)
        at_once = whole_vectors(_NUMBERS_AT_ONCE // (widest * len(places)))
        found[places] = outputs_of(together, inputs, max(VECTOR, at_once))
    return found


# A stack -----------------------------------------------------------------------------------------


class _Stack:
    """Jobs of one shape, loss and number of steps, trained together."""

    def __init__(
        self, jobs: list[Job], n_steps: int, batch: int, schedule: Schedule
    ) -> None:
        self.jobs, self.schedule = jobs, schedule
        self.n_steps, self.batch = n_steps, batch
        self.layout = Layout(jobs[0].shape, scaled=jobs[0].emphasis is not None)
        longest = max(len(job.stopping_rows) for job in jobs)
        self.portions = portions(longest, jobs[0].shape.rows_at_once)
        self.graph = self._graph()
        matrices = {id(job.inputs): job.inputs for job in jobs}
        self.matrix = one_below_another([*matrices.values()])
        starts = np.cumsum([0, *map(len, matrices.values())]).tolist()
        start_of = dict(zip(matrices, starts, strict=False))
        self.starts = [start_of[id(job.inputs)] for job in jobs]
        self.units = [job.units() for job in jobs]
        self.targets = [self._targets(i, job.rows) for i, job in enumerate(jobs)]
        keys = [(job.seed, id(job.inputs), id(job.rows)) for job in jobs]
        orders = {
            key: _Order(job.seed, job.rows + start, job.encoding)
            for key, job, start in zip(keys, jobs, self.starts, strict=True)
        }
        self.orders = [*orders.values()]
        self.feed = self._feed([[*orders].index(key) for key in keys])
        self.watching = _Watching(len(jobs)) if jobs[0].watched is not None else None

    def _graph(self) -> Graph:
        shape, loss = self.jobs[0].shape, self.jobs[0].loss
        if isinstance(shape, ImageShape):
            return image_graph(image_structure(shape, loss))
        return graph(
            Structure(
                n_layers=len(shape.widths) + 1,
                activation=shape.activation,
                encoded=shape.encoded != (0, 0),
                loss=loss,
                drops=any(job.dropout > 0 for job in self.jobs),
                scaled=self.layout.scaled,
            )
        )

    def run(self) -> list[Trained]:
        """Train until every replica has stopped; a stopped replica leaves the stack."""
        if not len(self.jobs[0].stopping_rows):
            return self._to_the_last_epoch(self._start())
        return self._to_the_best_epoch(self._start())

    def _start(self) -> State:
        paused = [job.paused for job in self.jobs if job.paused]
        if not paused:
            first = [job.shape.first_weights(job.seed) for job in self.jobs]
            return self.layout.start(first, [job.emphasis for job in self.jobs])
        for order in self.orders:
            order.skip(paused[0].epochs)
        return resumed([one.state for one in paused])

    def _to_the_last_epoch(self, state: State) -> list[Trained]:
        n_epochs, n_jobs = self.schedule.epochs, len(self.jobs)
        at_once = max(1, _NUMBERS_AT_ONCE // (n_jobs * self.n_steps * self.batch))
        for epoch in range(0, n_epochs, at_once):
            to = min(epoch + at_once, n_epochs)
            state = self._advance(state, self.feed, epoch, to)
        rows, loss = state[0].numpy(), np.full(n_jobs, np.inf)
        return self._trained(rows, np.full(n_jobs, n_epochs - 1), loss)

    def _to_the_best_epoch(self, state: State) -> list[Trained]:
        feed, best = self.feed, _Best(self.jobs, state[0].shape[1])
        first = self.jobs[0]
        start = first.paused.epochs if first.paused else 0
        until = min(first.until or self.schedule.epochs, self.schedule.epochs)
        for epoch in range(start, until):
            state = self._advance(state, feed, epoch, epoch + 1)
            losses = self._loss_on(state, feed, feed.stopping)
            best.update(feed.job, losses, epoch, state[0])
            if self.watching:
                watched = self._loss_on(state, feed, feed.watched)
                self.watching.note(feed.job, watched, losses)
            going_on = epoch - best.epoch[feed.job] < self.schedule.patience
            if not going_on.any():
                feed = feed.keep(np.empty(0, dtype=np.int64))
                break
            if not going_on.all():
                still = np.flatnonzero(going_on)
                feed, state = feed.keep(still), stay(state, still)
        trained = self._trained(best.rows, best.epoch, best.loss)
        if until == self.schedule.epochs:
            return trained
        for place, job in enumerate(feed.job):
            rows = np.stack([one[place].numpy() for one in state])
            paused = Paused(until, rows, *best.of(job))
            trained[job] = replace(trained[job], paused=paused)
        return trained

    def _advance(self, state: State, feed: "_Feed", epoch: int, to: int) -> State:
        """Train from one epoch to another in one call."""
        needed, place = np.unique(feed.order, return_inverse=True)
        orders = [self.orders[number] for number in needed]
        form = ((to - epoch) * self.n_steps, self.batch)
        drawn = [one.draw(to - epoch, self.n_steps * self.batch) for one in orders]
        rows = [
            one.rows[places].reshape(form)
            for one, places in zip(orders, drawn, strict=True)
        ]
        targets = [
            self.targets[job][drawn[number]].reshape(form)
            for job, number in zip(feed.job, place, strict=True)
        ]
        after: State = self.graph.advance(
            state,
            self.layout.forms,
            np.stack([self.layout.kernels, self.layout.paces]),
            self.matrix,
            stacked([one.encoding for one in orders]),
            np.stack(rows, axis=1),
            np.stack(targets, axis=1),
            place.astype(np.int32),
            feed.rates,
            feed.noise,
            feed.class_weights,
            epoch * self.n_steps,
            float(self.schedule.epochs * self.n_steps),
        )
        return after

    def _loss_on(
        self, state: State, feed: "_Feed", told: "_Told"
    ) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.graph.loss_on(
            state[0],
            self.layout.forms,
            self.matrix,
            stacked([self.jobs[number].encoding for number in feed.job]),
            *told.in_portions(),
            feed.class_weights,
        ).numpy()
        return found

    def _trained(
        self,
        rows: NDArray[np.float32],
        epoch_of: NDArray[np.int64],
        loss: NDArray[np.float64],
    ) -> list[Trained]:
        watching = self.watching
        return [
            Trained(
                self._net(number, row),
                int(epoch),
                float(least),
                course=watching.course(number) if watching else None,
            )
            for number, (row, epoch, least) in enumerate(
                zip(rows, epoch_of, loss, strict=True)
            )
        ]

    def _net(self, number: int, row: NDArray[np.float32]) -> Net | None:
        if not np.isfinite(row).all():
            return None
        job, weights = self.jobs[number], self.layout.weights(row)
        image = job.shape if isinstance(job.shape, ImageShape) else None
        weights = in_units(weights, *self.units[number])
        return Net(weights, job.shape.activation, job.encoding, image)

    def _targets(self, number: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        centre, scale = self.units[number]
        return ((self.jobs[number].labels[rows] - centre) / scale).astype(np.float32)

    def _feed(self, order: list[int]) -> "_Feed":
        """Gather the jobs."""
        jobs = self.jobs
        rates = [
            [
                *(job.learning_rate, job.weight_decay),
                *(1.0 / (1.0 - job.dropout), job.smoothing, *_moves(job)),
            ]
            for job in jobs
        ]
        noise = [
            [2 * seed_for(job.seed, "dropout") + 1, round(job.dropout * 2**32)]
            for job in jobs
        ]
        n_outputs = jobs[0].shape.n_outputs
        class_weights = [job.class_weights or (1.0,) * n_outputs for job in jobs]
        return _Feed(
            job=np.arange(len(jobs)),
            order=np.array(order),
            rates=np.array(rates, dtype=np.float32),
            noise=np.array(noise, dtype=np.uint32),
            stopping=self._told([job.stopping_rows for job in jobs], self.portions),
            watched=self._told(
                [_NONE if job.watched is None else job.watched for job in jobs],
                _watched_portions(jobs[0]),
            ),
            class_weights=np.array(class_weights, dtype=np.float32),
        )

    def _told(
        self, rows_of: list[NDArray[np.int64]], portions: tuple[int, int]
    ) -> "_Told":
        """Gather rows; those of unlike number are padded with rows that do not count."""
        sizes = len(rows_of), int(np.prod(portions))
        rows = np.zeros(sizes, dtype=np.int32)
        targets, counted = np.zeros((2, *sizes), dtype=np.float32)
        for i, known in enumerate(rows_of):
            n = len(known)
            rows[i, :n] = known + self.starts[i]
            targets[i, :n] = self._targets(i, known)
            counted[i, :n] = 1.0 / n if n else 0.0
        return _Told(portions, rows, targets, counted)


def _moves(job: Job) -> tuple[float, float, float, float]:
    if isinstance(job.shape, ImageShape) and job.moves:
        return job.moves.numbers(job.shape)
    return 0.0, 0.0, 0.0, 0.0


class _Best:
    """The best epoch of each job so far."""

    def __init__(self, jobs: list[Job], n_parameters: int) -> None:
        self.loss, self.epoch = np.full(len(jobs), np.inf), np.zeros(len(jobs), int)
        self.rows = np.full((len(jobs), n_parameters), np.nan, dtype=np.float32)
        for number, job in enumerate(jobs):
            if job.paused:
                self.rows[number] = job.paused.kept
                self.epoch[number] = job.paused.best_epoch
                self.loss[number] = job.paused.best_loss

    def update(
        self, job: NDArray[np.int64], losses: NDArray[np.float32], epoch: int, rows: Any
    ) -> None:
        """Take over what is better by enough, of the jobs that are still trained."""
        better = losses < self.loss[job] - _LEAST_GAIN
        if better.any():
            which = job[better]
            self.loss[which], self.epoch[which] = losses[better], epoch
            self.rows[which] = rows.numpy()[better]

    def of(self, job: int) -> tuple[NDArray[np.float32], int, float]:
        return self.rows[job].copy(), int(self.epoch[job]), float(self.loss[job])


class _Watching:
    """The losses of each job after every epoch that it was trained for."""

    def __init__(self, n_jobs: int) -> None:
        self.watched: list[list[float]] = [[] for _ in range(n_jobs)]
        self.stopping: list[list[float]] = [[] for _ in range(n_jobs)]

    def note(
        self,
        job: NDArray[np.int64],
        watched: NDArray[np.float32],
        stopping: NDArray[np.float32],
    ) -> None:
        for place, number in enumerate(job):
            self.watched[number].append(float(watched[place]))
            self.stopping[number].append(float(stopping[place]))

    def course(self, number: int) -> Course:
        return Course(tuple(self.watched[number]), tuple(self.stopping[number]))


class _Order:
    """The order in which jobs of one seed see the same rows, drawn epoch by epoch."""

    def __init__(
        self, seed: int, rows: NDArray[np.int64], encoding: Encoding | None
    ) -> None:
        self.rows, self.encoding = rows.astype(np.int32), encoding
        self.generator = generator_for(seed, "order")

    def skip(self, n_epochs: int) -> None:
        self.draw(n_epochs, 1)

    def draw(self, n_epochs: int, n_used: int) -> NDArray[np.int32]:
        """Return places among the rows, shape (n_epochs, n_used)."""
        n = len(self.rows)
        found = np.empty((n_epochs, n_used), dtype=np.int32)
        for epoch in range(n_epochs):
            found[epoch] = self.generator.permutation(n)[:n_used]
        return found


@dataclass(frozen=True)
class _Feed:
    """What differs between replicas, one entry each.

    Attributes
    ----------
    job, order : shape (n_replicas,)
        Number of its job, and of the row order it follows.
    rates : shape (n_replicas, 8)
        Learning rate, weight decay, by what dropout multiplies the units it keeps, the share of
        a label that is spread over all classes, and how an image may be moved, see ``Moves``.
    noise : shape (n_replicas, 2)
        What makes its dropout its own, and the noise from which on a unit is kept.
    stopping, watched
        The rows whose loss is told.
    class_weights : shape (n_replicas, n_outputs)
        By what the loss of a class's rows is multiplied.
    """

    job: NDArray[np.int64]
    order: NDArray[np.int64]
    rates: NDArray[np.float32]
    noise: NDArray[np.uint32]
    stopping: "_Told"
    watched: "_Told"
    class_weights: NDArray[np.float32]

    def keep(self, stay: NDArray[np.int64]) -> "_Feed":
        return _Feed(*(getattr(self, one.name)[stay] for one in fields(self)))


@dataclass(frozen=True)
class _Told:
    """Rows whose mean loss is told, for each replica.

    Attributes
    ----------
    portions
        How many, and the rows of each.
    rows, targets, counted : shape (n_replicas, n)
        ``counted`` is a row's weight in the mean, 0 for rows that only pad.
    """

    portions: tuple[int, int]
    rows: NDArray[np.int32]
    targets: NDArray[np.float32]
    counted: NDArray[np.float32]

    def in_portions(self) -> list[NDArray[Any]]:
        """Return each array as (n_portions, n_replicas, n_at_once)."""
        return [
            one.reshape(len(one), *self.portions).transpose(1, 0, 2)
            for one in (self.rows, self.targets, self.counted)
        ]

    def __getitem__(self, stay: NDArray[np.int64]) -> "_Told":
        return _Told(
            self.portions, self.rows[stay], self.targets[stay], self.counted[stay]
        )
