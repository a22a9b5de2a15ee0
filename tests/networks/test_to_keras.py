import dataclasses
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from assay.networks.net import Net, in_units
from assay.networks.predict import predict
from assay.networks.spec import Shape
from assay.networks.to_keras import archive, as_keras, from_archive
from assay.store.canonical import digest_bytes
from tests.net_factories import IMAGES, NUMBERS, SHAPES, inputs_of, members_of

pytestmark = [
    pytest.mark.slow,
    # Keras reads a variable with np.array, which TensorFlow's variables answer in the old way.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

# The Keras form --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [*SHAPES, *IMAGES])
@pytest.mark.parametrize("n_members", [1, 3])
def test_the_keras_model_predicts_the_mean_of_the_members(shape, n_members):
    members, inputs = members_of(shape, n_members), inputs_of(shape)
    found = np.asarray(as_keras(members)(inputs, training=False))

    assert found == pytest.approx(predict(members, inputs).mean(axis=0), abs=1e-6)


def test_a_network_for_a_number_has_no_softmax_and_one_for_classes_has():
    functions = [
        {layer.get_config().get("activation") for layer in as_keras(members).layers}
        for members in (members_of(NUMBERS[0]), members_of(SHAPES[0]))
    ]

    assert ["softmax" in each for each in functions] == [False, True]


def test_a_network_in_other_units_predicts_the_same_numbers_in_them():
    shape = NUMBERS[0]
    celsius, inputs = members_of(shape, 1)[0], inputs_of(shape)
    fahrenheit = Net(in_units(celsius.weights, centre=32.0, scale=1.8))

    assert predict([fahrenheit], inputs) == pytest.approx(
        32 + 1.8 * predict([celsius], inputs), abs=1e-5
    )


@pytest.mark.parametrize(
    ("shape", "other"),
    [
        (SHAPES[0], Shape(3, 2, (4, 4), "silu")),
        (IMAGES[0], dataclasses.replace(IMAGES[0], filters=(8,))),
    ],
)
def test_members_of_several_sizes_are_averaged_one_by_one(shape, other):
    """Five of one shape weigh five times as much as one of another."""
    mixed = (*members_of(shape, 5), *members_of(other, 1))
    inputs = inputs_of(shape)
    found = np.asarray(as_keras(mixed)(inputs, training=False))

    assert found == pytest.approx(predict(mixed, inputs).mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("shape", [*SHAPES, *IMAGES])
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
from assay.store.canonical import digest_bytes
from assay.networks.to_keras import archive, as_keras
from tests.net_factories import SHAPES, members_of
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
