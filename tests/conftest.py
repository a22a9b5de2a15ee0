"""Settings of every test: the same examples at each run, and where the catalogued data lies."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.posix_hidden import hide

if os.environ.get("ASSAY_HIDE_POSIX"):  # before the first module of ours is imported
    hide()

from tests.flow_runs import Workplace, make
from tests.reading import Reading

settings.register_profile("same", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def data_beside_the_project() -> None:
    """Read catalogued data from the folder beside the project, unless ASSAY_DATA names another."""
    if BESIDE.is_dir():
        os.environ.setdefault("ASSAY_DATA", str(BESIDE))


@pytest.fixture
def catalogue() -> Path:
    """The folder of catalogued data, or a skip that says what is missing."""
    folder = os.environ.get("ASSAY_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ASSAY_DATA names no folder with the catalogued data")
    return Path(folder)


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Write bytes under a name and read them as a source."""
    return Reading(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The small study, checked once for all tests and workers by the plain pipeline; nobody alters it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "finished"
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            make(folder).check()
            (folder / "done").touch()
    return Workplace(folder)


@pytest.fixture
def copy(finished: Workplace, tmp_path: Path) -> Workplace:
    """The finished small study with its store, to be altered at will."""
    return Workplace(Path(shutil.copytree(finished.folder, tmp_path / "copy")))
