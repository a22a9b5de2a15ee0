import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.networks.spec import (
    Net,
    Shape,
    alike,
    encoding,
    first_weights,
    in_units,
    nets_digest,
    pack_nets,
    unpack_nets,
)
from tests.model_factories import steady
from tests.net_factories import IMAGES, NUMBERS, SHAPES, inputs_of, members_of

# Shapes and first weights ----------------------------------------------------------------------


def test_layers_run_from_the_inputs_to_the_classes():
    assert Shape(4, 3, (8, 5)).layers() == [(4, 8), (8, 5), (5, 3)]
    assert Shape(4, 3, (8,), encoded=(2, 6)).layers() == [(16, 8), (8, 3)]


def test_first_weights_belong_to_the_seed_and_biases_are_zero():
    shape = Shape(200, 3, (300,))
    one, again, other = (first_weights(shape, seed) for seed in (1, 1, 2))

    assert [w.shape for w in one] == [(200, 300), (300,), (300, 3), (3,)]
    assert Net(one).digest() == Net(again).digest() != Net(other).digest()
    assert not one[1].any()
    assert not one[3].any()
    assert all(w.dtype == np.float32 for w in one)


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


# Pieces ----------------------------------------------------------------------------------------


def test_pieces_rise_one_after_another_between_quantiles():
    """Four pieces of 0..100: each rises over 25, and their sum rises with the number."""
    column = np.arange(101, dtype=np.float32)[:, None]
    known = encoding(column, 4)
    found = known.apply(np.array([[0.0], [12.5], [25.0], [60.0], [100.0], [500.0]]))

    assert found[:, 0].tolist() == [0, 12.5, 25, 60, 100, 500]
    assert (found[:, 1:] + 0.5).tolist() == pytest.approx(
        np.array(
            [
                [0, 0, 0, 0],
                [0.5, 0, 0, 0],
                [1, 0, 0, 0],
                [1, 1, 0.4, 0],
                [1, 1, 1, 1],
                [1, 1, 1, 1],
            ]
        ),
        abs=1e-5,
    )


def test_a_narrow_plateau_far_from_zero_is_encoded_as_well_in_float32():
    """Difference first, then slope: a quarter of the column in a fiftieth of its spread, near 3."""
    generator = np.random.default_rng(0)
    column = generator.normal(size=(4000, 1))
    column[:1000] = 2.5 + 0.02 * generator.random((1000, 1))
    single = column.astype(np.float32)
    known = encoding(single, 16)
    rough = np.clip((single - known.edges[0]) * known.slopes[0], 0, 1) - 0.5

    assert known.slopes.max() > 150
    assert known.apply(single)[:, 1:] == pytest.approx(rough, abs=2e-4)
    assert known.apply(single.astype(float))[:, 1:] == pytest.approx(rough, abs=1e-5)


def test_columns_behind_the_last_one_with_pieces_have_no_place_in_the_encoding():
    columns = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    columns[:, [1, 3]] = columns[:, [1, 3]] > 0
    known = encoding(columns, 5)

    assert known.sizes == (3, 5)
    assert known.slopes.any(axis=1).tolist() == [True, False, True]
    assert known.apply(columns).shape == (90, 4 + 15)
    assert np.array_equal(
        known.pieces(columns[:, 2:3], 2), known.apply(columns)[:, 14:]
    )


def test_a_column_of_few_values_is_left_as_it_is():
    """Two or three levels have nothing to bend; a table of such columns has no encoding."""
    levels = np.repeat(np.arange(2, dtype=np.float32), 50)[:, None]
    smooth = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    both = encoding(np.hstack([levels, smooth]), 8)

    assert encoding(levels, 8) is None
    assert not both.slopes[0].any()
    assert (both.slopes[1] > 0).all()


@steady
@given(st.integers(0, 2**32 - 1), st.integers(4, 20), st.integers(1, 4))
def test_pieces_are_bounded_and_never_fall_as_a_number_rises(seed, n_pieces, decimals):
    """Whatever ties the column has."""
    generator = np.random.default_rng(seed)
    column = np.round(generator.normal(size=(200, 1)), decimals).astype(np.float32)
    known = encoding(column, n_pieces)
    found = known.apply(np.sort(column, axis=0))[:, 1:]

    assert known.sizes == (1, n_pieces)
    assert (np.abs(found) <= 0.5).all()
    assert (np.diff(found, axis=0) >= 0).all()


# Many networks ---------------------------------------------------------------------------------


def test_a_network_in_other_units_differs_in_its_last_layer_alone():
    """Celsius to Fahrenheit, without touching a hidden layer."""
    celsius = members_of(NUMBERS[0], 1)[0].weights
    fahrenheit = in_units(celsius, centre=32.0, scale=1.8)

    assert Net(fahrenheit[:-2]).digest() == Net(celsius[:-2]).digest()
    assert fahrenheit[-2] == pytest.approx(1.8 * celsius[-2])
    assert fahrenheit[-1] == pytest.approx(32 + 1.8 * celsius[-1])


def test_networks_are_alike_by_sizes_activation_and_encoding():
    first, second = members_of(SHAPES[0], 2), members_of(SHAPES[4], 2)
    bent = [Net(net.weights, "silu") for net in first]

    assert alike([first[0], second[0], first[1], bent[0], second[1]]) == [
        [0, 2],
        [1, 4],
        [3],
    ]


def test_packed_networks_unpack_to_the_same():
    """Ten members and more: their numbers sort as numbers. Members of one encoding share it again."""
    members = (
        *members_of(SHAPES[0], 12),
        *(net for shape in (IMAGES[1], SHAPES[4]) for net in members_of(shape)),
    )
    unpacked = unpack_nets(pack_nets(members))

    assert nets_digest(unpacked) == nets_digest(members)
    assert nets_digest(unpacked[::-1]) != nets_digest(members)
    assert alike(unpacked) == alike(members)
    assert inputs_of(SHAPES[4]).shape[1] == unpacked[-1].n_inputs
