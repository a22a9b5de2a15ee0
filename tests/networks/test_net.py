import pytest

from assay.networks.net import (
    Net,
    grouped,
    in_units,
    nets_digest,
    pack_nets,
    unpack_nets,
)
from tests.net_factories import IMAGES, NUMBERS, SHAPES, inputs_of, members_of


def test_a_network_in_other_units_differs_in_its_last_layer_alone():
    """Celsius to Fahrenheit, without touching a hidden layer."""
    celsius = members_of(NUMBERS[0], 1)[0].weights
    fahrenheit = in_units(celsius, centre=32.0, scale=1.8)

    assert Net(fahrenheit[:-2]).digest() == Net(celsius[:-2]).digest()
    assert fahrenheit[-2] == pytest.approx(1.8 * celsius[-2])
    assert fahrenheit[-1] == pytest.approx(32 + 1.8 * celsius[-1])


def test_networks_are_grouped_by_sizes_activation_and_encoding():
    first, second = members_of(SHAPES[0], 2), members_of(SHAPES[4], 2)
    bent = [Net(net.weights, "silu") for net in first]

    assert grouped([first[0], second[0], first[1], bent[0], second[1]]) == [
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
    assert grouped(unpacked) == grouped(members)
    assert inputs_of(SHAPES[4]).shape[1] == unpacked[-1].n_inputs
