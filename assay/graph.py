"""The networks' arithmetic in TensorFlow: many of one depth at once, on a leading replica axis.

A replica's bits do not depend on what it is stacked with. That takes care: vectorised kernels treat
the last few numbers of an array by other instructions than the rest, with other rounding. So
products are taken replica by replica, with the bias as a column of its layer; the parameters of a
replica lie in one row padded to whole vectors; batches are whole vectors too; and no quotient here
is a reciprocal, which has an approximate instruction of its own. A test holds this.

Graphs are traced once per depth and loss for networks of every size: a trace costs about as much as
a small search.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.environment import pin
from assay.network import Shape, Weights

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

Loss = Literal["cross_entropy", "squared_error", "absolute_error"]
State = tuple[Any, Any, Any]  # parameters and AdamW's two moments of their gradients

VECTOR = 16  # float32 numbers in the widest vector register
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-8


def whole_vectors(n: int) -> int:
    """Return the most whole vectors in ``n`` numbers, in numbers."""
    return n - n % VECTOR


def joined(weights: Weights) -> list[NDArray[np.float32]]:
    """Return each layer as one matrix ``(n_out, n_in + 1)``, its bias in the last column."""
    return [
        np.vstack([weights[i], weights[i + 1]]).T for i in range(0, len(weights), 2)
    ]


def one_below_another(matrices: Sequence[NDArray[np.float32]]) -> Any:
    """Return all rows as one tensor, with a last column of ones, which the biases multiply."""
    rows = np.concatenate(matrices)
    return tf.constant(np.pad(rows, ((0, 0), (0, 1)), constant_values=1.0))


class Layout:
    """Where the layers of a shape lie in a row of parameters.

    Attributes
    ----------
    forms : shape (n_layers, 2)
        Outputs, and inputs with the bias as one more, of each layer.
    kernels : shape (n_parameters,)
        1 for the numbers of a kernel, which decay; 0 for biases and padding, which do not.
    """

    def __init__(self, shape: Shape) -> None:
        forms = [(n_out, n_in + 1) for n_in, n_out in shape.layers()]
        self.forms = np.array(forms, dtype=np.int32)
        self.ends = np.cumsum(self.forms.prod(axis=1))
        self.n_parameters = whole_vectors(int(self.ends[-1]) + VECTOR - 1)
        self.kernels = self._row(
            tuple(
                mark(form, dtype=np.float32)
                for n_in, n_out in shape.layers()
                for mark, form in ((np.ones, (n_in, n_out)), (np.zeros, n_out))
            )
        )

    def start(self, members: Sequence[Weights]) -> State:
        """Return the state of networks that have taken no step yet."""
        parameters = tf.constant(np.stack([self._row(weights) for weights in members]))
        return parameters, tf.zeros_like(parameters), tf.zeros_like(parameters)

    def weights(self, row: NDArray[np.float32]) -> Weights:
        """Return kernels and biases from a row of parameters."""
        parts = np.split(row, self.ends)[:-1]
        layers = [p.reshape(form) for p, form in zip(parts, self.forms, strict=True)]
        return tuple(
            one.copy() for layer in layers for one in (layer[:, :-1].T, layer[:, -1])
        )

    def _row(self, weights: Weights) -> NDArray[np.float32]:
        flat = np.concatenate([layer.ravel() for layer in joined(weights)])
        return np.pad(flat, (0, self.n_parameters - len(flat))).astype(np.float32)


def stay(state: State, replicas: NDArray[np.int64]) -> State:
    """Return the state of some replicas."""
    parameters, means, squares = (tf.gather(one, replicas) for one in state)
    return parameters, means, squares


# Training ----------------------------------------------------------------------------------------


@lru_cache
def graph(n_layers: int, loss: Loss, drops: bool) -> "Graph":
    """Return the graph for a depth and loss, traced on first use in a process."""
    return Graph(n_layers, loss, drops)


class Graph:
    """Steps of AdamW, and the loss on other rows.

    Attributes
    ----------
    advance
        Takes a step for each portion of rows, and returns the new state. Its arguments:
        state; forms and kernels of the layout; matrix (n_rows, n_inputs + 1); rows
        (n_steps, n_orders, batch), numbers of rows of the matrix; targets
        (n_steps, n_replicas, batch); order (n_replicas,), which of the rows' orders a replica
        follows; rates (n_replicas, 3) and noise (n_replicas, 2), see ``train``; steps done before;
        steps of the whole training.
    loss_on
        Returns the mean loss of each replica. Its arguments: parameters; forms; matrix; rows,
        targets and weights in the mean, each (n_replicas, n_stopping).
    """

    def __init__(self, n_layers: int, loss: Loss, drops: bool) -> None:
        self.n_layers, self.loss, self.drops = n_layers, loss, drops
        line, table, block = (tf.TensorSpec([None] * rank) for rank in (1, 2, 3))
        forms = tf.TensorSpec([n_layers, 2], tf.int32)
        rows = tf.TensorSpec([None, None], tf.int32)
        portions = tf.TensorSpec([None, None, None], tf.int32)
        order = tf.TensorSpec([None], tf.int32)
        noise = tf.TensorSpec([None, 2], tf.uint32)
        done, total = tf.TensorSpec([], tf.int32), tf.TensorSpec([])
        self.advance = tf.function(
            self._advance,
            autograph=False,
            input_signature=[
                *((table, table, table), forms, line, table),
                *(portions, block, order, tf.TensorSpec([None, 3]), noise, done, total),
            ],
        )
        self.loss_on = tf.function(
            self._loss_on,
            autograph=False,
            input_signature=[table, forms, table, rows, table, table],
        )

    def _advance(
        self,
        state: Any,
        forms: Any,
        kernels: Any,
        matrix: Any,
        rows: Any,
        targets: Any,
        order: Any,
        rates: Any,
        noise: Any,
        done: Any,
        total: Any,
    ) -> Any:
        n_steps, batch = tf.shape(rows)[0], tf.cast(tf.shape(rows)[2], tf.float32)
        padding = tf.shape(kernels)[0] - tf.reduce_sum(forms[:, 0] * forms[:, 1])

        def step(number: Any, parameters: Any, means: Any, squares: Any) -> Any:
            first = tf.transpose(tf.gather(matrix, rows[number]), (0, 2, 1))
            layers = self._layers(parameters, forms)
            drop = Dropout(rates[:, 2], noise, done + number) if self.drops else None
            outputs, activations = _forward(tf.gather(first, order), layers, drop)
            slope = _slope(self.loss, outputs, targets[number]) / batch
            gradient = _gradient(slope, layers, activations, drop)
            gradient = tf.pad(gradient, ((0, 0), (0, padding)))
            t = tf.cast(done + number, tf.float32) + 1.0
            rate = rates[:, :1] * _rise_and_fall(t / total)
            decay = rates[:, 1:2] * kernels * parameters
            means += (1.0 - _BETA_1) * (gradient - means)
            squares += (1.0 - _BETA_2) * (tf.square(gradient) - squares)
            change = (means / (1.0 - tf.pow(_BETA_1, t))) / (
                tf.sqrt(squares / (1.0 - tf.pow(_BETA_2, t))) + _EPSILON
            )
            return number + 1, parameters - rate * (change + decay), means, squares

        return tf.while_loop(lambda number, *_: number < n_steps, step, (0, *state))[1:]

    def _loss_on(
        self,
        parameters: Any,
        forms: Any,
        matrix: Any,
        rows: Any,
        targets: Any,
        counted: Any,
    ) -> Any:
        first = tf.transpose(tf.gather(matrix, rows), (0, 2, 1))
        outputs, _ = _forward(first, self._layers(parameters, forms))
        return tf.reduce_sum(_losses(self.loss, outputs, targets) * counted, axis=1)

    def _layers(self, parameters: Any, forms: Any) -> list[Any]:
        sizes = forms[:, 0] * forms[:, 1]
        padding = tf.shape(parameters)[1] - tf.reduce_sum(sizes)
        every = tf.concat([sizes, padding[None]], axis=0)
        parts: list[Any] = tf.split(parameters, every, axis=1, num=self.n_layers + 1)
        return [
            tf.reshape(part, (-1, forms[i, 0], forms[i, 1]))
            for i, part in enumerate(parts[:-1])
        ]


class Dropout:
    """Hidden units dropped by noise that is a replica's own, whatever it is stacked with.

    One noise of 32 bits is drawn for all; a replica multiplies it by an odd number of its own,
    modulo 2**32, which only reorders the numbers there are: exact, and evenly spread again.

    Parameters
    ----------
    factor : shape (n_replicas,)
        By what the units that stay are multiplied.
    noise : shape (n_replicas, 2)
        Each replica's odd number, and the noise from which on a unit stays.
    count
        The step, which the noise is drawn for.
    """

    def __init__(self, factor: Any, noise: Any, count: Any) -> None:
        self.factor, self.count = factor[:, None, None], count
        self.key, self.least = (noise[:, i, None, None] for i in range(2))

    def __call__(self, hidden: Any, layer: int) -> Any:
        drawn = tf.random.stateless_uniform(
            tf.shape(hidden)[1:], tf.stack([self.count, layer]), None, None, tf.uint32
        )
        kept = drawn[None] * self.key >= self.least
        return tf.where(kept, hidden * self.factor, 0.0)


def _forward(
    first: Any, layers: Sequence[Any], drop: Dropout | None = None
) -> tuple[Any, list[Any]]:
    """Return outputs before any softmax, shape (n_replicas, n_outputs, n_rows), and each layer's inputs.

    ``first`` has shape (n_replicas, n_inputs + 1, n_rows); the last input is 1 throughout.
    """
    activations = [first]
    for number, layer in enumerate(layers[:-1]):
        hidden = tf.nn.relu(tf.matmul(layer, activations[-1]))
        if drop is not None:
            hidden = drop(hidden, number)
        activations.append(tf.concat([hidden, tf.ones_like(hidden[:, :1])], axis=1))
    return tf.matmul(layers[-1], activations[-1]), activations


def _gradient(
    slope: Any, layers: Sequence[Any], activations: list[Any], drop: Dropout | None
) -> Any:
    """Return the loss's gradient, a row per replica, from its slope in the outputs."""
    parts = []
    for number in reversed(range(len(layers))):
        part = tf.matmul(slope, activations[number], transpose_b=True)
        parts.append(tf.reshape(part, (tf.shape(part)[0], -1)))
        if number:
            slope = tf.matmul(layers[number], slope, transpose_a=True)
            slope = tf.raw_ops.ReluGrad(gradients=slope, features=activations[number])
            slope = slope[:, :-1] if drop is None else slope[:, :-1] * drop.factor
    return tf.concat(parts[::-1], axis=1)


def _rise_and_fall(share: Any) -> Any:
    """Return the learning rate's factor: a rise over the first 20th of the steps, then a cosine."""
    return tf.minimum(1.0, 20.0 * share) * (
        0.025 + 0.975 * 0.5 * (1.0 + tf.cos(np.pi * share))
    )


def _slope(loss: Loss, outputs: Any, targets: Any) -> Any:
    """Return the derivative of each row's loss in the network's outputs."""
    if loss == "cross_entropy":
        odds = tf.exp(outputs - tf.reduce_max(outputs, axis=1, keepdims=True))
        softmax = odds / tf.reduce_sum(odds, axis=1, keepdims=True)
        return softmax - _is_class(outputs, targets)
    error = outputs - targets[:, None]
    return 2.0 * error if loss == "squared_error" else tf.sign(error)


def _losses(loss: Loss, outputs: Any, targets: Any) -> Any:
    """Return each row's loss, shape (n_replicas, n_rows)."""
    if loss == "cross_entropy":
        of_class = tf.reduce_sum(outputs * _is_class(outputs, targets), axis=1)
        return tf.reduce_logsumexp(outputs, axis=1) - of_class
    error = outputs[:, 0] - targets
    return tf.square(error) if loss == "squared_error" else tf.abs(error)


def _is_class(outputs: Any, targets: Any) -> Any:
    classes = tf.range(tf.shape(outputs)[1], dtype=tf.float32)
    return tf.cast(targets[:, None] == classes[:, None], tf.float32)


# Prediction --------------------------------------------------------------------------------------


def outputs_of(
    members: Sequence[Weights], inputs: NDArray[np.float32], rows_at_once: int
) -> NDArray[np.float32]:
    """Return class probabilities, or numbers, shape (n_members, n_rows, n_outputs)."""
    layers = [
        tf.constant(np.stack(layer))
        for layer in zip(*map(joined, members), strict=True)
    ]
    predictor = _predictor(len(layers), layers[-1].shape[1] > 1)
    parts = [
        predictor(one_below_another([inputs[start : start + rows_at_once]]), layers)
        for start in range(0, len(inputs), rows_at_once)
    ]
    return np.concatenate([part.numpy() for part in parts], axis=1)


@lru_cache
def _predictor(n_layers: int, classes: bool) -> Any:
    def predicted(inputs: Any, layers: list[Any]) -> Any:
        outputs, _ = _forward(tf.transpose(inputs)[None], layers)
        by_row = tf.transpose(outputs, (0, 2, 1))
        return tf.nn.softmax(by_row) if classes else by_row

    any_size = tf.TensorSpec([None, None, None])
    return tf.function(
        predicted,
        autograph=False,
        input_signature=[tf.TensorSpec([None, None]), [any_size] * n_layers],
    )
