"""Downloads from a server on this machine that behaves as badly as the world does."""

import gzip
import hashlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assay.data.catalogue import File, fault_of, part_of, state_of
from assay.data.download import fetch_file
from assay.errors import AssayError, DataRefused, StudyError, Unreachable

CONTENT = bytes(range(256)) * 1024  # 262,144 bytes


class Server(ThreadingHTTPServer):
    """Gives CONTENT; its faults are set by the test, and its requests are kept."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cut_after: list[int | None] = []  # bytes given to each request in turn
        self.codes: list[int] = []
        self.ranges = True
        self.lengths = True
        self.silent = False
        self.released = threading.Event()
        self.asked: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/table.csv"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, content = self.server, self.server.content
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if server.codes:
            code = server.codes.pop(0)
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "http://example.org/table.csv")
            self.end_headers()
            return
        start = 0
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206)
            self.send_header(
                "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        else:
            self.send_response(200)
        if server.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        n = server.cut_after.pop(0) if server.cut_after else None
        self.wfile.write(content[start:] if n is None else content[start : start + n])
        if server.silent:
            server.released.wait(10)
        self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as first:
        thread = threading.Thread(target=first.serve_forever, args=(0.02,))
        thread.start()
        yield first
        first.released.set()
        first.shutdown()
        thread.join()


def catalogued(server, path="set/table.csv", content=CONTENT, **changes) -> File:
    values = {
        "path": path,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "from": server.address,
    }
    return File.model_validate(values | changes)


def fetched(file, folder, **how):
    fetch_file(file, folder, **{"delays_s": (0.0, 0.0), "timeout_s": 5.0} | how)
    return (folder / file.path).read_bytes()


def refusal(error, file, folder, **how) -> str:
    with pytest.raises(error) as refused:
        fetched(file, folder, **how)
    assert not (folder / file.path).exists()
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_file_comes_whole_and_nothing_else_stays(server, tmp_path):
    file, heard = catalogued(server), []
    fetch_file(file, tmp_path, heard.append)

    assert (tmp_path / file.path).read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["table.csv"]
    assert heard[0] == 0
    assert heard[-1] == len(CONTENT)
    assert heard == sorted(heard)
    assert state_of(file, tmp_path) == "there"


def test_a_cut_download_goes_on_where_it_ended(server, tmp_path):
    server.cut_after = [100_000, 50_000]

    assert fetched(catalogued(server), tmp_path) == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_what_an_earlier_command_left_is_used(server, tmp_path):
    server.cut_after = [1000] * 3
    file = catalogued(server)

    assert "could not be downloaded in 3 tries" in refusal(Unreachable, file, tmp_path)
    assert part_of(tmp_path / file.path).read_bytes() == CONTENT[:3000]
    assert state_of(file, tmp_path) == "partial"
    assert fetched(file, tmp_path) == CONTENT
    assert server.asked[-1] == "bytes=3000-"


def test_a_server_that_knows_no_parts_is_asked_for_the_whole(server, tmp_path):
    server.cut_after, server.ranges = [100_000], False

    assert fetched(catalogued(server), tmp_path) == CONTENT


def test_a_server_that_says_no_length_is_believed_by_the_digest(server, tmp_path):
    server.lengths = False

    assert fetched(catalogued(server), tmp_path) == CONTENT


def test_a_whole_part_needs_no_request(server, tmp_path):
    file = catalogued(server)
    part = part_of(tmp_path / file.path)
    part.parent.mkdir()
    part.write_bytes(CONTENT)

    assert fetched(file, tmp_path) == CONTENT
    assert server.asked == []


def test_a_part_of_another_file_is_found_by_the_digest_and_not_kept(server, tmp_path):
    file = catalogued(server)
    part = part_of(tmp_path / file.path)
    part.parent.mkdir()
    part.write_bytes(b"other" * 100)

    assert "SHA-256" in refusal(DataRefused, file, tmp_path)
    assert not part.exists()
    assert fetched(file, tmp_path) == CONTENT


def test_a_part_longer_than_the_file_is_begun_anew(server, tmp_path):
    file = catalogued(server)
    part_of(tmp_path / file.path).parent.mkdir()
    part_of(tmp_path / file.path).write_bytes(CONTENT * 2)

    assert fetched(file, tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONTENT[:-1] + b"x", "its SHA-256 is"),
        (CONTENT + b"x", "262,145 bytes instead of 262,144"),
        (CONTENT[:-1], "262,143 bytes instead of 262,144"),
        (b"", "0 bytes instead of"),
    ],
)
def test_a_file_of_another_size_or_digest_is_refused_and_not_kept(
    server, tmp_path, content, said
):
    server.content = content
    message = refusal(DataRefused, catalogued(server), tmp_path)

    assert said in message
    assert "was not kept" in message
    assert list((tmp_path / "set").iterdir()) == []


def test_a_file_that_never_ends_is_cut_off(server, tmp_path):
    server.content, server.lengths = CONTENT * 3, False

    assert "more than the expected 262,144 bytes" in refusal(
        DataRefused, catalogued(server), tmp_path
    )


def test_a_bad_download_leaves_the_file_in_place_alone(server, tmp_path):
    file = catalogued(server)
    place = tmp_path / file.path
    place.parent.mkdir()
    place.write_bytes(b"mine")
    server.content = CONTENT[::-1]

    with pytest.raises(DataRefused):
        fetched(file, tmp_path)
    assert place.read_bytes() == b"mine"
    assert state_of(file, tmp_path) == "damaged"


@pytest.mark.parametrize(("code", "n_asked"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_an_error_of_the_server_is_tried_again_only_if_it_may_pass(
    server, tmp_path, code, n_asked
):
    server.codes = [code] * 5

    assert f"answered {code}" in refusal(Unreachable, catalogued(server), tmp_path)
    assert len(server.asked) == n_asked


def test_an_error_that_passes_is_no_error(server, tmp_path):
    server.codes = [503, 500]

    assert fetched(catalogued(server), tmp_path) == CONTENT


def test_a_redirect_to_what_is_not_https_is_not_followed(server, tmp_path):
    server.codes = [302]

    assert "not https" in refusal(Unreachable, catalogued(server), tmp_path)


def test_a_silent_server_is_given_up_and_what_came_is_kept(server, tmp_path):
    server.cut_after = [1000] * 3
    server.silent = True
    file = catalogued(server)

    message = refusal(Unreachable, file, tmp_path, timeout_s=0.2)
    assert "no data arrived for too long" in message
    assert part_of(tmp_path / file.path).stat().st_size >= 1000


def test_a_server_that_is_not_there_is_said_once(tmp_path):
    file = File.model_validate(
        {
            "path": "a.csv",
            "sha256": "0" * 64,
            "bytes": 3,
            "from": "http://127.0.0.1:9/a.csv",
        }
    )

    assert "in 3 tries: Connection refused" in refusal(Unreachable, file, tmp_path)


def test_only_the_first_bytes_of_an_address_may_be_the_file(server, tmp_path):
    file = catalogued(server, content=CONTENT[:70_000], first_bytes=True)

    assert fetched(file, tmp_path) == CONTENT[:70_000]


def test_a_packed_file_is_known_by_what_is_in_it(server, tmp_path):
    file = catalogued(server, path="set/table.csv.gz")
    packed = fetched(file, tmp_path)

    assert gzip.decompress(packed) == CONTENT
    assert packed[4:8] == bytes(4), "no time stands in it"
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["table.csv.gz"]
    (tmp_path / file.path).write_bytes(gzip.compress(CONTENT, 1, mtime=0))
    assert state_of(file, tmp_path) == "there"
    (tmp_path / file.path).write_bytes(packed[:-9])
    assert "cannot be read" in str(fault_of(file, tmp_path / file.path))


def test_ctrl_c_leaves_a_part_only(server, tmp_path):
    file = catalogued(server)

    def interrupt(n_bytes):
        if n_bytes > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_file(file, tmp_path, interrupt)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["table.csv.part"]
    assert fetched(file, tmp_path) == CONTENT
    assert server.asked[-1].startswith("bytes=")


def test_two_fetches_of_one_file_do_not_write_into_each_other(server, tmp_path):
    file = catalogued(server)
    messages = []

    def second(n_bytes):
        if n_bytes and not messages:
            with pytest.raises(AssayError) as refused:
                fetch_file(file, tmp_path)
            messages.append(str(refused.value))

    fetch_file(file, tmp_path, second)
    assert messages == [
        f"{file.path} is already being downloaded. Wait for that download to end."
    ]
    assert (tmp_path / file.path).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_said(server, tmp_path):
    (tmp_path / "set").write_text("a file")

    with pytest.raises(StudyError, match="Set ASSAY_DATA"):
        fetch_file(catalogued(server), tmp_path)


def test_a_program_that_only_checks_asks_the_network_for_nothing():
    """Neither the catalogue nor the command line loads what downloads."""
    said = "import sys, assay.cli.app, assay.data.catalogue; print('assay.data.download' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", said],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.strip() == "False"
