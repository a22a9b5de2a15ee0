"""Finished runs repeated, by processes of their own."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from assay.reproduce.again import checker
from assay.reproduce.receipt import Receipt
from assay.store.store import Store
from bench.program import Run, run_program
from tests.flow_runs import Workplace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rerun")]


@pytest.fixture
def workplace(copy: Workplace) -> Workplace:
    return copy


def asked(workplace: Workplace, command: str, *options: str) -> Run:
    words = [*options, "--data", str(workplace.folder)]
    return run_program(
        [command, *words, "--artifacts", str(workplace.artifacts)], workplace.folder
    )


def run_of(workplace: Workplace) -> Path:
    (folder,) = (workplace.artifacts / "runs").iterdir()
    return folder


def test_a_run_repeats_and_leaves_a_signed_receipt(workplace: Workplace, tmp_path):
    key, signers = tmp_path / "key", tmp_path / "signers"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    if shutil.which("ssh-keygen"):
        subprocess.run(made, check=True)
        signers.write_text(f"me@here {key.with_suffix('.pub').read_text()}")
    signed = ["--sign", str(key)] if key.exists() else []
    run = asked(workplace, "reproduce", str(run_of(workplace)), "--json", *signed)

    assert run.code == 0, run.err
    found = Receipt.model_validate(run.verdict)
    assert found.tier == "R1"
    assert found.same == found.again == workplace.same()
    (path,) = workplace.artifacts.glob("receipts/*/*-R1.json")
    assert Receipt.model_validate_json(path.read_bytes()) == found
    assert not (workplace.artifacts / "reproductions" / found.run).exists()
    if not signed:
        pytest.skip("ssh-keygen is not installed: signatures were not tested")
    words = ["verify-receipt", str(path), "--signers", str(signers)]
    assert "me@here" in run_program(words).out
    path.write_bytes(path.read_bytes().replace(b'"R1"', b'"R2"'))
    assert run_program(words).code == 4


def test_a_run_of_other_data_is_not_repeated(workplace: Workplace):
    table = workplace.folder / "table.csv"
    table.write_text(table.read_text().replace("\n0.", "\n1.", 1))
    run = asked(workplace, "reproduce", "small")

    assert run.code == 4
    assert "this is not the data that it read" in run.err.splitlines()[-1]


@pytest.mark.parametrize("name", ["verdict.json", "bundle/net.onnx", "study.toml"])
def test_an_altered_run_is_not_repeated(workplace: Workplace, name: str):
    path = run_of(workplace) / name
    path.write_bytes(path.read_bytes() + b" ")
    run = asked(workplace, "reproduce", "small")

    assert run.code == 1
    assert run.err.splitlines()[-1].startswith(str(path.resolve()))


@pytest.mark.parametrize("name", ["nothing", "small.toml"])
def test_what_is_no_run_is_said_so(workplace: Workplace, name: str):
    run = asked(workplace, "reproduce", name)

    assert run.code == 2
    assert "There is no run" in run.err


def test_the_first_thing_that_differs_is_named(workplace: Workplace):
    """A run that claims to be of this program, with a weight of its own."""
    folder = run_of(workplace)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["same"]["weights"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = asked(workplace, "reproduce", folder.name)

    assert run.code == 4
    assert f"{folder.name} is not reproduced: Weights: first difference" in run.out
    assert (workplace.artifacts / "reproductions" / folder.name).is_dir()


# Stored results ------------------------------------------------------------------------------------


def test_stored_results_are_computed_again_and_equal(workplace: Workplace):
    words = ["small.toml", "--share", "1"]
    run = asked(workplace, "verify-cache", *words)

    assert run.code == 0, run.err
    assert "stored results were computed again and are equal: ingest" in run.out
    assert "tune repeat 2 fold 3" in run.out


def test_a_stored_result_that_is_whole_and_wrong_is_found(workplace: Workplace):
    """A result file as another machine's fault would leave it: checksummed after the harm."""
    store = Store(workplace.artifacts)
    (path,) = workplace.artifacts.glob("results/gate/*")
    content = json.loads(store.files.read_checked(path))
    content["value"]["p_value"] = 0.25
    store.files.write_checked(path, json.dumps(content).encode())
    words = [str(workplace.study), "--audit-cache"]
    run = asked(workplace, "check", *words)

    assert run.code == 4
    said = run.err.splitlines()[-1]
    assert said.startswith("The stored result of gate differs from what the same code")
    assert "p_value" in said


def test_a_rerun_neither_reads_nor_writes_what_machines_share(
    tmp_path: Path, monkeypatch
):
    """Another processor may find other bits under the same names."""
    monkeypatch.setenv("ASSAY_STORE", "s3://bucket/shared")
    told: list[dict[str, str]] = []
    monkeypatch.setattr(
        "assay.reproduce.again._called", lambda _, settings, __: told.append(settings)
    )

    checker("here", "avx2", (), tmp_path, None)(["check"])

    assert [one["ASSAY_STORE"] for one in told] == [""]
