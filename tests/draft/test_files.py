"""Drafted files: where they go, what they are called, and that nothing is ever written over."""

import os
import shlex
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.ingest import read_source
from assay.draft import draft_source
from assay.draft.files import (
    _schema_for,
    find_table,
    keep_draft,
    study_name,
    write_draft,
)
from assay.errors import DataRefused, StudyError
from assay.store.store import Store
from assay.study.load import load
from assay.study.schema import SCHEMA
from assay.study.sources import identify, source_of
from assay.wording import called_as, program
from tests.conftest import ROOT
from tests.draft_tables import every_kind


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "my tables" / "주문 2024.csv"
    path.parent.mkdir()
    every_kind().to_csv(path, index=False)
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return the folder of a project; whoever drafts is in another one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("ASSAY_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    before = program()
    called_as("assay")
    yield folder
    called_as(before)


def written(table, output=None, target="bought", data=None):
    located = find_table(table, data)
    return write_draft(draft_source(located.source, target), located, output)


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_who_may_read_a_draft_is_for_the_umask_to_say(table, project):
    """A suite holds ranges and categories of the table."""
    before = os.umask(0o077)
    try:
        drafted = written(table)
    finally:
        os.umask(before)

    assert {
        stat.S_IMODE(path.stat().st_mode) for path in (drafted.study, drafted.suite)
    } == {0o600}
    assert [path.name for path in drafted.study.parent.iterdir()] == [
        drafted.study.name
    ]


def test_the_command_in_the_study_finds_study_suite_and_table(table, project):
    drafted = written(table)
    called, check, study, _, folder = shlex.split(drafted.command)

    assert (called, check, study) == ("assay", "check", "hypotheses/jumun-2024.toml")
    data = Path(folder)
    assert data == table.parent
    declared = load(Path(study))
    assert declared.name == "jumun-2024"
    assert identify(declared, Path(study), data).sources["a"].path == str(table)
    assert f"#   {drafted.command}\n" in drafted.study.read_text(encoding="utf-8")


def test_a_command_names_the_program_as_it_was_called(table, project):
    called_as("python flows/main.py")

    assert written(table).command.startswith("python flows/main.py check hypotheses/")


def test_a_drafted_file_names_the_schema_of_studies(table, project):
    first, _ = written(table).study.read_text(encoding="utf-8").split("\n", 1)

    assert first == f"#:schema {SCHEMA.as_uri()}"


def test_in_a_clone_the_schema_is_named_from_where_the_study_lies(monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(ROOT))

    assert _schema_for(ROOT / "hypotheses" / "x.toml") == (
        "../assay/study/study.schema.json"
    )


def test_a_table_in_the_data_folder_needs_no_folder_named(table, project, monkeypatch):
    monkeypatch.setenv("ASSAY_DATA", str(table.parent.parent))
    drafted = written(table)

    assert drafted.data is None
    assert "--data" not in drafted.command
    source = source_of(load(drafted.study).of("a"))
    assert source.name == "my tables/주문 2024.csv"


def test_a_linked_table_is_found_where_it_really_lies(table, project, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    drafted = written(link)

    assert source_of(load(drafted.study).of("a"), drafted.data).path == str(table)


def test_study_and_suite_go_where_the_project_keeps_them(table, project):
    drafted = written(table)

    assert drafted.study == project / "hypotheses" / "jumun-2024.toml"
    assert drafted.suite == project / "expectations" / "jumun-2024.json"
    assert load(drafted.study).of("a").suite == "jumun-2024"


def test_with_an_output_the_suite_lies_beside_the_study(table, project, tmp_path):
    drafted = written(table, Path("deep") / "Mein Versuch.toml")

    assert drafted.suite == tmp_path / "deep" / "Mein Versuch.json"
    assert load(drafted.study).name == "mein-versuch"
    assert load(drafted.study).of("a").suite == "Mein Versuch.json"
    with pytest.raises(StudyError, match=r"ends in \.toml"):
        written(table, Path("study.txt"))


def test_the_same_draft_again_writes_nothing(table, project):
    first = written(table)
    before = first.study.stat().st_mtime_ns

    again = written(table)

    assert (first.new, again.new) == (True, False)
    assert again.study.stat().st_mtime_ns == before


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_a_file_that_says_something_else_is_left_alone(table, project, ending):
    folder = {"toml": "hypotheses", "json": "expectations"}[ending]
    mine = project / folder / f"jumun-2024.{ending}"
    mine.parent.mkdir()
    mine.write_text("mine")
    drafted = written(table)

    assert mine.read_text() == "mine"
    assert (drafted.study.name, drafted.suite.name) == (
        "jumun-2024.draft.toml",
        "jumun-2024.draft.json",
    )
    assert load(drafted.study).name == "jumun-2024"
    assert load(drafted.study).of("a").suite == "jumun-2024.draft"
    assert not written(table).new
    drafted.study.write_text("edited")
    with pytest.raises(StudyError, match=r"already exist and differ.*Move one away"):
        written(table)
    assert {mine.read_text(), drafted.study.read_text()} == {"mine", "edited"}


def test_nothing_half_written_stays(table, project):
    suites = project / "expectations"
    (suites / "jumun-2024.json").mkdir(parents=True)
    (suites / "jumun-2024.draft.json").mkdir()

    with pytest.raises(StudyError):
        written(table)
    assert sorted(path.name for path in project.rglob("*.*")) == [
        "jumun-2024.draft.json",
        "jumun-2024.json",
    ]


def test_a_folder_that_cannot_be_written_is_said(table, project):
    (project / "file").write_text("")

    with pytest.raises(StudyError, match="cannot be written"):
        written(table, project / "file" / "study.toml")


def test_a_kept_draft_is_the_same_each_time_and_an_edited_one_is_not_run(
    table, tmp_path
):
    store = Store(tmp_path / "artifacts")
    located = find_table(table)
    draft = draft_source(located.source, "bought")
    first, again = (keep_draft(draft, located, store) for _ in range(2))

    assert (first.study, first.new, again.new) == (again.study, True, False)
    assert first.study.parent.parent == store.folder / "drafts"
    declared = load(first.study)
    assert identify(declared, first.study, first.data).name.startswith("jumun-2024-")
    first.study.write_text(
        first.study.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8"
    )
    with pytest.raises(StudyError, match="was edited since it was drafted"):
        keep_draft(draft, located, store)


def test_other_options_or_rows_make_another_draft(table, tmp_path):
    store = Store(tmp_path / "artifacts")

    def kept(target):
        located = find_table(table)
        return keep_draft(draft_source(located.source, target), located, store).study

    studies = {kept("bought"), kept("town")}
    every_kind(250).to_csv(table, index=False)

    assert len(studies | {kept("bought")}) == 3


def test_tables_that_are_not_there_are_refused(tmp_path, table):
    with pytest.raises(DataRefused, match="does not exist"):
        find_table(tmp_path / "gone.csv")
    with pytest.raises(DataRefused, match="is a folder, not a table"):
        find_table(tmp_path)
    with pytest.raises(StudyError, match="breast-cancer, digits"):
        find_table(Path("builtin:iris"))
    with pytest.raises(StudyError, match="control characters"):
        find_table(tmp_path / "a\nb.csv")
    with pytest.raises(StudyError, match="is not inside this folder"):
        find_table(table, tmp_path / "here")


def test_how_a_table_is_read_stands_in_the_study(tmp_path, project):
    path = tmp_path / "bare.csv"
    every_kind(60)[["age", "town", "bought"]].to_csv(path, index=False, header=False)
    how = ["names=['나이', 'town', 'bought']", "separator=,"]
    located = find_table(path, None, how)
    drafted = write_draft(draft_source(located.source, "bought"), located)

    assert load(drafted.study).of("a").read.names == ("나이", "town", "bought")
    source = source_of(load(drafted.study).of("a"), drafted.data)
    assert len(read_source(source).frame) == 60


@pytest.mark.parametrize("how", ["sheet", "sample=3", "colour=red", "encoding=klingon"])
def test_what_no_reader_knows_is_refused(table, how):
    with pytest.raises(StudyError, match="--read"):
        find_table(table, None, [how])


def test_a_built_in_table_is_drafted_like_any_other(project):
    drafted = written(Path("builtin:breast-cancer"), target="diagnosis")

    assert load(drafted.study).of("a").source == "builtin:breast-cancer"
    assert drafted.command == "assay check hypotheses/breast-cancer.toml"


@given(st.text(max_size=90))
def test_any_title_makes_a_name_that_a_study_may_have(title):
    import re

    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", study_name(title, "ab" * 32))


def test_the_project_itself_is_where_the_program_lies():
    assert (ROOT / "hypotheses").is_dir()
