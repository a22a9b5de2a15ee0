"""Drafted files: where they go, what they are called, and that nothing is ever written over."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.ingest import read_source
from assay.draft import draft_source
from assay.draft.files import find_table, keep_draft, study_name, write_draft
from assay.errors import DataRefused, StudyError
from assay.store.store import Store
from assay.study.load import load
from assay.study.sources import identify, source_of
from tests.conftest import ROOT
from tests.draft_tables import every_kind


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "my tables" / "주문 2024.csv"
    path.parent.mkdir()
    every_kind().to_csv(path, index=False)
    return path


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def written(table, here, output=None, target="bought", data=None):
    found = find_table(table, data)
    return write_draft(draft_source(found.source, target), found, output, here)


def test_the_command_in_the_study_finds_study_suite_and_table(table, here):
    drafted = written(table, here)
    words = shlex.split(drafted.command)

    assert words[:3] == ["python", "flows/main.py", "check"]
    study, data = here / words[3], Path(words[5])
    assert study == drafted.study == here / "jumun-2024.toml"
    assert data == table.parent
    declared = load(study)
    assert declared.name == "jumun-2024"
    assert identify(declared, study, data).sources["a"].path == str(table)
    assert f"#   {drafted.command}\n" in study.read_text(encoding="utf-8")


def test_a_table_in_the_data_folder_needs_no_folder_named(table, here, monkeypatch):
    monkeypatch.setenv("ASSAY_DATA", str(table.parent.parent))
    drafted = written(table, here)

    assert drafted.data is None
    assert "--data" not in drafted.command
    source = source_of(load(drafted.study).of("a"))
    assert source.name == "my tables/주문 2024.csv"


def test_a_linked_table_is_found_where_it_really_lies(table, here, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    drafted = written(link, here)

    assert source_of(load(drafted.study).of("a"), drafted.data).path == str(table)


def test_in_the_project_the_parts_go_where_the_project_keeps_them(
    table, monkeypatch, tmp_path
):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "project"))
    (tmp_path / "project").mkdir()
    drafted = written(table, tmp_path / "project")

    assert drafted.study == tmp_path / "project" / "hypotheses" / "jumun-2024.toml"
    assert drafted.suite == tmp_path / "project" / "expectations" / "jumun-2024.json"
    assert load(drafted.study).of("a").suite == "jumun-2024"


def test_with_an_output_the_suite_lies_beside_the_study(table, here):
    drafted = written(table, here, here / "deep" / "Mein Versuch.toml")

    assert drafted.suite == here / "deep" / "Mein Versuch.json"
    assert load(drafted.study).name == "mein-versuch"
    with pytest.raises(StudyError, match=r"ends in \.toml"):
        written(table, here, here / "study.txt")


def test_the_same_draft_again_writes_nothing(table, here):
    first = written(table, here)
    before = first.study.stat().st_mtime_ns

    again = written(table, here)

    assert (first.new, again.new) == (True, False)
    assert again.study.stat().st_mtime_ns == before


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_a_file_that_says_something_else_is_left_alone(table, here, ending):
    mine = here / f"jumun-2024.{ending}"
    mine.write_text("mine")
    drafted = written(table, here)

    assert mine.read_text() == "mine"
    assert (drafted.study.name, drafted.suite.name) == (
        "jumun-2024.draft.toml",
        "jumun-2024.draft.json",
    )
    assert load(drafted.study).name == "jumun-2024"
    assert load(drafted.study).of("a").suite == "jumun-2024.draft.json"
    assert not written(table, here).new
    drafted.study.write_text("edited")
    with pytest.raises(StudyError, match=r"there already and differ.*Move one away"):
        written(table, here)
    assert {mine.read_text(), drafted.study.read_text()} == {"mine", "edited"}


def test_nothing_half_written_stays(table, here):
    (here / "jumun-2024.json").mkdir()
    (here / "jumun-2024.draft.json").mkdir()

    with pytest.raises(StudyError):
        written(table, here)
    assert sorted(path.name for path in here.iterdir()) == [
        "jumun-2024.draft.json",
        "jumun-2024.json",
    ]


def test_a_folder_that_cannot_be_written_is_said(table, here):
    (here / "file").write_text("")

    with pytest.raises(StudyError, match="cannot be written"):
        written(table, here, here / "file" / "study.toml")


def test_a_kept_draft_is_the_same_each_time_and_an_edited_one_is_not_run(
    table, tmp_path
):
    store = Store(tmp_path / "artifacts")
    found = find_table(table)
    draft = draft_source(found.source, "bought")
    first, again = keep_draft(draft, found, store), keep_draft(draft, found, store)

    assert (first.study, first.new, again.new) == (again.study, True, False)
    assert first.study.parent.parent == store.folder / "drafts"
    declared = load(first.study)
    assert identify(declared, first.study, first.data).name.startswith("jumun-2024-")
    first.study.write_text(
        first.study.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8"
    )
    with pytest.raises(StudyError, match="was edited since it was drafted"):
        keep_draft(draft, found, store)


def test_other_options_or_rows_make_another_draft(table, tmp_path):
    store, found = Store(tmp_path / "artifacts"), find_table(table)
    folders = {
        keep_draft(draft_source(found.source, target), found, store).study
        for target in ("bought", "town")
    }
    every_kind(250).to_csv(table, index=False)
    found = find_table(table)
    folders.add(keep_draft(draft_source(found.source, "bought"), found, store).study)

    assert len(folders) == 3


def test_tables_that_are_not_there_are_refused(tmp_path, table):
    with pytest.raises(DataRefused, match="is not there"):
        find_table(tmp_path / "gone.csv")
    with pytest.raises(DataRefused, match="cannot be read"):
        find_table(tmp_path)
    with pytest.raises(StudyError, match="breast-cancer, digits"):
        find_table(Path("builtin:iris"))
    with pytest.raises(StudyError, match="control characters"):
        find_table(tmp_path / "a\nb.csv")
    with pytest.raises(StudyError, match="does not lie below it"):
        find_table(table, tmp_path / "here")


def test_what_the_reader_is_told_stands_in_the_study(tmp_path, here):
    path = tmp_path / "bare.csv"
    every_kind(60)[["age", "town", "bought"]].to_csv(path, index=False, header=False)
    found = find_table(path, None, ["names=['나이', 'town', 'bought']", "separator=,"])
    drafted = write_draft(draft_source(found.source, "bought"), found, None, here)

    assert load(drafted.study).of("a").read.names == ("나이", "town", "bought")
    source = source_of(load(drafted.study).of("a"), drafted.data)
    assert len(read_source(source).frame) == 60


@pytest.mark.parametrize("how", ["sheet", "sample=3", "colour=red", "encoding=klingon"])
def test_what_no_reader_knows_is_refused(table, how):
    with pytest.raises(StudyError, match="--read"):
        find_table(table, None, [how])


def test_a_built_in_table_is_drafted_like_any_other(here):
    drafted = written(Path("builtin:breast-cancer"), here, target="diagnosis")

    assert load(drafted.study).of("a").source == "builtin:breast-cancer"
    assert drafted.command == "python flows/main.py check breast-cancer.toml"


@given(st.text(max_size=90))
def test_any_title_makes_a_name_that_a_study_may_have(title):
    import re

    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", study_name(title, "ab" * 32))


def test_the_project_itself_is_where_the_program_lies():
    assert (ROOT / "hypotheses").is_dir()
