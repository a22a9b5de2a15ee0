"""Stores of the tests in this folder, and a process that holds a lock of one."""

import subprocess
import sys
from pathlib import Path

import pytest

from assay.store.store import Store
from tests.conftest import ROOT

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
