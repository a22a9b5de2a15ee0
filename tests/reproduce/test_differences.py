import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from assay.reproduce.differences import first_difference, moved_scores
from tests.reproduce.test_receipt import manifest

PREDICTIONS = pd.DataFrame(
    {
        "repeat": [0, 0, 0, 0],
        "row": [0, 1, 2, 3],
        "fold": [0, 1, 0, 1],
        "label": ["a", "b", "a", "b"],
        "net:a": [0.5, 0.25, 0.75, 0.125],
    }
)
TRIALS: list[dict[str, Any]] = [
    {
        "repeat": 0,
        "fold": fold,
        "model": "net",
        "winner": 0,
        "score": 0.5 + fold / 4,
        "trials": [{"number": 0, "hyperparameters": {"width": 8}, "score": 0.5}],
    }
    for fold in (0, 1)
]
VERDICT: dict[str, Any] = {
    "signal": {"score": 0.8, "p_value": 0.01},
    "claim": {"score": 0.7},
    "deep_learning": {"seconds": {"net": 1.0}, "delta": 0.1},
    "digests": {},
}
WEIGHTS = {"hidden/kernel": np.arange(6.0).reshape(2, 3), "hidden/bias": np.zeros(3)}


class Run:
    """A run folder with the files that are compared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bundle").mkdir(parents=True)
        self.tell(PREDICTIONS, TRIALS, VERDICT, WEIGHTS)

    def tell(self, predictions=None, trials=None, verdict=None, weights=None) -> None:
        if predictions is not None:
            predictions.to_parquet(self.folder / "predictions.parquet")
        for name, value in (("trials", trials), ("verdict", verdict)):
            if value is not None:
                (self.folder / f"{name}.json").write_text(json.dumps(value))
        if weights is not None:
            buffer = io.BytesIO()
            with h5py.File(buffer, "w") as file:
                for name, values in weights.items():
                    file[name] = values
            with zipfile.ZipFile(
                self.folder / "bundle" / "model.keras", "w"
            ) as archive:
                archive.writestr("model.weights.h5", buffer.getvalue())


@pytest.fixture
def runs(tmp_path):
    return Run(tmp_path / "was"), Run(tmp_path / "now")


def first(runs, **same):
    was, now = runs
    return first_difference(
        (was.folder, manifest()),
        (now.folder, manifest(same or {"weights": "other"})),
    )


def test_equal_digests_have_no_difference(runs):
    was, now = runs

    assert first_difference((was.folder, manifest()), (now.folder, manifest())) is None


@pytest.mark.parametrize("name", ["study", "data", "code", "lock"])
def test_another_input_is_named_before_anything_is_looked_at(runs, name):
    runs[1].tell(predictions=PREDICTIONS.assign(**{"net:a": 0.0}))

    assert first(runs, **{name: "other"}).what == name


def test_a_row_in_another_fold_comes_first(runs):
    moved = PREDICTIONS.assign(fold=[0, 0, 1, 1], **{"net:a": 0.0})
    runs[1].tell(predictions=moved)
    difference = first(runs)

    assert (difference.what, str(difference.where)) == (
        "folds",
        "split, repeat 1, row 1, fold",
    )
    assert (difference.was, difference.now) == ("1", "0")


def test_the_gate_comes_before_the_trials(runs):
    runs[1].tell(verdict=VERDICT | {"signal": {"score": 0.9, "p_value": 0.01}})
    difference = first(runs)

    assert str(difference.where) == "gate, score"
    assert difference.largest == pytest.approx(0.1)


def test_a_trial_is_named_by_repeat_fold_model_and_number(runs):
    other = json.loads(json.dumps(TRIALS))
    other[1]["trials"][0]["hyperparameters"]["width"] = 16
    runs[1].tell(trials=other, predictions=PREDICTIONS.assign(**{"net:a": 0.0}))
    difference = first(runs)

    assert (
        str(difference.where)
        == "tune, repeat 1, fold 2, net, trial 0, hyperparameters, width"
    )
    assert (difference.was, difference.now, difference.largest) == ("8", "16", 8.0)


def test_a_prediction_is_named_by_its_row_with_the_largest_deviation_of_all(runs):
    later = PREDICTIONS.assign(**{"net:a": [0.5, 0.26, 0.75, 0.625]})
    runs[1].tell(predictions=later)
    difference = first(runs)

    assert str(difference.where) == "tune, repeat 1, fold 2, prediction net:a of row 1"
    assert (difference.was, difference.now, difference.largest) == ("0.25", "0.26", 0.5)
    assert "by at most 0.5" in str(difference.sentence())


def test_a_weight_is_named_by_its_tensor(runs):
    kernel = WEIGHTS["hidden/kernel"].copy()
    kernel[1, 2] += 0.25
    runs[1].tell(weights=WEIGHTS | {"hidden/kernel": kernel})
    difference = first(runs)

    assert str(difference.where) == "final, tensor hidden/kernel"
    assert difference.largest == 0.25


def test_times_are_no_difference_and_what_no_file_shows_is_said_by_its_digest(runs):
    slower = json.loads(json.dumps(VERDICT))
    slower["deep_learning"]["seconds"]["net"] = 2.0
    runs[1].tell(verdict=slower)
    difference = first(runs)

    assert (difference.what, str(difference.where)) == ("weights", "its digest")
    assert (difference.was, difference.now) == ("w", "other")


def test_scores_move_by_the_difference_of_their_means(runs):
    higher = [one | {"score": one["score"] + 0.125} for one in TRIALS]
    runs[1].tell(trials=higher)

    assert moved_scores(runs[0].folder, runs[1].folder) == {"net": 0.125}
