"""Checks whose folds are computed by the workers of a Dask cluster."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra dask is not installed")
from distributed import LocalCluster

from assay.errors import StudyError
from assay.stages import Memoised
from assay.stages.dask import on_cluster
from tests.flow_runs import Workplace, make

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def cluster(monkeypatch, tmp_path: Path) -> Iterator[LocalCluster]:
    monkeypatch.setenv("ASSAY_ARTIFACTS", str(tmp_path / "of the workers"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as started:
        yield started


def test_workers_with_folders_of_their_own_give_the_same_though_one_is_killed(
    finished: Workplace, cluster: LocalCluster, tmp_path: Path
):
    """Killed in mid-fold, a worker costs that fold only: its others are in the shared store."""
    workplace, killed = make(tmp_path / "spread"), []
    (tmp_path / "shared").mkdir()

    def kill_one(line: str) -> bool:
        if line.startswith("tune") and not killed:
            killed.append(cluster.workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)
        return False

    where = ("--runner", f"dask={cluster.scheduler_address}")
    shared = ("--store", f"file://{tmp_path / 'shared'}")
    run = workplace.run(*where, *shared, until=kill_one)

    assert run.code == 0, run.err
    assert killed
    assert workplace.same() == finished.same()
    assert (tmp_path / "of the workers" / "objects").is_dir()


def test_workers_of_several_threads_are_refused():
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address=None, processes=False
        ) as started,
        pytest.raises(StudyError, match="has 2 threads"),
    ):
        next(on_cluster([], [], Memoised(), started.scheduler_address, 1))


def test_a_scheduler_that_does_not_answer_is_said_so(monkeypatch):
    monkeypatch.setattr("assay.stages.dask._PATIENCE_S", 1)

    with pytest.raises(StudyError, match="no Dask scheduler answers"):
        next(on_cluster([], [], Memoised(), "tcp://127.0.0.1:9", 1))
