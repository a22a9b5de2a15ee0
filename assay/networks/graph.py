"""Training in TensorFlow: AdamW steps and the loss of many networks at once, on a leading replica axis.

AdamW (Loshchilov & Hutter 2019) with a warm-up and a cosine schedule. A replica's bits do not depend
on what it is stacked with, which takes care: batches and parameter rows are whole vectors (see
:mod:`assay.networks.layout`), products are taken replica by replica, and no quotient here is a
reciprocal, which has an approximate instruction of its own. A test holds this.

Graphs are traced once per structure for networks of every size: a trace costs about as much as a
small search. TensorFlow has no types, so ``Tensor`` is documentation; the named tuples below are what
a graph takes, from NumPy arrays or tensors.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from assay.networks.encoding import Encoding
from assay.networks.layout import LayoutArrays
from assay.networks.spec import Loss
from assay.store.environment import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

Tensor = Any

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-8


class State(NamedTuple):
    """Parameters and AdamW's two moments of their gradients, each (n_replicas, n_parameters)."""

    parameters: Tensor
    means: Tensor
    squares: Tensor

    @classmethod
    def start(cls, rows: NDArray[np.float32]) -> Self:
        """Return the state of networks that have taken no step yet."""
        parameters = tf.constant(rows)
        return cls(parameters, tf.zeros_like(parameters), tf.zeros_like(parameters))

    @classmethod
    def resume(cls, rows: Sequence[NDArray[np.float32]]) -> Self:
        """Return the state of networks from what :meth:`of_replica` returned for each."""
        return cls(*(tf.constant(part) for part in np.stack(rows, axis=1)))

    def of_replica(self, place: int) -> NDArray[np.float32]:
        """Return the state of one network, shape (3, n_parameters)."""
        return np.stack([part[place].numpy() for part in self])

    def keep(self, replicas: NDArray[np.int64]) -> "State":
        """Return the state of some replicas."""
        return State(*(tf.gather(part, replicas) for part in self))


class Inputs(NamedTuple):
    """What rows are taken from.

    Attributes
    ----------
    matrix : shape (n_rows, n_inputs)
    encodings : shape (2, n_orders or n_replicas, n_columns, n_pieces)
        Edges and slopes, see :func:`stacked`.
    """

    matrix: Tensor
    encodings: Tensor


class Replicas(NamedTuple):
    """Hyperparameters of the networks that train together, one entry each.

    Attributes
    ----------
    learning_rate, weight_decay : shape (n_replicas,)
    dropout_factor : shape (n_replicas,)
        By what dropout multiplies the units that stay.
    smoothing : shape (n_replicas,)
        Share of a label that is spread over all classes.
    augmentation : shape (n_replicas, 4)
        See :meth:`Augmentation.numbers`; zeros without images.
    noise : shape (n_replicas, 2)
        An odd number of the replica's own, and the least 32-bit noise with which a unit stays.
    class_weights : shape (n_replicas, n_outputs)
        By what the loss of a class's rows is multiplied.
    """

    learning_rate: Tensor
    weight_decay: Tensor
    dropout_factor: Tensor
    smoothing: Tensor
    augmentation: Tensor
    noise: Tensor
    class_weights: Tensor

    def keep(self, replicas: NDArray[np.int64]) -> "Replicas":
        """Return the entries of some replicas."""
        return Replicas(*(array[replicas] for array in self))


class Setup(NamedTuple):
    """What stays the same in all steps of a call; ``n_steps`` are those of the whole training."""

    layout: LayoutArrays
    inputs: Inputs
    replicas: Replicas
    n_steps: Tensor


class Batches(NamedTuple):
    """What each step trains on.

    Attributes
    ----------
    rows : shape (n_steps, n_orders, batch_size)
        Numbers of rows of the matrix.
    targets : shape (n_steps, n_replicas, batch_size)
    order : shape (n_replicas,)
        Which of the orders of rows a replica follows.
    """

    rows: Tensor
    targets: Tensor
    order: Tensor

    def step(self, number: Tensor) -> "Batches":
        """Return the batches of one step, without the first axis."""
        return Batches(self.rows[number], self.targets[number], self.order)


class Evaluated(NamedTuple):
    """Rows of which the mean loss is computed, each (n_batches, n_replicas, batch_size).

    Attributes
    ----------
    weights
        Weight of a row in the mean; 0 for padding.
    """

    rows: Tensor
    targets: Tensor
    weights: Tensor


class Graph(ABC):
    """Steps of AdamW, and the loss on other rows, for networks of one structure and any sizes.

    ``advance(state, setup, batches, n_done)`` takes a step for each batch and returns the new state;
    ``n_done`` steps were taken before. ``loss_on(parameters, setup, evaluated)`` returns the mean
    loss of each replica, shape (n_replicas,).

    Parameters
    ----------
    forms
        How many arrays of weights a network has, and the most axes of one.
    """

    def __init__(self, loss: Loss, forms: tuple[int, int]) -> None:
        self.loss = loss
        self.advance = tf.function(
            self._advance, autograph=False, input_signature=_advance_signature(forms)
        )
        self.loss_on = tf.function(
            self._loss_on, autograph=False, input_signature=_loss_signature(forms)
        )

    @abstractmethod
    def gradient(
        self, parameters: Tensor, setup: Setup, batch: Batches, count: Tensor
    ) -> Tensor:
        """Return the gradient of each replica's mean loss on its rows; ``count`` steps were taken before."""

    @abstractmethod
    def outputs(self, parameters: Tensor, setup: Setup, rows: Tensor) -> Tensor:
        """Return outputs before any softmax, shape (n_replicas, n_outputs, n_rows)."""

    def losses(
        self,
        outputs: Tensor,
        targets: Tensor,
        class_weights: Tensor,
        smoothing: Tensor = None,
    ) -> Tensor:
        """Return each row's loss, shape (n_replicas, n_rows).

        Label smoothing (Szegedy et al. 2016) gives every class its share of ``smoothing``.
        """
        if self.loss != "cross_entropy":
            error = outputs[:, 0] - targets
            return tf.square(error) if self.loss == "squared_error" else tf.abs(error)
        is_class = _one_hot(outputs, targets)
        weights = tf.reduce_sum(is_class * class_weights[:, :, None], axis=1)
        if smoothing is not None:
            n_classes = tf.cast(tf.shape(outputs)[1], tf.float32)
            smooth = smoothing[:, None, None]
            is_class = is_class * (1.0 - smooth) + smooth / n_classes
        of_class = tf.reduce_sum(outputs * is_class, axis=1)
        return weights * (tf.reduce_logsumexp(outputs, axis=1) - of_class)

    def _advance(
        self, state: State, setup: Setup, batches: Batches, n_done: Tensor
    ) -> State:
        n_batches = tf.shape(batches.rows)[0]

        def step(number: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
            before, count = State(*parts), n_done + number
            batch = batches.step(number)
            gradient = self.gradient(before.parameters, setup, batch, count)
            t = tf.cast(count, tf.float32) + 1.0
            return number + 1, *_adamw(before, gradient, t, setup)

        loop = tf.while_loop(lambda number, *_: number < n_batches, step, (0, *state))
        return State(*loop[1:])

    def _loss_on(
        self, parameters: Tensor, setup: Setup, evaluated: Evaluated
    ) -> Tensor:
        rows, targets, weights = evaluated

        def add(number: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
            outputs = self.outputs(parameters, setup, rows[number])
            class_weights = setup.replicas.class_weights
            losses = self.losses(outputs, targets[number], class_weights)
            return number + 1, sums + tf.reduce_sum(losses * weights[number], axis=1)

        start, n_batches = tf.zeros(tf.shape(parameters)[:1]), tf.shape(rows)[0]
        return tf.while_loop(lambda number, _: number < n_batches, add, (0, start))[1]


def _adamw(before: State, gradient: Tensor, t: Tensor, setup: Setup) -> State:
    """Return the state after step number ``t``, counted from 1."""
    parameters, means, squares = before
    replicas, layout = setup.replicas, setup.layout
    rate = layout.paces * replicas.learning_rate[:, None] * _schedule(t / setup.n_steps)
    decay = replicas.weight_decay[:, None] * layout.kernels * parameters
    means += (1.0 - _BETA_1) * (gradient - means)
    squares += (1.0 - _BETA_2) * (tf.square(gradient) - squares)
    change = (means / (1.0 - tf.pow(_BETA_1, t))) / (
        tf.sqrt(squares / (1.0 - tf.pow(_BETA_2, t))) + _EPSILON
    )
    return State(parameters - rate * (change + decay), means, squares)


def _schedule(share: Tensor) -> Tensor:
    """Return the learning rate's factor: a warm-up over the first 20th of the steps, then a cosine."""
    return tf.minimum(1.0, 20.0 * share) * (
        0.025 + 0.975 * 0.5 * (1.0 + tf.cos(np.pi * share))
    )


def _one_hot(outputs: Tensor, targets: Tensor) -> Tensor:
    classes = tf.range(tf.shape(outputs)[1], dtype=tf.float32)
    return tf.cast(targets[:, None] == classes[:, None], tf.float32)


def split_arrays(parameters: Tensor, forms: Tensor, n_arrays: int) -> list[Tensor]:
    """Return the numbers of each array of weights, along the last axis, without the padding."""
    sizes = tf.reduce_prod(forms, axis=1)
    padding = tf.shape(parameters)[-1] - tf.reduce_sum(sizes)
    every = tf.concat([sizes, padding[None]], axis=0)
    parts: list[Tensor] = tf.split(parameters, every, axis=-1, num=n_arrays + 1)
    return parts[:-1]


def one_matrix(matrices: Sequence[NDArray[np.float32]]) -> Tensor:
    """Return the rows of all matrices, one below another, as a tensor."""
    return tf.constant(matrices[0] if len(matrices) == 1 else np.concatenate(matrices))


def stacked(encodings: Sequence[Encoding | None]) -> NDArray[np.float32]:
    """Return edges and slopes of encodings of equal sizes, shape (2, n, n_columns, n_pieces)."""
    if encodings[0] is None:
        return np.zeros((2, len(encodings), 0, 0), dtype=np.float32)
    fitted = [encoding for encoding in encodings if encoding is not None]
    edges, slopes = zip(*((each.edges, each.slopes) for each in fitted), strict=True)
    return np.stack([edges, slopes])


# Signatures --------------------------------------------------------------------------------------


def _any(rank: int, dtype: Any = tf.float32) -> Any:
    return tf.TensorSpec([None] * rank, dtype)


def _setup_signature(forms: tuple[int, int]) -> Setup:
    noise = tf.TensorSpec([None, 2], tf.uint32)
    augmentation = tf.TensorSpec([None, 4])
    return Setup(
        LayoutArrays(tf.TensorSpec(forms, tf.int32), _any(1), _any(1)),
        Inputs(_any(2), tf.TensorSpec([2, None, None, None])),
        Replicas(*[_any(1)] * 4, augmentation, noise, _any(2)),
        tf.TensorSpec([]),
    )


def _advance_signature(forms: tuple[int, int]) -> tuple[Any, ...]:
    batches = Batches(_any(3, tf.int32), _any(3), _any(1, tf.int32))
    state = State(_any(2), _any(2), _any(2))
    return state, _setup_signature(forms), batches, tf.TensorSpec([], tf.int32)


def _loss_signature(forms: tuple[int, int]) -> tuple[Any, ...]:
    evaluated = Evaluated(_any(3, tf.int32), _any(3), _any(3))
    return _any(2), _setup_signature(forms), evaluated
