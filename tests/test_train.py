import os
import subprocess
import sys

import numpy as np
import pytest

from assay.environment import pin
from assay.network import Shape, as_keras, first_weights, weights_digest
from assay.seeds import generator_for
from assay.train import Job, Schedule, _graph, predict, train

pin()
import keras  # noqa: E402  (as in the module: settings are read at import)
import tensorflow as tf  # noqa: E402

pytestmark = pytest.mark.slow

SHORT = Schedule(epochs=4, patience=2, batch_size=32)


def data_of(shape, n=150, seed=0):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(n, shape.n_inputs)).astype(np.float32)
    along = inputs[:, 0] + generator.normal(size=n)
    labels = along.argsort().argsort() * shape.n_classes // n
    return inputs, labels.astype(np.int32)


def job_of(shape, labels, seed, *, n_train=100, n_stop=37, dropout=0.0, rate=1e-2):
    rows = np.random.default_rng(seed).permutation(len(labels))
    return Job(
        shape=shape,
        seed=seed,
        labels=labels,
        rows=rows[:n_train],
        stopping_rows=rows[n_train : n_train + n_stop],
        learning_rate=rate,
        weight_decay=1e-2,
        dropout=dropout,
    )


def fingerprint(trained):
    return [
        (weights_digest([one.weights]), one.epoch, np.float64(one.stopping_loss).hex())
        for one in trained
    ]


# Sameness --------------------------------------------------------------------------------------

SHAPES = [
    Shape(n_inputs=1, n_classes=2, depth=1, width=3),
    Shape(n_inputs=5, n_classes=3, depth=2, width=17),
    Shape(n_inputs=13, n_classes=2, depth=1, width=64),
    Shape(n_inputs=4, n_classes=10, depth=3, width=9),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_train", [99, 30])
def test_a_network_alone_has_the_bits_it_has_in_any_stack(shape, n_train):
    """Neighbours of other seeds, labels, rates, dropouts and stopping rows change nothing."""
    inputs, labels = data_of(shape)
    turned = labels[::-1].copy()
    jobs = [
        job_of(shape, labels, 1, n_train=n_train, dropout=0.3),
        job_of(shape, turned, 2, n_train=n_train, rate=1e-3, n_stop=11),
        job_of(shape, labels, 3, n_train=n_train, dropout=0.15, n_stop=50),
        job_of(shape, labels, 4, n_train=n_train, rate=3e-2),
        job_of(shape, turned, 5, n_train=n_train, dropout=0.5, n_stop=1),
    ]
    stacked = fingerprint(train(inputs, jobs, SHORT))
    alone = [fingerprint(train(inputs, [job], SHORT))[0] for job in jobs]
    pair = fingerprint(train(inputs, [jobs[4], jobs[0]], SHORT))

    assert stacked == alone
    assert pair == [alone[4], alone[0]]


def test_the_order_of_jobs_is_the_order_of_results_and_nothing_else():
    """Jobs of two shapes and two sizes, mixed: four stacks, results where their jobs were."""
    small, large = SHAPES[0], Shape(n_inputs=1, n_classes=2, depth=2, width=8)
    inputs, labels = data_of(small)
    jobs = [
        job_of(shape, labels, seed, n_train=n_train)
        for seed, (shape, n_train) in enumerate(
            [(small, 100), (large, 100), (small, 60), (large, 60), (small, 100)],
            start=1,
        )
    ]
    forward = fingerprint(train(inputs, jobs, SHORT))

    assert fingerprint(train(inputs, jobs[::-1], SHORT)) == forward[::-1]
    assert fingerprint(train(inputs, jobs, SHORT)) == forward
    assert len(set(forward)) == len(jobs)


OTHER_PROCESS = """
from tests.test_train import SHAPES, SHORT, data_of, fingerprint, job_of, train
shape = SHAPES[1]
inputs, labels = data_of(shape)
jobs = [job_of(shape, labels, seed, dropout=0.2) for seed in range(3)]
print(fingerprint(train(inputs, jobs, SHORT)))
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_another_process_with_other_threads_gives_the_same_bits(threads, pytestconfig):
    shape = SHAPES[1]
    inputs, labels = data_of(shape)
    here = [job_of(shape, labels, seed, dropout=0.2) for seed in range(3)]
    others = {
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "PYTHONHASHSEED": threads,
    }
    other = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        capture_output=True,
        text=True,
        check=True,
        cwd=pytestconfig.rootpath,
        env=os.environ | others,
    )

    assert other.stdout.strip() == str(fingerprint(train(inputs, here, SHORT)))


def test_tensorflow_computes_on_one_thread():
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == 1


# Against plain Keras ---------------------------------------------------------------------------


def keras_gradients(model, inputs, labels):
    """Gradients of the mean cross-entropy, as an ordinary Keras model gives them."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, model(inputs), from_logits=True
            )
        )
    return [np.asarray(g) for g in tape.gradient(loss, model.trainable_variables)]


def plain_keras(shape, weights):
    layers = [
        keras.layers.Dense(shape.width, activation="relu") for _ in range(shape.depth)
    ]
    model = keras.Sequential(
        [keras.Input((shape.n_inputs,)), *layers, keras.layers.Dense(shape.n_classes)]
    )
    model.set_weights(weights)
    return model


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_the_first_step_is_that_of_plain_keras(shape):
    """After one step AdamW's first moment is a tenth of the gradient."""
    inputs, labels = data_of(shape)
    job = job_of(shape, labels, 3, n_train=32, n_stop=0)
    train(inputs, [job], Schedule(epochs=1, patience=1, batch_size=32))
    found = _graph(shape, False).means.numpy()[0] / np.float32(0.1)
    model = plain_keras(shape, first_weights(shape, job.seed))
    flat = [
        g.ravel() for g in keras_gradients(model, inputs[job.rows], labels[job.rows])
    ]
    expected = np.concatenate(flat)

    assert found[: expected.size] == pytest.approx(expected, abs=1e-6)
    assert not found[expected.size :].any()


def test_ten_steps_are_those_of_adamw_written_out_on_plain_keras():
    """Loshchilov & Hutter 2019, cosine schedule with a floor and a short warm-up, kernels decay."""
    shape, schedule = SHAPES[1], Schedule(epochs=2, patience=1, batch_size=16)
    inputs, labels = data_of(shape)
    job = job_of(shape, labels, 6, n_train=85, n_stop=0)
    found = train(inputs, [job], schedule)[0]

    weights = [w.astype(np.float64) for w in first_weights(shape, job.seed)]
    model = plain_keras(shape, weights)
    means, squares = [0.0] * len(weights), [0.0] * len(weights)
    t = 0
    for epoch in range(2):
        order = generator_for(job.seed, "epoch", epoch).permutation(job.rows)
        for step in range(5):
            t += 1
            rows = order[16 * step : 16 * step + 16]
            model.set_weights(weights)
            slope = 0.5 * (1 + np.cos(np.pi * t / 10))
            rate = job.learning_rate * min(1.0, t / 1.0) * (0.025 + 0.975 * slope)
            for i, g in enumerate(keras_gradients(model, inputs[rows], labels[rows])):
                means[i] = 0.9 * means[i] + 0.1 * g
                squares[i] = 0.99 * squares[i] + 0.01 * g**2
                change = (means[i] / (1 - 0.9**t)) / (
                    np.sqrt(squares[i] / (1 - 0.99**t)) + 1e-8
                )
                decay = job.weight_decay * weights[i] * (weights[i].ndim == 2)
                weights[i] = weights[i] - rate * (change + decay)

    assert found.epoch == 1
    for mine, theirs in zip(found.weights, weights, strict=True):
        assert mine == pytest.approx(theirs, abs=2e-5)


# Stopping --------------------------------------------------------------------------------------


def cross_entropy(weights, inputs, labels):
    p = predict([weights], inputs)[0]
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def test_early_stopping_keeps_the_best_epoch():
    """The kept weights have the loss they claim, and it is the smallest of all shorter trainings."""
    shape = Shape(n_inputs=6, n_classes=2, depth=1, width=32)
    inputs, labels = data_of(shape, seed=2)
    job = job_of(shape, labels, 8, n_train=64, n_stop=80, rate=3e-2)
    schedule = Schedule(epochs=40, patience=3, batch_size=32)
    found = train(inputs, [job], schedule)[0]
    stopping = job.stopping_rows

    assert 0 < found.epoch < schedule.epochs - schedule.patience
    assert cross_entropy(
        found.weights, inputs[stopping], labels[stopping]
    ) == pytest.approx(found.stopping_loss, abs=1e-5)
    longer = train(inputs, [job], Schedule(epochs=40, patience=40, batch_size=32))[0]
    assert longer.stopping_loss <= found.stopping_loss


def test_patience_counts_epochs_without_a_better_one():
    """With a learning rate of nothing no epoch beats the first, and the rest of the stack goes on."""
    shape = SHAPES[0]
    inputs, labels = data_of(shape)
    still, moving = job_of(shape, labels, 1, rate=0.0), job_of(shape, labels, 2)
    stuck, other = train(
        inputs, [still, moving], Schedule(epochs=12, patience=2, batch_size=32)
    )

    assert stuck.epoch == 0
    assert other.epoch > 0
    assert weights_digest([stuck.weights]) == weights_digest([first_weights(shape, 1)])


def test_without_stopping_rows_training_runs_to_the_last_epoch():
    shape = SHAPES[0]
    inputs, labels = data_of(shape)
    found = train(inputs, [job_of(shape, labels, 1, n_stop=0)], SHORT)[0]

    assert found.epoch == SHORT.epochs - 1
    assert found.stopping_loss == np.inf


def test_training_learns():
    shape = Shape(n_inputs=2, n_classes=2, depth=1, width=16)
    inputs = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    labels = (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int32)
    job = job_of(shape, labels, 1, n_train=160, n_stop=40)
    found = train(inputs, [job], Schedule(epochs=60, patience=20, batch_size=32))[0]
    right = predict([found.weights], inputs)[0].argmax(axis=1) == labels

    assert right.mean() > 0.9


def test_inputs_that_are_no_numbers_leave_no_weights_and_spare_the_neighbours():
    """A network that never has a finite loss has nothing to keep."""
    shape = SHAPES[1]
    inputs, labels = data_of(shape)
    good = job_of(shape, labels, 1)
    spoilt = np.vstack([inputs, np.full((40, shape.n_inputs), np.nan, np.float32)])
    more = np.concatenate([labels, np.zeros(40, dtype=np.int32)])
    bad = Job(shape, 2, more, np.arange(50, 150), np.arange(150, 187), 1e-2, 1e-2, 0.0)
    good_too = Job(shape, 1, more, good.rows, good.stopping_rows, 1e-2, 1e-2, 0.0)
    failed, kept = train(spoilt, [bad, good_too], SHORT)

    assert failed.weights == ()
    assert failed.stopping_loss == np.inf
    assert fingerprint([kept]) == fingerprint(train(inputs, [good], SHORT))


def test_one_row_is_too_few_to_train_on():
    inputs, labels = data_of(SHAPES[0])

    with pytest.raises(ValueError, match="job 0 has 1 rows"):
        train(inputs, [job_of(SHAPES[0], labels, 1, n_train=1)], SHORT)


# Prediction ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_are_probabilities_and_do_not_depend_on_the_other_members(shape):
    inputs, _ = data_of(shape)
    members = [first_weights(shape, seed) for seed in range(3)]
    together = predict(members, inputs)

    assert together.shape == (3, len(inputs), shape.n_classes)
    assert together.sum(axis=2) == pytest.approx(1)
    for member, expected in zip(members, together, strict=True):
        assert np.array_equal(predict([member], inputs)[0], expected)


def test_many_rows_are_predicted_in_portions_without_a_seam():
    shape = SHAPES[0]
    inputs = np.random.default_rng(0).normal(size=(16384 + 7, 1)).astype(np.float32)
    weights = first_weights(shape, 1)
    whole = predict([weights], inputs)[0]

    assert len(whole) == len(inputs)
    assert whole == pytest.approx(np.asarray(as_keras((weights,))(inputs)), abs=1e-6)
