"""Settings of every test: the same examples at each run, and where the catalogued data lies."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.posix_hidden import hide

if os.environ.get("ASSAY_HIDE_POSIX"):  # before the first module of ours is imported
    hide()

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
