import dataclasses
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from assay.errors import TrainingFailed
from assay.metrics import auc, score
from assay.models.tune import fold_result, tune_all, tune_fold
from assay.networks.net import nets_digest, unpack_nets
from assay.store.canonical import digest_array
from assay.store.records import Place
from assay.study.plans import (
    CleanPlan,
    NetSpace,
    OutlierPlan,
)
from tests.model_factories import (
    line_table,
    noise_table,
    number_table,
    ref,
    samples_of,
    shuffled_folds,
    tuning,
)

pytestmark = pytest.mark.slow

PLACE = Place(repeat=0, fold=0)
FAMILIES = {"logistic", "boosting", "net"}
LOSSES = ["squared_error", "absolute_error"]


def parts_of(labels, seed=1):
    """Inner folds 0 to 2 of the training part; -1 in the test part."""
    codes = labels if labels.dtype.kind == "i" else np.zeros(len(labels))
    outer = shuffled_folds(codes, 4, seed)
    inner = shuffled_folds(codes, 3, seed + 1)
    inner[outer == 0] = -1
    return inner


def essence(fits):
    """Everything that must be equal in an equal run."""
    return {
        name: (fit.trials, fit.winner, digest_array(fit.predictions), fit.size)
        for name, fit in fits.items()
    }


@pytest.fixture(scope="module")
def tuned():
    samples = samples_of(line_table(240, seed=3))
    inner = parts_of(samples.labels)
    return samples, inner, tune_fold(samples, inner, tuning(), PLACE, 7)


@pytest.fixture(scope="module", params=["r2", *LOSSES])
def tuned_number(request):
    samples = samples_of(number_table(240, seed=3, noise=0.2))
    inner, plan = parts_of(samples.labels), tuning(request.param, epochs=40, patience=9)
    return samples, inner, plan, tune_fold(samples, inner, plan, PLACE, 7)


# Classes ---------------------------------------------------------------------------------------


def test_every_family_predicts_probabilities_for_the_test_part(tuned):
    samples, inner, found = tuned

    assert set(found) == FAMILIES
    for one in found.values():
        assert one.predictions.shape == ((inner < 0).sum(), 2)
        assert one.predictions.sum(axis=1) == pytest.approx(1)
        assert auc(samples.labels[inner < 0], one.predictions) > 0.8
        assert one.size > 0


def test_every_family_gets_the_same_number_of_trials(tuned):
    *_, found = tuned

    assert {len(one.trials) for one in found.values()} == {2}
    for one in found.values():
        scores = [trial.score for trial in one.trials]
        assert scores[one.winner] == max(scores)


def test_the_same_place_twice_gives_the_same_bits_and_another_place_does_not(tuned):
    samples, inner, found = tuned
    again = tune_fold(samples, inner, tuning(), PLACE, 7)
    elsewhere = tune_fold(samples, inner, tuning(), Place(repeat=1, fold=0), 7)

    assert essence(again) == essence(found)
    assert essence(elsewhere)["net"] != essence(found)["net"]


def test_rows_of_the_test_part_never_influence_what_is_fitted(tuned):
    """Half of the test part is given absurd features and turned labels: nothing else moves."""
    samples, inner, found = tuned
    test = np.flatnonzero(inner < 0)
    spoilt, kept = test[::2], np.arange(len(test)) % 2 == 1
    features, labels = samples.features.copy(), samples.labels.copy()
    features.iloc[spoilt] = 1e6
    labels[spoilt] = 1 - labels[spoilt]
    changed = tune_fold(samples_of((features, labels)), inner, tuning(), PLACE, 7)

    for name in FAMILIES:
        assert changed[name].trials == found[name].trials
        assert changed[name].winner == found[name].winner
        assert np.array_equal(
            changed[name].predictions[kept], found[name].predictions[kept]
        ), name


def test_rows_in_neither_part_influence_nothing_and_are_not_predicted(tuned):
    """Later rows of a series, or the gap beside a test part: as if they were not there."""
    samples, inner, found = tuned
    more = samples_of(
        (
            pd.concat([samples.features, 1e6 + samples.features[:30]]),
            np.concatenate([samples.labels, 1 - samples.labels[:30]]),
        )
    )
    marked = np.concatenate([inner, np.full(30, -2, dtype=np.int16)])

    assert essence(tune_fold(more, marked, tuning(), PLACE, 7)) == essence(found)


def test_outliers_are_left_out_of_training_and_still_predicted():
    samples = samples_of(line_table(240, seed=3))
    inner = parts_of(samples.labels)
    far = np.concatenate(
        [np.flatnonzero(inner < 0)[:3], np.flatnonzero(inner >= 0)[:3]]
    )
    samples.features.iloc[far] = 50.0
    plan = tuning().model_copy(
        update={"clean": CleanPlan(outliers=OutlierPlan(rule="iqr"))}
    )
    found = tune_fold(samples, inner, plan, PLACE, 7)

    for one in found.values():
        assert one.predictions.shape == ((inner < 0).sum(), 2)
        assert np.isfinite(one.predictions).all()


def test_more_inner_folds_and_more_classes_work_alike():
    samples = samples_of(line_table(240, seed=4, n_classes=3))
    inner = parts_of(samples.labels)
    found = tune_fold(samples, inner, tuning(folds_per_trial=2), PLACE, 7)

    for one in found.values():
        assert one.predictions.shape == ((inner < 0).sum(), 3)
        assert one.predictions.sum(axis=1) == pytest.approx(1)


def test_one_row_in_fifty_of_a_class_is_enough_to_tune_on():
    """Stopping rows with a positive or two, in a stack with others."""
    features, _ = line_table(600, seed=4)
    rare = np.zeros(600, dtype=np.int32)
    rare[np.argsort(features["x0"].to_numpy())[-12:]] = 1
    samples = samples_of((features, rare))
    inner = parts_of(rare)
    found = tune_fold(samples, inner, tuning(epochs=40, patience=40), PLACE, 7)

    for one in found.values():
        assert auc(rare[inner < 0], one.predictions) > 0.8
        assert all(trial.score is not None for trial in one.trials)


def test_an_inner_fold_of_one_class_ranks_trials_by_their_log_loss_and_says_so():
    """As in a series that keeps its class for long: the fold is scored all the same."""
    samples = samples_of(line_table(240, seed=3))
    inner = parts_of(samples.labels)
    train = np.flatnonzero(inner >= 0)
    inner[train] = np.where(samples.labels[train] == 1, 1 + train % 2, train % 3)
    found = tune_fold(samples, inner, tuning(), PLACE, 7)

    for one in found.values():
        assert "minus the log_loss" in str(one.trials[one.winner].message)
        assert np.isfinite(one.predictions).all()
        assert all(trial.score <= 0 for trial in one.trials)


def test_a_net_that_never_has_a_finite_loss_fails_the_search():
    """A learning rate beyond all reason leaves no trial with weights to keep."""
    samples = samples_of(noise_table(120, seed=1))
    plan = tuning(net=NetSpace(depth=(2,), width=(8,), learning_rate=(1e30, 1e32)))

    with pytest.raises(TrainingFailed, match="finite"):
        tune_fold(samples, parts_of(samples.labels), plan, PLACE, 7)


# Numbers ---------------------------------------------------------------------------------------


def test_every_family_predicts_a_number_in_its_own_units(tuned_number):
    samples, inner, _, found = tuned_number
    labels = samples.labels[inner < 0]

    assert set(found) == {"linear", "boosting", "net"}
    for name, one in found.items():
        assert one.predictions.shape == (len(labels), 1)
        assert score("r2", labels, one.predictions) > 0.4, name
        assert one.size > 0


def test_trials_say_a_loss_as_people_read_it_and_the_least_wins(tuned_number):
    *_, plan, found = tuned_number

    for one in found.values():
        scores = [trial.score for trial in one.trials]
        best = max(scores) if plan.metric == "r2" else min(scores)
        assert one.picks or scores[one.winner] == best
        assert not one.picks or one.winner == Counter(one.picks).most_common(1)[0][0]
        assert plan.metric == "r2" or min(scores) > 0


def test_the_same_numbers_twice_give_the_same_bits(tuned_number):
    samples, inner, plan, found = tuned_number

    assert essence(tune_fold(samples, inner, plan, PLACE, 7)) == essence(found)


# Records ---------------------------------------------------------------------------------------


def test_a_fold_result_scores_the_test_part_and_names_no_seconds_as_essence(tuned):
    samples, inner, found = tuned
    refs = {name: ref(name) for name in found}
    slower = {name: dataclasses.replace(one, fit_s=99.0) for name, one in found.items()}
    one, other = (
        fold_result(PLACE, models, refs, samples, inner, tuning())
        for models in (found, slower)
    )
    net = one.models["net"]

    assert net.score == auc(samples.labels[inner < 0], found["net"].predictions)
    assert net.size == found["net"].size
    assert one.essence_digest() == other.essence_digest()


def test_a_fold_result_says_a_loss_in_its_own_direction(tuned_number):
    samples, inner, plan, found = tuned_number
    refs = {name: ref(name) for name in found}
    result = fold_result(PLACE, found, refs, samples, inner, plan)

    for name, fit in result.models.items():
        expected = score(
            plan.metric, samples.labels[inner < 0], found[name].predictions
        )
        assert fit.score == expected > 0


def test_a_test_part_that_the_metric_cannot_tell_has_no_score(tuned):
    samples, inner, found = tuned
    labels = np.where(inner < 0, 0, samples.labels).astype(np.int32)
    refs = {name: ref(name) for name in found}
    alike = dataclasses.replace(samples, labels=labels)
    result = fold_result(PLACE, found, refs, alike, inner, tuning())

    assert {fit.score for fit in result.models.values()} == {None}


@pytest.mark.parametrize("table", [line_table, number_table])
def test_the_final_model_is_fitted_on_all_rows_and_twice_the_same(table):
    samples = samples_of(table(150, seed=5))
    folds = shuffled_folds(np.zeros(150), 3, 1)
    plan = tuning("auc" if samples.task == "binary" else "r2")
    first, again = (tune_all(samples, folds, plan, 7) for _ in range(2))

    assert len(first.members) == 2
    assert first.preparation.n_inputs == 4
    assert nets_digest(first.members) == nets_digest(again.members)
    record = first.record(ref("preparation"), ref("weights"))
    assert record.weights_digest == nets_digest(first.members)
    assert record.model.predictions is None
    assert record.model.size == sum(net.size for net in first.members)
    assert record.model.picks
    assert nets_digest(unpack_nets(first.packed_weights())) == record.weights_digest


def test_rows_that_no_outer_fold_tests_are_fitted_with_the_first():
    """The first block of a series, from which everything later is predicted."""
    samples = samples_of(line_table(150, seed=5))
    folds = shuffled_folds(samples.labels, 4, 1) - 1
    first, other = (
        tune_all(samples, outer.astype(np.int16), tuning(), 7)
        for outer in (folds, np.maximum(folds, 0))
    )

    assert nets_digest(first.members) == nets_digest(other.members)
