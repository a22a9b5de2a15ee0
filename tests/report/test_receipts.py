"""Receipts on a page: shown, counted only where they hold, and never on the page that a run leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from assay.report.folder import Run, open_run
from assay.report.page import render
from assay.report.rerun_receipts import Kept, reached, receipts_of
from assay.reproduce.receipt import Difference, Receipt
from assay.reproduce.signatures import Signature
from assay.wording import LANGUAGES, Language, Sentence
from bench.program import run_program
from tests.report.test_page import HOSTILE
from tests.report_factories import (
    case_of,
    section_of,
    tags_of,
    text_of,
    write_run,
)

pytestmark = pytest.mark.slow  # pages are drawn
UNSIGNED = Signature("none")
DIFFERENCE = Difference(
    what="weights",
    where="final, net, tensor 3",
    was="0.25",
    now="0.5",
    largest=0.25,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "toy-1"
    return open_run(write_run(folder, case_of("dl_earns")))


def receipt_of(run: Run, /, **changed: Any) -> Receipt:
    """What an equal rerun on the same machine leaves, or another."""
    first = run.manifest
    values: dict[str, Any] = {
        "run": run.folder.name,
        "study": first.study,
        "tier": "R1",
        "difference": None,
        "same": first.same,
        "again": first.same,
        "scores": {"net": 0.0},
        "margin": run.registration.study.of("a").margin,
        "environment": "here",
        "who": "someone",
        "when": "2026-01-02T03:04:05+00:00",
        "where": first.circumstances,
        "first": first.circumstances,
    }
    return Receipt(**values | changed)


def elsewhere(run: Run) -> Any:
    """Another processor than the run's."""
    return run.manifest.circumstances.model_copy(update={"cpu_flags": ("other",)})


def laid(folder: Path, receipt: Receipt, name: str = "20260102T030405-R1.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(receipt.model_dump_json(indent=2), encoding="utf-8")
    return path


def read(run: Run, folder: Path) -> tuple[Kept, ...]:
    return receipts_of(run, folder, lambda _: UNSIGNED)


def page(run: Run, receipts: tuple[Kept, ...] | None, language: Language = "en") -> str:
    facts = run.registration, run.verdict, run.account, run.lock
    return render(*facts, language, receipts)


def sameness(run: Run, receipts: tuple[Kept, ...], language: Language = "en") -> str:
    return section_of(page(run, receipts, language), "sameness")


# Read ----------------------------------------------------------------------------------------------


def test_a_receipt_that_holds_counts_for_its_tier(run, tmp_path):
    laid(tmp_path, receipt_of(run))
    laid(tmp_path, receipt_of(run, where=elsewhere(run), tier="R2"), "2.json")
    found = read(run, tmp_path)

    assert [one.fault for one in found] == [None, None]
    assert reached(found)["R1"] == reached(found)["R2"] == (1, 0)
    assert reached(found)["R3"] == (0, 0)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"run": "toy-2"}, "other_run"),
        ({"study": "another"}, "other_run"),
        ({"same": {"study": "0"}}, "other_facts"),
        ({"margin": 0.5}, "other_facts"),
        ({"tier": "R2"}, "other_tier"),  # on the same processor
        ({"tier": None}, "other_tier"),  # every digest is equal
        ({"difference": DIFFERENCE}, "other_tier"),
        ({"again": {}}, "other_tier"),
    ],
    ids=str,
)
def test_a_receipt_that_contradicts_the_run_or_itself_counts_for_nothing(
    run, tmp_path, changed, fault
):
    laid(tmp_path, receipt_of(run, **changed))
    (found,) = read(run, tmp_path)

    assert found.fault == fault
    assert found.tier is None


def test_a_tier_that_its_own_digests_and_scores_do_not_bear_out_is_a_fault(
    run, tmp_path
):
    again = run.manifest.same | {"weights": "0" * 64}
    differs = receipt_of(run, again=again, tier=None, difference=DIFFERENCE)
    for changed, fault in (
        ({}, None),
        ({"tier": "R1"}, "other_tier"),
        ({"tier": "R3"}, "other_tier"),
        ({"tier": "R3", "where": elsewhere(run)}, None),
        ({"tier": "R3", "where": elsewhere(run), "scores": {"net": 0.9}}, "other_tier"),
    ):
        laid(tmp_path, differs.model_copy(update=changed))
        (found,) = read(run, tmp_path)
        assert found.fault == fault, changed


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b" " * 2_000_000], ids=len
)
def test_a_damaged_file_is_no_receipt(run, tmp_path, content):
    laid(tmp_path, receipt_of(run)).write_bytes(content)
    (found,) = read(run, tmp_path)

    assert found.fault == "unreadable"
    assert "damaged: the file is not a receipt" in text_of(sameness(run, (found,)))


# Signed --------------------------------------------------------------------------------------------


def test_a_receipt_that_is_not_the_text_that_was_signed_counts_for_nothing(
    run, tmp_path
):
    laid(tmp_path / "receipts", receipt_of(run))
    broken = Signature("broken")
    (found,) = receipts_of(run, tmp_path / "receipts", lambda _: broken)

    assert found.tier is None
    shown = text_of(sameness(run, (found,)))
    assert (
        "✗ its claim (R1) does not count: it is not the text that was signed" in shown
    )
    assert shown.count("– none") == 4


# Shown ---------------------------------------------------------------------------------------------


def test_the_page_a_run_leaves_has_no_receipt_whatever_lies_beside_it(run):
    own = (run.folder / "report.html").read_text(encoding="utf-8")

    assert page(run, None) == own
    assert "Receipts of reruns" not in own


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_with_receipts_differs_from_the_runs_own_in_one_section_only(
    run, tmp_path, language
):
    laid(tmp_path, receipt_of(run))
    own, shown = page(run, None, language), page(run, read(run, tmp_path), language)
    section = section_of(own, "sameness")

    assert own.replace(section, "") == shown.replace(section_of(shown, "sameness"), "")
    tags_of(shown)


def test_each_tier_has_its_receipts_and_each_receipt_its_line(run, tmp_path):
    laid(tmp_path, receipt_of(run), "1.json")
    again = run.manifest.same | {"weights": "0" * 64}
    differs = receipt_of(
        run,
        again=again,
        tier=None,
        difference=DIFFERENCE,
        scores={"net": -0.03, "logistic": 0.01},
    )
    laid(tmp_path, differs, "2.json")
    found = read(run, tmp_path)
    text = text_of(sameness(run, found))

    assert [one.name for one in found] == ["2.json", "1.json"]
    assert "✓ 1; signed: 0" in text
    assert text.count("– none") == 3
    assert "✓ R1: every digest is equal, on the same kind of machine" in text
    assert "✗ does not repeat Weights: first difference at final, net, tensor 3" in text
    assert "Scores changed by 0.03 at most" in text
    assert text.count("whoever can write the file could have written this") == 2


def test_a_run_without_receipts_says_so(run, tmp_path):
    text = text_of(sameness(run, read(run, tmp_path / "nothing")))

    assert "No rerun has left a receipt" in text
    assert text.count("– none") == 4


def test_many_receipts_are_shown_in_part_and_all_counted(run, tmp_path):
    for number in range(33):
        laid(tmp_path, receipt_of(run), f"{number:02}.json")
    text = text_of(sameness(run, read(run, tmp_path)))

    assert "33; signed: 0" in text
    assert "3 older receipts are not shown." in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_a_receipt_are_shown_and_never_run(run, tmp_path, text, language):
    where = elsewhere(run).model_copy(
        update={"host": text, "system": text, "python": text, "settings": {"cpu": text}}
    )
    again = run.manifest.same | {"weights": text}
    difference = DIFFERENCE.model_copy(
        update={"where": Sentence.plain(text), "was": text}
    )
    told = receipt_of(
        run,
        where=where,
        who=text,
        when=text,
        again=again,
        tier="R3",
        difference=difference,
    )
    laid(tmp_path, told)
    (found,) = read(run, tmp_path)
    known = [Signature(state, text) for state in ("signer", "key", "stranger")]
    signed = tuple(found._replace(signature=one) for one in known)
    shown = sameness(run, signed, language)

    assert found.fault is None
    assert {tag for tag, _ in tags_of(shown)}.isdisjoint({"script", "img"})
    assert text_of(shown).count(" ".join(text.split())) >= 3 * 6


# From the command line ------------------------------------------------------------------------------


def test_report_shows_receipts_only_where_they_are_asked_for(run, tmp_path):
    laid(tmp_path / "receipts" / run.folder.name, receipt_of(run))
    out = tmp_path / "page.html"
    words = ["report", str(run.folder), "-o", str(out), "--artifacts", str(tmp_path)]
    plain = run_program(words)
    assert "identical to the run's own report.html" in plain.out
    with_them = run_program([*words, "--receipts"])

    assert with_them.code == 0, with_them.err
    assert "1 receipts" in with_them.out
    assert "✓ R1" in text_of(out.read_text(encoding="utf-8"))
    missing = run_program([*words, "--signers", str(tmp_path / "nothing")])
    assert missing.code == 2
    assert "there is no such file" in missing.err
    own = json.loads((run.folder / "manifest.json").read_text())["files"]
    assert open_run(run.folder).manifest.files == own
