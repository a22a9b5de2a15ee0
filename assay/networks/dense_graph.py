"""The networks' arithmetic in TensorFlow: many of one structure at once, on a leading replica axis.

A replica's bits do not depend on what it is stacked with. That takes care: vectorised kernels treat
the last few numbers of an array by other instructions than the rest, with other rounding. So rows
lie along the last axis and batches are whole vectors; products are taken replica by replica; the
parameters of a replica lie in one row padded to whole vectors; and no quotient here is a
reciprocal, which has an approximate instruction of its own. A test holds this.

Graphs are traced once per structure for networks of every size: a trace costs about as much as a
small search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import ImageShape
from assay.networks.spec import Activation, Encoding, Net, Shape, Weights
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

Loss = Literal["cross_entropy", "squared_error", "absolute_error"]
State = tuple[Any, Any, Any]  # parameters and AdamW's two moments of their gradients

VECTOR = 16  # float32 numbers in the widest vector register
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-8
_PACE = 50.0  # of the inputs' factors, in learning rates of the weights


def whole_vectors(n: int) -> int:
    """Return the most whole vectors in ``n`` numbers, in numbers."""
    return n - n % VECTOR


def one_below_another(matrices: Sequence[NDArray[np.float32]]) -> Any:
    """Return all rows as one tensor."""
    return tf.constant(matrices[0] if len(matrices) == 1 else np.concatenate(matrices))


def stacked(encodings: Sequence[Encoding | None]) -> Any:
    """Return edges and slopes of encodings of one size, shape (2, n, n_columns, n_pieces)."""
    if encodings[0] is None:
        return np.zeros((2, len(encodings), 0, 0), dtype=np.float32)
    known = [one for one in encodings if one is not None]
    return np.stack([[one.edges for one in known], [one.slopes for one in known]])


class Layout:
    """Where the layers of a shape lie in a row of parameters.

    Attributes
    ----------
    forms : shape (n_arrays, most_axes)
        The form of each array of weights, its axes in reverse and then of length 1.
    kernels : shape (n_parameters,)
        1 for the numbers of a kernel, which decay; 0 for vectors and padding, which do not.
    paces : shape (n_parameters,)
        By what the learning rate of each is multiplied.

    While it trains, a network that is ``scaled`` has a factor on each input of its first layer, at
    first 1, which learns much faster than the weights: so it turns to the inputs that matter
    (Holzmüller et al. 2024, "Better by default", the scaling layer of RealMLP). Beside it stands the
    input's emphasis, which is given and stays. Its weights come with both multiplied in.
    """

    def __init__(self, shape: Shape | ImageShape, *, scaled: bool = False) -> None:
        self.arrays, self.scaled = shape.arrays(), scaled
        if scaled:
            self.arrays += [(self.arrays[0][0], 1)] * 2  # factors, emphases
        most_axes = max(map(len, self.arrays))
        forms = [one[::-1] + (1,) * (most_axes - len(one)) for one in self.arrays]
        self.forms = np.array(forms, dtype=np.int32)
        self.ends = np.cumsum(self.forms.prod(axis=1))
        self.n_parameters = whole_vectors(int(self.ends[-1]) + VECTOR - 1)
        self.kernels = np.zeros(self.n_parameters, dtype=np.float32)
        starts = [0, *self.ends[:-1]]
        for form, start, end in zip(self.arrays, starts, self.ends, strict=True):
            self.kernels[start:end] = len(form) > 1
        self.paces = np.ones(self.n_parameters, dtype=np.float32)
        if scaled:
            self.kernels[starts[-2] :] = 0.0
            self.paces[starts[-2] : starts[-1]] = _PACE
            self.paces[starts[-1] :] = 0.0

    def start(
        self,
        members: Sequence[Weights],
        emphases: Sequence[NDArray[np.float32] | None],
    ) -> State:
        """Return the state of networks that have taken no step yet.

        Parameters
        ----------
        emphases
            Of each network that is scaled, shape (n_inputs of the first layer,); of others None.

        Raises
        ------
        ValueError
            If a network that is scaled has none, or another one.
        """
        rows = [
            self._row(weights, emphasis)
            for weights, emphasis in zip(members, emphases, strict=True)
        ]
        parameters = tf.constant(np.stack(rows))
        return parameters, tf.zeros_like(parameters), tf.zeros_like(parameters)

    def weights(self, row: NDArray[np.float32]) -> Weights:
        """Return the arrays of weights from a row of parameters."""
        parts = np.split(row, self.ends)[:-1]
        arrays = [
            part.reshape(form[::-1]).T.copy()
            for part, form in zip(parts, self.arrays, strict=True)
        ]
        if self.scaled:
            *arrays, factors, emphases = arrays
            arrays[0] *= factors * emphases
        return tuple(arrays)

    def _row(
        self, weights: Weights, emphasis: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        if self.scaled != (emphasis is not None):
            raise ValueError("networks with an emphasis are scaled, and no others")
        if emphasis is not None:
            weights = (*weights, np.ones_like(emphasis), emphasis)
        flat = np.concatenate([layer.T.ravel() for layer in weights])
        return np.pad(flat, (0, self.n_parameters - len(flat))).astype(np.float32)


def resumed(rows: Sequence[NDArray[np.float32]]) -> State:
    """Return the state of networks from a row of each of its parts."""
    parameters, means, squares = (
        tf.constant(np.stack(one)) for one in zip(*rows, strict=True)
    )
    return parameters, means, squares


def stay(state: State, replicas: NDArray[np.int64]) -> State:
    """Return the state of some replicas."""
    parameters, means, squares = (tf.gather(one, replicas) for one in state)
    return parameters, means, squares


# Training ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Structure:
    """What a graph of fully connected networks is traced for; sizes are free.

    Attributes
    ----------
    drops
        Whether any hidden unit may be dropped.
    scaled
        Whether the first layer's inputs have factors, see :class:`Layout`.
    """

    n_layers: int
    activation: Activation
    encoded: bool
    loss: Loss
    drops: bool = False
    scaled: bool = False

    @property
    def n_arrays(self) -> int:
        return 2 * (self.n_layers + self.scaled)


@lru_cache
def graph(structure: Structure) -> "Graph":
    """Return the graph for a structure, traced on first use in a process."""
    return Graph(structure)


class Graph:
    """Steps of AdamW, and the loss on other rows.

    Attributes
    ----------
    advance
        Takes a step for each portion of rows, and returns the new state. Its arguments: state;
        forms of the layout; its kernels and paces (2, n_parameters); matrix (n_rows, n_inputs); encodings
        (2, n_orders, n_columns, n_pieces); rows (n_steps, n_orders, batch), numbers of rows of the
        matrix; targets (n_steps, n_replicas, batch); order (n_replicas,), which of the rows' orders
        a replica follows; rates (n_replicas, 8), noise (n_replicas, 2) and class weights
        (n_replicas, n_outputs), see ``train``; steps done before; steps of the whole training.
    loss_on
        Returns the mean loss of each replica. Its arguments: parameters; forms; matrix; encodings
        (2, n_replicas, n_columns, n_pieces); rows, targets and weights in the mean, each
        (n_portions, n_replicas, n_at_once); class weights.
    """

    def __init__(self, structure: Structure) -> None:
        self.of, self.loss = structure, structure.loss
        self._trace((structure.n_arrays, 2))

    def _trace(self, of_forms: tuple[int, int]) -> None:
        table, block = (tf.TensorSpec([None] * rank) for rank in (2, 3))
        forms = tf.TensorSpec(of_forms, tf.int32)
        portions = tf.TensorSpec([None, None, None], tf.int32)
        order = tf.TensorSpec([None], tf.int32)
        noise = tf.TensorSpec([None, 2], tf.uint32)
        known = tf.TensorSpec([2, None, None, None])
        done, total = tf.TensorSpec([], tf.int32), tf.TensorSpec([])
        self.advance = tf.function(
            self._advance,
            autograph=False,
            input_signature=[
                *((table, table, table), forms, table, table, known, portions, block),
                *(order, tf.TensorSpec([None, 8]), noise, table, done, total),
            ],
        )
        self.loss_on = tf.function(
            self._loss_on,
            autograph=False,
            input_signature=[table, forms, table, known, portions, block, block, table],
        )

    def _advance(
        self,
        state: Any,
        forms: Any,
        kernels_and_paces: Any,
        matrix: Any,
        encodings: Any,
        rows: Any,
        targets: Any,
        order: Any,
        rates: Any,
        noise: Any,
        class_weights: Any,
        done: Any,
        total: Any,
    ) -> Any:
        kernels, paces = tf.unstack(kernels_and_paces, num=2)
        n_steps = tf.shape(rows)[0]

        def step(number: Any, parameters: Any, means: Any, squares: Any) -> Any:
            gradient = self._gradient(
                parameters,
                forms,
                (matrix, encodings),
                rows[number],
                targets[number],
                order,
                rates,
                noise,
                class_weights,
                done + number,
            )
            t = tf.cast(done + number, tf.float32) + 1.0
            rate = paces * rates[:, :1] * _rise_and_fall(t / total)
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
        encodings: Any,
        rows: Any,
        targets: Any,
        counted: Any,
        class_weights: Any,
    ) -> Any:
        def add(number: Any, sums: Any) -> Any:
            outputs = self._outputs(
                parameters, forms, (matrix, encodings), rows[number]
            )
            losses = self._losses(outputs, targets[number], class_weights)
            return number + 1, sums + tf.reduce_sum(losses * counted[number], axis=1)

        start = tf.zeros(tf.shape(parameters)[:1])
        n_portions = tf.shape(rows)[0]
        return tf.while_loop(lambda number, _: number < n_portions, add, (0, start))[1]

    def _gradient(
        self,
        parameters: Any,
        forms: Any,
        inputs: Any,
        rows: Any,
        targets: Any,
        order: Any,
        rates: Any,
        noise: Any,
        class_weights: Any,
        count: Any,
    ) -> Any:
        """Return the gradient of each replica's mean loss on its rows; ``inputs``: matrix, encodings."""
        first = self._first(inputs, rows)
        drop = Dropout(rates[:, 2], noise, count) if self.of.drops else None
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            outputs = self._forward(tf.gather(first, order), parameters, forms, drop)
            losses = self._losses(outputs, targets, class_weights, rates[:, 3])
            batch = tf.cast(tf.shape(rows)[1], tf.float32)
            loss = tf.reduce_sum(losses) / batch
        return tape.gradient(loss, parameters)

    def _outputs(self, parameters: Any, forms: Any, inputs: Any, rows: Any) -> Any:
        """Return outputs before any softmax, shape (n_replicas, n_outputs, n_rows)."""
        return self._forward(self._first(inputs, rows), parameters, forms)

    def _first(self, inputs: Any, rows: Any) -> Any:
        """Return what the first layer is handed, shape (n_orders, n_inputs, n_rows)."""
        matrix, encodings = inputs
        first = tf.transpose(tf.gather(matrix, rows), (0, 2, 1))
        return _encoded(first, encodings) if self.of.encoded else first

    def _forward(
        self, first: Any, parameters: Any, forms: Any, drop: "Dropout | None" = None
    ) -> Any:
        parts = parts_of(parameters, forms, self.of.n_arrays)
        arrays = [
            tf.reshape(part, (-1, forms[i, 0], forms[i, 1]))
            for i, part in enumerate(parts)
        ]
        if self.of.scaled:
            *arrays, factors, emphases = arrays
            arrays[0] *= _in_each_row(factors * emphases, tf.shape(arrays[0])[1])
        return _forward(first, arrays, self.of.activation, drop)

    def _losses(
        self, outputs: Any, targets: Any, class_weights: Any, smoothing: Any = None
    ) -> Any:
        """Return each row's loss, shape (n_replicas, n_rows).

        Label smoothing (Szegedy et al. 2016) gives every class its share of ``smoothing``.
        """
        if self.loss != "cross_entropy":
            error = outputs[:, 0] - targets
            return tf.square(error) if self.loss == "squared_error" else tf.abs(error)
        is_class = _is_class(outputs, targets)
        weights = tf.reduce_sum(is_class * class_weights[:, :, None], axis=1)
        if smoothing is not None:
            n_classes = tf.cast(tf.shape(outputs)[1], tf.float32)
            smooth = smoothing[:, None, None]
            is_class = is_class * (1.0 - smooth) + smooth / n_classes
        of_class = tf.reduce_sum(outputs * is_class, axis=1)
        return weights * (tf.reduce_logsumexp(outputs, axis=1) - of_class)


def _in_each_row(factors: Any, n_rows: Any) -> Any:
    """Return (n_replicas, 1, n) as (n_replicas, n_rows, n): a product, so that its gradient is one."""
    return tf.matmul(tf.ones((1, n_rows, 1)), factors)


def parts_of(parameters: Any, forms: Any, n_arrays: int) -> list[Any]:
    """Return the numbers of each array of weights, along the last axis, without the padding."""
    sizes = tf.reduce_prod(forms, axis=1)
    padding = tf.shape(parameters)[-1] - tf.reduce_sum(sizes)
    every = tf.concat([sizes, padding[None]], axis=0)
    parts: list[Any] = tf.split(parameters, every, axis=-1, num=n_arrays + 1)
    return parts[:-1]


def portions(n: int, rows_at_once: int) -> tuple[int, int]:
    """Return how many portions ``n`` stopping rows take, and the rows of each: whole vectors.

    It must be the shape's business alone: how a sum is cut shows in its bits.
    """
    n_portions = max(1, -(-n // rows_at_once))
    return n_portions, -(-n // (n_portions * VECTOR)) * VECTOR


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
        kept = tf.cast(drawn[None] * self.key >= self.least, tf.float32)
        return hidden * (kept * self.factor)


def _encoded(first: Any, encodings: Any) -> Any:
    """Return the inputs with the pieces of the leading columns below them; see ``Encoding``."""
    edges, slopes = encodings[0], encodings[1]
    leading = first[:, : tf.shape(slopes)[1], None]
    pieces = (leading - edges[..., None]) * slopes[..., None]
    pieces = tf.clip_by_value(pieces, 0.0, 1.0) - 0.5
    shape = tf.shape(pieces)
    flat = tf.reshape(pieces, (shape[0], shape[1] * shape[2], shape[3]))
    return tf.concat([first, flat], axis=1)


def _forward(
    first: Any,
    arrays: Sequence[Any],
    activation: Activation,
    drop: Dropout | None = None,
) -> Any:
    """Return outputs before any softmax, shape (n_replicas, n_outputs, n_rows).

    ``first`` has shape (n_replicas, n_inputs, n_rows).
    """
    bend, hidden = getattr(tf.nn, activation), first
    for number in range(0, len(arrays) - 2, 2):
        hidden = bend(tf.matmul(arrays[number], hidden) + arrays[number + 1])
        if drop is not None:
            hidden = drop(hidden, number // 2)
    return tf.matmul(arrays[-2], hidden) + arrays[-1]


def _rise_and_fall(share: Any) -> Any:
    """Return the learning rate's factor: a rise over the first 20th of the steps, then a cosine."""
    return tf.minimum(1.0, 20.0 * share) * (
        0.025 + 0.975 * 0.5 * (1.0 + tf.cos(np.pi * share))
    )


def _is_class(outputs: Any, targets: Any) -> Any:
    classes = tf.range(tf.shape(outputs)[1], dtype=tf.float32)
    return tf.cast(targets[:, None] == classes[:, None], tf.float32)


# Prediction --------------------------------------------------------------------------------------


def outputs_of(
    members: Sequence[Net], inputs: NDArray[np.float32], rows_at_once: int
) -> NDArray[np.float32]:
    """Return class probabilities, or numbers, shape (n_members, n_rows, n_outputs).

    Members of equal sizes and one encoding.
    """
    arrays = [
        tf.constant(np.stack([_turned(one) for one in layer]))
        for layer in zip(*(net.weights for net in members), strict=True)
    ]
    known = members[0].encoding
    predictor = _predictor(
        len(arrays), members[0].activation, known is not None, members[0].n_outputs > 1
    )
    encodings = stacked([known])
    parts = [
        predictor(inputs[start : start + rows_at_once], encodings, arrays)
        for start in range(0, len(inputs), rows_at_once)
    ]
    return np.concatenate([part.numpy() for part in parts], axis=1)


def _turned(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return array.T if array.ndim == 2 else array[:, None]


@lru_cache
def _predictor(
    n_arrays: int, activation: Activation, encoded: bool, classes: bool
) -> Any:
    def predicted(inputs: Any, encodings: Any, arrays: list[Any]) -> Any:
        first = tf.transpose(inputs)[None]
        first = _encoded(first, encodings) if encoded else first
        by_row = tf.transpose(_forward(first, arrays, activation), (0, 2, 1))
        return tf.nn.softmax(by_row) if classes else by_row

    any_size = tf.TensorSpec([None, None, None])
    known = tf.TensorSpec([2, None, None, None])
    return tf.function(
        predicted,
        autograph=False,
        input_signature=[tf.TensorSpec([None, None]), known, [any_size] * n_arrays],
    )
