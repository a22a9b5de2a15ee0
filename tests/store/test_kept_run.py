"""A run that the program of commit b409744 left can be read, reported, predicted with and repeated."""

import csv
from pathlib import Path

import numpy as np
import pytest

from assay.errors import CorruptObject
from assay.predict.command import predict_file
from assay.report.folder import Run, open_run
from assay.report.page import render
from assay.report.rerun_receipts import Kept, Signature, receipts_of
from assay.report.two_runs import compare
from assay.reproduce import rerun
from assay.reproduce.differences import first_difference, moved_scores
from assay.reproduce.receipt import Receipt, fault_of, tier_of
from assay.store import runs
from assay.store.store import Store
from assay.wording import LANGUAGES
from bench.program import run_program
from tests.kept_run import NAME, laid_out


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """The folder of the run, beside its table, what was predicted of that, and the receipt of a rerun.

    ``python flows/main.py check small.toml`` of ``tests/flow_runs.py``, ``predict`` and ``reproduce`` left them.
    """
    folder = tmp_path_factory.mktemp("kept")
    laid_out(folder)
    return folder


@pytest.fixture
def run(kept: Path) -> Run:
    return open_run(kept / NAME)


def test_it_opens_with_every_file_that_its_manifest_lists(kept, run):
    finished = rerun.open_run(kept / NAME)

    assert finished.verdict == run.verdict
    assert finished.verdict.outcome == "dl_not_worth"
    assert finished.margin == 0.02
    assert len(finished.manifest.files) == 18
    assert run.verdict.claim.interval == pytest.approx((0.5996933821, 0.8019603770))
    assert str(run.verdict.reason).startswith("Deep learning is not worth its cost")


def test_a_store_that_holds_it_answers_from_it(kept, tmp_path):
    store = Store(tmp_path)
    files = {
        path.relative_to(kept / NAME).as_posix(): path.read_bytes()
        for path in (kept / NAME).rglob("*")
        if path.is_file()
    }
    store.files.publish(files, runs.run_folder(store, NAME))

    verdict = runs.finished(store, NAME)
    assert verdict is not None
    assert verdict.signal.score == 0.930913118
    (runs.run_folder(store, NAME) / "trials.json").write_bytes(b"[]")
    assert runs.finished(store, NAME) is None
    with pytest.raises(CorruptObject, match=r"trials\.json"):
        rerun.open_run(runs.run_folder(store, NAME))


def receipts(kept: Path, run: Run) -> tuple[Kept, ...]:
    return receipts_of(run, kept, lambda _: Signature("unchecked"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_report_is_written_again_in_both_languages(kept, run, language):
    facts = run.registration, run.verdict, run.account, run.lock
    page = render(*facts, language, receipts(kept, run))

    assert page.startswith("<!doctype html>")
    assert f'lang="{language}"' in page
    assert "0.7008" in page
    assert "99632818d2b7"[:7] in page or "7852fefda6a2" in page


def test_its_bundle_predicts_what_it_predicted_then(kept, tmp_path):
    """To six digits: another version of onnxruntime or another processor may round otherwise."""
    then, now = kept / "predicted.csv", tmp_path / "predicted.csv"
    predict_file(kept / NAME / "bundle", kept / "table.csv", now)

    before, after = (
        list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for path in (then, now)
    )
    assert len(after) == 240
    assert [row["prediction"] for row in after] == [row["prediction"] for row in before]
    for name in ("p:no", "p:yes"):
        np.testing.assert_allclose(*([float(row[name]) for row in rows] for rows in (after, before)), atol=1e-6)  # fmt: skip


def test_its_receipt_is_of_it_and_of_no_other(kept, run):
    receipt = Receipt.model_validate_json((kept / "receipt.json").read_bytes())

    assert receipt.tier == "R1"
    assert fault_of(receipt, NAME, run.manifest, 0.02) is None
    assert fault_of(receipt, "another", run.manifest, 0.02) == "other_run"
    assert [one.tier for one in receipts(kept, run)] == ["R1"]


def test_it_compares_with_itself_without_a_difference(kept, run):
    here = kept / NAME, run.manifest

    assert first_difference(here, here) is None
    assert set(moved_scores(kept / NAME, kept / NAME).values()) == {0.0}
    scores = moved_scores(kept / NAME, kept / NAME)
    same = tier_of(run.manifest, run.manifest, (run.verdict,) * 2, scores, 0.02)
    assert same == "R1"
    assert compare(run, run).equal


@pytest.mark.flow
@pytest.mark.slow
def test_checked_again_it_gives_the_digests_it_gave(kept, tmp_path):
    """Code and lock have changed since, and the verdict tells its reason in other words."""
    finished = rerun.open_run(kept / NAME)
    study, overrides = rerun.lay_out(finished, tmp_path)
    (tmp_path / "table.csv").write_bytes((kept / "table.csv").read_bytes())
    artifacts = tmp_path / "artifacts"
    words = [
        "check",
        str(study),
        "--data",
        str(tmp_path),
        "--artifacts",
        str(artifacts),
    ]
    words += [word for override in overrides for word in ("--set", override)]
    ended = run_program(words, tmp_path)
    assert ended.code == 0, ended.err

    (folder,) = (artifacts / "runs").iterdir()
    same = rerun.open_run(folder).manifest.same
    differ = {name for name in same if same[name] != finished.manifest.same[name]}
    assert differ <= {"code", "lock", "verdict"}
    assert same.keys() == finished.manifest.same.keys()
