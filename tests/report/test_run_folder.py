"""A run folder that somebody was sent: believed only whole, told again byte for byte, compared with another."""

import json
import shutil

import pytest

from assay.cli.language import language_of
from assay.errors import CorruptObject, StudyError
from assay.report.folder import open_run
from assay.report.page import render
from assay.report.say import Say
from assay.report.two_runs import compare
from assay.report.two_runs_page import sentences, side_by_side
from assay.wording import LANGUAGES
from bench.program import run_program
from tests.model_factories import number_case, plan, registration, scored_case, study
from tests.report_factories import case_of, tags_of, text_of, write_run

pytestmark = pytest.mark.slow  # pages are drawn


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole run's folder."""
    return write_run(tmp_path_factory.mktemp("runs") / "toy-1", case_of("dl_earns"))


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "elsewhere")


@pytest.mark.parametrize("outcome", ["dl_earns", "no_signal", "suspect_leak"])
def test_the_page_is_rendered_again_byte_for_byte_from_the_folder_alone(
    outcome, tmp_path
):
    folder = write_run(tmp_path / "toy", case_of(outcome))
    opened = open_run(folder)
    page = render(opened.registration, opened.verdict, opened.account, opened.lock)

    assert page.encode() == (folder / "report.html").read_bytes()


def test_a_korean_study_leaves_a_korean_page_too(tmp_path):
    asked = registration(study(question="이름만으로 알 수 있는가?"))
    folder = write_run(tmp_path / "toy", case_of("no_signal"), asked)

    assert '<html lang="ko">' in (folder / "report.ko.html").read_text(encoding="utf-8")
    assert not (
        write_run(tmp_path / "other", case_of("no_signal")) / "report.ko.html"
    ).exists()


def test_an_altered_file_is_named_and_nothing_of_the_folder_is_believed(copy):
    for name in ("verdict.json", "evidence.json", "predictions.parquet"):
        path = copy / name
        kept = path.read_bytes()
        path.write_bytes(kept.replace(b"0", b"1", 1))

        with pytest.raises(
            CorruptObject, match=f"{name} is not the file that the run left"
        ) as refused:
            open_run(copy)
        assert "\n" not in str(refused.value)
        path.write_bytes(kept)


def test_a_folder_that_is_not_whole_or_no_run_is_refused(copy, tmp_path):
    (copy / "trials.json").unlink()
    with pytest.raises(CorruptObject, match="is not complete"):
        open_run(copy)
    with pytest.raises(StudyError, match="not a finished run"):
        open_run(tmp_path)


def test_a_run_of_an_earlier_version_says_so(copy):
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    del manifest["files"]["evidence.json"]
    (copy / "evidence.json").unlink()
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(CorruptObject, match="earlier version"):
        open_run(copy)


def test_a_language_that_is_not_there_is_refused():
    with pytest.raises(StudyError, match="en, ko"):
        language_of("fr")


# Compared --------------------------------------------------------------------------------------


def test_a_run_beside_itself_shows_no_tier(run, copy):
    """A copy of a folder has its seconds too."""
    comparison = compare(open_run(run), open_run(copy))
    said = " ".join(
        sentence.striptags() for sentence in sentences(comparison, Say("en"))
    )

    assert comparison.same_run
    assert comparison.equal
    assert comparison.tier is None
    assert "one and the same run" in said
    assert "done twice." not in said


def test_a_run_done_twice_is_equal_on_one_machine(run, copy):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["circumstances"]["seconds"] += 1
    path.write_text(json.dumps(manifest), encoding="utf-8")
    comparison = compare(open_run(run), open_run(copy))
    said = " ".join(
        sentence.striptags() for sentence in sentences(comparison, Say("en"))
    )

    assert comparison.equal
    assert comparison.tier == "R1"
    assert str(comparison.difference) == ""
    assert comparison.study == comparison.circumstances == ()
    assert comparison.largest_difference == {"logistic": 0.0, "net": 0.0}
    assert "tier R1" in said
    assert "the same, key by key" in said


def test_what_differs_is_told_key_by_key(run, tmp_path):
    changed = registration(study(plan={"a": plan(margin=0.03, at_least=0.7)}))
    other = write_run(
        tmp_path / "toy-2",
        scored_case({"logistic": 1.0, "net": 1.0}),
        changed,
        margin=0.03,
        at_least=0.7,
    )
    comparison = compare(open_run(run), open_run(other))
    keys = {line.what: (line.one, line.other) for line in comparison.study}
    words = {line.what: (line.one, line.other) for line in comparison.verdicts}

    assert keys == {
        "plan.a.margin": ("0.02", "0.03"),
        "plan.a.at_least": ("0.8", "0.7"),
    }
    assert words["outcome"] == ("dl_earns", "dl_not_worth")
    assert words["margin"] == ("0.02", "0.03")
    assert not comparison.equal
    assert comparison.largest_difference["net"] > 0.1


def test_another_processor_with_equal_digests_is_another_tier(run, copy):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["circumstances"]["cpu_flags"] = ["sse4_2"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    comparison = compare(open_run(run), open_run(copy))

    assert comparison.equal
    assert comparison.tier == "R2"
    assert [line.what for line in comparison.circumstances] == ["cpu_flags"]


def test_runs_of_the_same_inputs_that_differ_say_where_they_part(run, tmp_path):
    other = write_run(tmp_path / "toy-6", case_of("dl_not_worth"))
    comparison = compare(open_run(run), open_run(other))
    said = " ".join(
        sentence.striptags() for sentence in sentences(comparison, Say("en"))
    )

    assert comparison.tier is None
    assert "They part here: Predictions: first difference at tune" in said


def test_predictions_of_other_rows_are_not_subtracted(run, tmp_path):
    numbers = write_run(
        tmp_path / "toy-3",
        number_case({"linear": 6.0, "net": 1.0}),
        metric="r2",
        at_least=0.5,
    )

    assert compare(open_run(run), open_run(numbers)).largest_difference == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_two_runs_is_whole_needs_nothing_and_escapes(
    run, tmp_path, language
):
    attack = "<script>alert(1)</script>"
    other = write_run(
        tmp_path / "toy-4", case_of("no_signal"), registration(study(company=attack))
    )
    page = side_by_side(compare(open_run(run), open_run(other)), language)
    tags = tags_of(page)

    assert ("html", {"lang": language}) in tags
    assert {tag for tag, _ in tags}.isdisjoint({"script", "img", "link"})
    assert attack in text_of(page)
    assert "default-src 'none'" in page


# On the command line ---------------------------------------------------------------------------


def test_report_writes_the_page_again_and_says_that_it_is_the_same(run, tmp_path):
    path = tmp_path / "again.html"
    done = run_program(
        ["report", str(run), "-o", str(path), "--artifacts", str(tmp_path)]
    )

    assert done.code == 0, done.err
    assert "identical to the run's own report.html" in done.out
    assert path.read_bytes() == (run / "report.html").read_bytes()


def test_report_of_an_altered_run_ends_in_one_sentence(copy, tmp_path):
    (copy / "verdict.json").write_text("{}", encoding="utf-8")
    done = run_program(["report", str(copy), "--artifacts", str(tmp_path)])

    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "is not the file that the run left" in done.err


def test_compare_says_what_differs_and_ends_in_its_record(run, tmp_path):
    other = write_run(tmp_path / "toy-5", case_of("no_signal"))
    page = tmp_path / "both.html"
    command = ["compare", str(run), str(other), "-o", str(page), "--json"]
    done = run_program([*command, "--artifacts", str(tmp_path)])
    found = json.loads(done.out.splitlines()[-1])

    assert done.code == 0, done.err
    assert "The studies are the same, key by key." in done.out
    assert found["study"] == []
    assert page.is_file()
