import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from assay.canonical import digest_bytes
from assay.network import (
    Shape,
    archive,
    as_keras,
    first_weights,
    from_archive,
    in_units,
    pack_weights,
    unpack_weights,
    weights_digest,
)
from assay.train import predict

pytestmark = [
    pytest.mark.slow,
    # Keras reads a variable with np.array, which TensorFlow's variables answer in the old way.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SHAPES = [
    Shape(n_inputs=3, n_outputs=2, depth=1, width=5),
    Shape(n_inputs=7, n_outputs=10, depth=2, width=17),
    Shape(n_inputs=1, n_outputs=3, depth=3, width=16),
    Shape(n_inputs=4, n_outputs=1, depth=2, width=8),
]


def members_of(shape, n_members=3):
    generator = np.random.default_rng(4)
    drawn = [first_weights(shape, seed) for seed in range(n_members)]
    return tuple(
        tuple(
            (w + 0.1 * generator.normal(size=w.shape)).astype(np.float32)
            for w in weights
        )
        for weights in drawn
    )


def inputs_of(shape, n=33):
    return np.random.default_rng(5).normal(size=(n, shape.n_inputs)).astype(np.float32)


# First weights ---------------------------------------------------------------------------------


def test_layers_run_from_the_inputs_to_the_classes():
    assert Shape(4, 3, depth=2, width=8).layers() == [(4, 8), (8, 8), (8, 3)]


def test_first_weights_belong_to_the_seed_and_biases_are_zero():
    shape = Shape(200, 3, depth=1, width=300)
    one, again, other = (first_weights(shape, seed) for seed in (1, 1, 2))

    assert [w.shape for w in one] == [(200, 300), (300,), (300, 3), (3,)]
    assert weights_digest([one]) == weights_digest([again]) != weights_digest([other])
    assert not one[1].any()
    assert not one[3].any()
    assert all(w.dtype == np.float32 for w in one)


def test_first_kernels_have_the_variance_of_he_and_half_of_it_at_the_end():
    hidden, _, output, _ = first_weights(Shape(200, 50, depth=1, width=300), seed=1)

    assert hidden.var() == pytest.approx(2 / 200, rel=0.05)
    assert output.var() == pytest.approx(1 / 300, rel=0.05)


# The Keras form --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_members", [1, 3])
def test_the_keras_model_predicts_the_mean_of_the_members(shape, n_members):
    members, inputs = members_of(shape, n_members), inputs_of(shape)
    found = np.asarray(as_keras(members)(inputs, training=False))

    assert found == pytest.approx(predict(members, inputs).mean(axis=0), abs=1e-6)


def test_a_network_for_a_number_has_no_softmax_and_one_for_classes_has():
    names = [
        {layer.name for layer in as_keras(members_of(shape)).layers}
        for shape in (SHAPES[3], SHAPES[0])
    ]

    assert ["softmax" in one for one in names] == [False, True]


def test_a_network_in_other_units_predicts_the_same_numbers_in_them():
    """Celsius to Fahrenheit, without touching a hidden layer."""
    shape = SHAPES[3]
    celsius, inputs = members_of(shape, 1)[0], inputs_of(shape)
    fahrenheit = in_units(celsius, centre=32.0, scale=1.8)

    assert weights_digest([fahrenheit[:-2]]) == weights_digest([celsius[:-2]])
    assert predict([fahrenheit], inputs) == pytest.approx(
        32 + 1.8 * predict([celsius], inputs), abs=1e-5
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_saved_model_loads_without_code_of_ours_and_predicts_the_same(shape):
    model, inputs = as_keras(members_of(shape)), inputs_of(shape)
    loaded = from_archive(archive(model))

    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {
        "keras"
    }
    assert np.array_equal(np.asarray(loaded(inputs)), np.asarray(model(inputs)))


def test_an_archive_names_no_module_of_ours_and_no_moment():
    """Every layer of the configuration is a stock one, and every time in the file is 1980."""
    with zipfile.ZipFile(io.BytesIO(archive(as_keras(members_of(SHAPES[0]))))) as saved:
        assert {info.date_time for info in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        config = json.loads(saved.read("config.json"))
        metadata = json.loads(saved.read("metadata.json"))

    modules = {layer["module"] for layer in config["config"]["layers"]}
    assert modules == {"keras.layers"}
    assert all(layer["registered_name"] is None for layer in config["config"]["layers"])
    assert metadata["date_saved"] == "1980-01-01@00:00:00"


def test_equal_weights_give_equal_archives_however_many_models_came_before():
    first = archive(as_keras(members_of(SHAPES[1])))
    as_keras(members_of(SHAPES[0]))

    assert archive(as_keras(members_of(SHAPES[1]))) == first


OTHER_PROCESS = """
from assay.canonical import digest_bytes
from assay.network import archive, as_keras
from tests.test_network import SHAPES, members_of
print(digest_bytes(archive(as_keras(members_of(SHAPES[1])))))
"""


def test_another_process_gives_the_same_archive(pytestconfig):
    other = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        capture_output=True,
        text=True,
        check=True,
        cwd=pytestconfig.rootpath,
    )

    assert other.stdout.strip() == digest_bytes(
        archive(as_keras(members_of(SHAPES[1])))
    )


def test_packed_weights_unpack_to_the_same_networks():
    """Ten members and more: their numbers sort as numbers, not as text."""
    members = members_of(SHAPES[0], n_members=12)
    unpacked = unpack_weights(pack_weights(members))

    assert weights_digest(unpacked) == weights_digest(members)
    assert weights_digest(unpacked[::-1]) != weights_digest(members)
