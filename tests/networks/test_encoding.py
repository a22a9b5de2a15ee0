import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.networks.encoding import encoding
from tests.model_factories import steady


def test_pieces_rise_one_after_another_between_quantiles():
    """Four pieces of 0..100: each rises over 25, and their sum rises with the number."""
    column = np.arange(101, dtype=np.float32)[:, None]
    fitted = encoding(column, 4)
    pieces = fitted.apply(np.array([[0.0], [12.5], [25.0], [60.0], [100.0], [500.0]]))

    assert pieces[:, 0].tolist() == [0, 12.5, 25, 60, 100, 500]
    assert (pieces[:, 1:] + 0.5).tolist() == pytest.approx(
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
    fitted = encoding(single, 16)
    rough = np.clip((single - fitted.edges[0]) * fitted.slopes[0], 0, 1) - 0.5

    assert fitted.slopes.max() > 150
    assert fitted.apply(single)[:, 1:] == pytest.approx(rough, abs=2e-4)
    assert fitted.apply(single.astype(float))[:, 1:] == pytest.approx(rough, abs=1e-5)


def test_columns_behind_the_last_one_with_pieces_have_no_place_in_the_encoding():
    columns = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    columns[:, [1, 3]] = columns[:, [1, 3]] > 0
    fitted = encoding(columns, 5)

    assert fitted.sizes == (3, 5)
    assert fitted.slopes.any(axis=1).tolist() == [True, False, True]
    assert fitted.apply(columns).shape == (90, 4 + 15)
    assert np.array_equal(
        fitted.pieces(columns[:, 2:3], 2), fitted.apply(columns)[:, 14:]
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
    fitted = encoding(column, n_pieces)
    pieces = fitted.apply(np.sort(column, axis=0))[:, 1:]

    assert fitted.sizes == (1, n_pieces)
    assert (np.abs(pieces) <= 0.5).all()
    assert (np.diff(pieces, axis=0) >= 0).all()
