"""What machines share, in a folder and in memory; object storage is in test_shared_s3.py."""

import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import CorruptObject, StudyError, Unreachable
from assay.store.records import Place, Ref, Split
from assay.store.remote import Shared, _files, as_address, shared_at
from assay.store.runs import for_other_machines, store_of
from assay.store.store import Store
from tests.factories import make_split
from tests.store.test_files import watch

_fresh = count()

Machine = Callable[[str], Store]


@pytest.fixture(params=["file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        yield f"memory://place-{next(_fresh)}"
        fsspec.filesystem("memory").store.clear()
        return
    (tmp_path / "mounted").mkdir()
    yield f"file://{tmp_path}/mounted"


@pytest.fixture
def machine(address: str, tmp_path: Path) -> Machine:
    """A store of that name with a folder of its own, as another process would open it."""
    return lambda name: Store(tmp_path / name, shared=Shared(address))


def overwrite(address: str, name: str, content: bytes) -> None:
    fsspec.filesystem(address.partition(":")[0]).pipe_file(f"{address}/{name}", content)


def name_of(ref: Ref) -> str:
    return f"objects/{ref.digest[:2]}/{ref.digest}"


def split_in(store: Store) -> Split:
    return make_split(store.put_array(np.zeros((1, 4), np.int16)))


# What is shared --------------------------------------------------------------------------------


def test_what_one_machine_keeps_another_has(machine: Machine):
    first, other = machine("one"), machine("other")
    ref = first.put(b"content")
    first.results.put("split/ab", b'{"result": "..."}')

    assert other.get(ref) == b"content"
    assert other.results.get("split/ab") == b'{"result": "..."}'
    assert other.objects.path(ref).read_bytes() == b"content", "kept here from now on"


def test_what_is_here_is_not_asked_for(address: str, machine: Machine):
    first = machine("one")
    ref = first.put(b"content")
    overwrite(address, name_of(ref), b"something else")

    assert first.get(ref) == b"content"


def test_what_is_damaged_here_is_taken_from_there(machine: Machine):
    first = machine("one")
    ref = first.put(b"content")
    first.results.put("split/ab", b"{}")
    first.objects.path(ref).write_bytes(b"c0ntent")
    first.results.path("split/ab").write_bytes(b"{")

    assert first.get(ref) == b"content"
    assert first.results.get("split/ab") == b"{}"


@pytest.mark.parametrize("damaged", [b"c0ntent", b"cont", b"", b"content and more"])
def test_what_is_damaged_there_is_no_hit_and_is_mended_by_putting_again(
    address: str, machine: Machine, damaged: bytes
):
    first, other = machine("one"), machine("other")
    ref = first.put(b"content")
    overwrite(address, name_of(ref), damaged)

    assert not other.objects.holds(ref)
    with pytest.raises(CorruptObject):
        other.get(ref)
    assert other.put(b"content") == ref
    assert machine("third").get(ref) == b"content"


def test_a_result_damaged_there_is_no_hit(address: str, machine: Machine):
    machine("one").results.put("split/ab", b"{}")
    overwrite(address, "results/split/ab", b"0" * 64 + b"\n{}")

    with pytest.raises(CorruptObject, match="is missing"):
        machine("other").results.get("split/ab")


def test_what_was_stored_before_it_was_shared_is_offered(
    address: str, machine: Machine, tmp_path: Path
):
    alone = Store(tmp_path / "one")
    record = split_in(alone)
    alone.results.put("split/ab", b"{}")

    machine("one").results.offer("split/ab", record)

    other = machine("other")
    assert other.objects.holds_all(record)
    assert other.results.get("split/ab") == b"{}"


def test_an_offer_leaves_alone_what_is_there_and_replaces_what_is_cut_short(
    address: str, machine: Machine, monkeypatch
):
    first = machine("one")
    record = split_in(first)
    first.results.put("split/ab", b"{}")
    later = machine("one")
    monkeypatch.setattr(Shared, "put", lambda *_: pytest.fail("put"))
    later.results.offer("split/ab", record)
    monkeypatch.undo()

    overwrite(address, name_of(record.outer), b"cut")
    machine("one").results.offer("split/ab", record)

    assert machine("other").objects.holds_all(record)


def test_what_other_machines_are_handed_is_whole_there_first(
    address: str, machine: Machine
):
    """One changed byte, which no size shows, is found and put right from what is here."""
    first = machine("one")
    record = split_in(first)
    content = bytearray(first.get(record.outer))
    content[-1] ^= 1
    overwrite(address, name_of(record.outer), bytes(content))
    assert not machine("other").objects.holds_all(record)

    machine("one").objects.mend(record)

    assert machine("other").objects.holds_all(record)


def test_a_store_that_shares_nothing_offers_and_mends_nothing(tmp_path: Path):
    store = Store(tmp_path)
    record = split_in(store)

    store.reach()
    store.results.offer("split/ab", record)
    store.objects.mend(record)


# Several at once -----------------------------------------------------------------------------


def test_a_reader_never_sees_half_an_object_however_often_it_is_written(
    address: str, machine: Machine
):
    content = b"x" * 300_000
    first, name = machine("one"), "objects/ab/big"
    first.shared.put(name, content)
    other = Shared(address)

    seen = watch(
        lambda: other.get(name, lambda found: found == content),
        lambda: [first.shared.put(name, content) for _ in range(20)],
    )

    assert seen <= {content} if address.startswith("file") else seen <= {content, None}


def test_two_writers_of_one_name_leave_what_both_wrote(machine: Machine):
    stores = [machine(f"machine-{n}") for n in range(4)]
    writers = [
        threading.Thread(target=lambda s=store: [s.put(b"same") for _ in range(10)])
        for store in stores
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert machine("reader").get(stores[0].put(b"same")) == b"same"


def test_writing_leaves_nothing_but_what_was_written(tmp_path: Path):
    (tmp_path / "mounted").mkdir()
    store = Store(tmp_path / "one", shared=Shared(f"file://{tmp_path}/mounted"))
    ref = store.put(b"content")

    files = [path for path in (tmp_path / "mounted").rglob("*") if path.is_file()]

    assert files == [tmp_path / "mounted" / name_of(ref)]


# Other processes -----------------------------------------------------------------------------


def test_a_process_has_one_shared_store_at_an_address(address: str):
    assert pickle.loads(pickle.dumps(shared_at(address))) is shared_at(address)


def test_another_machine_opens_its_own_folder(
    address: str, tmp_path: Path, monkeypatch
):
    store = store_of(tmp_path / "here", shared=address)
    sent = pickle.dumps(for_other_machines(store))
    monkeypatch.setenv("ASSAY_ARTIFACTS", str(tmp_path / "there"))

    there = pickle.loads(sent)

    assert there.folder == tmp_path / "there"
    assert there.shared is store.shared
    assert pickle.loads(pickle.dumps(store)).folder == tmp_path / "here"


def test_without_a_shared_store_other_machines_see_the_same_folder(tmp_path: Path):
    store = store_of(tmp_path)

    assert for_other_machines(store) is store


# Addresses and sentences -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["s3://bucket", "s3://bucket/a/b", "file:///mnt/a b", "memory://x"]
)
def test_an_address_may_end_in_a_slash(word: str):
    assert as_address(word) == as_address(f"{word}/") == word


@pytest.mark.parametrize(
    "word",
    [
        "bucket",
        "/mnt/x",
        "s3:bucket",
        "s3://",
        "s3:///x",
        "http://x/y",
        "sftp://x/y",
        "file://x/y",
        "file:///",
        "memory://",
        "[",
        "s3://[",
        "://",
    ],
)
def test_what_is_no_address_is_refused(word: str):
    with pytest.raises(StudyError, match="give s3://BUCKET/PREFIX"):
        as_address(word)


@pytest.mark.parametrize(
    "word", ["s3://key:s3cret@bucket/x", "s3://bucket/x?key=s3cret", "s3://b/x#s3cret"]
)
def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(word: str):
    with pytest.raises(StudyError) as refused:
        as_address(word)

    assert "s3cret" not in str(refused.value)


@given(word=st.text(max_size=20))
def test_any_text_is_an_address_or_refused(word: str):
    with suppress(StudyError):
        assert as_address(word) == as_address(as_address(word))


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path):
    """A share that is not mounted would otherwise fill the disk below its name."""
    with pytest.raises(StudyError, match="no such bucket or folder"):
        Shared(f"file://{tmp_path}/unmounted").open()
    assert not (tmp_path / "unmounted").exists()


def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch):
    def absent(_scheme: str, **_: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.filesystem", absent)
    _files.cache_clear()

    with pytest.raises(StudyError, match=r"s3fs is not installed.*requirements-s3"):
        Shared("s3://bucket/x").open()
    _files.cache_clear()


def test_a_store_that_goes_while_work_is_under_way_is_said_so(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("assay.store.remote.DELAYS_S", (0.0, 0.0))
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    store = Store(tmp_path / "one", shared=Shared(f"file://{mounted}"))
    store.reach()
    for file in mounted.iterdir():
        file.unlink()
    mounted.rmdir()

    with pytest.raises(Unreachable, match="Finished stages are kept"):
        store.put(b"content")


def test_once_it_is_gone_no_more_time_is_given_until_it_is_back(tmp_path, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("assay.store.remote.time.sleep", waited.append)
    monkeypatch.setattr("assay.store.remote.DELAYS_S", (1.0, 2.0))
    shared, failing = Shared("memory://gone"), [True]
    plain = Shared._put

    def sometimes(self: Shared, *given: object) -> None:
        if failing[0]:
            raise OSError("gone")
        plain(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Shared, "_put", sometimes)
    for _ in range(3):
        with pytest.raises(Unreachable):
            shared.put("objects/x", b"content")
    assert waited == [1.0, 2.0]

    failing[0] = False
    shared.put("objects/x", b"content")
    failing[0] = True
    with pytest.raises(Unreachable):
        shared.put("objects/x", b"content")
    assert waited == [1.0, 2.0] * 2


def test_what_passes_by_itself_is_tried_again(address: str, monkeypatch):
    monkeypatch.setattr("assay.store.remote.DELAYS_S", (0.0, 0.0))
    shared, left = Shared(address), iter([OSError("busy"), OSError("busy")])
    plain = Shared._put

    def sometimes(self: Shared, *given: object) -> None:
        if error := next(left, None):
            raise error
        plain(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Shared, "_put", sometimes)
    shared.put("objects/x", b"content")

    assert shared.get("objects/x", lambda _: True) == b"content"


def test_a_record_of_no_objects_needs_nothing(machine: Machine):
    machine("one").objects.mend(Place(repeat=0, fold=0))
