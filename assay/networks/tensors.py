"""What a training graph takes: named tuples of NumPy arrays or tensors, and their signatures.

TensorFlow has no types, so ``Tensor`` is documentation.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from assay.networks.encoding import Encoding
from assay.networks.layout import LayoutArrays
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

Tensor = Any


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

    Few arrays, for each costs a call about 0.05 ms; the properties name the columns.

    Attributes
    ----------
    rates : shape (n_replicas, 8)
        Learning rate, weight decay, the factor of units that dropout keeps, label smoothing, and four
        numbers of :meth:`Augmentation.numbers`, zeros without images.
    noise : shape (n_replicas, 2)
        An odd number of the replica's own, and the least 32-bit noise with which a unit is kept.
    class_weights : shape (n_replicas, n_outputs)
        By what the loss of a class's rows is multiplied.
    """

    rates: Tensor
    noise: Tensor
    class_weights: Tensor

    @property
    def learning_rate(self) -> Tensor:
        return self.rates[..., 0]

    @property
    def weight_decay(self) -> Tensor:
        return self.rates[..., 1]

    @property
    def dropout_factor(self) -> Tensor:
        return self.rates[..., 2]

    @property
    def smoothing(self) -> Tensor:
        return self.rates[..., 3]

    @property
    def augmentation(self) -> Tensor:
        return self.rates[..., 4:]

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


def _any(rank: int, dtype: Any = tf.float32) -> Any:
    return tf.TensorSpec([None] * rank, dtype)


_INPUTS = Inputs(_any(2), tf.TensorSpec([2, None, None, None]))


def advance_signature(forms: tuple[int, int]) -> tuple[Any, ...]:
    """Return what :attr:`Graph.advance` takes; ``forms``: arrays of weights, and the most axes of one."""
    state = State(_any(2), _any(2), _any(2))
    noise = tf.TensorSpec([None, 2], tf.uint32)
    replicas = Replicas(tf.TensorSpec([None, 8]), noise, _any(2))
    layout = LayoutArrays(tf.TensorSpec(forms, tf.int32), _any(2))
    setup = Setup(layout, _INPUTS, replicas, tf.TensorSpec([]))
    batches = Batches(_any(3, tf.int32), _any(3), _any(1, tf.int32))
    return state, setup, batches, tf.TensorSpec([], tf.int32)


def loss_signature(forms: tuple[int, int]) -> tuple[Any, ...]:
    """Return what :attr:`Graph.loss_on` takes."""
    evaluated = Evaluated(_any(3, tf.int32), _any(3), _any(3))
    return _any(2), tf.TensorSpec(forms, tf.int32), _INPUTS, evaluated, _any(2)
