"""Linear models of many labellings of the same rows at once.

A permutation test fits one model to dozens of labellings of one training part. What does not depend
on labels is done once: the inputs are centred and projected onto their principal axes, which changes
no prediction of a model with a free intercept and a penalty on the length of its weights. With more
inputs than rows there are no more axes than rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax

Array = NDArray[np.float64]

_MIN_GRADIENT, _MIN_CURVATURE = 1e-5, 1e-9
_MAX_NEWTON_STEPS, _MAX_CG_STEPS, _MAX_HALVINGS = 100, 500, 40
_BATCH_SIZE = 2**16  # numbers (rows x models x classes) fitted together: 0.5 MB
_MIN_SHARE = 1e-18  # of a class without rows, whose logarithm is taken


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
    weights = (targets - centre) @ axes.projected(inputs) / (axes.squares + 1.0)
    predicted: Array = centre + weights @ axes.projected(unseen).T
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
        Use only this many principal axes, those of largest variance (principal component
        regression); None: all of them.

    Returns
    -------
    array, shape (n_models, n_unseen, n_classes)
    """
    axes = _Axes.of(inputs).widest(most_axes)
    link = _Sigmoid() if n_classes == 2 else _Softmax(n_classes)
    rows = _with_ones(axes.projected(inputs))
    unseen_rows = _with_ones(axes.projected(unseen))
    squares = np.append(axes.squares, len(inputs))
    predicted = np.empty((len(labels), len(unseen), n_classes))
    n_rows = max(len(inputs), len(unseen))
    n_models = max(1, _BATCH_SIZE // (n_rows * n_classes))
    for first in range(0, len(labels), n_models):
        batch = slice(first, first + n_models)
        fit = _NewtonFit(rows, squares, link, link.encoded(labels[batch]))
        predicted[batch] = link.probabilities(unseen_rows @ fit.optimum())
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
        """Return the axes of largest variance, at most this many."""
        if most is None or len(self.squares) <= most:
            return self
        kept = np.argsort(-self.squares, kind="stable")[:most]
        return _Axes(self.centre, self.axes[:, kept], self.squares[kept])

    def projected(self, inputs: Array) -> Array:
        """Return the coordinates of rows along the axes, shape (n_rows, n_axes)."""
        projected: Array = (inputs - self.centre) @ self.axes
        return projected


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

    def hessian_product(self, means: Array, change: Array) -> Array:
        return means * (1.0 - means) * change

    def mean_hessian(self, means: Array) -> Array:
        """Return the mean Hessian by the logits, shape (n_models, n_outputs, n_outputs)."""
        hessian: Array = (means * (1.0 - means)).mean(axis=1).T[:, :, None]
        return hessian

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

    def hessian_product(self, means: Array, change: Array) -> Array:
        weighted = means * change
        product: Array = weighted - means * weighted.sum(axis=0)
        return product

    def mean_hessian(self, means: Array) -> Array:
        """Return the mean Hessian by the logits, shape (n_models, n_outputs, n_outputs)."""
        by_model = means.transpose(2, 0, 1)
        hessian: Array = -(by_model @ by_model.transpose(0, 2, 1)) / means.shape[1]
        n = np.arange(self.n_classes)
        hessian[:, n, n] += by_model.mean(axis=2)
        return hessian

    def losses(self, logits: Array, encoded: Array) -> Array:
        """Return the cross-entropy of each model, summed over the rows."""
        of_class = np.einsum("kij,kij->j", encoded, logits)
        losses: Array = logsumexp(logits, axis=0).sum(axis=0) - of_class
        return losses

    def probabilities(self, logits: Array) -> Array:
        by_model: Array = self.means(logits).transpose(2, 1, 0)
        return by_model


def _log(shares: Array) -> Array:
    logs: Array = np.log(np.maximum(shares, _MIN_SHARE))
    return logs


# Newton's method -------------------------------------------------------------------------------


class _NewtonFit:
    """Truncated Newton's method with a backtracking line search, for all models side by side.

    Conjugate gradients solve for each step (Nash 2000). They are preconditioned by the Hessian as it would
    be if every row had the mean second derivatives: exact without a signal, as for permuted labels, and close
    with one. Weights have shape (n_outputs, n_axes + 1, n_models), the intercepts in the last row.
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

    def optimum(self) -> Array:
        """Return the weights of all models at the minimum of the penalised loss."""
        active = np.arange(self.encoded.shape[2])
        for _ in range(_MAX_NEWTON_STEPS):
            active = self._step(active)
            if not len(active):
                break
        return self.weights

    def _step(self, active: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take a Newton step with some models; return those that had not converged."""
        weights, encoded = self.weights[..., active], self.encoded[..., active]
        logits = self.rows @ weights
        means = self.link.means(logits)
        gradient = self.rows.T @ (means - encoded) + self.penalty * weights
        lengths = _length(gradient)
        moving = lengths > _MIN_GRADIENT
        active = active[moving]
        if not len(active):
            return active
        weights, encoded, logits, means, gradient, lengths = (
            array[..., moving]
            for array in (weights, encoded, logits, means, gradient, lengths)
        )
        tolerance = np.minimum(0.5, np.sqrt(lengths / len(self.rows))) * lengths
        step = self._newton_step(means, gradient, tolerance)
        self.weights[..., active] = self._line_search(
            weights, step, gradient, logits, encoded
        )
        return active

    def _newton_step(self, means: Array, gradient: Array, tolerance: Array) -> Array:
        """Solve Newton's equations until the residual of each model is within its tolerance."""
        preconditioned = self._preconditioner(means)
        step, residual = np.zeros_like(gradient), -gradient
        scaled = preconditioned(residual)
        direction, size = scaled, _dot(residual, scaled)
        for _ in range(_MAX_CG_STEPS):
            change = self.link.hessian_product(means, self.rows @ direction)
            product = self.rows.T @ change + self.penalty * direction
            active = _length(residual) > tolerance
            curvature = np.maximum(_dot(direction, product), 1e-300)
            rate = np.where(active, size / curvature, 0.0)
            step = step + rate * direction
            residual = residual - rate * product
            if not (_length(residual) > tolerance).any():
                break
            scaled = preconditioned(residual)
            size, before = _dot(residual, scaled), size
            direction = scaled + size / np.maximum(before, 1e-300) * direction
        return step

    def _preconditioner(self, means: Array) -> Callable[[Array], Array]:
        """Return the inverse of the Hessian as it would be if every row had the mean second derivatives.

        That Hessian is ``mean_hessian (x) squares + penalty``; its eigenvectors are the principal axes of the
        rows and the eigenvectors of ``mean_hessian``. Directions without curvature, such as the sum of all
        outputs under softmax, are left out.
        """
        values, vectors = np.linalg.eigh(self.link.mean_hessian(means))
        curvatures = np.maximum(values.T, 0.0)[:, None, :] * self.squares[:, None]
        curvatures = curvatures + self.penalty
        with np.errstate(divide="ignore"):
            inverse = np.where(curvatures > _MIN_CURVATURE, 1.0 / curvatures, 0.0)

        def preconditioned(residual: Array) -> Array:
            projected = np.einsum("jkl,kij->lij", vectors, residual)
            scaled: Array = np.einsum("jkl,lij->kij", vectors, inverse * projected)
            return scaled

        return preconditioned

    def _line_search(
        self,
        weights: Array,
        step: Array,
        gradient: Array,
        logits: Array,
        encoded: Array,
    ) -> Array:
        """Return the weights after a step, halved until the loss falls enough (Armijo's condition)."""
        change = self.rows @ step
        slope, before = _dot(gradient, step), self._loss(weights, logits, encoded)
        slack = 1e-12 * np.abs(before)
        share = np.ones(len(slope))
        for _ in range(_MAX_HALVINGS):
            after = self._loss(weights + share * step, logits + share * change, encoded)
            too_long = ~(after <= before + 1e-4 * share * slope + slack)
            if not too_long.any():
                break
            share[too_long] /= 2
        shortened: Array = weights + share * step
        return shortened

    def _loss(self, weights: Array, logits: Array, encoded: Array) -> Array:
        penalty = 0.5 * (self.penalty * weights**2).sum(axis=(0, 1))
        loss: Array = self.link.losses(logits, encoded) + penalty
        return loss


def _dot(left: Array, right: Array) -> Array:
    product: Array = np.einsum("kij,kij->j", left, right)
    return product


def _length(vectors: Array) -> Array:
    return np.sqrt(_dot(vectors, vectors))
