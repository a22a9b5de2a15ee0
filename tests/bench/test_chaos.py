"""A check that is ended, starved or damaged, and checked again; `python -m bench.chaos` does it hundreds of times."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import faults
from bench.chaos import page, rarest, wanted
from bench.disturbed import LINES, STAGES, Reference, Seen, Trial, undisturbed, wording
from bench.faults import Arena
from tests.flow_runs import prefect_running


def seen(code: int, *lines: str) -> Seen:
    return Seen(code, lines, tuple(float(n) for n in range(len(lines))), 10.0)


PROGRESS = ("plan a: said", "ingest       2.1 s  table.csv", "validate    stored  met")


def test_the_stage_at_work_is_the_one_after_the_last_that_has_ended():
    assert seen(-9).stage == "start"
    assert seen(-9, *PROGRESS[:1]).stage == "ingest"
    assert seen(-9, *PROGRESS).stage == "clean"
    assert seen(-9, PROGRESS[0], *LINES).stage == "publish"


@pytest.mark.parametrize(
    ("code", "said", "wrong"),
    [
        (0, (), 0),
        (-9, (), 0),
        (1, ("No space left. Make room.",), 0),
        (1, (), 1),
        (1, ("Traceback (most recent call last):", "OSError"), 1),
        (130, ("Interrupted.", "Exception ignored"), 1),
        (0, ("a warning",), 1),
    ],
)
def test_a_check_says_one_sentence_when_it_fails_and_none_when_it_does_not(
    code, said, wrong
):
    assert len(wording(seen(code, *PROGRESS, *said))) == wrong


def test_the_stages_hit_least_come_first():
    trials = [Trial("kill -9", stage, -9, "") for stage in STAGES if stage != "bundle"]

    assert "bundle" in rarest(trials, "kill -9", random.Random(1))
    assert wanted(trials, "kill -9", kills=1)
    bundle = Trial("kill -9", "bundle", -9, "")
    assert not wanted([*trials, bundle], "kill -9", kills=1)


def test_the_page_counts_what_was_lost():
    text = page(
        [Trial("kill -9", "gate", -9, ""), Trial("SIGTERM", "tune", 1, "", ("late",))],
        {"disk full": "needs root"},
        seed=1,
    )

    assert "| kill -9 | 1 | gate 1 | -9 | none |" in text
    assert "| SIGTERM | 1 | tune 1 | 1 | 1 |" in text
    assert "| disk full | 0 | | | not tried: needs root |" in text


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    before = os.environ.get("PREFECT_API_URL")
    with prefect_running(tmp_path_factory.mktemp("prefect")) as address:
        os.environ["PREFECT_API_URL"] = address
        yield undisturbed(tmp_path_factory.mktemp("reference") / "place")
    if before is None:
        del os.environ["PREFECT_API_URL"]
    else:
        os.environ["PREFECT_API_URL"] = before


@pytest.mark.flow
@pytest.mark.xdist_group("chaos")
@pytest.mark.parametrize(
    ("fault", "targets"),
    [
        (faults.KILL, ("bundle", "publish")),
        (faults.TOO_LARGE, ()),
    ],
)
def test_a_disturbed_check_ends_as_if_nothing_had_happened(
    reference: Reference, tmp_path: Path, fault: str, targets: tuple[str, ...]
):
    arena = Arena(reference, tmp_path / "place", random.Random(fault))

    trials = faults.FAULTS[fault](arena, targets)

    assert [trial.problems for trial in trials if trial.problems] == []
    assert trials
