"""The promises about whole runs, through the plain pipeline: same twice, resumed after a kill, refused in words."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from assay.errors import DataRefused
from assay.predict.command import predict_file
from assay.store.progress import Event, Finished, listening
from bench.program import STORED, Run, computed, environment
from tests.flow_runs import Workplace, make

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]


def computed_stages(events: list[Event]) -> list[str]:
    """Return the stages that were computed, not answered from the store."""
    return [
        event.stage
        for event in events
        if isinstance(event, Finished) and not event.stored
    ]


def test_a_run_leaves_every_file_it_names_and_a_verdict(finished: Workplace):
    (folder,) = finished.artifacts.glob("runs/*")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    files = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file()
    }

    assert verdict["signal"]["answer"] == "signal"
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


def test_what_a_run_leaves_predicts_the_table_it_was_made_from(
    finished: Workplace, tmp_path: Path
):
    (run,) = finished.artifacts.glob("runs/*")
    table = finished.folder / "table.csv"
    summary = predict_file(run, table, tmp_path / "out.parquet")
    predictions = pd.read_parquet(tmp_path / "out.parquet")
    parity = json.loads((run / "bundle" / "manifest.json").read_bytes())["parity"]

    assert summary.rows == len(predictions) == len(pd.read_csv(table))
    assert set(parity) >= {"prep.json", "net.onnx", "model.keras"}
    assert parity["prep.json"]["largest"] <= 1e-6
    assert predictions.filter(like="p:").sum(axis=1).between(0.999, 1.001).all()


def test_a_run_killed_after_ingest_gate_and_tune_ends_as_if_undisturbed(
    finished: Workplace, tmp_path: Path
):
    """kill -9 as each stage has ended; what was finished is never computed again (all stages: make chaos)."""
    workplace = make(tmp_path / "killed")
    for stage in ("ingest", "gate", "tune"):
        killed = workplace.run(until=lambda line, stage=stage: computed(line, stage))

        assert killed.code == -9, killed.err
        assert stage == "ingest" or killed.stored("ingest") == 1
        assert not list(workplace.artifacts.glob("runs/*/verdict.json"))
    events: list[Event] = []
    with listening(events.append):
        workplace.check()

    assert not {"ingest", "gate", "self_test"} & {*computed_stages(events)}
    assert computed_stages(events).count("tune") <= 5
    assert workplace.same() == finished.same()
    assert leftovers(workplace) == []


def leftovers(workplace: Workplace) -> list[Path]:
    """Return unfinished files of processes that no longer live."""
    return [
        file
        for file in workplace.artifacts.glob("tmp/*/*")
        if file.name != "owner" and not file.parent.name.startswith(f"{os.getpid()}-")
    ]


def test_processes_give_the_digests_of_one_process_and_tell_it_in_the_same_order(
    finished: Workplace, tmp_path: Path
):
    spread = make(tmp_path / "spread")

    run = spread.run("--runner", "processes")

    assert run.code == 0, run.err
    assert spread.same() == finished.same()
    tuned = [
        line.split("  ")[-1][:15]
        for line in run.err.splitlines()
        if line.startswith("tune")
    ]
    assert tuned == sorted(tuned)
    assert len(tuned) == 6


def test_two_runs_at_once_share_the_work_and_the_result(
    finished: Workplace, tmp_path: Path
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
    assert workplace.same() == finished.same()


def test_damaged_files_are_computed_again_not_trusted(
    finished: Workplace, copy: Workplace
):
    """Flip a byte in every stored result and object, and cut the verdict: nothing of it is believed."""
    for file in [
        *copy.artifacts.glob("results/*/*"),
        *copy.artifacts.glob("objects/*/*"),
    ]:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    (verdict,) = copy.artifacts.glob("runs/*/verdict.json")
    verdict.write_bytes(verdict.read_bytes()[:-20])

    again = copy.run()

    assert again.code == 0, again.err
    assert STORED not in again.err
    assert copy.same() == finished.same()


def test_a_lost_object_costs_its_stage_only(finished: Workplace, copy: Workplace):
    (result,) = copy.artifacts.glob("results/split/*")
    stored = json.loads(result.read_bytes().split(b"\n", 1)[1])
    outer = stored["value"]["outer"]["digest"]
    (copy.artifacts / "objects" / outer[:2] / outer).unlink()
    (manifest,) = copy.artifacts.glob("runs/*/manifest.json")
    manifest.unlink()
    events: list[Event] = []

    with listening(events.append):
        copy.check()

    assert computed_stages(events) == ["split"]
    assert copy.same() == finished.same()


def test_fresh_computes_everything_and_comes_to_the_same(
    finished: Workplace, copy: Workplace
):
    events: list[Event] = []

    with listening(events.append):
        copy.check(fresh=True)

    assert not any(event.stored for event in events if isinstance(event, Finished))
    assert copy.same() == finished.same()


def test_an_unchanged_study_is_answered_without_loading_what_computes(
    finished: Workplace,
):
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "assay",
        "check",
        str(finished.study),
        "--json",
    ]
    command += [
        "--data",
        str(finished.folder),
        "--artifacts",
        str(finished.artifacts),
    ]

    again = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment()
    )

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
    (folder,) = finished.artifacts.glob("runs/*")
    assert json.loads(again.stdout.splitlines()[-1]) == json.loads(
        (folder / "verdict.json").read_bytes()
    )


def test_permuted_labels_end_in_no_signal_and_plan_b_is_judged_at_its_own_alpha(
    tmp_path: Path,
):
    verdict = make(tmp_path / "noise", target="noise", plan_b=True).check().verdict

    assert verdict.plan == "b"
    assert verdict.signal.answer == "signal"
    assert verdict.plan_a is not None
    assert verdict.plan_a.outcome in {"no_signal", "underpowered"}
    assert verdict.plan_a.claim.score is None


def test_both_plans_on_noise_leave_a_report(tmp_path: Path):
    noise = make(tmp_path / "noise", target="noise").check()

    assert noise.verdict.outcome in {"no_signal", "underpowered"}
    assert (noise.folder / "report.html").is_file()
    assert not (noise.folder / "bundle" / "model.keras").exists()


def test_a_changed_study_says_what_differs_from_the_registered_one(tmp_path: Path):
    workplace = make(tmp_path / "changed", target="noise")
    assert workplace.check().verdict.deviations == ()
    events: list[Event] = []

    with listening(events.append):
        changed = workplace.check("plan.a.smallest_effect=0.7")

    (deviation,) = changed.verdict.deviations
    assert "plan.a.smallest_effect (0.6 -> 0.7)" in str(deviation)
    assert "clean" not in computed_stages(events)


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

    verdict = workplace.check(multiverse=True).verdict

    multiverse = verdict.multiverse
    assert multiverse is not None
    outcomes = {universe.name: universe.outcome for universe in multiverse.universes}
    assert outcomes["standard scaling"] == verdict.outcome
    assert outcomes["without what tells"] in ("no_signal", "underpowered")
    assert outcomes["x1 as a list"] == "refused"
    assert (multiverse.stands, multiverse.of) == (1, 3)
    report = (workplace.artifacts / "runs").glob("*/report.html")
    assert any("Other ways to clean" in path.read_text() for path in report)


def test_refused_data_is_one_sentence_and_leaves_no_run(tmp_path: Path):
    workplace = make(tmp_path / "refused")
    table = workplace.folder / "table.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[7] = "999" + lines[7][lines[7].index(",") :]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")

    with pytest.raises(DataRefused) as refused:
        workplace.check()

    assert refused.value.exit_code == 3
    assert "1 of 240 rows: row 7 has 999" in str(refused.value)
    assert "a reading beyond 100 is a broken sensor" in str(refused.value)
    assert not list(workplace.artifacts.glob("runs/*"))


def test_a_sample_of_rows_is_a_deviation_that_the_verdict_states(tmp_path: Path):
    sampled = make(tmp_path, target="noise").check("plan.a.read.sample=220")

    (deviation,) = sampled.verdict.deviations
    assert "a sample of 220 of 240 rows" in str(deviation)
