import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from assay.metrics import auc, chance_score, goodness
from assay.models.baselines import Boosting, Linear
from assay.models.training_part import Part
from assay.store.records import Trial
from assay.study.plans import BoostingSpace, CleanPlan, TunePlan, Tuning
from tests.model_factories import line_table, number_table, samples_of, shuffled_folds

TREES = {"learning_rate": 0.2, "leaves": 7, "min_rows_per_leaf": 5, "l2": 0.1}


@pytest.fixture(autouse=True)
def one_thread():
    """As tuning does: many threads on small trees wait for each other."""
    with threadpool_limits(1):
        yield


def part_of(table, metric, *, max_rounds=40, folds_per_trial=1, **known):
    samples = samples_of(table, **known)
    inner = shuffled_folds(np.zeros(samples.n_rows), 4, 1) - 1
    tune = TunePlan(
        folds_per_trial=folds_per_trial, boosting=BoostingSpace(max_rounds=max_rounds)
    )
    return Part(samples, inner, Tuning(tune=tune, clean=CleanPlan(), metric=metric))


def predicted(part, fitted):
    return fitted.predict(part.tested(fitted))


def trial_of(family, hyperparameters):
    """Try one set of hyperparameters, as the search would, and return it as a trial."""
    [(score, message)] = family.try_all([hyperparameters])
    return Trial(
        number=0, hyperparameters=hyperparameters, score=score, message=message
    )


# Linear models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.01, 10.0])
def test_classes_are_told_by_logistic_regression(strength):
    part = part_of(line_table(200, 1, n_classes=3), "auc")
    family = Linear(part)
    predictions = predicted(
        part, family.fit(trial_of(family, {"inverse_penalty": strength}))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        theirs = LogisticRegression(C=strength, max_iter=500).fit(
            part.whole.inputs[part.whole.train], part.labels[part.whole.train]
        )

    assert predictions == pytest.approx(
        theirs.predict_proba(part.whole.inputs[part.test]), abs=1e-6
    )
    assert predictions.shape == (len(part.test), 3)


@pytest.mark.parametrize("strength", [0.01, 10.0])
def test_numbers_are_told_by_ridge_regression_in_their_own_units(strength):
    part = part_of(number_table(200, 1), "r2")
    family = Linear(part)
    predictions = predicted(
        part, family.fit(trial_of(family, {"inverse_penalty": strength}))
    )
    train = part.whole.train
    theirs = Ridge(alpha=1 / strength).fit(part.whole.inputs[train], part.labels[train])

    assert predictions[:, 0] == pytest.approx(
        theirs.predict(part.whole.inputs[part.test]), rel=1e-5
    )
    assert abs(predictions.mean() - part.labels.mean()) < part.labels.std()


def test_a_trial_is_scored_on_the_inner_folds_it_was_not_fitted_on():
    part = part_of(number_table(200, 1), "squared_error", folds_per_trial=2)
    score, message = Linear(part).try_all([{"inverse_penalty": 1.0}])[0]
    by_hand = []
    for fold in part.trial_folds:
        model = Ridge(alpha=1.0).fit(fold.inputs[fold.train], part.labels[fold.train])
        error = (
            model.predict(fold.inputs[fold.validation]) - part.labels[fold.validation]
        )
        by_hand.append(-np.mean(error**2))

    assert score == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert message is None


def test_the_size_of_a_linear_model_is_that_of_its_coefficients():
    """Four inputs and an intercept, for one line or for three, as 4 or 8 bytes each."""
    trial = Trial(number=0, hyperparameters={"inverse_penalty": 1.0}, score=0.5)
    three = Linear(part_of(line_table(200, 1, n_classes=3), "auc")).fit(trial).size
    number = Linear(part_of(number_table(200, 1), "r2")).fit(trial).size

    assert three in (3 * 5 * 4, 3 * 5 * 8)
    assert number == 5 * 8


# Boosted trees ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "metric"),
    [
        (line_table(240, 1), "auc"),
        (number_table(240, 1), "r2"),
        (number_table(240, 1), "absolute_error"),
    ],
)
def test_trees_learn_what_there_is(table, metric):
    part = part_of(table, metric)
    family = Boosting(part, 1)
    trial = trial_of(family, TREES)
    predictions = predicted(part, family.fit(trial))
    constant = np.full_like(predictions, predictions.mean())

    assert predictions.shape == (len(part.test), part.n_outputs)
    labels = part.labels[part.test]
    assert goodness(metric, labels, predictions) > goodness(metric, labels, constant)


def towns_table(n_towns, seed):
    """Towns of twenty rows each, every other one of which says yes nine times out of ten."""
    generator = np.random.default_rng(seed)
    town = generator.permutation(np.repeat(np.arange(n_towns), 20))
    likely = np.where(town % 2, 0.9, 0.1)
    labels = (generator.random(len(town)) < likely).astype(np.int32)
    names = pd.Series([f"town {number}" for number in town], dtype="str")
    return pd.DataFrame({"x0": generator.normal(size=len(town)), "town": names}), labels


def test_a_category_of_a_hundred_levels_is_told_apart():
    """By trees, which have a code for each, and by the line, which has a column."""
    part = part_of(towns_table(100, 1), "auc", max_rounds=100)
    family = Boosting(part, 1)
    predictions = predicted(part, family.fit(trial_of(family, TREES)))
    line = Linear(part)
    of_line = predicted(part, line.fit(trial_of(line, {"inverse_penalty": 1.0})))
    labels = part.labels[part.test]

    assert auc(labels, predictions) > 0.85
    assert auc(labels, of_line) > 0.85


def test_levels_that_trees_never_saw_are_predicted_too():
    features, labels = towns_table(300, 1)
    part = part_of((features, labels), "auc", max_rounds=20)
    features.loc[part.test[:9], "town"] = [*"abcdefgh", None]
    family = Boosting(part, 1)
    predictions = predicted(part, family.fit(trial_of(family, TREES)))

    assert np.isfinite(predictions).all()
    assert len(predictions) == len(part.test)


def test_a_gap_says_what_it_says():
    """Numbers come with their gaps: no value is filled in for them."""
    features, labels = line_table(400, 1)
    features["x1"] = np.where(labels == 1, np.nan, features["x1"])
    part = part_of((features[["x1"]], labels), "auc")
    family = Boosting(part, 1)

    assert auc(
        part.labels[part.test], predicted(part, family.fit(trial_of(family, TREES)))
    ) == pytest.approx(1.0)


def test_a_column_that_training_rows_know_nothing_of_changes_no_prediction():
    """Which training part a sparse column is empty in is chance: no reason to stop there."""
    features, labels = line_table(240, 1)
    empty = features.assign(x4=np.nan)
    plain, part = (part_of((table, labels), "auc") for table in (features, empty))
    empty.loc[part.test, "x4"] = 7.0
    found = [
        predicted(one, family.fit(trial_of(family, TREES)))
        for one in (plain, part)
        for family in [Boosting(one, 1)]
    ]

    assert np.array_equal(*found)


def test_a_trial_is_scored_at_its_best_round_which_the_winner_keeps():
    """Trained to the best round and no further, a model scores just what the trial did."""
    part = part_of(number_table(160, 1, noise=2.0), "squared_error", max_rounds=200)
    family = Boosting(part, 1)
    trial = trial_of(family, TREES | {"learning_rate": 0.3})
    best = int(family.rounds[0])
    short = part_of(number_table(160, 1, noise=2.0), "squared_error", max_rounds=best)
    long = part_of(
        number_table(160, 1, noise=2.0), "squared_error", max_rounds=best + 9
    )

    assert 1 < best < 190
    for other in (short, long):
        again = Boosting(other, 1)
        assert trial_of(again, trial.hyperparameters).score == trial.score
        assert again.rounds == [best]


def test_the_error_that_is_made_small_is_the_one_that_is_scored():
    """A tenth of the labels are absurd: the median is not drawn away by them, the mean is."""
    features, labels = number_table(300, 1, noise=0.1)
    labels[::10] += 1e4
    found = {}
    for metric in ("squared_error", "absolute_error"):
        part = part_of((features, labels), metric)
        family = Boosting(part, 1)
        predictions = predicted(part, family.fit(trial_of(family, TREES)))[:, 0]
        found[metric] = np.median(np.abs(predictions - labels[part.test]))

    assert found["absolute_error"] < found["squared_error"] / 5


def test_the_size_of_trees_grows_with_rounds_and_classes():
    sizes = []
    for table, metric, rounds in (
        (number_table(200, 1), "r2", 1),
        (number_table(200, 1), "r2", 2),
        (line_table(200, 1, n_classes=3), "auc", 2),
    ):
        part = part_of(table, metric, max_rounds=rounds)
        family = Boosting(part, 1)
        family.rounds = [float(rounds)]
        trial = Trial(number=0, hyperparameters=TREES, score=-1e9)
        sizes.append(family.fit(trial).size)

    assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_trees_that_diverge_on_the_whole_part_are_fitted_again_more_slowly():
    """Steps without bound ruin a fit whose trial did not fail: scored on training rows, it shows."""
    table, codes = load_digits(return_X_y=True, as_frame=True)
    labels = codes.to_numpy(dtype=np.int32)
    outer = folds_of(labels, 6)
    inner = np.full(len(labels), -1, dtype=np.int16)
    inner[outer != 0] = folds_of(labels[outer != 0], 6)
    samples = samples_of((table.loc[:, table.nunique() > 1].astype(float), labels))
    tune = TunePlan(boosting=BoostingSpace(max_rounds=15))
    part = Part(samples, inner, Tuning(tune=tune, clean=CleanPlan(), metric="auc"))
    family = Boosting(part, 6)
    steep = {"learning_rate": 0.48, "leaves": 5, "min_rows_per_leaf": 2, "l2": 1e-3}
    fitted = family.fit(trial_of(family, steep))

    assert "diverged" in str(fitted.remark)
    assert auc(labels[part.test], predicted(part, fitted)) > 0.99


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("metric", ["squared_error", "absolute_error", "r2"])
def test_a_fit_may_fall_short_of_its_trial_by_a_share_of_a_constants_error(
    scale, metric
):
    """A hundredth, whatever the target is measured in; a fit that falls short by more is repeated."""
    features, labels = number_table(200, 1)
    part = part_of((features, labels * scale), metric)
    train = part.whole.train
    worst = 1.0 if metric == "r2" else chance_score(metric, part.labels[train])
    family = Boosting(part, 1)
    family.rounds = [10.0]
    far_below = Trial(number=0, hyperparameters=TREES, score=-1e9 * scale**2 - 1e9)
    fitted = family.fit(far_below)
    reached = goodness(
        metric, part.labels[train], fitted.predict(part.whole.trees(train))
    )
    remarks = [
        family.fit(
            far_below.model_copy(update={"score": reached + share * worst})
        ).remark
        for share in (0.005, 0.5)
    ]

    assert fitted.remark is remarks[0] is None
    assert remarks[1].values == {"factor": 16}


def test_a_class_of_one_in_fifty_is_told_without_a_crash():
    """Inner folds with a positive or two, leaves that may hold them all."""
    features, _ = line_table(600, 1)
    rare = np.zeros(600, dtype=np.int32)
    rare[np.argsort(features["x0"].to_numpy())[-12:]] = 1
    samples = samples_of((features, rare))
    inner = shuffled_folds(rare, 4, 1) - 1
    plan = Tuning(tune=TunePlan(), clean=CleanPlan(), metric="auc")
    part = Part(samples, inner, plan)

    for family in (Linear(part), Boosting(part, 1)):
        trial = trial_of(family, {"inverse_penalty": 1.0, **TREES})
        assert trial.score is not None
        assert auc(rare[part.test], predicted(part, family.fit(trial))) > 0.8


def folds_of(labels, seed):
    number = np.empty(len(labels), dtype=np.int16)
    splitter = StratifiedKFold(5, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(labels, labels)):
        number[test] = fold
    return number
