import numpy as np
import pytest

from assay.networks.conv_spec import GROUPS, ImageShape
from assay.networks.net import Net
from assay.networks.reference import outputs
from tests.net_factories import IMAGES, inputs_of


@pytest.mark.parametrize("shape", IMAGES)
def test_an_image_brighter_or_of_more_contrast_gives_the_same_outputs(shape):
    """After a kernel without a sum, normalisation of each image takes both away, but for its epsilon."""
    weights = list(shape.first_weights(3))
    weights[0] -= weights[0].mean(axis=(0, 1, 2))
    inside = inputs_of(shape).astype(np.float64)
    inside[:, : shape.n_pixels] = 0.0
    form = (len(inside), shape.height, shape.width, shape.channels)
    image = np.zeros(form)
    image[:, 3:-3, 3:-3] = np.random.default_rng(0).normal(
        size=image[:, 3:-3, 3:-3].shape
    )
    first, other = inside.copy(), inside.copy()
    first[:, : shape.n_pixels] = 1e3 * image.reshape(len(inside), -1)
    other[:, : shape.n_pixels] = 2e3 * image.reshape(len(inside), -1)

    net = Net(tuple(weights), shape.activation, image=shape)
    assert outputs(net, other) == pytest.approx(outputs(net, first), abs=1e-4)


def test_a_network_is_computed_as_by_hand():
    """One block whose filters pass the middle pixel on, up or down: maxima of 2 x 2, then the groups."""
    shape = ImageShape(8, 8, 1, 64, 1, filters=(4,))
    image = np.random.default_rng(1).normal(size=(8, 8))
    kernel = np.zeros((3, 3, 1, 4))
    kernel[1, 1, 0] = [1, -1, 2, 0]
    weights = (kernel, np.full(4, 2.0), np.full(4, 0.5), np.ones((4, 1)), np.zeros(1))
    expected = 0.0
    for times in kernel[1, 1, 0]:
        blocks = (times * image).reshape(4, 2, 4, 2).max(axis=(1, 3))
        spread = np.sqrt(blocks.var() + 1e-3)
        expected += np.maximum(2 * (blocks - blocks.mean()) / spread + 0.5, 0).mean()

    assert GROUPS == 4
    net = Net(weights, "relu", image=shape)
    assert outputs(net, image.reshape(1, -1)) == pytest.approx(expected)
