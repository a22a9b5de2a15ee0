"""Linear models of many labellings at once: the optima scikit-learn finds one by one."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from assay.gate import linear
from assay.gate.linear import logistic, ridge

SIZES = [(60, 4), (40, 70), (200, 20)]


def rows_of(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, p)), generator.normal(size=(15, p))


def labellings(n: int, n_classes: int, inputs: np.ndarray) -> np.ndarray:
    """Labels that say nothing, that a column tells of, and that are rare."""
    generator = np.random.default_rng(1)
    told = np.argsort(np.argsort(inputs[:, 0])) * n_classes // n
    rare = np.zeros(n, dtype=int)
    rare[: 3 * n_classes] = np.arange(3 * n_classes) % n_classes
    shuffled = generator.permutation(np.arange(n) % n_classes)
    return np.stack([shuffled, told, rare]).astype(np.int32)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(("n", "p"), SIZES)
def test_logistic_regression_is_scikit_learns(n, p, n_classes):
    inputs, unseen = rows_of(n, p)
    labels = labellings(n, n_classes, inputs)

    found = logistic(inputs, labels, unseen, n_classes)

    for label, probabilities in zip(labels, found, strict=True):
        model = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-10, max_iter=1000)
        expected = model.fit(inputs, label).predict_proba(unseen)
        assert probabilities == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("n", "p"), SIZES)
def test_ridge_regression_is_scikit_learns(n, p):
    inputs, unseen = rows_of(n, p)
    targets = np.random.default_rng(2).normal(100, 7, size=(3, n))

    found = ridge(inputs, targets, unseen)

    for target, predicted in zip(targets, found, strict=True):
        expected = Ridge(alpha=1.0, solver="svd").fit(inputs, target).predict(unseen)
        assert predicted == pytest.approx(expected, rel=1e-9)


def test_a_labelling_is_fitted_alike_alone_and_among_others():
    inputs, unseen = rows_of(80, 5)
    labels = labellings(80, 3, inputs)

    among = logistic(inputs, labels, unseen, 3)
    alone = [logistic(inputs, label[None], unseen, 3)[0] for label in labels]

    assert among == pytest.approx(np.stack(alone), abs=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_class_without_a_row_gets_no_probability(n_classes):
    inputs, unseen = rows_of(30, 3)
    missing = np.zeros((1, 30), dtype=np.int32)
    missing[0, ::2] = n_classes - 2

    found = logistic(inputs, missing, unseen, n_classes)[0]

    assert found[:, -1] == pytest.approx(0, abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(1)


def test_equal_rows_leave_nothing_to_learn_but_the_shares():
    """By hand: without a direction to go, every row has the share of 'yes', 12 of 40."""
    inputs = np.ones((40, 3))
    labels = (np.arange(40) < 12).astype(np.int32)[None]

    assert logistic(inputs, labels, inputs[:2], 2)[0, :, 1] == pytest.approx(
        0.3, abs=1e-4
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_perfectly_told_class_has_an_optimum_too(n_classes):
    """Without the penalty there is none, and full Newton steps overshoot."""
    inputs, unseen = rows_of(200, 3)
    inputs, unseen = 30 * inputs, 30 * unseen
    labels = (np.argsort(np.argsort(inputs[:, 0])) * n_classes // 200)[None]

    (found,) = logistic(inputs, labels.astype(np.int32), unseen, n_classes)

    model = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-10, max_iter=1000)
    expected = model.fit(inputs, labels[0]).predict_proba(unseen)
    assert found == pytest.approx(expected, abs=1e-5)


def test_few_axes_are_those_along_which_rows_lie_farthest_apart():
    inputs, unseen = rows_of(90, 6)
    inputs, unseen = inputs * [9, 7, 1, 1, 1, 1], unseen * [9, 7, 1, 1, 1, 1]
    labels = labellings(90, 3, inputs)
    centre = inputs.mean(axis=0)
    _, _, turned = np.linalg.svd(inputs - centre)
    widest = turned[:2].T

    few = logistic(inputs, labels, unseen, 3, most_axes=2)

    by_hand = logistic((inputs - centre) @ widest, labels, (unseen - centre) @ widest, 3)  # fmt: skip
    assert few == pytest.approx(by_hand, abs=1e-6)
    assert logistic(inputs, labels, unseen, 3, most_axes=6) == pytest.approx(
        logistic(inputs, labels, unseen, 3)
    )


def test_rare_classes_take_few_steps_of_conjugate_gradients(monkeypatch):
    """They took 44,000 while the outputs were scaled one by one."""
    steps = []
    product = linear._Softmax.hessian_product
    monkeypatch.setattr(
        linear._Softmax,
        "hessian_product",
        lambda *arguments: steps.append(1) or product(*arguments),
    )
    inputs, unseen = rows_of(400, 40)
    classes = np.minimum(np.random.default_rng(1).geometric(0.5, 400) - 1, 9)

    inputs, unseen = inputs * np.logspace(0, 3, 40), unseen * np.logspace(0, 3, 40)
    logistic(inputs, classes[None].astype(np.int32), unseen, 10)

    assert len(steps) < 4_000
