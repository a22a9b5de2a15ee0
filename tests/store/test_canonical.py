import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from assay.store.canonical import (
    canonical_json,
    digest_array,
    digest_bytes,
    digest_file,
    digest_json,
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)
arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int16, np.int32, np.uint8, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=4),
)


@given(plain)
def test_canonical_json_reads_back_as_what_was_written(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers()))
def test_the_order_of_keys_does_not_matter(value):
    other_way_round = dict(reversed(value.items()))

    assert canonical_json(value) == canonical_json(other_way_round)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_without_a_json_spelling_is_refused_at_any_depth(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": [{"b": value}]})


def test_korean_stays_text():
    assert canonical_json({"도시": "부산"}) == '{"도시":"부산"}'.encode()


def test_digest_json_keeps_its_stored_value():
    """A changed digest would disown everything earlier versions stored."""
    assert digest_json({"b": 1, "a": [0.1, None]}) == (
        "39c1a64c21a6f8de09a139e8a8f12acd4e39794c412cb94d97fe61fcecd3e883"
    )


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")

    assert digest_file(path) == digest_bytes(b"abc")
    assert digest_bytes(b"abc").startswith("ba7816bf")


@given(arrays)
def test_an_arrays_digest_ignores_memory_layout_and_byte_order(array):
    expected = digest_array(array)

    assert digest_array(np.asarray(array, order="F")) == expected
    assert digest_array(array.astype(array.dtype.newbyteorder(">"))) == expected
    if array.ndim:
        assert digest_array(np.repeat(array, 2, axis=0)[::2]) == expected


@given(arrays)
def test_an_arrays_digest_sees_shape_and_type(array):
    assert digest_array(array[None]) != digest_array(array)
    assert digest_array(array.astype(np.complex128)) != digest_array(array)


@given(hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(-9, 9)), st.data())
def test_an_arrays_digest_sees_every_value(array, data):
    changed = array.copy()
    changed[data.draw(st.integers(0, len(array) - 1))] += 1

    assert digest_array(changed) != digest_array(array)


def test_an_array_of_objects_has_no_digest():
    """Its bytes are addresses, which differ at every run."""
    with pytest.raises(ValueError, match="object"):
        digest_array(np.array(["a", None], dtype=object))
