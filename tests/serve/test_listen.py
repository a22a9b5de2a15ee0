"""Where the service listens and for whom: what it says, and one sentence where it cannot."""

import shlex
import signal
import socket
import subprocess

import pytest

from assay.errors import StudyError
from assay.serve.listen import listening, token_for
from bench.bench_serve import service
from tests.bundle_factories import make_bundle
from tests.factories import make_table

TOKEN = "a token of some length"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_beyond_this_machine_a_token_is_needed(host):
    with pytest.raises(StudyError, match="Set ASSAY_TOKEN"):
        token_for(host, None)
    with pytest.raises(StudyError, match="16 or more"):
        token_for(host, "short")
    assert token_for(host, TOKEN) == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_none_is(host):
    assert token_for(host, None) is None


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StudyError, match=f"Port {port} of 127.0.0.1 is in use"):
            listening("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 70, "\u2024"])  # fmt: skip
def test_an_address_of_another_machine_is_one_sentence(host):
    with pytest.raises(StudyError, match="is not an address of this machine"):
        listening(host, 0)


def test_a_free_port_can_be_connected_to_at_once():
    with listening("127.0.0.1", 0) as listener:
        socket.create_connection(listener.getsockname(), timeout=5).close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Serving toy at"), ("ko", "주소에서 toy를 제공합니다")],
)
def test_it_says_where_it_listens_with_a_request_that_works_when_pasted(
    tmp_path, language, said
):
    """And Ctrl-C ends it in a sentence, whether or not Python drops docstrings and asserts."""
    made = make_bundle(tmp_path / "b", make_table(80))
    with service(made.folder, "--lang", language, PYTHONOPTIMIZE="2") as (process, port, first):  # fmt: skip
        _, command, _ = first.split("\n\n")
        answer = subprocess.run(shlex.split(command), capture_output=True, check=True)
        process.send_signal(signal.SIGINT)
        code = process.wait()

    assert said in first
    assert f"http://127.0.0.1:{port}/" in first
    assert b'{"rows":[{"row":1,"prediction":' in answer.stdout
    assert code == 130
