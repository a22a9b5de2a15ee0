"""Training: many networks of one shape at once, on a leading replica axis.

A loop of ``model.fit`` calls spends nearly all its time outside arithmetic. Here the jobs that
share a shape and a number of steps are stacked, and a whole epoch is one TensorFlow graph. A
replica has its own rows, labels, learning rate, weight decay, dropout rate and early stopping.

A replica's bits do not depend on what it is stacked with. That takes care: vectorised kernels treat
the last few numbers of an array by other instructions than the rest, with other rounding. So the
parameters of a replica lie in one row, padded to a whole number of vectors, and batches and
stopping rows are whole numbers of vectors too. A test holds this.

AdamW (Loshchilov & Hutter 2019) with a cosine schedule; early stopping on cross-entropy, the best
epoch's weights kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.environment import pin
from assay.network import Shape, Weights, first_weights
from assay.seeds import generator_for

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-8
_LEAST_GAIN = 1e-5  # in cross-entropy, for an epoch to count as better
_ROWS_AT_ONCE = 16384
_VECTOR = 16  # float32 numbers in the widest vector register


@dataclass(frozen=True)
class Job:
    """One network to be trained on rows of a shared input matrix.

    Attributes
    ----------
    labels : shape (n_rows,)
        Class codes of all rows of the matrix.
    rows : shape (n_train,)
        Rows to train on.
    stopping_rows : shape (n_stop,)
        Rows whose cross-entropy decides when to stop; empty: train to the last epoch.
    """

    shape: Shape
    seed: int
    labels: NDArray[np.int32]
    rows: NDArray[np.int64]
    stopping_rows: NDArray[np.int64]
    learning_rate: float
    weight_decay: float
    dropout: float


@dataclass(frozen=True)
class Schedule:
    """How long and in what portions.

    ``patience`` counts epochs without a better one; ``noise`` seeds the dropout that all jobs share.
    """

    epochs: int
    patience: int
    batch_size: int
    noise: int = 0


@dataclass(frozen=True)
class Trained:
    """A trained network: the weights of its best epoch, and the cross-entropy it had there."""

    weights: Weights
    epoch: int
    stopping_loss: float


def train(
    inputs: NDArray[np.float32], jobs: Sequence[Job], schedule: Schedule
) -> list[Trained]:
    """Train every job; the order of ``jobs`` is the order of the results.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)

    Raises
    ------
    ValueError
        If a job has fewer than two rows to train on.
    """
    groups: dict[tuple[Shape, int, int, int], list[int]] = {}
    for number, job in enumerate(jobs):
        if len(job.rows) < 2:
            raise ValueError(
                f"job {number} has {len(job.rows)} rows to train on; 2 are needed"
            )
        batch = _whole_vectors(min(schedule.batch_size, len(job.rows)))
        n_stopping = -(-len(job.stopping_rows) // _VECTOR)  # a sum's bits vary with it
        key = (job.shape, len(job.rows) // batch, batch, n_stopping)
        groups.setdefault(key, []).append(number)
    trained: dict[int, Trained] = {}
    matrix = tf.constant(inputs)
    for (shape, n_steps, batch, _), numbers in groups.items():
        stack = _Stack(
            shape, [jobs[number] for number in numbers], n_steps, batch, schedule
        )
        trained.update(zip(numbers, stack.run(matrix), strict=True))
    return [trained[number] for number in range(len(jobs))]


def _whole_vectors(n: int) -> int:
    return n - n % _VECTOR if n >= _VECTOR else n


def predict(
    members: Sequence[Weights], inputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return each member's class probabilities, shape (n_members, n_rows, n_classes)."""
    stacked = [tf.constant(np.stack(layer)) for layer in _by_layer(members)]
    predictor = _predictor(len(stacked))
    parts = [
        predictor(tf.constant(inputs[start : start + _ROWS_AT_ONCE]), stacked).numpy()
        for start in range(0, len(inputs), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def _by_layer(members: Sequence[Weights]) -> list[list[NDArray[np.float32]]]:
    """Regroup weights by layer, biases with an axis for the rows they are added to."""
    n_layers = len(members[0])
    return [
        [
            weights[i] if weights[i].ndim == 2 else weights[i][None, :]
            for weights in members
        ]
        for i in range(n_layers)
    ]


@lru_cache
def _predictor(n_layers: int) -> Any:
    """Return the prediction graph for a number of layers, traced once for networks of every size."""
    any_size = tf.TensorSpec([None, None, None])
    return tf.function(
        _probabilities,
        input_signature=[tf.TensorSpec([None, None]), [any_size] * n_layers],
    )


def _probabilities(inputs: Any, weights: list[Any]) -> Any:
    n_members = tf.shape(weights[0])[0]
    return tf.nn.softmax(_forward(tf.repeat(inputs[None], n_members, axis=0), weights))


def _forward(hidden: Any, weights: Sequence[Any], drop: Any = None) -> Any:
    """Return logits. ``hidden`` has shape (replicas, rows, inputs); ``drop`` drops hidden units.

    Biases are spread over the rows by a product, because its gradient is a product too; the sum
    over rows that an addition needs rounds differently with the replica's place in the stack.
    """
    n_layers = len(weights) // 2
    ones = tf.ones_like(hidden[:, :, :1])
    for layer in range(n_layers):
        hidden = tf.matmul(hidden, weights[2 * layer]) + tf.matmul(
            ones, weights[2 * layer + 1]
        )
        if layer < n_layers - 1:
            hidden = tf.nn.relu(hidden)
            if drop is not None:
                hidden = drop(hidden, layer)
    return hidden


class _Stack:
    """Jobs of one shape and number of steps, trained together."""

    def __init__(
        self,
        shape: Shape,
        jobs: list[Job],
        n_steps: int,
        batch: int,
        schedule: Schedule,
    ) -> None:
        self.jobs, self.schedule, self.n_steps, self.batch = (
            jobs,
            schedule,
            n_steps,
            batch,
        )
        self.graph = _graph(shape, any(job.dropout > 0 for job in jobs))
        self.graph.start([first_weights(shape, job.seed) for job in jobs])

    def run(self, matrix: Any) -> list[Trained]:
        """Train until every replica has stopped; a stopped replica leaves the stack."""
        jobs, schedule = self.jobs, self.schedule
        n_jobs, stops_early = len(jobs), bool(len(jobs[0].stopping_rows))
        loss, epoch_of = np.full(n_jobs, np.inf), np.zeros(n_jobs, dtype=int)
        kept: list[Weights] = [()] * n_jobs
        active = np.arange(n_jobs)
        feed = _Feed.of(jobs)
        for epoch in range(schedule.epochs):
            self.graph.epoch(matrix, *self._portion(active, epoch), *feed.tensors())
            if not stops_early:
                continue
            losses = self.graph.stopping_loss(matrix, *feed.stopping()).numpy()
            better = losses < loss[active] - _LEAST_GAIN
            loss[active[better]], epoch_of[active[better]] = losses[better], epoch
            for replica, weights in zip(
                active[better],
                self.graph.weights_of(np.flatnonzero(better)),
                strict=True,
            ):
                kept[replica] = weights
            going_on = epoch - epoch_of[active] < schedule.patience
            if not going_on.any():
                break
            if not going_on.all():
                stay = np.flatnonzero(going_on)
                active, feed = active[stay], feed.keep(stay)
                self.graph.keep(stay)
        if not stops_early:
            kept, epoch_of[:] = (
                self.graph.weights_of(np.arange(n_jobs)),
                schedule.epochs - 1,
            )
        return [
            Trained(kept[i], int(epoch_of[i]), float(loss[i])) for i in range(n_jobs)
        ]

    def _portion(
        self, active: NDArray[np.int64], epoch: int
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Return this epoch's rows of each replica, batch size, steps so far, all steps, and noise."""
        n = self.n_steps * self.batch
        order = [
            generator_for(self.jobs[i].seed, "epoch", epoch).permutation(
                self.jobs[i].rows
            )[:n]
            for i in active
        ]
        total = self.schedule.epochs * self.n_steps
        return (
            tf.constant(np.stack(order).astype(np.int32)),
            tf.constant(self.batch),
            tf.constant(epoch * self.n_steps),
            tf.constant(float(total)),
            tf.constant(self.schedule.noise),
        )


@dataclass(frozen=True)
class _Feed:
    """What differs between replicas, one entry each."""

    labels: NDArray[np.int32]
    rates: NDArray[np.float32]
    stopping_rows: NDArray[np.int32]
    counted: NDArray[np.float32]

    @classmethod
    def of(cls, jobs: list[Job]) -> "_Feed":
        """Gather the jobs; stopping rows of unlike number are padded with rows that do not count."""
        longest = -(-max(len(job.stopping_rows) for job in jobs) // _VECTOR) * _VECTOR
        rows = np.zeros((len(jobs), longest), dtype=np.int32)
        counted = np.zeros((len(jobs), longest), dtype=np.float32)
        for i, job in enumerate(jobs):
            n = len(job.stopping_rows)
            rows[i, :n] = job.stopping_rows
            counted[i, :n] = 1.0 / n if n else 0.0
        rates = np.array(
            [[job.learning_rate, job.weight_decay, job.dropout] for job in jobs],
            dtype=np.float32,
        )
        return cls(
            np.stack([job.labels for job in jobs]).astype(np.int32),
            rates,
            rows,
            counted,
        )

    def keep(self, stay: NDArray[np.int64]) -> "_Feed":
        return _Feed(
            self.labels[stay],
            self.rates[stay],
            self.stopping_rows[stay],
            self.counted[stay],
        )

    def tensors(self) -> tuple[Any, Any]:
        return tf.constant(self.labels), tf.constant(self.rates)

    def stopping(self) -> tuple[Any, Any, Any]:
        return (
            tf.constant(self.labels),
            tf.constant(self.stopping_rows),
            tf.constant(self.counted),
        )


@lru_cache(maxsize=64)
def _graph(shape: Shape, drops: bool) -> "_Graph":
    return _Graph(shape, drops)


class _Graph:
    """Parameters and traced functions for one shape; the number of replicas may change.

    Traced once per shape and process: a trace costs about as much as a small search.

    Attributes
    ----------
    parameters, means, squares : shape (replicas, n_parameters)
        Weights, layer after layer, and AdamW's two moments of their gradients.
    """

    def __init__(self, shape: Shape, drops: bool) -> None:
        self.drops = drops
        self.forms: list[tuple[int, int]] = []
        for n_in, n_out in shape.layers():
            self.forms += [(n_in, n_out), (1, n_out)]
        self.sizes = [rows * columns for rows, columns in self.forms]
        self.padding = -sum(self.sizes) % _VECTOR
        kernels = [
            np.full(size, number % 2 == 0, np.float32)
            for number, size in enumerate(self.sizes)
        ]
        self.decays = tf.constant(
            np.concatenate([*kernels, np.zeros(self.padding, np.float32)])
        )
        replicas = tf.TensorShape([None, sum(self.sizes) + self.padding])
        first = np.zeros((1, replicas[1]), np.float32)
        self.parameters, self.means, self.squares = (
            tf.Variable(first, shape=replicas) for _ in range(3)
        )
        rows, number = (
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([], tf.int32),
        )
        matrix, real = tf.TensorSpec([None, shape.n_inputs]), tf.TensorSpec([])
        rates = tf.TensorSpec([None, 3])
        self.epoch = tf.function(
            self._epoch,
            input_signature=[matrix, rows, number, number, real, number, rows, rates],
        )
        counted = tf.TensorSpec([None, None])
        self.stopping_loss = tf.function(
            self._stopping_loss, input_signature=[matrix, rows, rows, counted]
        )

    def start(self, members: list[Weights]) -> None:
        """Take first weights and forget the moments of whatever was trained before."""
        flat = [
            np.concatenate([layer.ravel() for layer in weights]) for weights in members
        ]
        value = np.pad(np.stack(flat), ((0, 0), (0, self.padding)))
        self.parameters.assign(value)
        self.means.assign(np.zeros_like(value))
        self.squares.assign(np.zeros_like(value))

    def keep(self, stay: NDArray[np.int64]) -> None:
        """Let the other replicas leave the stack."""
        for variable in (self.parameters, self.means, self.squares):
            variable.assign(tf.gather(variable, stay))

    def weights_of(self, replicas: NDArray[np.int64]) -> list[Weights]:
        """Return plain kernels and biases of some replicas."""
        rows = self.parameters.numpy()[replicas]
        ends = np.cumsum(self.sizes)[:-1]
        return [
            tuple(
                part.reshape(form).copy() if number % 2 == 0 else part.copy()
                for number, (part, form) in enumerate(
                    zip(np.split(row[: sum(self.sizes)], ends), self.forms, strict=True)
                )
            )
            for row in rows
        ]

    def _layers(self) -> list[Any]:
        parts = tf.split(self.parameters, [*self.sizes, self.padding], axis=1)
        return [
            tf.reshape(part, (-1, *form))
            for part, form in zip(parts, self.forms, strict=False)
        ]

    def _epoch(
        self,
        matrix: Any,
        order: Any,
        batch: Any,
        before: Any,
        total: Any,
        noise: Any,
        labels: Any,
        rates: Any,
    ) -> None:
        rate, decay, dropout = (rates[:, i, None] for i in range(3))
        n_steps = tf.shape(order)[1] // batch
        for step in tf.range(n_steps):
            rows = order[:, step * batch : (step + 1) * batch]
            count = before + step
            drop = (
                self._dropout(dropout[:, :, None], noise + count)
                if self.drops
                else None
            )
            layers = self._layers()
            with tf.GradientTape() as tape:
                tape.watch(layers)
                logits = _forward(tf.gather(matrix, rows), layers, drop)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    tf.gather(labels, rows, batch_dims=1), logits
                )
                loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))
            gradients = [
                tf.reshape(gradient, (-1, size))
                for gradient, size in zip(
                    tape.gradient(loss, layers), self.sizes, strict=True
                )
            ]
            flat = tf.pad(tf.concat(gradients, axis=1), ((0, 0), (0, self.padding)))
            self._update(flat, rate, decay, tf.cast(count, tf.float32) + 1.0, total)

    def _update(self, gradient: Any, rate: Any, decay: Any, t: Any, total: Any) -> None:
        """One AdamW step; kernels decay, biases do not. Warm-up over the first 20th of the steps."""
        warm = tf.minimum(1.0, t / tf.maximum(1.0, 0.05 * total))
        now = rate * warm * (0.025 + 0.975 * 0.5 * (1.0 + tf.cos(np.pi * t / total)))
        bias_1, bias_2 = 1.0 - tf.pow(_BETA_1, t), 1.0 - tf.pow(_BETA_2, t)
        self.means.assign_add((1.0 - _BETA_1) * (gradient - self.means))
        self.squares.assign_add((1.0 - _BETA_2) * (tf.square(gradient) - self.squares))
        change = (self.means / bias_1) / (tf.sqrt(self.squares / bias_2) + _EPSILON)
        self.parameters.assign_sub(
            now * (change + decay * self.decays * self.parameters)
        )

    def _dropout(self, rate: Any, count: Any) -> Any:
        """Drop hidden units by one noise for all replicas, so that a replica's bits are its own."""

        def drop(hidden: Any, layer: int) -> Any:
            noise = tf.random.stateless_uniform(
                tf.shape(hidden)[1:], tf.stack([count, layer])
            )
            return tf.where(noise[None] >= rate, hidden / (1.0 - rate), 0.0)

        return drop

    def _stopping_loss(self, matrix: Any, labels: Any, rows: Any, counted: Any) -> Any:
        logits = _forward(tf.gather(matrix, rows), self._layers())
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.gather(labels, rows, batch_dims=1), logits
        )
        return tf.reduce_sum(losses * counted, axis=1)
