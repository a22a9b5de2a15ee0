import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

from assay.canonical import digest_array
from assay.errors import TrainingFailed
from assay.metrics import auc
from assay.network import weights_digest
from assay.plans import (
    BoostingSpace,
    CleanPlan,
    NetSpace,
    OutlierPlan,
    TunePlan,
    Tuning,
)
from assay.records import Place
from assay.tune import _fit_boosting, _Part, fold_result, tune_all, tune_fold
from tests.model_factories import line_table, noise_table, ref, shuffled_folds

pytestmark = pytest.mark.slow

PLACE = Place(repeat=0, fold=0)
FAMILIES = {"logistic", "boosting", "net"}


def tuning(**changed):
    plan = TunePlan.model_validate(
        {
            "trials": 2,
            "seeds": 2,
            "epochs": 4,
            "patience": 2,
            "batch_size": 32,
            "net": NetSpace(depth=(1,), width=(8, 16)),
            "boosting": BoostingSpace(max_rounds=15, min_rows_per_leaf=(5,)),
            **changed,
        }
    )
    return Tuning(tune=plan, clean=CleanPlan(), metric="auc")


def parts_of(labels, seed=1):
    """Inner folds 0 to 2 of the training part; -1 in the test part."""
    outer = shuffled_folds(labels, 4, seed)
    inner = shuffled_folds(labels, 3, seed + 1)
    inner[outer == 0] = -1
    return inner


def said(found):
    """Everything that must be equal in an equal run."""
    return {
        name: (one.trials, one.winner, digest_array(one.probabilities))
        for name, one in found.items()
    }


@pytest.fixture(scope="module")
def tuned():
    features, labels = line_table(240, seed=3)
    inner = parts_of(labels)
    return (
        features,
        labels,
        inner,
        tune_fold(features, labels, inner, tuning(), PLACE, 7),
    )


def test_every_family_predicts_probabilities_for_the_test_part(tuned):
    _, labels, inner, found = tuned

    assert set(found) == FAMILIES
    for one in found.values():
        assert one.probabilities.shape == ((inner < 0).sum(), 2)
        assert one.probabilities.sum(axis=1) == pytest.approx(1)
        assert auc(labels[inner < 0], one.probabilities) > 0.8


def test_every_family_gets_the_same_number_of_trials(tuned):
    *_, found = tuned

    assert {len(one.trials) for one in found.values()} == {2}
    for one in found.values():
        scores = [trial.score for trial in one.trials]
        assert scores[one.winner] == max(scores)


def test_the_same_place_twice_gives_the_same_bits_and_another_place_does_not(tuned):
    features, labels, inner, found = tuned
    again = tune_fold(features, labels, inner, tuning(), PLACE, 7)
    elsewhere = tune_fold(features, labels, inner, tuning(), Place(repeat=1, fold=0), 7)

    assert said(again) == said(found)
    assert said(elsewhere)["net"] != said(found)["net"]


def test_rows_of_the_test_part_never_influence_what_is_fitted(tuned):
    """Half of the test part is given absurd features and turned labels: nothing else moves."""
    features, labels, inner, found = tuned
    test = np.flatnonzero(inner < 0)
    spoilt, kept = test[::2], np.arange(len(test)) % 2 == 1
    features, labels = features.copy(), labels.copy()
    features.iloc[spoilt] = 1e6
    labels[spoilt] = 1 - labels[spoilt]
    changed = tune_fold(features, labels, inner, tuning(), PLACE, 7)

    for name in FAMILIES:
        assert changed[name].trials == found[name].trials
        assert changed[name].winner == found[name].winner
        assert np.array_equal(
            changed[name].probabilities[kept], found[name].probabilities[kept]
        ), name


def test_outliers_are_left_out_of_training_and_still_predicted():
    features, labels = line_table(240, seed=3)
    inner = parts_of(labels)
    far = np.concatenate(
        [np.flatnonzero(inner < 0)[:3], np.flatnonzero(inner >= 0)[:3]]
    )
    features.iloc[far] = 50.0
    plan = tuning().model_copy(
        update={"clean": CleanPlan(outliers=OutlierPlan(rule="iqr"))}
    )
    found = tune_fold(features, labels, inner, plan, PLACE, 7)

    for one in found.values():
        assert one.probabilities.shape == ((inner < 0).sum(), 2)
        assert np.isfinite(one.probabilities).all()


def test_more_inner_folds_and_more_classes_work_alike():
    features, labels = line_table(240, seed=4, n_classes=3)
    inner = parts_of(labels)
    found = tune_fold(features, labels, inner, tuning(folds_per_trial=2), PLACE, 7)

    for one in found.values():
        assert one.probabilities.shape == ((inner < 0).sum(), 3)
        assert one.probabilities.sum(axis=1) == pytest.approx(1)


def test_a_fold_result_scores_the_test_part_and_names_no_seconds_as_essence(tuned):
    _, labels, inner, found = tuned
    refs = {name: ref(name) for name in found}
    slower = {name: dataclasses.replace(one, fit_s=99.0) for name, one in found.items()}
    one, other = (
        fold_result(PLACE, models, refs, labels[inner < 0], tuning())
        for models in (found, slower)
    )

    assert one.models["net"].score == auc(labels[inner < 0], found["net"].probabilities)
    assert one.essence_digest() == other.essence_digest()


def test_a_net_that_never_has_a_finite_loss_fails_the_search():
    """A learning rate beyond all reason leaves no trial with weights to keep."""
    features, labels = noise_table(120, seed=1)
    plan = tuning(net=NetSpace(depth=(2,), width=(8,), learning_rate=(1e30, 1e32)))

    with pytest.raises(TrainingFailed, match="finite"):
        tune_fold(features, labels, parts_of(labels), plan, PLACE, 7)


def test_the_final_model_is_fitted_on_all_rows_and_twice_the_same():
    features, labels = line_table(150, seed=5)
    folds = shuffled_folds(labels, 3, 1)
    one, again = (tune_all(features, labels, folds, tuning(), 7) for _ in range(2))

    assert len(one.members) == 2
    assert one.preparation.n_inputs == 4
    assert weights_digest(one.members) == weights_digest(again.members)
    record = one.record(ref("preparation"), ref("weights"))
    assert record.weights_digest == weights_digest(one.members)
    assert record.model.predictions is None
    assert set(one.packed_weights()) == {f"{m}_{i}" for m in range(2) for i in range(4)}


def test_boosted_trees_that_diverge_on_the_whole_part_are_fitted_again_more_slowly():
    """Steps without bound ruin a fit none of whose trials failed: scored on training rows, it shows."""
    table, codes = load_digits(return_X_y=True, as_frame=True)
    labels = codes.to_numpy(dtype=np.int32)
    outer = folds_of(labels, 6)
    inner = np.full(len(labels), -1, dtype=np.int16)
    inner[outer != 0] = folds_of(labels[outer != 0], 6)
    steep = BoostingSpace(
        learning_rate=(0.45, 0.5),
        leaves=(5,),
        min_rows_per_leaf=(2,),
        l2=(1e-3, 2e-3),
        max_rounds=30,
    )
    plan = Tuning(
        tune=TunePlan(trials=1, boosting=steep), clean=CleanPlan(), metric="auc"
    )
    features = table.loc[:, table.nunique() > 1].astype(float)

    part = _Part(features, labels, inner, plan)
    trials, winner, predicts = _fit_boosting(part, 6)

    probabilities = predicts(part.whole.inputs[part.test])
    assert "diverged" in trials[winner].message
    assert auc(labels[part.test], probabilities) > 0.99


def folds_of(labels: "np.ndarray", seed: int) -> "np.ndarray":
    number = np.empty(len(labels), dtype=np.int16)
    splitter = StratifiedKFold(5, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(labels, labels)):
        number[test] = fold
    return number
