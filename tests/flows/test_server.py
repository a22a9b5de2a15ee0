"""The temporary Prefect server lives exactly as long as the process that started it."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARENT = "from flows.server import _start; print(_start('assay:secret'), flush=True); import time; time.sleep(600)"
N_TRIES, BETWEEN_S = 120, 0.25


@pytest.mark.flow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_its_parent_however_that_ends(
    ending: signal.Signals, tmp_path: Path
):
    with parent_of_a_server(PARENT, tmp_path) as (parent, address):
        assert answers(f"{address}/health")
        parent.send_signal(ending)

    assert any(gone(f"{address}/health") for _ in range(N_TRIES))


@pytest.mark.flow
def test_a_signal_to_the_whole_group_does_not_take_the_server_before_its_parent(
    tmp_path: Path,
):
    """A parent whose server is gone first would call it for many minutes more."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PARENT
    with parent_of_a_server(deaf, tmp_path) as (parent, address):
        os.killpg(parent.pid, signal.SIGTERM)
        time.sleep(2 * BETWEEN_S)
        assert answers(f"{address}/health")
        parent.kill()

    assert any(gone(f"{address}/health") for _ in range(N_TRIES))


@contextmanager
def parent_of_a_server(
    code: str, home: Path
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a process, in a group of its own, that starts the server and prints its address."""
    environment = os.environ | {"PREFECT_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        yield parent, parent.stdout.readline().strip()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def gone(url: str) -> bool:
    """Return whether nobody answers; wait a moment if somebody still does."""
    if answers(url):
        time.sleep(BETWEEN_S)
        return False
    return True
