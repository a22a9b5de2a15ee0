from typing import Any

import pytest
from pydantic import ValidationError

from assay.reproduce.receipt import Difference, Receipt, tier_of
from assay.store.verdict import Circumstances, Manifest, Verdict
from tests.store.test_runs import make_verdict

SAME = {"study": "s", "data": "d", "code": "c", "lock": "l", "weights": "w"}


def circumstances(**changed: Any) -> Circumstances:
    values: dict[str, Any] = {
        "seconds": 1.0,
        "cpu_seconds": 1.0,
        "peak_memory_mb": 1.0,
        "host": "here",
        "machine": "x86_64",
        "system": "Linux",
        "python": "3.11",
        "cpu_flags": ("avx2",),
        "cores": 2,
        "versions": {},
        "settings": {"cpu": ""},
    }
    return Circumstances(**values | changed)


def manifest(same: dict[str, str] | None = None, **changed: Any) -> Manifest:
    return Manifest(
        study="table",
        same=SAME | (same or {}),
        files={},
        circumstances=circumstances(**changed),
    )


def tier(
    again: Manifest, moved: float = 0.0, verdict: Verdict | None = None
) -> str | None:
    verdicts = (make_verdict(), verdict or make_verdict())
    return tier_of(manifest(), again, verdicts, {"net": moved, "linear": 0.0}, 0.02)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "R1"),
        ({"host": "elsewhere", "seconds": 9.0}, "R1"),
        ({"cpu_flags": ("avx2", "avx512f")}, "R2"),
        ({"settings": {"cpu": "AVX2"}}, "R2"),
        ({"machine": "aarch64"}, "R2"),
    ],
)
def test_equal_digests_are_of_the_first_tier_or_of_another_processor(changed, expected):
    assert tier(manifest(**changed)) == expected


@pytest.mark.parametrize("moved", [0.0, 0.0019, -0.0019])
def test_other_bits_on_another_processor_are_a_tier_while_scores_hardly_move(moved):
    again = manifest({"weights": "other"}, cpu_flags=())

    assert tier(again, moved) == "R3"
    assert tier(again, 0.0021) is None


def test_other_bits_on_the_same_processor_are_no_tier_however_small():
    assert tier(manifest({"weights": "other"})) is None


@pytest.mark.parametrize("moved", [0.019, -0.019])
def test_another_lock_is_a_tier_while_scores_stay_within_the_margin(moved):
    again = manifest({"lock": "newer", "weights": "other", "data": "other bytes"})

    assert tier(again, moved) == "R4"
    assert tier(again, 0.021) is None


@pytest.mark.parametrize("name", ["study", "code", "data"])
def test_another_question_program_or_table_is_no_tier(name):
    assert tier(manifest({name: "other"}, cpu_flags=())) is None


@pytest.mark.parametrize("lock", ["l", "newer"])
def test_other_words_are_no_tier_whatever_the_scores(lock):
    other = make_verdict(outcome="underpowered")

    assert (
        tier(manifest({"lock": lock, "weights": "o"}, cpu_flags=()), 0.0, other) is None
    )


def test_a_receipt_says_what_came_of_it():
    found = Receipt(
        run="table-1",
        study="table",
        tier="R1",
        difference=None,
        same=SAME,
        again=SAME,
        scores={},
        margin=0.02,
        environment="here",
        who="someone",
        when="2026-01-01T00:00:00+00:00",
        where=circumstances(),
        first=circumstances(),
    )

    assert found.summary().startswith(
        "table-1 is reproduced (R1): every digest is equal"
    )
    assert "is not reproduced" in found.model_copy(update={"tier": None}).summary()


@pytest.mark.parametrize(
    "where",
    [
        {"key": "reproduce.where.nowhere", "values": {}},
        {"key": "reproduce.where.tensor", "values": {}},
        {"key": "reproduce.difference_up_to", "values": {"largest": "much"}},
    ],
)
def test_a_sentence_that_cannot_be_shown_is_refused(where):
    facts = {"what": "weights", "was": "1", "now": "2"}

    assert str(Difference.model_validate({**facts, "where": "final"}).where) == "final"
    with pytest.raises(ValidationError, match="not a sentence"):
        Difference.model_validate({**facts, "where": where})
