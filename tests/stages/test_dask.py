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
def cluster(monkeypatch) -> Iterator[LocalCluster]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as started:
        yield started


def test_a_cluster_gives_the_digests_of_one_process_though_a_worker_is_killed(
    finished: Workplace, cluster: LocalCluster, tmp_path: Path
):
    """Killed in mid-fold, a worker costs that fold only: its others are in the store."""
    workplace, killed = make(tmp_path / "spread"), []

    def kill_one(line: str) -> bool:
        if line.startswith("tune") and not killed:
            killed.append(cluster.workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)
        return False

    run = workplace.run("--runner", f"dask={cluster.scheduler_address}", until=kill_one)

    assert run.code == 0, run.err
    assert killed
    assert workplace.same() == finished.same()


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
