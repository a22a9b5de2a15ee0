import numpy as np
import pytest

from assay.networks.export import exported
from assay.networks.predict import predict
from assay.networks.to_litert import as_litert, litert_predictions
from tests.net_factories import IMAGES, SHAPES, inputs_of, members_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.mark.parametrize("shape", [*SHAPES[3:], *IMAGES])
def test_the_model_predicts_the_mean_of_the_members(shape):
    members, inputs = members_of(shape), inputs_of(shape)

    assert litert_predictions(as_litert(members), inputs) == pytest.approx(
        predict(members, inputs).mean(axis=0), abs=2e-6
    )


def test_members_of_several_sizes_weigh_as_many_as_they_are():
    mixed = (*members_of(SHAPES[0], 5), *members_of(SHAPES[0], 1))
    inputs = inputs_of(SHAPES[0])

    assert litert_predictions(as_litert(mixed), inputs) == pytest.approx(
        predict(mixed, inputs).mean(axis=0), abs=2e-6
    )


def test_equal_networks_give_equal_bytes():
    assert as_litert(members_of(SHAPES[4])) == as_litert(members_of(SHAPES[4]))


def test_it_is_exported_on_request_and_held_to_the_trained_networks():
    members, inputs = members_of(SHAPES[4]), inputs_of(SHAPES[4])
    plain, more = exported(members, inputs), exported(members, inputs, ["litert"])

    assert {*more.files} == {*plain.files, "net.tflite"}
    assert all(parity.holds and not parity.flips for parity in more.parity.values())
    assert np.isfinite(more.parity["net.tflite"].largest)
