import pytest
from scipy.special import softmax

from assay.networks.predict import predict
from assay.networks.reference import outputs
from tests.net_factories import IMAGES, inputs_of, members_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shape", IMAGES)
def test_predictions_are_those_of_plain_products(shape):
    net, inputs = members_of(shape, 1)[0], inputs_of(shape)
    expected = outputs(net, inputs)
    expected = softmax(expected, axis=1) if shape.n_outputs > 1 else expected

    assert predict([net], inputs)[0] == pytest.approx(expected, abs=1e-5)
