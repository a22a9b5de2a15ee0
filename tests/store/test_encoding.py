import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.factories import make_table


@given(
    array=hnp.arrays(
        st.sampled_from([np.float64, np.int16, np.int32, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=4),
    )
)
def test_arrays_come_back_with_type_and_shape(shared, array):
    back = shared.get_array(shared.put_array(array))

    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array, strict=True)


def test_equal_arrays_give_equal_bytes_whatever_their_layout(store):
    array = np.arange(12.0).reshape(3, 4)

    assert store.put_array(array) == store.put_array(np.asfortranarray(array))
    assert store.put_array(array) == store.put_array(
        np.repeat(array, 2, axis=1)[:, ::2]
    )


def test_equal_named_arrays_give_equal_bytes_without_times(store):
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "이름": np.array([1, 2])}

    ref = store.put_arrays(arrays)

    assert ref == store.put_arrays({name: a.copy() for name, a in arrays.items()})
    with zipfile.ZipFile(BytesIO(store.get(ref))) as archive:
        assert {one.date_time[0] for one in archive.infolist()} == {1980}
    back = store.get_arrays(ref)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array, strict=True)


def test_arrays_of_objects_are_not_pickled(store):
    objects = np.array([{}, None], dtype=object)

    with pytest.raises(ValueError, match="allow_pickle"):
        store.put_array(objects)
    with pytest.raises(ValueError, match="allow_pickle"):
        store.put_arrays({"a": objects})


def test_a_pickle_named_as_an_array_is_not_loaded(store):
    buffer = BytesIO()
    np.save(buffer, np.array([print], dtype=object), allow_pickle=True)

    with pytest.raises(ValueError, match="pickle"):
        store.get_array(store.put(buffer.getvalue(), "array"))


def test_tables_come_back_equal_and_equal_tables_give_equal_bytes(store):
    table = make_table().assign(gap=lambda t: t.weight.where(t.weight > 0))
    table.loc[3, "town"] = None

    ref = store.put_table(table)

    pd.testing.assert_frame_equal(store.get_table(ref), table)
    assert store.put_table(table.copy()) == ref
