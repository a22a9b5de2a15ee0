"""The shared store on object storage: a local server that speaks S3 (moto), and whole runs on it."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest

from assay.errors import AssayError, StudyError, Unreachable
from assay.store.progress import Event, Finished, listening
from assay.store.remote import Shared, _files
from assay.store.store import Store
from tests.flow_runs import Workplace, make
from tests.s3_server import BUCKET, KEY_ID, SECRET, Server, s3_running

_WHY = "the tests of object storage need it: requirements-dev.txt"
pytest.importorskip("s3fs", reason=_WHY)
pytest.importorskip("moto", reason=_WHY)

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = f"s3://{BUCKET}/assay"
STAGES = 19  # of the small study, outer folds counted one by one

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3_running(tmp_path_factory.mktemp("s3") / "log") as started:
        yield started


@contextmanager
def environment(**settings: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        clear()
        yield
    clear()


def clear() -> None:
    """Forget clients, which read the environment only when they are made."""
    import s3fs

    _files.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def settings(server: Server) -> Iterator[None]:
    with environment(**server.settings):
        yield


# Objects ---------------------------------------------------------------------------------------


def test_what_one_machine_keeps_another_has(settings, tmp_path: Path):
    first = Store(tmp_path / "one", shared=Shared(f"{ADDRESS}/objects-test"))
    first.reach()
    ref = first.put(b"content")
    first.results.put("split/ab", b"{}")
    other = Store(tmp_path / "other", shared=Shared(f"{ADDRESS}/objects-test"))

    assert other.get(ref) == b"content"
    assert other.results.get("split/ab") == b"{}"
    assert other.shared.has("results/split/ab", 64 + 1 + 2)
    assert not other.shared.has("results/split/cd", 67)


def test_an_object_of_several_parts_comes_back(settings, tmp_path: Path):
    """From 100 MiB on the library uploads parts; nothing is seen before the last."""
    content = os.urandom(2**20) * 101
    Shared(f"{ADDRESS}/parts").put("objects/big", content)

    assert Shared(f"{ADDRESS}/parts").get("objects/big", lambda b: b == content)


# What cannot be used ---------------------------------------------------------------------------


def test_a_missing_bucket_is_said_so(settings):
    with pytest.raises(StudyError, match="no such bucket"):
        Shared("s3://another-bucket/assay").open()


def test_no_keys_and_wrong_keys_are_said_so_without_them(server: Server, tmp_path):
    with (
        s3_running(tmp_path / "log", INITIAL_NO_AUTH_ACTION_COUNT="0") as strict,
        environment(**strict.settings),
        pytest.raises(StudyError, match="reading or writing is not allowed") as wrong,
    ):
        Shared(ADDRESS).open()
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nowhere"}
    with (
        environment(**(server.settings | nobody)),
        pytest.raises(StudyError, match="reading or writing is not allowed") as none,
    ):
        Shared(ADDRESS).open()

    assert "InvalidAccessKeyId" in str(wrong.value)
    for said in (str(wrong.value), str(none.value)):
        assert KEY_ID not in said
        assert SECRET not in said


@pytest.mark.parametrize("deaf", [False, True], ids=["refuses", "never answers"])
def test_a_server_that_is_not_there_is_said_so_within_seconds(
    server: Server, deaf: bool
):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if deaf:
            taken.listen(8)
        nowhere = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        begun = time.monotonic()
        with (
            environment(**(server.settings | nowhere)),
            pytest.raises(Unreachable, match="does not answer"),
        ):
            Shared(ADDRESS).open()

    assert time.monotonic() - begun < 60, "15 seconds are given"


def test_reading_from_a_server_that_went_deaf_ends(server: Server, monkeypatch):
    monkeypatch.setattr("assay.store.remote._WORKING_S", 1.0)
    monkeypatch.setattr("assay.store.remote.DELAYS_S", (0.0,))
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        gone = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        with environment(**(server.settings | gone)):
            for asked in (
                lambda shared: shared.get("objects/x", bool),
                lambda shared: shared.has("objects/x", 1),
                lambda shared: shared.put("objects/x", b"content"),
            ):
                with pytest.raises(Unreachable, match="stopped accepting"):
                    asked(Shared(ADDRESS))


# Whole runs ------------------------------------------------------------------------------------


def test_machines_share_results_and_damaged_ones_are_computed_again(
    finished: Workplace, settings, tmp_path: Path
):
    address = f"{ADDRESS}/runs-test"
    sharing = ("--store", address, "--runner", "local")
    one, other, third = (make(tmp_path / name) for name in ("one", "other", "third"))

    events: list[Event] = []
    one.check(shared=address)
    with listening(events.append):
        other.check(shared=address)
    bucket = fsspec.filesystem("s3", use_listings_cache=False)
    for kind in ("results/tune", "results/gate", "objects"):
        name = bucket.find(f"{address}/{kind}")[0]
        content = bytearray(bucket.cat_file(name))
        content[len(content) // 2] ^= 1
        bucket.pipe_file(name, bytes(content))
    again = third.run(*sharing)

    assert again.code == 0, again.err
    assert SECRET not in again.out + again.err
    assert KEY_ID not in again.out + again.err
    assert one.same() == other.same() == third.same() == finished.same()
    stored = [event.stored for event in events if isinstance(event, Finished)]
    assert stored == [True] * STAGES
    assert 0 < again.err.count("  stored  ") <= STAGES - 2
    for file in third.folder.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
    for name in bucket.find(address):
        assert SECRET.encode() not in bucket.cat_file(name)


def test_a_store_that_goes_while_folds_are_computed_ends_the_run_in_a_sentence(
    server: Server, tmp_path: Path
):
    workplace = make(tmp_path / "cut off")
    log = tmp_path / "log"
    with s3_running(log) as short, environment(**short.settings):
        stopped = []

        def stop(line: str) -> bool:
            if line.startswith("gate") and not stopped:
                stopped.append(short.end())
            return False

        run = workplace.run("--store", ADDRESS, "--runner", "local", until=stop)

    assert run.code == AssayError.exit_code
    assert "Traceback" not in run.err
    assert run.err.splitlines()[-1].startswith(
        f"The shared store {ADDRESS} stopped accepting"
    )
