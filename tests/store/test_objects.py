import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import CorruptObject
from assay.store.records import Ref
from assay.store.store import Store


@given(content=st.binary(max_size=200))
def test_what_was_put_comes_back(shared, content):
    ref = shared.put(content)

    assert shared.get(ref) == content
    assert shared.put(content) == ref
    assert shared.objects.holds(ref)


@given(content=st.binary(min_size=1, max_size=60), data=st.data())
def test_any_changed_byte_is_noticed_and_mended_by_putting_again(shared, content, data):
    ref = shared.put(content)
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[at] ^= data.draw(st.integers(1, 255))
    shared.objects.path(ref).write_bytes(flipped)

    with pytest.raises(CorruptObject, match="Delete it and run again"):
        shared.get(ref)
    assert not shared.objects.holds(ref)
    assert shared.put(content) == ref
    assert shared.get(ref) == content


@given(content=st.binary(min_size=1, max_size=60), data=st.data())
def test_a_file_cut_short_is_noticed(shared, content, data):
    ref = shared.put(content)
    path = shared.objects.path(ref)
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

    with pytest.raises(CorruptObject):
        shared.get(ref)
    path.unlink()


def test_a_missing_object_is_named(store):
    missing = Ref(kind="bytes", digest="ab" * 32, size=3)

    with pytest.raises(CorruptObject, match=r"abab.* is missing"):
        store.get(missing)
    assert not store.objects.holds(missing)


def test_equal_content_is_kept_once(store):
    store.put(b"same")
    store.put(b"same")

    assert len(list((store.folder / "objects").rglob("*/*"))) == 1


def test_the_same_folder_is_the_same_store_however_it_is_spelled(tmp_path):
    (tmp_path / "a").mkdir()
    ref = Store(tmp_path / "a" / ".." / "a").put(b"x")

    assert Store(tmp_path / "a").get(ref) == b"x"
