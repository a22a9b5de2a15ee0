import numpy as np
import pytest

from assay.networks.dense_graph import Dropout, Layout
from assay.networks.spec import Net, Shape, first_weights

pytestmark = pytest.mark.slow

RATES = np.array([0.0, 0.15, 0.5, 0.5])
FACTORS = (1 / (1 - RATES)).astype(np.float32)
NOISE = np.array(
    [
        [key, round(rate * 2**32)]
        for key, rate in zip((7, 99, 12345, 777), RATES, strict=True)
    ],
    dtype=np.uint32,
)
HIDDEN = np.ones((4, 300, 64), dtype=np.float32)


def dropped(which=slice(None), step=3, layer=0):
    drop = Dropout(FACTORS[which], NOISE[which], step)
    return drop(HIDDEN[which], layer).numpy()


def test_dropout_keeps_the_share_it_says_and_scales_it_up():
    """Each unit is 0 or 1 / (1 - rate), so that its mean stays 1."""
    found = dropped()

    for replica, factor in zip(found, FACTORS, strict=True):
        assert set(np.unique(replica)) <= {0.0, factor}
    assert found.mean(axis=(1, 2)) == pytest.approx(np.ones(4), abs=0.03)
    assert (found[0] == 1).all()


def test_replicas_steps_and_layers_have_noise_of_their_own():
    """Of two that each keep half, a quarter of the units stay in both."""
    found = dropped()
    pairs = [(found[2], found[3])]
    pairs += [(found[2], dropped(step=4)[2]), (found[2], dropped(layer=1)[2])]

    for one, other in pairs:
        assert np.mean((one > 0) & (other > 0)) == pytest.approx(0.25, abs=0.02)


def test_the_noise_of_a_replica_is_the_same_in_any_stack():
    found = dropped()

    assert np.array_equal(dropped(slice(2, 4)), found[2:])
    assert np.array_equal(dropped(slice(3, 4)), found[3:])


@pytest.mark.parametrize(
    "shape", [Shape(3, 2, (5,)), Shape(4, 1, (16, 16), encoded=(4, 3))]
)
def test_weights_come_back_from_a_row_of_parameters(shape):
    """Padded to whole vectors; every number of a kernel is marked, no bias and no padding."""
    layout = Layout(shape)
    members = [first_weights(shape, seed) for seed in range(3)]
    parameters, means, squares = (
        one.numpy() for one in layout.start(members, [None] * 3)
    )

    assert parameters.shape == (3, layout.n_parameters)
    assert layout.n_parameters % 16 == 0
    assert not means.any()
    assert not squares.any()
    for row, member in zip(parameters, members, strict=True):
        assert Net(layout.weights(row)).digest() == Net(member).digest()
    kernels, biases = (
        layout.weights(layout.kernels)[::2],
        layout.weights(layout.kernels)[1::2],
    )
    assert all(kernel.all() for kernel in kernels)
    assert not any(bias.any() for bias in biases)
    assert layout.kernels.sum() == sum(n_in * n_out for n_in, n_out in shape.layers())


def test_factors_and_emphases_of_the_inputs_are_multiplied_into_the_first_kernel():
    """They stand behind the weights and do not decay; factors have a pace of their own, emphases none."""
    shape, emphasis = Shape(3, 2, (5,)), np.float32([1, 0, 2])
    layout, plain = Layout(shape, scaled=True), Layout(shape)
    weights = first_weights(shape, 1)
    row = layout.start([weights], [emphasis])[0].numpy()[0]
    kernel, *others = layout.weights(row)

    assert np.array_equal(kernel, weights[0] * emphasis[:, None])
    assert Net(tuple(others)).digest() == Net(weights[1:]).digest()
    (factors,) = np.nonzero(layout.paces > 1)
    assert row[factors].tolist() == [1, 1, 1]
    assert row[factors[-1] + 1 :][:3].tolist() == emphasis.tolist()
    assert not layout.paces[factors[-1] + 1 :].any()
    assert not layout.kernels[factors[0] :].any()
    assert layout.kernels.sum() == plain.kernels.sum()
    row[factors] = [2, 3, 4]
    assert np.array_equal(
        layout.weights(row)[0], weights[0] * np.float32([[2], [0], [8]])
    )
