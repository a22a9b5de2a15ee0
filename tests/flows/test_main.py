"""The flow: a Prefect run is the plain pipeline's run, task by task, and Prefect shows it."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.program import PREFECT, ROOT, Run, computed
from tests.flow_runs import Workplace, make, prefect_running

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("flow")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server for all runs but one: a temporary one for each would cost minutes."""
    with prefect_running(tmp_path_factory.mktemp("prefect")) as address:
        yield address


@pytest.fixture(autouse=True)
def _on_that_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "temporary" in request.node.name:
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    else:
        monkeypatch.setenv("PREFECT_API_URL", request.getfixturevalue("server"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A run of the plain pipeline; every run under Prefect must share its digests."""
    workplace = make(tmp_path_factory.mktemp("plain"))
    workplace.check()
    return workplace


@pytest.fixture(scope="module")
def checked(
    server: str, plain: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workplace, Run]:
    """A run under Prefect that was killed once in tuning and run again."""
    workplace = make(tmp_path_factory.mktemp("checked"))
    os.environ["PREFECT_API_URL"] = server
    try:
        killed = workplace.run(
            program=PREFECT, until=lambda line: computed(line, "tune")
        )
        run = workplace.run(program=PREFECT)
    finally:
        del os.environ["PREFECT_API_URL"]
    assert killed.code == -9, killed.err
    assert run.code == 0, run.err
    return workplace, run


def test_a_killed_and_resumed_flow_run_has_the_digests_of_the_plain_pipeline(
    plain: Workplace, checked: tuple[Workplace, Run]
):
    workplace, run = checked

    assert run.stored("gate") == 1
    assert run.stored("tune") >= 1
    assert workplace.same() == plain.same()


def test_a_study_checked_without_prefect_is_answered_by_its_tasks_from_the_store(
    plain: Workplace, tmp_path: Path
):
    copy = Workplace(Path(shutil.copytree(plain.folder, tmp_path / "copy")))
    shutil.rmtree(copy.artifacts / "runs")

    run = copy.run(program=PREFECT)

    assert run.code == 0, run.err
    assert run.stored("tune") == 6
    assert not any(
        computed(line, stage)
        for line in run.err.splitlines()
        for stage in ("gate", "tune", "bundle")
    )
    assert copy.same() == plain.same()


def test_a_study_checked_under_prefect_is_answered_without_it(
    checked: tuple[Workplace, Run], tmp_path: Path
):
    copy = Workplace(Path(shutil.copytree(checked[0].folder, tmp_path / "copy")))
    shutil.rmtree(copy.artifacts / "runs")

    run = copy.run()

    assert run.code == 0, run.err
    assert not any(
        computed(line, stage)
        for line in run.err.splitlines()
        for stage in ("gate", "tune", "bundle")
    )
    assert copy.same() == checked[0].same()


def test_processes_of_a_flow_run_are_part_of_it_and_change_nothing_on_a_temporary_server(
    plain: Workplace, tmp_path: Path
):
    spread = make(tmp_path / "spread")

    run = spread.run("--runner", "processes", program=PREFECT)

    assert run.code == 0, run.err
    assert spread.same() == plain.same()


def test_prefect_shows_the_verdict_the_models_the_tasks_and_how_far_they_are(
    checked: tuple[Workplace, Run], server: str
):
    shown = {one["key"]: one for one in asked(server, "artifacts/latest/filter")}
    flow_runs = {run["name"] for run in asked(server, "flow_runs/filter")}
    tasks = {run["name"] for run in asked(server, "task_runs/filter")}

    assert {f"{what}-small" for what in ("verdict", "models", "progress")} <= {*shown}
    assert f"`{checked[1].verdict['outcome']}`" in shown["verdict-small"]["data"]
    assert "data:image/svg+xml;base64," in shown["verdict-small"]["data"]
    assert len(json.loads(shown["models-small"]["data"])) == 3
    assert shown["progress-small"]["data"] == 100.0
    assert shown["progress-small"]["description"] == "plan a: 6 of 6 outer folds"
    assert flow_runs == {"check small"}
    assert {"gate", "tune repeat 2 fold 3", "explain repeat 1 fold 1"} <= tasks


def asked(server: str, what: str) -> list[dict[str, Any]]:
    """Ask a Prefect server for its records of a kind."""
    request = urllib.request.Request(
        f"{server}/{what}",
        json.dumps({"limit": 200}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        records: list[dict[str, Any]] = json.load(answer)
    return records


REFUSED = """
from prefect import flow
from assay.store.progress import Ahead, Finished
from flows.logbook import Logbook

@flow
def refused():
    book = Logbook("no key: \\u0000")
    book.note(Ahead("tune", 1))
    book.note(Finished("tune", "", 1.0, False, "done"))
    return "went on"

print(refused())
"""


def test_a_page_that_prefect_refuses_is_missed_in_the_log_and_nothing_more():
    run = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, cwd=ROOT
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "went on"
    assert "Prefect does not show the artifact 'progress'" in run.stderr
