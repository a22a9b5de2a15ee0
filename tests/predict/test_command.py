"""Predictions as files, by both command lines: whole or not there, in order, with little memory."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from assay.cli.app import app
from assay.errors import DataRefused, StudyError
from assay.predict.__main__ import main
from assay.predict.command import predict_file
from assay.predict.results import without_formulas
from assay.wording import speak
from tests.bundle_factories import make_bundle
from tests.conftest import ROOT
from tests.factories import make_table


@pytest.fixture(autouse=True)
def _english_machine(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def rows(n: int = 80) -> pd.DataFrame:
    table = make_table(80).drop(columns="answer")
    many = pd.concat([table] * -(-n // 80), ignore_index=True).head(n)
    many.insert(0, "case", [f"c{k}" for k in range(n)])
    return many


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    table = make_table(80)
    table.insert(0, "case", [f"c{k}" for k in range(80)])
    return make_bundle(tmp_path_factory.mktemp("command") / "b", table)


@pytest.fixture
def table(tmp_path) -> Path:
    rows().to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The file --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("out.csv", lambda path: pd.read_csv(path, keep_default_na=False)),
        ("out.jsonl", lambda path: pd.read_json(path, lines=True)),
        ("out.parquet", pd.read_parquet),
    ],
)
def test_every_form_of_output_holds_the_same(name, read, made, table, tmp_path):
    summary = predict_file(made.folder, table, tmp_path / name)
    found, expected = read(tmp_path / name), made.trained(make_table(80))

    assert list(found) == ["row", "case", "prediction", "p:no", "p:yes", "remarks"]
    assert found["row"].tolist() == list(range(1, 81))
    assert found["case"].tolist() == list(rows()["case"])
    assert found["prediction"].tolist() == [("no", "yes")[k] for k in expected.argmax(axis=1)]  # fmt: skip
    np.testing.assert_allclose(found[["p:no", "p:yes"]], expected, atol=1e-5)
    assert (found["remarks"] == "").all()
    assert (summary.rows, summary.marked) == (80, 0)
    assert left_in(tmp_path) == sorted([name, "t.csv"])


def test_a_number_is_written_without_probabilities(tmp_path):
    frame = make_table(80).assign(answer=np.arange(80) / 7)
    made = make_bundle(tmp_path / "b", frame, task="regression", metric="r2", at_least=0.1)  # fmt: skip
    frame.to_csv(tmp_path / "t.csv", index=False)
    for name in ("o.csv", "o.parquet"):
        predict_file(made.folder, tmp_path / "t.csv", tmp_path / name)
    found = pd.read_csv(tmp_path / "o.csv")

    assert list(found) == ["row", "prediction", "remarks"]
    np.testing.assert_allclose(found["prediction"], made.trained(frame)[:, 0], rtol=1e-4, atol=1e-5)  # fmt: skip
    np.testing.assert_array_equal(pd.read_parquet(tmp_path / "o.parquet")["prediction"], found["prediction"])  # fmt: skip


def test_a_copied_column_with_the_name_of_one_of_ours_is_marked(tmp_path):
    frame = make_table(80)
    frame.insert(0, "Row", [f"c{k}" for k in range(80)])
    made = make_bundle(tmp_path / "b", frame)
    frame.to_csv(tmp_path / "t.csv", index=False)
    predict_file(made.folder, tmp_path / "t.csv", tmp_path / "o.csv")

    assert list(pd.read_csv(tmp_path / "o.csv"))[:2] == ["row", "table:Row"]


def test_a_remark_stands_beside_its_row(made, tmp_path):
    rows().assign(town="Jeju").to_csv(tmp_path / "t.csv", index=False)
    summary = predict_file(made.folder, tmp_path / "t.csv", tmp_path / "o.csv")

    assert summary.marked == 80
    assert set(pd.read_csv(tmp_path / "o.csv")["remarks"]) == {"town 'Jeju' was not seen in training"}  # fmt: skip


def test_no_text_of_a_csv_is_a_formula_of_a_spreadsheet_and_raw_keeps_it(
    made, tmp_path
):
    ids = [
        "=1+1",
        "+1",
        "-2",
        "@SUM(A1)",
        "\ta",
        '=HYPERLINK("x";"y")',
        "a;=1",
        "plain",
    ]
    rows(8).assign(case=ids).to_csv(tmp_path / "t.csv", index=False)

    def written(*, raw: bool) -> list[str]:
        predict_file(made.folder, tmp_path / "t.csv", tmp_path / "o.csv", raw=raw)
        return pd.read_csv(tmp_path / "o.csv", dtype=str)["case"].tolist()

    assert written(raw=True) == ids
    assert written(raw=False) == [
        "'=1+1", "+1", "-2", "'@SUM(A1)", "'\ta", "'=HYPERLINK(\"x\";\"y\")", "a;'=1", "plain",
    ]  # fmt: skip


@given(st.text(alphabet="'\"=+-@;|\t\r\na1.＝"))
def test_an_apostrophe_before_a_formula_can_be_taken_away_again(text):
    (safe,) = without_formulas([text])
    signs = r"[=+\-@＝＋－＠]"

    added = rf"""(^|(?<=[;|\t\r\n]))'(?=["']*{signs})|^'(?=["']*[\t\r\n])"""
    assert re.sub(added, "", safe) == text


@given(st.text(alphabet="'\"=@;|\t\r\na1"), st.sampled_from(",;|\t"))
def test_a_spreadsheet_of_any_separator_finds_no_formula(text, separator):
    lines = io.StringIO()
    csv.writer(lines).writerow([1, *without_formulas([text]), 0.5])

    cells = csv.reader(lines.getvalue().splitlines(), delimiter=separator)
    assert not [cell for row in cells for cell in row if cell.startswith(("=", "@"))]


# Refused: nothing is left ----------------------------------------------------------------------


def test_a_row_refused_late_leaves_no_file_and_an_earlier_one_as_it_was(made, tmp_path):
    frame = rows(30_000).astype({"height": object})
    frame.loc[29_999, "height"] = "tall"
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "old.csv").write_text("before")

    for name in ("new.csv", "new.parquet", "new.jsonl", "old.csv"):
        with pytest.raises(DataRefused, match="line 30001: column height holds 'tall'"):
            predict_file(made.folder, tmp_path / "t.csv", tmp_path / name)
    assert left_in(tmp_path) == ["old.csv", "t.csv"]
    assert (tmp_path / "old.csv").read_text() == "before"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("out.txt", "predictions are written as .csv, .jsonl, .parquet"),
        ("out", "Give the file one of these endings"),
        ("nowhere/out.csv", "nowhere does not exist"),
        ("folder.csv", "that is a folder"),
        ("t.csv", "that is the table itself"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(
    output, said, made, table, tmp_path
):
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(StudyError, match=said):
        predict_file(tmp_path / "no bundle", table, tmp_path / output)


def test_two_predictions_at_once_leave_one_whole_file(made, tmp_path):
    rows(20_000).to_csv(tmp_path / "t.csv", index=False)
    threads = [
        threading.Thread(target=predict_file, args=(made.folder, tmp_path / "t.csv", tmp_path / "o.csv"))
        for _ in range(2)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pd.read_csv(tmp_path / "o.csv")) == 20_000
    assert left_in(tmp_path) == ["o.csv", "t.csv"]


def test_a_prediction_that_is_killed_leaves_no_half_file(made, tmp_path):
    rows(150_000).to_csv(tmp_path / "t.csv", index=False)
    words = [str(made.folder), str(tmp_path / "t.csv"), "-o", str(tmp_path / "o.csv")]
    process = subprocess.Popen([sys.executable, "-m", "assay.predict", *words], cwd=ROOT)  # fmt: skip
    while not any(name.endswith(".part") for name in left_in(tmp_path)):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert "o.csv" not in left_in(tmp_path)
    assert main([*words[:3], str(tmp_path / "again.csv")]) == 0


# The command lines -----------------------------------------------------------------------------


def test_both_command_lines_write_the_same_and_say_what_came_of_it(
    made, table, tmp_path, capfd
):
    words = [str(made.folder), str(table), "--json", "-v"]
    assert main([*words, "-o", str(tmp_path / "a.csv")]) == 0
    said = capfd.readouterr()
    found = CliRunner().invoke(app, ["predict", *words, "-o", str(tmp_path / "b.csv")])
    ours, theirs = (json.loads(text.splitlines()[-1]) for text in (said.out, found.stdout))  # fmt: skip

    assert found.exit_code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert ours.keys() == theirs.keys()
    assert (ours["rows"], ours["marked"], ours["plan"]) == (80, 0, "a")
    assert "80 rows predicted" in said.err
    assert "rules of the suite asked" in said.err


def test_messages_are_in_the_language_that_is_asked_for_and_data_is_in_english(
    made, tmp_path, capfd
):
    rows().assign(height=1e9).to_csv(tmp_path / "t.csv", index=False)
    words = [str(made.folder), str(tmp_path / "t.csv"), "--json", "-v", "-o"]
    try:
        assert main([*words, str(tmp_path / "en.csv"), "--lang", "en"]) == 0
        english = capfd.readouterr()
        assert main([*words, str(tmp_path / "ko.csv"), "--lang", "ko"]) == 0
        korean = capfd.readouterr()
        assert main([*words, str(tmp_path / "nowhere" / "o.csv"), "--lang=ko"]) == 2
        refusal = capfd.readouterr().err
    finally:
        speak("en")
    records = [json.loads(said.out) for said in (english, korean)]

    assert "80 rows predicted" in english.err
    assert "80행을" in korean.err
    assert "없습니다" in refusal
    assert records[0]["notes"] == records[1]["notes"]
    assert (tmp_path / "en.csv").read_bytes() == (tmp_path / "ko.csv").read_bytes()
    assert "is above" in (tmp_path / "ko.csv").read_text()


def test_without_an_option_messages_are_in_the_language_of_the_machine(
    made, table, capfd, monkeypatch
):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    try:
        assert main([str(made.folder), str(table)]) == 0
    finally:
        speak("en")

    assert "표준 출력" in capfd.readouterr().err


@pytest.mark.parametrize("words", [[], ["-o", "-"]])
def test_without_a_file_rows_go_to_the_standard_output(words, made, table, capfd):
    assert main([str(made.folder), str(table), *words]) == 0
    lines = list(csv.reader(io.StringIO(capfd.readouterr().out)))

    assert len(lines) == 81
    assert lines[0][:3] == ["row", "case", "prediction"]


def test_nothing_goes_to_the_standard_output_if_a_row_is_refused(made, tmp_path, capfd):
    frame = rows().astype({"height": object})
    frame.loc[79, "height"] = "tall"
    frame.to_csv(tmp_path / "t.csv", index=False)

    assert main([str(made.folder), str(tmp_path / "t.csv")]) == 3
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("command", ["ours", "theirs"])
def test_exit_codes_tell_a_wrong_command_from_refused_data(
    command, made, table, tmp_path, capfd
):
    def code(*words: str) -> int:
        if command == "ours":
            return main(list(words))
        return CliRunner().invoke(app, ["predict", *words]).exit_code

    assert code(str(made.folder), str(table), "-o", str(tmp_path / "o.csv")) == 0
    assert code(str(tmp_path), str(table), "-o", str(tmp_path / "o.csv")) == 2
    assert code(str(made.folder), str(table), "-o", str(tmp_path / "o.doc")) == 2
    assert code(str(made.folder), str(tmp_path / "no.csv"), "-o", str(tmp_path / "o.csv")) == 3  # fmt: skip


# Alone -------------------------------------------------------------------------------------------

BLOCKED = ("pandas", "scipy", "sklearn", "pydantic", "tensorflow", "keras", "typer", "prefect", "rich", "jinja2")  # fmt: skip
ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(name + " is not here", name=name)
sys.meta_path.insert(0, Blocked())
from assay.predict.__main__ import main
code = main(sys.argv[1:])
foreign = [name for name in sys.modules if "." not in name and name in {blocked!r}]
assert not foreign, foreign
sys.exit(code)
"""


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_prediction_needs_numpy_and_onnxruntime_only(ending, made, tmp_path):
    """pyarrow too, where a file is Parquet."""
    blocked = BLOCKED + (() if ending == "parquet" else ("pyarrow",))
    frame = rows()
    table = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(table, index=False)
    elif ending == "jsonl":
        frame.to_json(table, orient="records", lines=True)
    else:
        frame.to_parquet(table)
    words = [str(made.folder), str(table), "-o", str(tmp_path / f"o.{ending}")]
    program = ALONE.format(blocked=blocked)
    subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, check=True)
    found = {"csv": pd.read_csv, "parquet": pd.read_parquet}.get(ending, lambda path: pd.read_json(path, lines=True))(tmp_path / f"o.{ending}")  # fmt: skip

    np.testing.assert_allclose(found["p:yes"], made.trained(make_table(80))[:, 1], atol=1e-5)  # fmt: skip


def test_without_pyarrow_a_parquet_file_is_refused_in_a_sentence(made, tmp_path):
    rows().to_parquet(tmp_path / "t.parquet")
    rows().to_csv(tmp_path / "t.csv", index=False)
    program = ALONE.format(blocked=(*BLOCKED, "pyarrow"))

    for table, output, code in (("t.parquet", "o.csv", 3), ("t.csv", "o.parquet", 2)):
        words = [str(made.folder), str(tmp_path / table), "-o", str(tmp_path / output)]
        done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True)  # fmt: skip
        assert done.returncode == code
        assert "pyarrow is needed" in done.stderr.replace("for which pyarrow", "pyarrow")  # fmt: skip
    assert left_in(tmp_path) == ["t.csv", "t.parquet"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_table(made, tmp_path):
    """Ten times the rows, which are a file of 20 MB, take no more."""
    program = "import sys; from assay.predict.__main__ import main; main(sys.argv[1:]); print(open('/proc/self/status').read())"  # fmt: skip
    peaks = []
    for n in (30_000, 300_000):
        rows(n).to_csv(tmp_path / "t.csv", index=False)
        words = [str(made.folder), str(tmp_path / "t.csv"), "-o", str(tmp_path / "o.csv")]  # fmt: skip
        done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
        peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1]) * 1024)

    assert (tmp_path / "t.csv").stat().st_size > 12e6
    assert peaks[1] - peaks[0] < 10e6


@pytest.mark.parametrize("cell", ["a,b", 'say "so"', "two\nlines", "a\rb", '"', " b "])
def test_ids_with_marks_of_csv_come_back_as_they_were(cell, made, tmp_path):
    rows().assign(case=cell).to_csv(
        tmp_path / "t.csv", quoting=csv.QUOTE_ALL, index=False
    )
    predict_file(made.folder, tmp_path / "t.csv", tmp_path / "o.csv")
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {cell}
