"""The promises about whole runs: same twice, resumed after a kill, refused in words."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assay.predict.command import predict_file
from bench.program import PROGRAM, ROOT, STORED, Run, computed
from tests.flow_runs import Workplace, make, prefect_running

pytestmark = pytest.mark.flow

STAGES = (
    "ingest",
    "validate",
    "clean",
    "split",
    "audit",
    "gate",
    "self_test",
    "tune",
    "final",
    "judge",
    "explain",
)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def undisturbed(
    server: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workplace, Run]:
    """One run that nothing disturbs; every other must share its digests."""
    workplace = make(tmp_path_factory.mktemp("undisturbed"))
    os.environ["PREFECT_API_URL"] = server
    try:
        run = workplace.run()
    finally:
        del os.environ["PREFECT_API_URL"]
    assert run.code == 0, run.err
    return workplace, run


def test_a_run_leaves_every_file_it_names_and_a_verdict(
    undisturbed: tuple[Workplace, Run],
):
    workplace, run = undisturbed
    (folder,) = workplace.artifacts.glob("runs/*")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))

    assert run.verdict["signal"]["answer"] == "signal"
    assert run.verdict == json.loads(
        (folder / "verdict.json").read_text(encoding="utf-8")
    )
    files = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file()
    }
    assert files == {*manifest["files"], "manifest.json"}
    assert {
        "report.html",
        "evidence.json",
        "predictions.parquet",
        "bundle/MODEL_CARD.md",
        "bundle/model.keras",
        "bundle/net.onnx",
        "bundle/prep.json",
    } <= files
    assert "Traceback" not in run.err


def test_what_a_run_leaves_predicts_the_table_it_was_made_from(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    workplace, _ = undisturbed
    (run,) = workplace.artifacts.glob("runs/*")
    table = workplace.folder / "table.csv"
    summary = predict_file(run, table, tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")
    parity = json.loads((run / "bundle" / "manifest.json").read_bytes())["parity"]

    assert summary.rows == len(found) == len(pd.read_csv(table))
    assert set(parity) >= {"prep.json", "net.onnx", "model.keras"}
    assert parity["prep.json"]["largest"] <= 1e-6
    assert found.filter(like="p:").sum(axis=1).between(0.999, 1.001).all()


def test_prefect_shows_the_verdict_the_folds_the_trials_and_how_far_they_are(
    undisturbed: tuple[Workplace, Run], server: str
):
    shown = {one["key"]: one for one in asked(server, "artifacts/latest/filter")}
    (check,) = asked(server, "flow_runs/filter", name="check small", first=True)
    tasks = {one["name"] for one in asked(server, "task_runs/filter", of=check["id"])}

    assert {f"{what}-small" for what in ("verdict", "folds", "trials", "progress")} <= {
        *shown
    }
    assert f"`{undisturbed[1].verdict['outcome']}`" in shown["verdict-small"]["data"]
    assert "data:image/svg+xml;base64," in shown["verdict-small"]["data"]
    assert len(json.loads(shown["folds-small"]["data"])) == 6 + 1
    assert len(json.loads(shown["trials-small"]["data"])) == 6 * 3 * 2
    assert shown["progress-small"]["data"] == 100.0
    assert shown["progress-small"]["description"] == "plan a: 6 of 6 outer folds"
    assert {"gate", "tune repeat 2 fold 3", "explain repeat 1 fold 1"} <= tasks


def asked(
    server: str, what: str, name: str = "", of: str = "", first: bool = False
) -> list[dict[str, Any]]:
    """Ask a Prefect server for records, of a name or of a flow run; the first in time alone."""
    wanted: dict[str, Any] = {"limit": 200}
    if name:
        wanted |= {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_ASC"}
    if of:
        wanted |= {"flow_runs": {"id": {"any_": [of]}}}
    request = urllib.request.Request(
        f"{server}/{what}",
        json.dumps(wanted).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found[:1] if first else found


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
    assert "Prefect does not show how far the folds are" in run.stderr


def test_the_same_study_on_a_temporary_server_gives_equal_digests(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    again = make(tmp_path / "again")

    run = again.run()

    assert run.code == 0, run.err
    assert again.same() == undisturbed[0].same()


def test_processes_give_the_digests_of_one_process_and_tell_it_in_the_same_order(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    spread = make(tmp_path / "spread")

    run = spread.run("--runner", "processes")

    assert run.code == 0, run.err
    assert spread.same() == undisturbed[0].same()
    assert [line.split()[:1] for line in run.err.splitlines()] == [
        line.split()[:1] for line in undisturbed[1].err.splitlines()
    ]
    assert leftovers(spread) == []


def test_a_run_killed_after_each_stage_in_turn_ends_as_if_undisturbed(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    """kill -9 just as each next stage begins; what was finished is never computed again."""
    workplace = make(tmp_path / "killed")
    for number, stage in enumerate(STAGES):
        killed = workplace.run(until=lambda line, stage=stage: computed(line, stage))

        assert killed.code == -9, killed.err
        assert all(killed.stored(earlier) for earlier in STAGES[:number])
        assert not list(workplace.artifacts.glob("runs/*/verdict.json"))
    resumed = workplace.run()

    assert resumed.code == 0, resumed.err
    assert all(resumed.stored(stage) for stage in STAGES)
    assert resumed.stored("tune") == 6
    assert workplace.same() == undisturbed[0].same()
    assert leftovers(workplace) == []


def leftovers(workplace: Workplace) -> list[Path]:
    return [
        file for file in workplace.artifacts.glob("tmp/*/*") if file.name != "owner"
    ]


def test_a_run_killed_inside_the_gate_begins_the_gate_again(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    workplace = make(tmp_path / "killed")

    def soon(line: str) -> bool:
        """Let the gate begin: wait a little after the stage before it has ended."""
        if line.startswith("audit"):
            time.sleep(1.5)
            return True
        return False

    assert workplace.run(until=soon).code == -9
    resumed = workplace.run()

    assert resumed.code == 0, resumed.err
    assert workplace.same() == undisturbed[0].same()


def test_two_runs_at_once_share_the_work_and_the_result(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    workplace = make(tmp_path / "twice")
    runs: list[Run] = []
    threads = [
        threading.Thread(target=lambda: runs.append(workplace.run())) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [run.code for run in runs] == [0, 0], [run.err for run in runs]
    assert runs[0].verdict == runs[1].verdict
    assert sum("is running; waiting" in run.err for run in runs) == 1
    assert workplace.same() == undisturbed[0].same()


def test_damaged_files_are_computed_again_not_trusted(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    """Flip a byte in every stored result and object, and cut the verdict: nothing of it is believed."""
    workplace = make(tmp_path / "damaged")
    assert workplace.run().code == 0
    for file in [
        *workplace.artifacts.glob("results/*/*"),
        *workplace.artifacts.glob("objects/*/*"),
    ]:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    (verdict,) = workplace.artifacts.glob("runs/*/verdict.json")
    verdict.write_bytes(verdict.read_bytes()[:-20])

    again = workplace.run()

    assert again.code == 0, again.err
    assert STORED not in again.err
    assert workplace.same() == undisturbed[0].same()


def test_a_lost_object_costs_its_stage_only(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    workplace = make(tmp_path / "lost")
    assert workplace.run().code == 0
    (result,) = workplace.artifacts.glob("results/split/*")
    stored = json.loads(json.loads(result.read_bytes().split(b"\n", 1)[1])["result"])
    outer = stored["value"]["outer"]["digest"]
    (workplace.artifacts / "objects" / outer[:2] / outer).unlink()
    (manifest,) = workplace.artifacts.glob("runs/*/manifest.json")
    manifest.unlink()

    again = workplace.run()

    assert again.code == 0, again.err
    assert again.stored("split") == 0
    assert again.stored("clean") == again.stored("gate") == 1
    assert again.stored("tune") == 6
    assert workplace.same() == undisturbed[0].same()


def test_fresh_computes_everything_and_finds_the_same(
    undisturbed: tuple[Workplace, Run], tmp_path: Path
):
    workplace = make(tmp_path / "fresh")
    assert workplace.run().code == 0

    again = workplace.run("--fresh")

    assert again.code == 0, again.err
    assert STORED not in again.err
    assert workplace.same() == undisturbed[0].same()


def test_an_unchanged_study_is_answered_without_loading_what_computes(
    undisturbed: tuple[Workplace, Run],
):
    workplace, first = undisturbed
    command = [
        sys.executable,
        "-X",
        "importtime",
        str(PROGRAM),
        "check",
        str(workplace.study),
        "--json",
    ]
    command += [
        "--data",
        str(workplace.folder),
        "--artifacts",
        str(workplace.artifacts),
    ]

    again = subprocess.run(command, capture_output=True, text=True, check=True)

    loaded = {
        line.rsplit("|", 1)[-1].strip().split(".")[0]
        for line in again.stderr.splitlines()
    }
    assert not loaded & {
        "prefect",
        "tensorflow",
        "keras",
        "sklearn",
        "great_expectations",
        "pandas",
        "matplotlib",
        "PIL",
    }
    assert json.loads(again.stdout.splitlines()[-1]) == first.verdict


def test_permuted_labels_end_in_no_signal_and_plan_b_is_judged_at_its_own_alpha(
    tmp_path: Path,
):
    workplace = make(tmp_path / "noise", target="noise", plan_b=True)

    run = workplace.run()

    assert run.code == 0, run.err
    verdict = run.verdict
    assert verdict["plan"] == "b"
    assert verdict["signal"]["answer"] == "signal"
    assert verdict["plan_a"]["outcome"] in {"no_signal", "underpowered"}
    assert verdict["plan_a"]["claim"]["score"] is None
    assert "Plan A failed first" in run.out


def test_both_plans_on_noise_leave_a_report_and_exit_0(tmp_path: Path):
    workplace = make(tmp_path / "noise", target="noise")

    run = workplace.run()

    assert run.code == 0, run.err
    assert run.verdict["outcome"] in {"no_signal", "underpowered"}
    (folder,) = workplace.artifacts.glob("runs/*")
    assert (folder / "report.html").is_file()
    assert not (folder / "bundle" / "model.keras").exists()


def test_a_changed_study_says_what_differs_from_the_registered_one(tmp_path: Path):
    workplace = make(tmp_path / "changed", target="noise")
    assert workplace.run().verdict["deviations"] == []

    changed = workplace.run("--set", "plan.a.smallest_effect=0.7")

    assert changed.code == 0, changed.err
    (deviation,) = changed.verdict["deviations"]
    assert "plan.a.smallest_effect (0.6 -> 0.7)" in deviation
    assert changed.stored("clean") == 1


ALTERNATIVES = """
[[plan.a.alternatives]]
name = "standard scaling"
clean = { scale = "standard" }

[[plan.a.alternatives]]
name = "without what tells"
clean = { drop = [ { column = "x1", reason = "to see" }, { column = "x2", reason = "to see" } ] }

[[plan.a.alternatives]]
name = "x1 as a list"
clean = { lists = ["x1"] }
"""


def test_a_multiverse_says_in_how_many_alternatives_the_verdict_stands(tmp_path: Path):
    workplace = make(tmp_path / "multiverse")
    with workplace.study.open("a", encoding="utf-8") as study:
        study.write(ALTERNATIVES)
    plain = workplace.run()
    run = workplace.run("--multiverse")

    found = run.verdict["multiverse"]
    outcomes = {one["name"]: one["outcome"] for one in found["universes"]}
    assert plain.verdict["multiverse"] is None
    assert run.verdict["reason"] == plain.verdict["reason"]
    assert outcomes["standard scaling"] == run.verdict["outcome"]
    assert outcomes["without what tells"] in ("no_signal", "underpowered")
    assert outcomes["x1 as a list"] == "refused"
    assert (found["stands"], found["of"]) == (1, 3)
    assert "stands in 1 of 3 declared alternatives" in run.out
    assert f"'without what tells' gives {outcomes['without what tells']}" in run.out
    report = (workplace.artifacts / "runs").glob("*/report.html")
    assert any("Other ways to clean" in path.read_text() for path in report)


def test_refused_data_ends_in_one_sentence_and_exit_3(tmp_path: Path):
    workplace = make(tmp_path / "refused")
    table = workplace.folder / "table.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[7] = "999" + lines[7][lines[7].index(",") :]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")

    run = workplace.run()

    assert run.code == 3
    last = run.err.splitlines()[-1]
    assert "1 of 240 rows: row 7 has 999" in last
    assert "a reading beyond 100 is a broken sensor" in last
    assert "Traceback" not in run.err + run.out
    assert not list(workplace.artifacts.glob("runs/*"))


def test_a_sample_of_rows_is_a_deviation_that_the_verdict_states(tmp_path: Path):
    run = make(tmp_path, target="noise").run("--set", "plan.a.read.sample=220")

    assert run.code == 0, run.err
    assert "looks at a sample of 220 of 240 rows, drawn at random" in run.out
    assert run.verdict["deviations"] == [
        "looks at a sample of 220 of 240 rows, drawn at random"
    ]
