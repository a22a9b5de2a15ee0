import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from assay.errors import CorruptObject
from assay.store.records import Ref
from assay.store.store import Store
from tests.factories import make_table

ROOT = Path(__file__).resolve().parents[2]

HOLDER = """
import sys
from pathlib import Path
from assay.store.store import Store

store = Store(Path(sys.argv[1]))
(store.files.scratch() / "half").write_bytes(b"half of a fi")
with store.lock("run"):
    print("holding", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for the many examples of a property."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def holder(store: Store):
    """Another process that holds the lock ``run`` and a folder with half a file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"holding\n"
        yield process
        process.kill()


# Objects ---------------------------------------------------------------------------------------


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


# Checked files -----------------------------------------------------------------------------


@given(content=st.binary(max_size=80))
def test_checked_files_come_back(shared, content):
    path = shared.folder / "results" / "checked"
    shared.files.write_checked(path, content)

    assert shared.files.read_checked(path) == content


@given(content=st.binary(min_size=1, max_size=40), data=st.data())
def test_any_changed_byte_of_a_checked_file_is_noticed(shared, content, data):
    path = shared.folder / "results" / "altered"
    shared.files.write_checked(path, content)
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)

    with pytest.raises(CorruptObject):
        shared.files.read_checked(path)


def test_a_missing_checked_file_is_named(store):
    with pytest.raises(CorruptObject, match="nothing is missing"):
        store.files.read_checked(store.folder / "nothing")


# Writing -----------------------------------------------------------------------------------


def watch(read: Callable[[], object], write: Callable[[], None]) -> set[object]:
    """Return everything a reader saw while ``write`` went on."""
    seen: set[object] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(read())

    reader = threading.Thread(target=look)
    reader.start()
    try:
        write()
    finally:
        done.set()
        reader.join()
    return seen


def test_a_reader_never_sees_half_a_file(store):
    path = store.folder / "results" / "big"
    contents = [bytes([n]) * 300_000 for n in range(3)]
    store.files.write(path, contents[0])

    seen = watch(
        path.read_bytes,
        lambda: [store.files.write(path, contents[n % 3]) for n in range(40)],
    )

    assert seen <= set(contents)


def test_a_write_that_fails_leaves_the_old_file(store, monkeypatch):
    path = store.folder / "results" / "kept"
    store.files.write(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))

    with pytest.raises(OSError, match="full"):
        store.files.write(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_file_may_have_a_name_as_long_as_the_system_allows(store):
    path = store.folder / "results" / ("가" * 80)
    store.files.write(path, b"content")

    assert path.read_bytes() == b"content"


def test_publishing_replaces_a_folder_and_shows_it_whole_or_not_at_all(store):
    target = store.folder / "runs" / "study-1"
    versions = [
        {f"{part}/{n}.txt": bytes([version]) * 1000 for part in "ab" for n in range(5)}
        for version in range(2)
    ]

    def read() -> tuple[int, ...] | None:
        """Return which versions the files hold, from one hold on the folder."""
        try:
            folder = os.open(target, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            found = []
            for name in versions[0]:
                file = os.open(name, os.O_RDONLY, dir_fd=folder)
                found.append(os.read(file, 2000))
                os.close(file)
        finally:
            os.close(folder)
        assert all(len(content) == 1000 for content in found)
        return tuple({content[0] for content in found})

    store.files.publish(versions[0], target)
    seen = watch(
        read, lambda: [store.files.publish(versions[n % 2], target) for n in range(40)]
    )

    assert seen <= {None, (0,), (1,)}
    assert {file.relative_to(target).as_posix() for file in target.rglob("*.txt")} == (
        versions[0].keys()
    )


def test_publishing_leaves_no_file_of_what_was_there_before(store):
    target = store.folder / "runs" / "study-1"
    store.files.publish({"old.txt": b"1", "both.txt": b"1"}, target)
    store.files.publish({"both.txt": b"2"}, target)

    assert [file.name for file in target.iterdir()] == ["both.txt"]
    assert (target / "both.txt").read_bytes() == b"2"


class Killed(BaseException):
    """What no code of ours catches, like a kill."""


def killed_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """End whatever goes on just before its ``step``-th change of the disk."""
    left = iter(range(step))

    def ending(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*given: object, **named: object) -> object:
            if next(left, None) is None:
                raise Killed
            return change(*given, **named)

        return changed

    for owner, name in (
        (os, "fsync"),
        (Path, "mkdir"),
        (Path, "rename"),
        (Path, "replace"),
    ):
        patch.setattr(owner, name, ending(getattr(owner, name)))


@pytest.mark.parametrize("there", [False, True], ids=["new", "replaced"])
def test_a_publication_killed_at_any_of_its_steps_shows_all_or_nothing(store, there):
    """Before each change of the disk in turn; the next publication succeeds whatever is left."""
    old, new = {"a.txt": b"1", "b/c.txt": b"2"}, {"a.txt": b"3", "b/c.txt": b"4"}
    steps = 0
    while True:
        target = store.folder / "runs" / f"study-{steps}"
        if there:
            store.files.publish(old, target)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(steps, patch)
            try:
                store.files.publish(new, target)
            except Killed:
                pass
            else:
                break
        found = {
            file.relative_to(target).as_posix(): file.read_bytes()
            for file in target.rglob("*.txt")
        }
        assert found in ({}, old, new) if there else found in ({}, new)
        store.files.publish(new, target)
        steps += 1

    assert steps > 5


# Locks and sweeping --------------------------------------------------------------------------


def test_a_lock_is_waited_for_and_released_when_its_holder_is_killed(store, holder):
    waited = []

    def kill_when_waiting() -> None:
        waited.append(True)
        os.kill(holder.pid, signal.SIGKILL)

    with store.lock("run", waiting=kill_when_waiting):
        assert waited == [True]
    assert holder.wait() == -signal.SIGKILL


def test_a_free_lock_is_not_waited_for_and_may_be_entered_twice(store):
    def waiting() -> None:
        raise AssertionError

    with store.lock("run", waiting), store.lock("run", waiting):
        pass
    with store.lock("run", waiting):
        pass


def test_other_names_are_other_locks(store, holder):
    with store.lock("another", waiting=lambda: pytest.fail("waited")):
        pass


def test_sweeping_removes_only_what_dead_writers_left(store, holder):
    mine = store.files.scratch() / "mine"
    mine.write_bytes(b"")
    theirs = next(file for file in store.folder.glob("tmp/*/half"))

    assert store.files.sweep() == 0
    assert theirs.exists()

    holder.kill()
    holder.wait()

    assert store.files.sweep() == 1
    assert not theirs.parent.exists()
    assert mine.exists()
    assert store.files.sweep() == 0


def test_sweeping_passes_over_what_is_no_folder(store):
    (store.folder / "tmp").mkdir()
    (store.folder / "tmp" / ".DS_Store").write_bytes(b"")

    assert store.files.sweep() == 0


def test_the_same_folder_is_the_same_store_however_it_is_spelled(tmp_path):
    (tmp_path / "a").mkdir()
    ref = Store(tmp_path / "a" / ".." / "a").put(b"x")

    assert Store(tmp_path / "a").get(ref) == b"x"
