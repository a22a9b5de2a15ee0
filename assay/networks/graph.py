"""Training in TensorFlow: AdamW steps and the loss of many networks at once, on a leading replica axis.

AdamW (Loshchilov & Hutter 2019) with a warm-up and a cosine schedule. A replica's bits do not depend
on what it is stacked with, which takes care: batches and parameter rows are whole vectors (see
:mod:`assay.networks.layout`), products are taken replica by replica, and no quotient here is a
reciprocal, which has an approximate instruction of its own. A test holds this.

Graphs are traced once per structure for networks of every size: a trace costs about as much as a
small search.
"""

from abc import ABC, abstractmethod

import numpy as np

from assay.networks.spec import Loss
from assay.networks.tensors import (
    Batches,
    Evaluated,
    Inputs,
    Setup,
    State,
    Tensor,
    advance_signature,
    loss_signature,
)
from assay.store.machine import pin

pin()
import tensorflow as tf  # noqa: E402  (its settings are read at import)

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-8


class Graph(ABC):
    """Steps of AdamW, and the loss on other rows, for networks of one structure and any sizes.

    ``advance(state, setup, batches, n_done)`` takes a step for each batch and returns the new state;
    ``n_done`` steps were taken before. ``loss_on(parameters, forms, inputs, evaluated, class_weights)``
    returns the mean loss of each replica, shape (n_replicas,).

    Parameters
    ----------
    forms
        How many arrays of weights a network has, and the most axes of one.
    """

    def __init__(self, loss: Loss, forms: tuple[int, int]) -> None:
        self.loss = loss
        self.advance = tf.function(
            self._advance, autograph=False, input_signature=advance_signature(forms)
        )
        self.loss_on = tf.function(
            self._loss_on, autograph=False, input_signature=loss_signature(forms)
        )

    @abstractmethod
    def gradient(
        self, parameters: Tensor, setup: Setup, batch: Batches, count: Tensor
    ) -> Tensor:
        """Return the gradient of each replica's mean loss on its rows; ``count`` steps were taken before."""

    @abstractmethod
    def outputs(
        self, parameters: Tensor, forms: Tensor, inputs: Inputs, rows: Tensor
    ) -> Tensor:
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
        self,
        parameters: Tensor,
        forms: Tensor,
        inputs: Inputs,
        evaluated: Evaluated,
        class_weights: Tensor,
    ) -> Tensor:
        rows, targets, weights = evaluated

        def add(number: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
            outputs = self.outputs(parameters, forms, inputs, rows[number])
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
