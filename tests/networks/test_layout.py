import numpy as np
import pytest

from assay.networks.layout import VECTOR, Layout, evaluation_batches
from assay.networks.net import Net
from assay.networks.spec import Shape, first_weights


@pytest.mark.parametrize(
    "shape", [Shape(3, 2, (5,)), Shape(4, 1, (16, 16), encoded=(4, 3))]
)
def test_weights_come_back_from_a_row_of_parameters(shape):
    """Padded to whole vectors; every number of a kernel is marked, no bias and no padding."""
    layout = Layout(shape)
    members = [first_weights(shape, seed) for seed in range(3)]
    rows = layout.rows(members, [None] * 3)

    assert rows.shape == (3, layout.n_parameters)
    assert layout.n_parameters % 16 == 0
    for row, member in zip(rows, members, strict=True):
        assert Net(layout.weights(row)).digest() == Net(member).digest()
    kernels, biases = (
        layout.weights(layout.arrays.kernels)[::2],
        layout.weights(layout.arrays.kernels)[1::2],
    )
    assert all(kernel.all() for kernel in kernels)
    assert not any(bias.any() for bias in biases)
    assert layout.arrays.kernels.sum() == sum(
        n_in * n_out for n_in, n_out in shape.layers()
    )


def test_factors_and_emphases_of_the_inputs_are_multiplied_into_the_first_kernel():
    """They stand behind the weights and do not decay; factors learn at their own pace, emphases never."""
    shape, emphasis = Shape(3, 2, (5,)), np.float32([1, 0, 2])
    layout, plain = Layout(shape, scaled=True), Layout(shape)
    weights = first_weights(shape, 1)
    row = layout.rows([weights], [emphasis])[0]
    kernel, *others = layout.weights(row)

    assert np.array_equal(kernel, weights[0] * emphasis[:, None])
    assert Net(tuple(others)).digest() == Net(weights[1:]).digest()
    (factors,) = np.nonzero(layout.arrays.paces > 1)
    assert row[factors].tolist() == [1, 1, 1]
    assert row[factors[-1] + 1 :][:3].tolist() == emphasis.tolist()
    assert not layout.arrays.paces[factors[-1] + 1 :].any()
    assert not layout.arrays.kernels[factors[0] :].any()
    assert layout.arrays.kernels.sum() == plain.arrays.kernels.sum()
    row[factors] = [2, 3, 4]
    assert np.array_equal(
        layout.weights(row)[0], weights[0] * np.float32([[2], [0], [8]])
    )


def test_a_network_has_an_emphasis_where_it_is_scaled_and_only_there():
    shape = Shape(3, 2, (5,))
    weights, emphasis = first_weights(shape, 1), np.ones(3, np.float32)

    for scaled, given in ((True, None), (False, emphasis)):
        with pytest.raises(ValueError, match="are scaled"):
            Layout(shape, scaled=scaled).rows([weights], [given])


@pytest.mark.parametrize("n_rows", [0, 1, 16, 17, 1000])
def test_evaluation_batches_are_equal_whole_vectors_that_hold_every_row(n_rows):
    n_batches, size = evaluation_batches(n_rows, 160)

    assert size % VECTOR == 0
    assert size <= 160
    assert 0 <= n_batches * size - n_rows < n_batches * VECTOR or n_rows == 0
