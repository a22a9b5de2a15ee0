"""The command calibrate: as a person runs it, killed and resumed, and on a table of one's own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assay.calibrate import run as calibration
from assay.calibrate.run import Wanted, calibrated, repeat
from assay.store.store import Store
from bench.program import PLAIN
from tests.flow_runs import make

pytestmark = pytest.mark.flow

SMALL = ("--world", "null-small", "--repetitions", "6", "--processes", "2")


def command(artifacts: Path, *arguments: str) -> list[str]:
    where = ("--artifacts", str(artifacts))
    return [sys.executable, *PLAIN, "calibrate", *arguments, *where, "--json"]


def calibrate(artifacts: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        command(artifacts, *arguments), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def essence(calibration: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in calibration.items() if key != "cpu_s"}


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("calibrated")
    return folder, calibrate(folder, *SMALL)


def test_a_calibration_counts_every_table_and_leaves_a_page(
    undisturbed: tuple[Path, dict[str, Any]],
):
    folder, found = undisturbed
    rates = {one["what"]["key"]: one for one in found["rates"]}
    (page,) = folder.glob("calibrations/*/calibration.md")

    assert found["repetitions"] == {"null-small": 6}
    assert rates["calibrate.rate.gate_passes"]["n"] <= 6
    assert rates["calibrate.rate.gate_passes"]["nominal"] == 0.05
    assert "python -m assay calibrate --world null-small" in page.read_text()
    assert json.loads((page.parent / "calibration.json").read_text()) == found


def test_processes_that_have_done_their_share_are_followed_by_new_ones(
    undisturbed: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Two batches, a process for each: the second is not left waiting, and the rates are the same."""
    monkeypatch.setattr(calibration, "_BATCHES_OF_A_PROCESS", 1)
    wanted = Wanted(("null-small",), 6, undisturbed[1]["seed"])
    found, _ = calibrated(wanted, Store(tmp_path), 1, "", lambda *_: None)
    ours = [rate.model_dump(mode="json") for rate in found.rates]

    assert ours == undisturbed[1]["rates"]


def test_a_killed_calibration_goes_on_where_it_was(
    undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path
):
    """Whatever the kill left, the rates are those of one that nothing disturbed."""
    process = subprocess.Popen(
        command(tmp_path, *SMALL, "--processes", "1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and not list(tmp_path.glob("calibrations/*/*.jsonl")):
        time.sleep(0.05)
    process.kill()
    process.wait()

    assert essence(calibrate(tmp_path, *SMALL)) == essence(undisturbed[1])


def test_an_interrupted_calibration_says_so_and_leaves_no_process(tmp_path: Path):
    process = subprocess.Popen(
        command(tmp_path, "--world", "null-small", "--repetitions", "400"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heeding_interrupts,
    )
    while process.poll() is None and not list(tmp_path.glob("calibrations/*/*.jsonl")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    notice = process.communicate()[1]

    assert process.returncode == 130
    assert "the same command continues from there" in notice
    assert "Traceback" not in notice
    while there_is(process.pid):  # workers end when they see their lifeline cut
        time.sleep(0.05)


def _heeding_interrupts() -> None:
    """Undo what a shell does to programs it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def there_is(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_repetition_is_the_same_alone_and_among_others(
    undisturbed: tuple[Path, dict[str, Any]],
):
    alone = repeat("null-small", 4, seed=1)
    (ledger,) = undisturbed[0].glob("calibrations/*/null-small.jsonl")
    among = [json.loads(line) for line in ledger.read_text().splitlines() if line]

    (same,) = [one for one in among if one["number"] == 4]
    assert same | {"cpu_s": 0} == alone.model_dump(mode="json") | {"cpu_s": 0}


def test_a_table_of_ones_own_is_calibrated_with_labels_that_mean_nothing(
    tmp_path: Path,
):
    """The small study has a signal; with permuted labels it has none, tenfold over."""
    workplace = make(tmp_path / "place")
    where = ("--data", str(workplace.folder))
    found = calibrate(
        tmp_path / "artifacts", str(workplace.study), *where, "--repetitions", "4"
    )
    rates = {one["what"]["key"]: one for one in found["rates"]}

    assert found["repetitions"] == {"own-small": 4}
    assert rates["calibrate.rate.gate_passes"]["n"] == 4
    assert rates["calibrate.rate.gate_passes"]["hits"] < 4


def test_a_world_that_is_not_there_is_named_with_those_that_are(tmp_path: Path):
    done = subprocess.run(
        command(tmp_path, "--world", "full"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert (
        "--world full: no world's name begins with it. Choose from null-balanced,"
        in done.stderr
    )


def test_worlds_are_chosen_by_how_their_names_begin():
    chosen = Wanted(("null-time", "leak-unit"), None, seed=1).chosen()

    assert list(chosen) == ["null-time", "null-time-blocks", "leak-unit"]
