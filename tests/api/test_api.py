"""Assay from Python: a DataFrame to a run, what the run offers, and what is refused."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import assay
from assay.api.progress import line_of
from assay.api.tables import columns_of, keep_frame
from assay.errors import DataRefused, StudyError
from assay.store.store import Store
from bench.program import ROOT, environment
from tests.flow_runs import Workplace, make

SMALL = {
    "plan.a.tune": {"trials": 2, "seeds": 2, "epochs": 4, "patience": 2},
    "plan.a.split": {"folds": 3, "repeats": 1, "inner_folds": 3},
    "plan.a.gate": {"permutations": 60, "steps": 40, "hidden": 8},
    "plan.a.audit.self_test": 5,
}
HEAVY = (
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "tensorflow",
    "keras",
    "prefect",
    "pydantic",
    "matplotlib",
)


def test_importing_assay_loads_nothing_heavy():
    program = f"import assay, sys; dir(assay); print([name for name in {HEAVY} if name in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_everything_that_is_public_is_there_and_documented():
    for name in assay.__all__:
        assert getattr(assay, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        assay.other  # noqa: B018


# Tables ----------------------------------------------------------------------------------------


def test_a_frame_is_kept_under_the_digest_of_its_content(tmp_path: Path):
    frame = pd.DataFrame({"x": [1, 2], "day": pd.to_datetime(["2024-01-01", None])})
    frame["kind"] = pd.Categorical(["a", "b"])
    store = Store(tmp_path)

    path = keep_frame(frame, store)

    assert keep_frame(frame.copy(), store) == path
    assert keep_frame(frame.assign(x=[1, 3]), store) != path
    table = pd.read_parquet(path)
    assert table["day"].fillna("").tolist() == ["2024-01-01", ""]
    assert table["kind"].tolist() == ["a", "b"]


def test_a_named_index_is_a_column_and_any_other_is_left_out(tmp_path: Path):
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=[7, 8])
    store = Store(tmp_path)

    plain = pd.read_parquet(keep_frame(frame, store))
    named = pd.read_parquet(keep_frame(frame.rename_axis("id"), store))

    assert list(plain) == ["x"]
    assert named["id"].tolist() == [7, 8]


@pytest.mark.parametrize("column", [[1, "a"], [{"a": 1}, 2], [object(), None]])
def test_a_column_of_several_kinds_is_refused_by_name(
    tmp_path: Path, column: list[object]
):
    frame = pd.DataFrame({"x": [1, 2], "odd": pd.Series(column, dtype=object)})

    with pytest.raises(DataRefused, match="'odd'"):
        keep_frame(frame, Store(tmp_path))


def test_frames_that_are_no_table_are_refused_in_a_sentence(tmp_path: Path):
    store = Store(tmp_path)
    frame = pd.DataFrame({"x": [1, 2]})
    levels = frame.set_axis(pd.MultiIndex.from_tuples([("a", "x")]), axis=1)
    doubled = pd.concat([frame, frame], axis=1)

    for odd, sentence in (
        (levels, "names of 2 levels"),
        (doubled, "Two columns are named 'x'"),
        (frame.iloc[:0], "has no rows"),
        (pd.DataFrame({"x": [10**30, 1]}), "'x'"),
    ):
        with pytest.raises(DataRefused, match=sentence):
            keep_frame(odd, store)
    with pytest.raises(StudyError, match="not a list"):
        assay.check([1, 2], target="x", artifacts=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="not a list"):
        assay.check(frame, target="x", artifacts=tmp_path, changes=["a"])  # type: ignore[arg-type]


def test_rows_to_predict_are_plain_values_with_none_for_missing():
    frame = pd.DataFrame({"x": [1.5, None], "text": ["a", None]})

    assert columns_of(frame) == {"x": [1.5, None], "text": ["a", None]}
    assert columns_of({"x": [1, 2]}) == {"x": [1, 2]}


# Refusals --------------------------------------------------------------------------------------


def test_a_table_needs_a_target_and_a_study_has_its_own(tmp_path: Path):
    with pytest.raises(StudyError, match="target="):
        assay.check(tmp_path / "table.csv", artifacts=tmp_path)
    with pytest.raises(StudyError, match="names its own target"):
        assay.check("study.toml", target="y", artifacts=tmp_path)


def test_progress_lines_are_those_of_the_terminal():
    finished = {
        "event": "Finished",
        "stage": "gate",
        "label": "",
        "seconds": 1.25,
        "stored": False,
        "summary": "beats",
    }

    assert line_of(finished) == "gate         1.2 s  beats"
    assert line_of(finished | {"stored": True}).split() == ["gate", "stored", "beats"]
    assert line_of({"event": "Started", "stage": "gate", "label": ""}) == ""


# Whole checks ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return make(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def run(workplace: Workplace) -> assay.Run:
    """A check of a DataFrame, with an event loop running, as in a notebook, and TensorFlow loaded by other settings."""

    async def checked() -> assay.Run:
        frame = pd.read_csv(workplace.folder / "table.csv")
        return assay.check(
            frame, target="label", artifacts=workplace.artifacts, changes=SMALL
        )

    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = "0"
    try:
        return asyncio.run(checked())
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES")
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


@pytest.mark.slow
@pytest.mark.xdist_group("api")
def test_a_run_offers_verdict_folds_predictions_trials_and_model(
    run: assay.Run, workplace: Workplace
):
    frame = pd.read_csv(workplace.folder / "table.csv")

    assert run.verdict.signal.answer == "signal"
    assert set(run.folds["model"]) == {"boosting", "logistic", "net"}
    assert len(run.folds) == 9
    assert len(run.predictions) == len(frame)
    assert run.trials.groupby("model").size().min() >= 6
    assert run.trials["chosen"].any()
    predictions = run.model().predict(frame.iloc[5:8].drop(columns="label"))
    assert list(predictions.index) == [5, 6, 7]
    assert predictions[["p_no", "p_yes"]].sum(axis=1).between(0.999, 1.001).all()
    with pytest.raises(DataRefused, match="x4"):
        run.model().predict(frame[["x1", "x2", "x3"]])


@pytest.mark.slow
@pytest.mark.xdist_group("api")
def test_a_notebook_sees_the_verdict_two_pictures_and_a_link_and_no_script(
    run: assay.Run,
):
    card = run._repr_html_()

    assert card.count("<svg") == 2
    assert "<script" not in card
    assert "report.html" in card
    assert str(run).splitlines()[0][2:] in card


@pytest.mark.slow
@pytest.mark.xdist_group("api")
def test_the_report_is_written_in_both_languages_and_the_run_is_left_alone(
    run: assay.Run,
):
    before = {file: file.stat().st_mtime_ns for file in run.folder.rglob("*")}

    pages = {
        language: run.report(language).read_text(encoding="utf-8")
        for language in ("en", "ko")
    }

    assert 'lang="en"' in pages["en"]
    assert 'lang="ko"' in pages["ko"]
    assert {file: file.stat().st_mtime_ns for file in run.folder.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.xdist_group("api")
def test_the_same_check_is_answered_from_the_run_and_the_run_is_found_by_name(
    run: assay.Run, workplace: Workplace
):
    frame = pd.read_csv(workplace.folder / "table.csv")

    again = assay.check(
        frame, target="label", artifacts=workplace.artifacts, changes=SMALL
    )

    assert again.folder == run.folder
    assert assay.open_run(run.folder.name, workplace.artifacts).verdict == run.verdict
    assert assay.runs(workplace.artifacts)["run"].tolist() == [run.folder.name]


@pytest.mark.slow
@pytest.mark.xdist_group("api")
def test_a_refusal_in_the_other_process_is_raised_here_with_its_class(
    workplace: Workplace,
):
    frame = pd.read_csv(workplace.folder / "table.csv")

    with pytest.raises(StudyError, match="nolabel"):
        assay.check(frame, target="nolabel", artifacts=workplace.artifacts)


NOTEBOOKS = ("assay.ipynb", "assay.ko.ipynb")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project folder of both notebooks: the second one's check is answered from the first one's run."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.mark.slow
@pytest.mark.xdist_group("api")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebooks_run_from_a_frame_to_a_prediction(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    import nbformat

    monkeypatch.setenv("ASSAY_HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / name, as_version=4)

    nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute(
        cwd=str(home)
    )

    outputs = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "<svg" in outputs
    assert "truth" in outputs
    assert "Traceback" not in outputs


def test_both_notebooks_have_the_same_code():
    def code(name: str) -> list[str]:
        notebook = json.loads(
            (ROOT / "docs" / "notebooks" / name).read_text(encoding="utf-8")
        )
        cells = (
            "".join(cell["source"])
            for cell in notebook["cells"]
            if cell["cell_type"] == "code"
        )
        return [
            text.replace("import assay\n\n", "").replace('"ko"', '"en"')
            for text in cells
            if "speak" not in text
        ]

    assert code(NOTEBOOKS[0]) == code(NOTEBOOKS[1])
