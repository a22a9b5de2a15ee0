import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.errors import DataRefused
from assay.metrics import goodness
from assay.models.training_part import Fitted, Part
from assay.study.plans import CleanPlan, OutlierPlan, TunePlan, Tuning
from assay.wording import Sentence
from tests.model_factories import line_table, number_table, samples_of, shuffled_folds


def tuning(metric="auc", clean=None, **changed):
    tune = TunePlan.model_validate({"folds_per_trial": 2, **changed})
    return Tuning(tune=tune, clean=clean or CleanPlan(), metric=metric)


def inner_of(n=120):
    """Three inner folds, a test part, and a gap between them."""
    inner = np.arange(n, dtype=np.int16) % 3
    inner[n - 30 : n - 10], inner[n - 10 :] = -2, -1
    return inner


def test_only_rows_of_an_inner_fold_are_learned_from_and_only_the_test_part_is_tested():
    """Rows marked -2 are in neither; a trial's validation rows are those of its inner fold."""
    inner = inner_of()
    part = Part(samples_of(line_table(120, 1)), inner, tuning())

    assert part.test.tolist() == list(range(110, 120))
    assert np.array_equal(part.whole.train, np.flatnonzero(inner >= 0))
    assert len(part.trial_folds) == 2
    for k, fold in enumerate(part.trial_folds):
        assert np.array_equal(fold.validation, np.flatnonzero(inner == k))
        learned = (inner >= 0) & (inner != k)
        assert np.array_equal(fold.train, np.flatnonzero(learned))


def test_the_preparation_learns_from_training_rows_alone():
    """Absurd values elsewhere, in the test part and between, move no number of it."""
    samples, inner = samples_of(line_table(120, 1)), inner_of()
    spoilt = samples_of((samples.features.copy(), samples.labels))
    spoilt.features.iloc[90:] *= 1e6
    first, other = (Part(given, inner, tuning()).whole for given in (samples, spoilt))

    for name, array in first.preparation.arrays().items():
        assert np.array_equal(array, other.preparation.arrays()[name]), name


def test_the_text_of_other_rows_changes_nothing_that_is_fitted():
    samples, inner = samples_of(line_table(120, 1)), inner_of()
    said = [f"word {row % 7} of {row % 11}" for row in range(120)]
    samples.features["title"] = pd.Series(said, dtype="str")
    spoilt = samples_of((samples.features.copy(), samples.labels))
    spoilt.features.loc[90:, "title"] = "something else entirely, again and again"
    plan = tuning(clean=CleanPlan(text=("title",), text_components=4))
    first, other = (Part(given, inner, plan).whole for given in (samples, spoilt))

    assert first.preparation.form() == other.preparation.form()
    for name, array in first.preparation.packed().items():
        assert np.array_equal(array, other.preparation.packed()[name]), name
    assert np.array_equal(first.inputs[:90], other.inputs[:90])
    assert not np.array_equal(first.inputs[110:], other.inputs[110:])


def test_a_model_is_tested_on_the_rows_of_the_test_part_in_its_own_form():
    samples = samples_of(line_table(120, 1))
    samples.features.loc[115, "x0"] = np.nan
    part = Part(samples, inner_of(), tuning())
    net, trees = (Fitted(lambda rows: rows, 0, of_trees=own) for own in (False, True))

    assert np.array_equal(part.tested(net), part.whole.inputs[110:])
    expected = samples.features.iloc[110:].to_numpy()
    assert np.array_equal(part.tested(trees), expected, equal_nan=True)


def test_outliers_leave_the_training_rows_and_no_others():
    samples, inner = samples_of(line_table(120, 1)), inner_of()
    samples.features.iloc[[0, 1, 115]] = 50.0
    clean = CleanPlan(outliers=OutlierPlan(rule="iqr"))
    part = Part(samples, inner, tuning(clean=clean))

    assert {0, 1}.isdisjoint(part.whole.train)
    assert 115 in part.test
    assert {0, 1} & set(part.trial_folds[0].validation)


def test_a_class_that_a_training_part_lacks_is_refused_and_a_number_cannot_lack():
    features, labels = line_table(120, 1)
    inner = inner_of()
    labels[inner >= 0], labels[inner == -1] = 0, 1

    with pytest.raises(DataRefused, match="no rows of class number 1"):
        Part(samples_of((features, labels)), inner, tuning())
    Part(samples_of((features, labels.astype(float))), inner, tuning("r2"))


@pytest.mark.parametrize(
    ("metric", "table"),
    [("auc", line_table), ("brier", line_table), ("absolute_error", number_table)],
)
def test_a_trial_scores_its_mean_goodness_over_the_inner_folds(metric, table):
    samples = samples_of(table(120, 1))
    part = Part(samples, inner_of(), tuning(metric))
    generator = np.random.default_rng(0)
    predictions = []
    for fold in part.trial_folds:
        p = generator.random(len(fold.validation))
        predictions.append(
            p[:, None] if part.regression else np.column_stack([1 - p, p])
        )
    expected = [
        goodness(metric, samples.labels[fold.validation], p)
        for fold, p in zip(part.trial_folds, predictions, strict=True)
    ]

    assert part.scored(predictions) == (pytest.approx(np.mean(expected)), None)
    assert part.n_outputs == (1 if part.regression else 2)


def test_a_trial_whose_predictions_are_not_finite_has_failed():
    part = Part(samples_of(number_table(120, 1)), inner_of(), tuning("r2"))
    good = [np.zeros((len(fold.validation), 1)) for fold in part.trial_folds]
    bad = [good[0], np.full_like(good[1], np.nan)]

    assert part.scored(good)[0] is not None
    assert part.scored(bad) == (None, Sentence.of("models.trial.not_finite"))
    assert part.scored([good[0], None]) == part.scored(bad)


@pytest.mark.parametrize(
    ("metric", "loss"), [("auc", "log_loss"), ("r2", "squared_error")]
)
def test_where_no_inner_fold_can_tell_the_metric_the_loss_ranks_the_trials(
    metric, loss
):
    """Every row of both folds is of one class: what is closer to it is better, and the message says so."""
    features, labels = line_table(120, 1)
    inner = inner_of()
    labels[(inner == 0) | (inner == 1)] = 0
    given = labels if metric == "auc" else labels.astype(float)
    part = Part(samples_of((features, given)), inner, tuning(metric))
    sizes = [len(fold.validation) for fold in part.trial_folds]
    off = {"auc": lambda x: [1 - x, x], "r2": lambda x: [x]}[metric]
    close, far = ([np.tile(off(x), (n, 1)) for n in sizes] for x in (0.1, 0.4))
    (better, why), (worse, _) = part.scored(close), part.scored(far)

    assert worse < better <= 0
    assert why == Sentence.of("models.trial.other_metric", metric=loss, declared=metric)


def test_inner_folds_that_cannot_tell_the_metric_leave_it_to_those_that_can():
    features, labels = line_table(120, 1)
    inner = inner_of()
    labels[inner == 1] = 0
    part = Part(samples_of((features, labels)), inner, tuning("auc"))
    first = part.trial_folds[0].validation
    perfect = [
        np.column_stack([1.0 - labels[fold.validation], labels[fold.validation]])
        for fold in part.trial_folds
    ]

    assert len(np.unique(labels[first])) == 2
    assert part.scored(perfect) == (1.0, None)


def test_a_trial_whose_errors_overflow_has_failed_and_keeps_its_worst_fold():
    """Finite predictions whose squares are not: no fold is passed over for it."""
    part = Part(samples_of(number_table(120, 1)), inner_of(), tuning("r2"))
    good = [np.zeros((len(fold.validation), 1)) for fold in part.trial_folds]
    absurd = [good[0], np.full_like(good[1], 1e200)]

    assert part.scored(absurd) == (None, Sentence.of("models.trial.overflow"))


def test_folds_of_rows_are_drawn_by_others_and_taken_as_they_are():
    """Any numbering of inner folds will do, as units and times ask for."""
    samples = samples_of(line_table(120, 1))
    inner = shuffled_folds(samples.labels, 4, 1)
    part = Part(samples, inner - 1, tuning())

    assert np.array_equal(part.test, np.flatnonzero(inner == 0))


def test_classes_of_equal_say_weigh_as_much_in_all():
    part = Part(
        samples_of(line_table(160, seed=3)),
        inner_of(160),
        tuning(balanced=True),
    )
    rare = dataclasses.replace(
        samples_of(line_table(160, seed=3)),
        labels=(np.arange(160) % 8 == 0).astype(np.int32),
    )
    other = Part(rare, part.inner, part.plan)
    counts = np.bincount(rare.labels[other.whole.train])

    assert np.array(other.class_weights()) * counts == pytest.approx(counts.sum() / 2)
    assert Part(rare, part.inner, tuning()).class_weights() == ()
