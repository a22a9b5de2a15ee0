"""Drafting at the command line: what is said, what is refused, and a whole check of a bare table."""

import json

import pytest

from assay.cli.drafting import left_out, lines, remarks, summary
from bench.program import run_program
from tests.draft_tables import drafted, every_kind

BUDGET = [
    "--set", "plan.a.split={folds=3,repeats=1,inner_folds=3}", "--set", "plan.a.audit.self_test=5",
    "--set", "plan.a.tune={trials=2,seeds=2,epochs=4,patience=2}",
]  # fmt: skip

pytestmark = pytest.mark.slow  # each starts the program


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "주문 2024.csv"
    every_kind().to_csv(path, index=False)
    return path


def test_what_is_told_holds_every_column_what_was_left_out_and_what_to_decide():
    draft = drafted(every_kind(), "bought")

    assert summary(draft) == "table.csv: 240 rows, 20 columns; 'bought' has two classes"
    assert lines(draft.facts.roles)[0][0] == "bought"
    assert len(lines(draft.facts.roles)) == 20
    assert "copy: equals 'twice' in every row" in left_out(draft)
    assert any(note.startswith("customer_id: rows share") for note in remarks(draft))


def test_a_wide_table_is_told_role_by_role():
    frame = every_kind()
    for k in range(40):
        frame[f"n{k}"] = frame["twice"] * k + frame["age"].fillna(0) ** 2

    assert len(lines(drafted(frame, "bought").facts.roles)) < 30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["check", "hypotheses/digits.toml", "--target", "digit"],
            "--target goes with a table",
        ),
        (
            ["check", "hypotheses/digits.toml", "--unit", "x"],
            "--unit goes with a table",
        ),
        (
            ["check", "hypotheses/digits.toml", "--read", "sheet=x"],
            "--read goes with a table",
        ),
        (["check", "table.csv"], "is not a study file"),
        (["check", "table.csv", "--unit", "x"], "is not a study file"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(arguments, said):
    run = run_program(arguments)

    assert run.code == 2
    assert said in run.err
    assert run.err.count("\n") == 1


def test_a_draft_at_the_command_line_leaves_two_files_and_the_next_command(
    table, tmp_path, monkeypatch
):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    run = run_program(["draft", str(table), "--target", "bought"], tmp_path)

    assert run.code == 0, run.err
    assert (tmp_path / "hypotheses" / "jumun-2024.toml").is_file()
    assert (tmp_path / "expectations" / "jumun-2024.json").is_file()
    assert (
        run.out.splitlines()[-1]
        .strip()
        .startswith("python -m assay check hypotheses/jumun-2024.toml --data ")
    )
    assert "it tells the target almost alone" in run.out
    refused = run_program(["draft", str(table), "--target", "gone"], tmp_path)
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.flow
def test_a_bare_table_is_checked_and_its_second_check_finds_the_finished_run(
    table, tmp_path
):
    command = ["check", str(table), "--target", "bought", "--json", *BUDGET]
    command += ["--artifacts", str(tmp_path / "artifacts")]
    first = run_program(command, tmp_path)

    assert first.code == 0, first.err
    assert "expectations of suite jumun-2024, all met" in first.err
    study, suite = sorted((tmp_path / "artifacts" / "drafts").glob("*/*"), reverse=True)
    assert (study.name, suite.name) == ("jumun-2024.toml", "jumun-2024.json")
    again = run_program(command, tmp_path)
    assert "answered from the finished run" in again.out
    assert json.loads(again.out.splitlines()[-1]) == first.verdict
    by_study = ["check", str(study), "--data", str(tmp_path), "--json", *BUDGET]
    by_study += ["--artifacts", str(tmp_path / "artifacts")]
    assert "answered from the finished run" in run_program(by_study, tmp_path).out
