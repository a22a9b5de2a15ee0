"""What out-of-fold predictions show, held against scikit-learn and against figures worked by hand."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from assay.report.examples import pixels_of, png
from assay.report.findings import MOST_POINTS, findings, precision, predicted, roc
from assay.study.plans import ImagePlan
from tests.model_factories import line_table, number_case, scored_case, steady
from tests.model_factories import predicted as drawn


@steady
@given(drawn())
def test_areas_are_those_of_scikit_learn(sample):
    labels, p = sample
    truth, score = labels == 1, p[:, 1]

    assert roc("net", truth, score).area == pytest.approx(roc_auc_score(truth, score))
    assert precision("net", truth, score).area == pytest.approx(
        average_precision_score(truth, score)
    )


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_its_shape():
    generator = np.random.default_rng(0)
    truth = generator.random(20_000) < 0.3
    curve = roc("net", truth, generator.normal(size=20_000) + truth)

    assert len(curve.x) <= MOST_POINTS + 1
    assert (curve.x[0], curve.y[0]) == (0, 0)
    assert (curve.x[-1], curve.y[-1]) == (1, 1)
    assert list(curve.x) == sorted(curve.x)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(curve.area, abs=0.005)


def test_a_rows_prediction_is_the_mean_over_repeats_and_untested_rows_are_left_out():
    outer = np.array([[-1, 0, 1], [-1, 1, 0]], dtype=np.int16)
    said = {
        "net": [
            [np.array([[0.2]]), np.array([[0.4]])],
            [np.array([[0.8]]), np.array([[0.6]])],
        ]
    }
    predictions = predicted(np.array([1.0, 2.0, 3.0]), outer, said)

    assert predictions.rows.tolist() == [1, 2]
    assert predictions.labels.tolist() == [2.0, 3.0]
    assert predictions.by_model["net"][:, 0] == pytest.approx([0.4, 0.6])


def found_in(case, features=None, **options):
    table = line_table(len(case.labels), 0)[0] if features is None else features
    predictions = predicted(case.labels, case.folds, case.predictions)
    return findings(predictions, case.evidence.cleaned, table, **options)


def test_confusion_counts_every_row_once_and_worst_errors_are_sure_and_wrong():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    found = found_in(case, leading=("x2",))
    mean = np.zeros((400, 2))
    for folds, by_fold in zip(case.folds, case.predictions["net"], strict=True):
        for fold, said in enumerate(by_fold):
            mean[folds == fold] += said / 3
    missed = np.flatnonzero(mean.argmax(axis=1) != case.labels)

    assert np.sum(found.confusion) == 400
    assert found.confusion[0][1] + found.confusion[1][0] == len(missed)
    assert found.wrong[0].row == max(missed, key=lambda row: mean[row].max())
    assert all(one.truth != one.said for one in found.wrong)
    assert [one.by for one in found.wrong] == sorted(
        (one.by for one in found.wrong), reverse=True
    )
    assert next(iter(found.wrong[0].values)) == "x2"


def test_calibration_bins_hold_every_row_and_a_truthful_model_is_near_the_diagonal():
    found = found_in(scored_case({"logistic": 1.0, "net": 1.0}, n=2000))

    for bins in found.calibration.values():
        assert sum(one.n for one in bins) == 2000
    assert found.calibration["net"] == tuple(
        sorted(found.calibration["net"], key=lambda b: b.predicted)
    )


def test_numbers_have_points_errors_and_worst_rows():
    case = number_case({"linear": 6.0, "net": 1.0})
    found = found_in(case)
    errors = [abs(one.by) for one in found.wrong]

    assert len(found.points) == 200
    assert list(found.errors) == sorted(found.errors)
    assert errors == sorted(errors, reverse=True)
    assert not found.roc
    assert not found.confusion


def test_long_and_missing_values_of_a_row_are_short_and_empty():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    table = pd.DataFrame(
        {"a": ["word " * 60] * 400, "b": [None] * 400, "c": [1 / 3] * 400}
    )
    values = found_in(case, features=table).wrong[0].values

    assert len(values["a"]) == 80
    assert values["a"].endswith("…")
    assert values["b"] == ""
    assert values["c"] == "0.333333"


def test_images_are_shown_right_and_wrong_and_no_pixel_as_a_value():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    cleaned = case.evidence.cleaned.model_copy(update={"image": True})
    table = pd.DataFrame(np.random.default_rng(0).uniform(0, 16, size=(400, 64)))
    plan = ImagePlan(height=8, width=8, channels=1)
    predictions = predicted(case.labels, case.folds, case.predictions)
    found = findings(predictions, cleaned, table, pixels=pixels_of(table, plan))

    assert len(found.wrong_examples) == 8
    assert [one.said for one in found.right_examples] == ["no", "yes"]
    assert all(one.values == {} for one in found.wrong)
    first = found.wrong_examples[0]
    with Image.open(io.BytesIO(base64.b64decode(first.png))) as image:
        shown = np.asarray(image)
    expected = table.iloc[first.row].to_numpy() / table.to_numpy().max() * 255
    assert shown.ravel() == pytest.approx(expected, abs=0.51)


def test_pixels_of_colour_stand_where_they_stood():
    table = pd.DataFrame([np.arange(8 * 8 * 3, dtype=float)])
    pixels = pixels_of(table, ImagePlan(height=8, width=8, channels=3))
    with Image.open(
        io.BytesIO(base64.b64decode(png(table.iloc[0].to_numpy(), pixels)))
    ) as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image).ravel(), np.arange(192))
