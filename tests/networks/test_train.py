import dataclasses
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from assay.networks.conv_spec import Augmentation, ImageShape
from assay.networks.encoding import encoding
from assay.networks.job import Job, Schedule
from assay.networks.net import Net
from assay.networks.predict import predict
from assay.networks.spec import Shape, first_weights
from assay.networks.to_keras import as_keras
from assay.networks.train import train
from assay.store.machine import pin
from assay.store.seeds import generator_for

pin()
import keras  # noqa: E402  (as in the module: settings are read at import)
import tensorflow as tf  # noqa: E402

pytestmark = pytest.mark.slow

SHORT = Schedule(epochs=4, patience=2, batch_size=32)
LOSSES = ["squared_error", "absolute_error"]


def data_of(shape, n=150, seed=0):
    """Rows, and classes in slices along the first column; or a number near 50."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(n, shape.n_inputs)).astype(np.float32)
    along = inputs[:, 0] + generator.normal(size=n)
    if shape.n_outputs == 1:
        return inputs, 50 + 4 * along
    labels = along.argsort().argsort() * shape.n_outputs // n
    return inputs, labels.astype(np.int32)


def job_of(
    shape,
    data,
    seed,
    *,
    n_train=100,
    n_stop=37,
    dropout=0.0,
    rate=1e-2,
    loss=None,
    smoothing=0.0,
    class_weights=(),
    augmentation=None,
    scaled=False,
):
    inputs, labels = data
    rows = np.random.default_rng(seed).permutation(len(labels))
    number = "squared_error" if shape.n_outputs == 1 else "cross_entropy"
    return Job(
        shape=shape,
        seed=seed,
        inputs=inputs,
        labels=labels,
        rows=rows[:n_train],
        stopping_rows=rows[n_train : n_train + n_stop],
        learning_rate=rate,
        weight_decay=1e-2,
        dropout=dropout,
        loss=loss or number,
        encoding=encoding_of(shape, inputs),
        smoothing=smoothing,
        class_weights=class_weights,
        augmentation=augmentation,
        emphasis=emphasis_of(shape, seed) if scaled else None,
    )


def emphasis_of(shape, seed):
    """Some of the inputs, one of them left out where there are several."""
    shares = np.random.default_rng(seed).uniform(0.5, 2.0, shape.layers()[0][0])
    shares[1::7] = 0.0
    return shares.astype(np.float32)


def net_of(shape, seed, known=None):
    image = shape if isinstance(shape, ImageShape) else None
    return Net(shape.first_weights(seed), shape.activation, known, image)


def encoding_of(shape, inputs):
    if isinstance(shape, ImageShape):
        return None
    n_columns, n_pieces = shape.encoded
    return encoding(inputs[:, :n_columns], n_pieces) if n_pieces else None


def fingerprint(trained):
    return [
        (one.net and one.net.digest(), one.epoch, np.float64(one.stopping_loss).hex())
        for one in trained
    ]


# Sameness --------------------------------------------------------------------------------------

SHAPES = [
    Shape(n_inputs=1, n_outputs=2, widths=(3,)),
    Shape(
        n_inputs=5,
        n_outputs=3,
        widths=(
            17,
            17,
        ),
    ),
    Shape(n_inputs=13, n_outputs=2, widths=(64,)),
    Shape(
        n_inputs=4,
        n_outputs=10,
        widths=(
            9,
            9,
            9,
        ),
    ),
    Shape(n_inputs=1, n_outputs=1, widths=(5,)),
    Shape(n_inputs=6, n_outputs=1, widths=(33, 33)),
    Shape(n_inputs=5, n_outputs=3, widths=(19, 7), activation="silu", encoded=(3, 6)),
    Shape(n_inputs=3, n_outputs=1, widths=(16,), activation="selu", encoded=(3, 4)),
    ImageShape(8, 8, 1, n_inputs=64, n_outputs=3, filters=(4, 8)),
    ImageShape(9, 11, 3, 297 + 4, 2, filters=(16, 32), activation="silu"),
    ImageShape(16, 16, 1, n_inputs=256, n_outputs=1, filters=(4, 4, 8)),
]
IMAGE, NUMBER_OF_IMAGE = SHAPES[8], SHAPES[10]
NUMBERS = [shape for shape in SHAPES if shape.n_outputs == 1]


SHIFT, BOTH = Augmentation(shift=0.13), Augmentation(shift=0.2, flip=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_train", [99, 30])
def test_a_network_alone_has_the_bits_it_has_in_any_stack(shape, n_train):
    """Neighbours of other seeds, matrices, labels, rates, noise and stopping rows change nothing."""
    data, other = data_of(shape), data_of(shape, seed=1)
    turned = data[0], data[1][::-1].copy()
    weights = tuple(range(1, shape.n_outputs + 1))
    scaled = n_train == 30 and isinstance(shape, Shape)
    job = partial(job_of, shape, n_train=n_train, scaled=scaled)
    jobs = [
        job(data, 1, dropout=0.3, smoothing=0.1, augmentation=BOTH),
        job(turned, 2, rate=1e-3, n_stop=11, class_weights=weights),
        job(other, 3, dropout=0.15, n_stop=50, augmentation=SHIFT),
        job(data, 4, rate=3e-2),
        job(other, 5, dropout=0.5, n_stop=1),
    ]
    stacked = fingerprint(train(jobs, SHORT))
    alone = [fingerprint(train([job], SHORT))[0] for job in jobs]
    pair = fingerprint(train([jobs[4], jobs[0]], SHORT))

    assert stacked == alone
    assert pair == [alone[4], alone[0]]


@pytest.mark.parametrize("shape", [SHAPES[2], SHAPES[5], IMAGE])
def test_many_labellings_of_the_same_rows_have_the_bits_each_has_alone(shape):
    """As the gate trains them: shared rows, seeds and shuffling, to the last epoch, two folds at once."""
    data = [data_of(shape, seed=fold) for fold in range(2)]
    rows = np.arange(100)
    jobs = [
        dataclasses.replace(
            job_of(shape, (inputs, np.roll(labels, turn)), seed=fold, n_stop=0),
            rows=rows,
        )
        for turn in range(21)
        for fold, (inputs, labels) in enumerate(data)
    ]
    stacked = fingerprint(train(jobs, SHORT))
    copies = [dataclasses.replace(job, rows=job.rows.copy()) for job in jobs[:5]]

    assert fingerprint(train(copies, SHORT)) == stacked[:5]
    assert fingerprint(train(jobs[-1:], SHORT)) == stacked[-1:]
    assert len(set(stacked)) == len(jobs)


def test_the_order_of_jobs_is_the_order_of_results_and_nothing_else():
    """Jobs of two shapes and two sizes, mixed: four stacks, results where their jobs were."""
    small, large = (
        SHAPES[0],
        Shape(
            n_inputs=1,
            n_outputs=2,
            widths=(
                8,
                8,
            ),
        ),
    )
    data = data_of(small)
    jobs = [
        job_of(shape, data, seed, n_train=n_train)
        for seed, (shape, n_train) in enumerate(
            [(small, 100), (large, 100), (small, 60), (large, 60), (small, 100)],
            start=1,
        )
    ]
    forward = fingerprint(train(jobs, SHORT))

    assert fingerprint(train(jobs[::-1], SHORT)) == forward[::-1]
    assert fingerprint(train(jobs, SHORT)) == forward
    assert len(set(forward)) == len(jobs)


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[5], NUMBER_OF_IMAGE])
def test_training_epoch_by_epoch_ends_where_training_in_one_go_does(shape):
    """With stopping rows every epoch is a call of its own; as long as each is better the end is the last."""
    stopped = job_of(shape, data_of(shape), 3, rate=1e-3, dropout=0.2)
    nonstop = dataclasses.replace(stopped, stopping_rows=stopped.stopping_rows[:0])
    by_epoch, at_once = train([stopped, nonstop], SHORT)

    assert by_epoch.epoch == at_once.epoch == SHORT.epochs - 1
    assert by_epoch.net.digest() == at_once.net.digest()


OTHER_PROCESS = """
from tests.networks.test_train import BOTH, IMAGE, SHAPES, SHORT, data_of, fingerprint, job_of, train
shapes = SHAPES[1], SHAPES[5], IMAGE
jobs = [job_of(s, data_of(s), seed, dropout=0.2, augmentation=BOTH) for s in shapes for seed in range(3)]
print(fingerprint(train(jobs, SHORT)))
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_another_process_with_other_threads_gives_the_same_bits(threads, pytestconfig):
    shapes = SHAPES[1], SHAPES[5], IMAGE
    here = [
        job_of(shape, data_of(shape), seed, dropout=0.2, augmentation=BOTH)
        for shape in shapes
        for seed in range(3)
    ]
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

    assert other.stdout.strip() == str(fingerprint(train(here, SHORT)))


def test_tensorflow_computes_on_one_thread():
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == 1


# Pausing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[7], IMAGE])
def test_a_training_that_pauses_ends_with_the_bits_of_one_that_does_not(shape):
    """Twice, each time in another stack; one that stops early on the way has nothing to go on with."""
    schedule = Schedule(epochs=9, patience=3, batch_size=32)
    data = data_of(shape)
    jobs = [
        job_of(shape, data, seed, dropout=0.2, rate=rate, augmentation=SHIFT)
        for seed, rate in [(1, 1e-2), (2, 3e-3), (3, 0.0)]
    ]
    whole = fingerprint(train(jobs, schedule))
    first = train([dataclasses.replace(job, until=2) for job in jobs], schedule)
    second = [
        train([dataclasses.replace(job, until=5, paused=one.paused)], schedule)[0]
        for job, one in zip(jobs, first, strict=True)
    ]
    going = [i for i, one in enumerate(second) if one.paused]
    last = train(
        [dataclasses.replace(jobs[i], paused=second[i].paused) for i in going], schedule
    )
    ended = dict(enumerate(second)) | dict(zip(going, last, strict=True))

    assert [one.paused.epochs for one in first] == [2, 2, 2]
    assert second[2].paused is None
    assert fingerprint([ended[i] for i in range(3)]) == whole


# Against plain Keras ---------------------------------------------------------------------------


def keras_gradients(model, inputs, labels, loss):
    """Gradients of the mean loss, as an ordinary Keras model gives them."""
    with tf.GradientTape() as tape:
        outputs = model(inputs)
        if loss == "cross_entropy":
            losses = keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=True
            )
        else:
            error = outputs[:, 0] - labels.astype(np.float32)
            losses = error**2 if loss == "squared_error" else tf.abs(error)
        mean = tf.reduce_mean(losses)
    return [np.asarray(g) for g in tape.gradient(mean, model.trainable_variables)]


def plain(weights, shown):
    """Return the weights with the factors, where there are any, and emphases in the first kernel."""
    if shown is None:
        return list(weights)
    first, *others, factors = weights
    return [first * factors * shown, *others]


def plain_keras(shape, weights):
    if isinstance(shape, ImageShape):
        return plain_keras_of_images(shape, weights)
    layers = [
        keras.layers.Dense(width, activation=shape.activation) for width in shape.widths
    ]
    n_inputs = shape.layers()[0][0]
    model = keras.Sequential(
        [keras.Input((n_inputs,)), *layers, keras.layers.Dense(shape.n_outputs)]
    )
    model.set_weights(weights)
    return model


def plain_keras_of_images(shape, weights):
    inputs = keras.Input((shape.n_inputs,))
    form = (shape.height, shape.width, shape.channels)
    hidden = keras.layers.Reshape(form)(inputs[:, : shape.n_pixels])
    for n_filters in shape.filters:
        convolved = keras.layers.Conv2D(n_filters, 3, padding="same", use_bias=False)
        hidden = keras.layers.MaxPooling2D(2)(convolved(hidden))
        hidden = keras.layers.GroupNormalization(4, epsilon=1e-3)(hidden)
        hidden = keras.layers.Activation(shape.activation)(hidden)
    flat = max(shape.last_map) <= 3
    last = keras.layers.Flatten() if flat else keras.layers.GlobalAveragePooling2D()
    both = keras.layers.Concatenate()([last(hidden), inputs[:, shape.n_pixels :]])
    model = keras.Model(inputs, keras.layers.Dense(shape.n_outputs)(both))
    model.set_weights(weights)
    return model


@pytest.mark.parametrize(
    ("shape", "loss", "scaled"),
    [
        *((shape, "cross_entropy", False) for shape in SHAPES if shape.n_outputs > 1),
        *((shape, loss, False) for shape in NUMBERS for loss in LOSSES),
        *((shape, "cross_entropy", True) for shape in (SHAPES[1], SHAPES[6])),
    ],
)
def test_ten_steps_are_those_of_adamw_written_out_on_plain_keras(shape, loss, scaled):
    """Loshchilov & Hutter 2019, cosine schedule with a floor and a short warm-up, kernels decay.

    Factors on the inputs are multiplied into the first kernel, beside their emphases, and learn fifty
    times faster.
    """
    schedule = Schedule(epochs=2, patience=1, batch_size=16)
    inputs, labels = data_of(shape)
    job = job_of(
        *(shape, (inputs, labels), 6),
        n_train=85,
        n_stop=0,
        rate=1e-3 if scaled else 1e-2,
        loss=loss,
        scaled=scaled,
    )
    trained = train([job], schedule)[0]

    inputs = job.encoding.apply(inputs) if job.encoding else inputs
    centre, scale = job.units()
    labels = (labels - centre) / scale if shape.n_outputs == 1 else labels
    weights = [w.astype(np.float64) for w in shape.first_weights(job.seed)]
    model = plain_keras(shape, weights)
    shown = job.emphasis[:, None] if scaled else None
    if scaled:
        weights.append(np.ones_like(shown))
    paces, decays = [1.0] * len(weights), [w.ndim > 1 for w in weights]
    if scaled:
        paces[-1], decays[-1] = 50.0, False
    means, squares = [0.0] * len(weights), [0.0] * len(weights)
    t, shuffling = 0, generator_for(job.seed, "order")
    for _ in range(2):
        order = job.rows[shuffling.permutation(85)]
        for step in range(5):
            t += 1
            rows = order[16 * step : 16 * step + 16]
            model.set_weights(plain(weights, shown))
            slope = 0.5 * (1 + np.cos(np.pi * t / 10))
            rate = job.learning_rate * min(1.0, 2 * t) * (0.025 + 0.975 * slope)
            gradients = keras_gradients(model, inputs[rows], labels[rows], loss)
            if scaled:
                kernel, gradients[0] = gradients[0], gradients[0] * weights[-1] * shown
                of_each = (kernel * weights[0]).sum(axis=1, keepdims=True)
                gradients.append(of_each * shown)
            for i, g in enumerate(gradients):
                means[i] = 0.9 * means[i] + 0.1 * g
                squares[i] = 0.99 * squares[i] + 0.01 * g**2
                change = (means[i] / (1 - 0.9**t)) / (
                    np.sqrt(squares[i] / (1 - 0.99**t)) + 1e-8
                )
                decay = job.weight_decay * weights[i] * decays[i]
                weights[i] = weights[i] - paces[i] * rate * (change + decay)
    weights = plain(weights, shown)
    weights[-2], weights[-1] = weights[-2] * scale, weights[-1] * scale + centre

    assert trained.epoch == 1
    for mine, theirs in zip(trained.net.weights, weights, strict=True):
        assert mine == pytest.approx(theirs, abs=2e-5 * max(1.0, scale), rel=1e-5)


# Stopping --------------------------------------------------------------------------------------


def cross_entropy(net, inputs, labels):
    p = predict([net], inputs)[0]
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def test_early_stopping_keeps_the_best_epoch():
    """The kept weights have the loss they claim, and it is the smallest of all shorter trainings."""
    shape = Shape(n_inputs=6, n_outputs=2, widths=(32,))
    inputs, labels = data_of(shape, seed=2)
    job = job_of(shape, (inputs, labels), 8, n_train=64, n_stop=80, rate=3e-2)
    schedule = Schedule(epochs=40, patience=3, batch_size=32)
    trained = train([job], schedule)[0]
    stopping = job.stopping_rows

    assert 0 < trained.epoch < schedule.epochs - schedule.patience
    assert cross_entropy(
        trained.net, inputs[stopping], labels[stopping]
    ) == pytest.approx(trained.stopping_loss, abs=1e-5)
    longer = train([job], Schedule(epochs=40, patience=40, batch_size=32))[0]
    assert longer.stopping_loss <= trained.stopping_loss


def test_watching_rows_tells_every_epoch_and_changes_no_bit():
    jobs = [job_of(SHAPES[1], data_of(SHAPES[1]), seed, dropout=0.2) for seed in (1, 2)]
    jobs.append(job_of(IMAGE, data_of(IMAGE), 3))
    watched = [dataclasses.replace(job, watched=job.rows[:40]) for job in jobs]
    schedule = Schedule(epochs=12, patience=3, batch_size=32)
    plain = train(jobs, schedule)
    trained = train([*watched, *jobs], schedule)
    alone = [train([job], schedule)[0] for job in watched]

    for one, other, again, single in zip(
        plain, trained[:3], trained[3:], alone, strict=True
    ):
        assert one.course is None
        assert again.course is None
        assert one.net.digest() == other.net.digest() == again.net.digest()
        assert single.course == other.course
        assert one.stopping_loss == other.stopping_loss
        assert len(other.course.watched) == len(other.course.stopping)
        assert other.course.stopping[other.epoch] == other.stopping_loss
        assert min(other.course.watched) < other.course.watched[0]
        n_epochs = min(schedule.epochs, other.epoch + schedule.patience + 1)
        assert len(other.course.stopping) == n_epochs


def test_a_watched_loss_is_that_of_the_rows_without_dropout():
    shape = SHAPES[1]
    inputs, labels = data_of(shape)
    job = job_of(shape, (inputs, labels), 1, dropout=0.3, smoothing=0.1)
    job = dataclasses.replace(job, watched=job.rows[:50])
    [found] = train([job], Schedule(epochs=1, patience=1, batch_size=32))
    predicted = predict([found.net], inputs[job.watched])[0]
    of_class = predicted[np.arange(50), labels[job.watched]]

    assert found.course.watched == (pytest.approx(-np.log(of_class).mean(), rel=1e-4),)


def test_patience_counts_epochs_without_a_better_one():
    """With a learning rate of nothing no epoch beats the first, and the rest of the stack goes on."""
    shape = SHAPES[0]
    data = data_of(shape)
    still, moving = job_of(shape, data, 1, rate=0.0), job_of(shape, data, 2)
    stuck, other = train(
        [still, moving], Schedule(epochs=12, patience=2, batch_size=32)
    )

    assert stuck.epoch == 0
    assert other.epoch > 0
    assert stuck.net.digest() == Net(first_weights(shape, 1)).digest()


def test_without_stopping_rows_training_runs_to_the_last_epoch():
    shape = SHAPES[0]
    trained = train([job_of(shape, data_of(shape), 1, n_stop=0)], SHORT)[0]

    assert trained.epoch == SHORT.epochs - 1
    assert trained.stopping_loss == np.inf


def test_training_learns():
    shape = Shape(n_inputs=2, n_outputs=2, widths=(16,))
    inputs = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    labels = (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int32)
    job = job_of(shape, (inputs, labels), 1, n_train=160, n_stop=40)
    trained = train([job], Schedule(epochs=60, patience=20, batch_size=32))[0]
    right = predict([trained.net], inputs)[0].argmax(axis=1) == labels

    assert right.mean() > 0.9


def test_inputs_that_are_no_numbers_leave_no_weights_and_spare_the_neighbours():
    """A network that never has a finite loss has nothing to keep; nor has one without stopping rows."""
    shape = SHAPES[1]
    inputs, labels = data_of(shape)
    good = job_of(shape, (inputs, labels), 1)
    spoilt = inputs.copy()
    spoilt[good.rows[:5]] = np.nan
    bad = job_of(shape, (spoilt, labels), 1)
    nonstop = job_of(shape, (spoilt, labels), 1, n_stop=0)
    failed, kept, failed_too = train([bad, good, nonstop], SHORT)

    assert failed.net is None
    assert failed_too.net is None
    assert failed.stopping_loss == np.inf
    assert fingerprint([kept]) == fingerprint(train([good], SHORT))


def test_one_row_is_too_few_to_train_on():
    with pytest.raises(ValueError, match="job 0 has 1 rows"):
        train([job_of(SHAPES[0], data_of(SHAPES[0]), 1, n_train=1)], SHORT)


def test_a_loss_that_does_not_fit_the_outputs_is_refused():
    number, classes = NUMBERS[0], SHAPES[0]

    with pytest.raises(ValueError, match="1 outputs for cross_entropy"):
        train([job_of(number, data_of(number), 1, loss="cross_entropy")], SHORT)
    with pytest.raises(ValueError, match="2 outputs for squared_error"):
        train([job_of(classes, data_of(classes), 1, loss="squared_error")], SHORT)


# Numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_numbers_are_learned_in_their_own_units(loss):
    """Metres or millimetres past an offset: the same network, its predictions in those units."""
    shape = Shape(n_inputs=2, n_outputs=1, widths=(16,))
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(240, 2)).astype(np.float32)
    metres = np.abs(inputs[:, 0]) + 0.1 * generator.normal(size=240)
    schedule = Schedule(epochs=60, patience=20, batch_size=32)
    first, other = train(
        [
            job_of(shape, (inputs, y), 1, n_train=160, n_stop=80, loss=loss)
            for y in (metres, 5000 + 1000 * metres)
        ],
        schedule,
    )
    found = predict([first.net], inputs)[0, :, 0]

    assert np.mean((found - metres) ** 2) < 0.1 * metres.var()
    assert other.stopping_loss == pytest.approx(first.stopping_loss, rel=1e-3)
    assert predict([other.net], inputs)[0, :, 0] == pytest.approx(
        5000 + 1000 * found, abs=10
    )


def test_standard_units_are_those_of_the_training_rows_and_the_loss():
    """Mean and standard deviation for squares, median and mean absolute deviation for absolutes."""
    shape = NUMBERS[0]
    labels = np.array([1.0, 2.0, 3.0, 6.0, 1e9])
    inputs = np.zeros((5, 1), dtype=np.float32)
    job = dataclasses.replace(
        job_of(shape, (inputs, labels), 1, n_train=4, n_stop=0), rows=np.arange(4)
    )

    assert job.units() == (3.0, np.sqrt(3.5))
    assert dataclasses.replace(job, loss="absolute_error").units() == (2.5, 1.5)
    constant = dataclasses.replace(job, labels=np.full(5, 7.0))
    assert constant.units() == (7.0, 1.0)


def test_the_absolute_error_is_not_drawn_away_by_a_few_absurd_numbers():
    shape = Shape(n_inputs=1, n_outputs=1, widths=(8,))
    inputs = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
    labels = inputs[:, 0].astype(np.float64)
    labels[::20] = 1e3
    schedule = Schedule(epochs=80, patience=80, batch_size=32)
    squared, absolute = (
        predict(
            [
                train(
                    [job_of(shape, (inputs, labels), 1, n_train=150, loss=loss)],
                    schedule,
                )[0].net
            ],
            inputs,
        )[0, :, 0]
        for loss in LOSSES
    )

    assert np.median(np.abs(absolute - inputs[:, 0])) < 0.3
    assert np.median(np.abs(squared - inputs[:, 0])) > 3


# Prediction ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_do_not_depend_on_the_other_members(shape):
    """And are probabilities, where there are classes."""
    inputs, _ = data_of(shape)
    known = encoding_of(shape, inputs)
    members = [net_of(shape, seed, known) for seed in range(3)]
    together = predict(members, inputs)

    assert together.shape == (3, len(inputs), shape.n_outputs)
    if shape.n_outputs > 1:
        assert together.sum(axis=2) == pytest.approx(1)
    for member, expected in zip(members, together, strict=True):
        assert np.array_equal(predict([member], inputs)[0], expected)


def test_many_rows_are_predicted_in_portions_without_a_seam():
    """Wide enough for the rows to be cut into two portions."""
    shape = Shape(n_inputs=1, n_outputs=2, widths=(2000,))
    inputs = np.random.default_rng(0).normal(size=(2100 + 7, 1)).astype(np.float32)
    net = Net(first_weights(shape, 1))
    whole = predict([net], inputs)[0]

    assert len(whole) == len(inputs)
    assert whole == pytest.approx(np.asarray(as_keras((net,))(inputs)), abs=1e-6)
