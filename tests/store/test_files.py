import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import CorruptObject
from assay.store.files import Files


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


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_artifacts_that_a_command_makes_are_for_their_owner_alone(tmp_path, mask):
    before = os.umask(mask)
    try:
        Files(tmp_path / "new" / "artifacts").write(
            tmp_path / "new" / "artifacts" / "a", b""
        )
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new" / "artifacts").stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_a_folder_that_exists_keeps_who_may_read_it(tmp_path):
    tmp_path.chmod(0o755)
    before = os.umask(0o027)
    try:
        Files(tmp_path).write(tmp_path / "inside" / "a", b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "inside").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "inside" / "a").stat().st_mode) == 0o640
