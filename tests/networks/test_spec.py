import numpy as np
import pytest

from assay.networks.net import Net
from assay.networks.spec import Shape, first_weights


def test_layers_run_from_the_inputs_to_the_classes():
    assert Shape(4, 3, (8, 5)).layers() == [(4, 8), (8, 5), (5, 3)]
    assert Shape(4, 3, (8,), encoded=(2, 6)).layers() == [(16, 8), (8, 3)]


def test_first_weights_belong_to_the_seed_and_biases_are_zero():
    shape = Shape(200, 3, (300,))
    first, again, other = (first_weights(shape, seed) for seed in (1, 1, 2))

    assert [w.shape for w in first] == [(200, 300), (300,), (300, 3), (3,)]
    assert Net(first).digest() == Net(again).digest() != Net(other).digest()
    assert not first[1].any()
    assert not first[3].any()
    assert all(w.dtype == np.float32 for w in first)


def test_first_kernels_have_the_variance_of_he_and_half_of_it_at_the_end():
    hidden, _, output, _ = first_weights(Shape(200, 50, (300,)), seed=1)

    assert hidden.var() == pytest.approx(2 / 200, rel=0.05)
    assert output.var() == pytest.approx(1 / 300, rel=0.05)


def test_nine_tenths_of_the_first_variance_lie_with_the_numbers_however_many_pieces():
    """The variance a hidden unit starts with is that of a network without pieces."""
    kernel = first_weights(Shape(50, 2, (400,), encoded=(50, 8)), seed=1)[0]
    of_numbers, of_pieces = (kernel[:50] ** 2).sum(), (kernel[50:] ** 2).sum()

    assert of_numbers / (of_numbers + of_pieces) == pytest.approx(0.9, abs=0.01)
    assert (kernel**2).sum() / 400 == pytest.approx(2.0, rel=0.05)
