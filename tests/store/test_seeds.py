import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.store.seeds import generator_for, seed_for

seeds = st.integers(0, 2**63 - 1)
places = st.lists(st.integers(0, 999) | st.text("abcxyz", max_size=8), max_size=4)


@given(seeds, places)
def test_a_seed_fits_signed_32_bits_and_is_never_zero(seed, place):
    assert 1 <= seed_for(seed, *place) <= 2**31 - 1


@given(seeds, places, places)
def test_other_places_have_other_seeds(seed, one, other):
    assert (seed_for(seed, *one) == seed_for(seed, *other)) == (one == other)


def test_a_place_and_its_number_as_text_are_two_places():
    assert seed_for(7, "1") != seed_for(7, 1)
    assert seed_for(7, "ab", "c") != seed_for(7, "a", "bc")


def test_seeds_keep_their_stored_values():
    """A changed seed would redraw every fold of every earlier study."""
    assert [seed_for(20261123, "outer", n) for n in range(3)] == [
        1590411785,
        1386267168,
        1422067877,
    ]


def test_a_generator_draws_the_same_whenever_it_is_asked():
    first = generator_for(7, "tune", 0)
    generator_for(7, "tune", 1).normal(size=100)
    second = generator_for(7, "tune", 0)

    assert np.array_equal(first.normal(size=9), second.normal(size=9))
    assert not np.array_equal(
        generator_for(7, "tune", 0).normal(size=9),
        generator_for(7, "tune", 1).normal(size=9),
    )
