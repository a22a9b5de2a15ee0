"""Linear models of many labellings of the same rows at once.

A permutation test fits one model to dozens of labellings of one training part. What does not depend
on labels is done once: the inputs are centred and turned to their principal axes, which changes no
prediction of a model with a free intercept and a penalty on the length of its weights. With more
inputs than rows there are no more axes than rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax

Array = NDArray[np.float64]

_LEAST_GRADIENT, _LEAST_BEND = 1e-5, 1e-9
_MOST_STEPS, _MOST_TURNS, _MOST_HALVINGS = 100, 500, 40
_NUMBERS_AT_ONCE = (
    2**16
)  # in an array of a number per row, model and class: half a megabyte
_NO_ROW = 1e-18  # rows, in place of none, where their logarithm is taken


def ridge(inputs: Array, targets: Array, unseen: Array) -> Array:
    """Return what ridge regression predicts of unseen rows, one model for each row of targets.

    Minimises ``sum (y - a - x w)^2 + |w|^2`` in closed form: along the principal axis with left
    vector ``u`` and singular value ``s`` the weight is ``s u'y / (s^2 + 1)`` (Hoerl & Kennard 1970).

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
    targets : shape (n_models, n_rows)
    unseen : shape (n_unseen, n_inputs)

    Returns
    -------
    array, shape (n_models, n_unseen)
    """
    axes = _Axes.of(inputs)
    centre = targets.mean(axis=1, keepdims=True)
    weights = (targets - centre) @ axes.turned(inputs) / (axes.squares + 1.0)
    predicted: Array = centre + weights @ axes.turned(unseen).T
    return predicted


def logistic(
    inputs: Array,
    labels: NDArray[np.int32],
    unseen: Array,
    n_classes: int,
    most_axes: int | None = None,
) -> Array:
    """Return class probabilities of unseen rows by logistic regression, one model for each labelling.

    The optimum of scikit-learn's ``LogisticRegression(C=1)``: two classes share one weight vector,
    more have one each (softmax). A class without a row gets no probability; where there is one
    class only, it gets all of it in every row.

    Parameters
    ----------
    inputs : shape (n_rows, n_inputs)
    labels : shape (n_models, n_rows)
        Codes from 0 to ``n_classes - 1``.
    unseen : shape (n_unseen, n_inputs)
    most_axes
        Look at the widest principal axes only, at most so many (principal component regression).

    Returns
    -------
    array, shape (n_models, n_unseen, n_classes)
    """
    axes = _Axes.of(inputs).widest(most_axes)
    link = _Sigmoid() if n_classes == 2 else _Softmax(n_classes)
    rows, unseen_rows = (_with_ones(axes.turned(one)) for one in (inputs, unseen))
    squares = np.append(axes.squares, len(inputs))
    predicted = np.empty((len(labels), len(unseen), n_classes))
    n_at_once = max(
        1, _NUMBERS_AT_ONCE // (max(map(len, (inputs, unseen))) * n_classes)
    )
    for first in range(0, len(labels), n_at_once):
        some = slice(first, first + n_at_once)
        weights = _Fit(rows, squares, link, link.encoded(labels[some])).solved()
        predicted[some] = link.probabilities(unseen_rows @ weights)
    return predicted


# Inputs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Axes:
    """The principal axes of some rows.

    Attributes
    ----------
    centre : shape (n_inputs,)
    axes : shape (n_inputs, n_axes)
    squares : shape (n_axes,)
        Sums of squares of the rows along the axes.
    """

    centre: Array
    axes: Array
    squares: Array

    @classmethod
    def of(cls, inputs: Array) -> "_Axes":
        centre = inputs.mean(axis=0)
        rows = inputs - centre
        if rows.shape[1] > rows.shape[0]:
            _, values, axes = np.linalg.svd(rows, full_matrices=False)
            return cls(centre, axes.T, values**2)
        squares, axes = np.linalg.eigh(rows.T @ rows)
        return cls(centre, axes, np.maximum(squares, 0.0))

    def widest(self, most: int | None) -> "_Axes":
        """Return those along which the rows lie farthest apart."""
        if most is None or len(self.squares) <= most:
            return self
        kept = np.argsort(-self.squares, kind="stable")[:most]
        return _Axes(self.centre, self.axes[:, kept], self.squares[kept])

    def turned(self, inputs: Array) -> Array:
        """Return rows by their places along the axes."""
        turned: Array = (inputs - self.centre) @ self.axes
        return turned


def _with_ones(rows: Array) -> Array:
    return np.pad(rows, ((0, 0), (0, 1)), constant_values=1.0)


# Links -----------------------------------------------------------------------------------------
# Logits, probabilities and encoded labels below have shape (n_outputs, n_rows, n_models).


class _Sigmoid:
    """Two classes by one output, the logit of the second."""

    def encoded(self, labels: NDArray[np.int32]) -> Array:
        return labels.T[None].astype(np.float64)

    def start(self, shares: Array) -> Array:
        return _log(shares) - _log(1.0 - shares)

    def means(self, logits: Array) -> Array:
        means: Array = expit(logits)
        return means

    def curved(self, means: Array, change: Array) -> Array:
        return means * (1.0 - means) * change

    def bend(self, means: Array) -> Array:
        """Return the mean second derivatives by logits, shape (n_models, n_outputs, n_outputs)."""
        bend: Array = (means * (1.0 - means)).mean(axis=1).T[:, :, None]
        return bend

    def losses(self, logits: Array, encoded: Array) -> Array:
        """Return the cross-entropy of each model, summed over the rows."""
        losses: Array = (np.logaddexp(0.0, logits) - encoded * logits).sum(axis=(0, 1))
        return losses

    def probabilities(self, logits: Array) -> Array:
        second = expit(logits).transpose(2, 1, 0)
        return np.concatenate([1.0 - second, second], axis=2)


class _Softmax:
    """Any number of classes, an output each."""

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def encoded(self, labels: NDArray[np.int32]) -> Array:
        classes = np.arange(self.n_classes)[:, None, None]
        encoded: Array = (labels.T[None] == classes).astype(np.float64)
        return encoded

    def start(self, shares: Array) -> Array:
        return _log(shares)

    def means(self, logits: Array) -> Array:
        means: Array = softmax(logits, axis=0)
        return means

    def curved(self, means: Array, change: Array) -> Array:
        weighted = means * change
        curved: Array = weighted - means * weighted.sum(axis=0)
        return curved

    def bend(self, means: Array) -> Array:
        """Return the mean second derivatives by logits, shape (n_models, n_outputs, n_outputs)."""
        by_model = means.transpose(2, 0, 1)
        bend: Array = -(by_model @ by_model.transpose(0, 2, 1)) / means.shape[1]
        n = np.arange(self.n_classes)
        bend[:, n, n] += by_model.mean(axis=2)
        return bend

    def losses(self, logits: Array, encoded: Array) -> Array:
        """Return the cross-entropy of each model, summed over the rows."""
        of_class = np.einsum("kij,kij->j", encoded, logits)
        losses: Array = logsumexp(logits, axis=0).sum(axis=0) - of_class
        return losses

    def probabilities(self, logits: Array) -> Array:
        by_model: Array = self.means(logits).transpose(2, 1, 0)
        return by_model


def _log(shares: Array) -> Array:
    logs: Array = np.log(np.maximum(shares, _NO_ROW))
    return logs


# Newton's method -------------------------------------------------------------------------------


class _Fit:
    """Truncated Newton steps, halved where they overshoot, for all models side by side.

    Steps come from conjugate gradients (Nash 2000), scaled by the second derivatives as they would be if
    every row had the mean ones: exact where there is no signal, as in permuted labels, and near where there
    is some. Weights have shape (n_outputs, n_axes + 1, n_models),
    the intercepts in the last row.
    """

    def __init__(
        self, rows: Array, squares: Array, link: _Sigmoid | _Softmax, encoded: Array
    ) -> None:
        self.rows, self.squares, self.link, self.encoded = rows, squares, link, encoded
        self.penalty = np.ones((len(squares), 1))
        self.penalty[-1] = 0.0
        n_outputs, _, n_models = encoded.shape
        self.weights: Array = np.zeros((n_outputs, len(squares), n_models))
        self.weights[:, -1:] = link.start(encoded.mean(axis=1, keepdims=True))

    def solved(self) -> Array:
        """Return the weights of all models at the optimum."""
        active = np.arange(self.encoded.shape[2])
        for _ in range(_MOST_STEPS):
            active = self._step(active)
            if not len(active):
                break
        return self.weights

    def _step(self, active: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take a step with some models; return those that were not at their optimum."""
        weights, encoded = self.weights[..., active], self.encoded[..., active]
        logits = self.rows @ weights
        means = self.link.means(logits)
        slope = self.rows.T @ (means - encoded) + self.penalty * weights
        lengths = _length(slope)
        moving = lengths > _LEAST_GRADIENT
        active = active[moving]
        if not len(active):
            return active
        weights, encoded, logits, means, slope, lengths = (
            one[..., moving]
            for one in (weights, encoded, logits, means, slope, lengths)
        )
        wanted = np.minimum(0.5, np.sqrt(lengths / len(self.rows))) * lengths
        step = self._direction(means, slope, wanted)
        self.weights[..., active] = self._shortened(
            weights, step, slope, logits, encoded
        )
        return active

    def _direction(self, means: Array, slope: Array, wanted: Array) -> Array:
        """Solve Newton's equations until the residual of each model is as short as wanted."""
        scaled_of = self._scaling(means)
        step, residual = np.zeros_like(slope), -slope
        scaled = scaled_of(residual)
        along, size = scaled, _dot(residual, scaled)
        for _ in range(_MOST_TURNS):
            change = self.link.curved(means, self.rows @ along)
            bent = self.rows.T @ change + self.penalty * along
            going = _length(residual) > wanted
            rate = np.where(going, size / np.maximum(_dot(along, bent), 1e-300), 0.0)
            step = step + rate * along
            residual = residual - rate * bent
            if not (_length(residual) > wanted).any():
                break
            scaled = scaled_of(residual)
            size, before = _dot(residual, scaled), size
            along = scaled + size / np.maximum(before, 1e-300) * along
        return step

    def _scaling(self, means: Array) -> Callable[[Array], Array]:
        """Return what solves Newton's equations as they would be if every row had the mean second derivatives.

        They are then ``bend (x) squares + penalty``, whose axes are the principal ones of the rows and the
        eigenvectors of ``bend``. A direction without any, as all outputs together have by softmax, is left out.
        """
        values, turns = np.linalg.eigh(self.link.bend(means))
        flat = np.maximum(values.T, 0.0)[:, None, :] * self.squares[:, None]
        flat = flat + self.penalty
        with np.errstate(divide="ignore"):
            inverse = np.where(flat > _LEAST_BEND, 1.0 / flat, 0.0)

        def scaled(residual: Array) -> Array:
            turned = np.einsum("jkl,kij->lij", turns, residual)
            found: Array = np.einsum("jkl,lij->kij", turns, inverse * turned)
            return found

        return scaled

    def _shortened(
        self, weights: Array, step: Array, slope: Array, logits: Array, encoded: Array
    ) -> Array:
        """Return the weights after a step, halved until the loss falls by what its slope promises."""
        change = self.rows @ step
        promised, before = _dot(slope, step), self._loss(weights, logits, encoded)
        slack = 1e-12 * np.abs(before)
        share = np.ones(len(promised))
        for _ in range(_MOST_HALVINGS):
            after = self._loss(weights + share * step, logits + share * change, encoded)
            over = ~(after <= before + 1e-4 * share * promised + slack)
            if not over.any():
                break
            share[over] /= 2
        result: Array = weights + share * step
        return result

    def _loss(self, weights: Array, logits: Array, encoded: Array) -> Array:
        penalty = 0.5 * (self.penalty * weights**2).sum(axis=(0, 1))
        loss: Array = self.link.losses(logits, encoded) + penalty
        return loss


def _dot(one: Array, other: Array) -> Array:
    product: Array = np.einsum("kij,kij->j", one, other)
    return product


def _length(vectors: Array) -> Array:
    return np.sqrt(_dot(vectors, vectors))
