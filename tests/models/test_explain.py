import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.data.split import draw_folds
from assay.models.explain import explain_fold
from assay.models.explain_budget import ExplainBudget
from assay.models.tune import fold_result, tune_fold
from assay.store.behaviour import behaviour_of
from assay.store.records import Place
from assay.study.plans import CleanPlan, ImageSpace, SplitPlan
from tests.model_factories import (
    line_table,
    noise_table,
    number_table,
    ref,
    samples_of,
    tuning,
)

pytestmark = pytest.mark.slow

SEED = 7
EVERY = ("1/8", "1/4", "1/2", "1")


def searched(samples, plan, fold=0, **split):
    """An outer fold and what tuning comes to there, as a run has them."""
    inner = draw_folds(samples, SplitPlan(**split), 3).inner[0, fold]
    place = Place(repeat=0, fold=fold)
    fits = tune_fold(samples, inner, plan, place, SEED)
    refs = {name: ref(name) for name in fits}
    return inner, fold_result(place, fits, refs, samples, inner, plan), fits


def explained(samples, plan, *, budget=None, **where):
    inner, result, _ = searched(samples, plan, **where)
    simple = "linear" if samples.task == "regression" else "logistic"
    budget = budget or ExplainBudget(baseline=simple, folds=5, networks=2, shares=EVERY)
    return result, explain_fold(samples, inner, result, budget, plan, SEED)


@pytest.fixture(scope="module")
def line_search():
    """Classes along the first of four columns: x0 is planted, the others are noise."""
    samples, plan = samples_of(line_table(600, seed=3)), tuning(epochs=20)
    return samples, plan, *searched(samples, plan)


@pytest.fixture(scope="module")
def line(line_search):
    samples, plan, inner, result, _ = line_search
    budget = ExplainBudget(baseline="logistic", folds=5, networks=2, shares=EVERY)
    behaviour = explain_fold(samples, inner, result, budget, plan, SEED)
    return samples, plan, result, behaviour


def test_a_planted_column_ranks_first_and_noise_loses_next_to_nothing(line):
    *_, found = line
    ranked = sorted(found.drops, key=lambda name: -found.drops[name])

    assert ranked[0] == "x0"
    assert found.drops["x0"] > 0.2
    assert all(abs(found.drops[name]) < 0.02 for name in ranked[1:])


def test_a_linear_truth_has_a_dependence_that_only_rises(line):
    *_, found = line
    curves = behaviour_of([found], ("no", "yes"), {}).dependences

    assert curves[0].column == "x0"
    assert curves[0].of == "yes"
    assert (np.diff(curves[0].predicted) > 0).all()
    assert curves[0].predicted[-1] - curves[0].predicted[0] > 0.5


def test_the_networks_on_all_rows_are_those_that_were_scored(line):
    """Both networks of the ensemble, trained again without a search: the very score of the fold."""
    *_, result, found = line
    whole = found.at_rows["1"]

    assert whole.scores["net"] == result.models["net"].score
    assert whole.scores["logistic"] == result.models["logistic"].score


@pytest.mark.parametrize("baseline", ["logistic", "boosting"])
def test_a_simple_model_is_refitted_to_what_the_search_fitted(line_search, baseline):
    from assay.models.training_part import Part
    from assay.models.tune import families, fold_seed

    samples, plan, inner, result, fits = line_search
    part = Part(samples, inner, plan)
    fit = result.models[baseline]
    family = families(part, fold_seed(result.place, SEED))[baseline]
    again = family.refit(fit.trials[fit.winner].hyperparameters)
    predictions = fits[baseline].predictions

    assert np.array_equal(again.predict(part.tested(again)), predictions)


def test_scores_rise_with_the_rows_where_there_is_something_to_learn(line):
    *_, found = line
    told = [found.at_rows[portion] for portion in EVERY]

    assert [one.n_rows for one in told] == pytest.approx([60, 120, 240, 480], abs=6)
    assert set(told[0].scores) == {"net", "logistic"}
    assert told[-1].scores["net"] > told[0].scores["net"]
    assert found.not_asked == {}


def test_histories_have_the_epochs_of_the_longest_training_and_the_best_of_each(line):
    *_, found = line
    epochs = found.epochs

    assert len(epochs.training) == len(epochs.stopping) <= 20
    assert epochs.training[-1] < epochs.training[0]
    assert len(epochs.best) == 2
    assert all(1 <= best <= len(epochs.stopping) for best in epochs.best)


def test_the_same_fold_twice_is_described_with_the_same_bits_and_another_seed_is_not(
    line,
):
    samples, plan, result, found = line
    inner = draw_folds(samples, SplitPlan(), 3).inner[0, 0]
    budget = ExplainBudget(baseline="logistic", folds=5, networks=2, shares=EVERY)
    again = explain_fold(samples, inner, result, budget, plan, SEED)
    other = explain_fold(samples, inner, result, budget, plan, SEED + 1)

    assert again.essence_digest() == found.essence_digest()
    assert other.drops != found.drops


def test_rows_in_neither_part_change_nothing():
    samples, plan = samples_of(line_table(300, seed=3)), tuning()
    inner, result, _ = searched(samples, plan)
    budget = ExplainBudget(
        baseline="logistic", folds=5, networks=2, shares=("1/2", "1")
    )
    more = samples_of(
        (
            pd.concat([samples.features, 1e6 + samples.features[:30]]),
            np.concatenate([samples.labels, 1 - samples.labels[:30]]),
        )
    )
    marked = np.concatenate([inner, np.full(30, -2, dtype=np.int16)])
    first = explain_fold(samples, inner, result, budget, plan, SEED)
    other = explain_fold(more, marked, result, budget, plan, SEED)

    assert first.drops == other.drops
    assert first.epochs == other.epochs


def test_portions_that_are_too_small_are_left_out_with_the_reason():
    samples, plan = samples_of(noise_table(200, seed=3)), tuning()
    _, found = explained(samples, plan)

    assert [*found.at_rows] == ["1/4", "1/2", "1"]
    assert "fewer than 40" in str(found.not_asked["1/8 of the rows"])


@pytest.mark.parametrize("metric", ["r2", "absolute_error"])
def test_a_number_is_described_in_the_units_of_its_metric(metric):
    samples = samples_of(number_table(500, seed=3, noise=0.2))
    result, found = explained(samples, tuning(metric, epochs=30))
    together = behaviour_of([found], (), {})

    assert max(found.drops, key=found.drops.__getitem__) == "x0"
    assert found.drops["x0"] > 0.1
    assert together.dependences[0].of == ""
    assert found.at_rows["1"].scores["net"] == result.models["net"].score
    assert 80 < together.dependences[0].predicted[0] < 120


def test_several_classes_are_told_by_the_one_that_moves_most():
    samples = samples_of(line_table(600, seed=4, n_classes=3))
    _, found = explained(samples, tuning(epochs=20))
    (curve, *_) = behaviour_of([found], ("low", "middle", "high"), {}).dependences

    assert curve.column == "x0"
    assert curve.of in ("low", "high")
    assert abs(curve.predicted[-1] - curve.predicted[0]) > 0.5


def test_units_are_kept_whole_in_portions():
    features, labels = line_table(600, seed=5)
    units = np.repeat(np.arange(200), 3).astype(np.int32)
    samples = samples_of((features, labels), units=units, unit="person")
    _, found = explained(samples, tuning())

    assert [*found.at_rows] == [*EVERY]
    assert found.drops["x0"] > 0.1


@pytest.mark.parametrize("time", ["forward", "blocks"])
def test_rows_in_time_learn_from_a_shorter_record(time):
    samples = samples_of(line_table(800, seed=6))
    samples = dataclasses.replace(
        samples, times=np.arange(800, dtype=np.int32), order="day"
    )
    _, found = explained(samples, tuning(), fold=3, time=time)

    assert [*found.at_rows][-1] == "1"
    assert len(found.at_rows) >= 3
    assert found.drops["x0"] > 0.1


def test_levels_gaps_and_texts_go_along_with_their_column():
    generator = np.random.default_rng(8)
    labels = (np.arange(400) % 2).astype(np.int32)
    said = np.where(labels == 1, "red apples", "green pears")
    features = pd.DataFrame(
        {
            "gap": np.where(
                labels * (generator.random(400) < 0.5) == 1,
                np.nan,
                generator.normal(size=400),
            ),
            "town": np.where(
                generator.random(400) < 0.7,
                np.where(labels == 1, "Busan", "Seoul"),
                "Daegu",
            ),
            "note": np.where(generator.random(400) < 0.6, said, "nothing"),
        }
    ).astype({"town": "str", "note": "str"})
    plan = tuning(epochs=15).model_copy(
        update={"clean": CleanPlan(text=("note",), text_components=2)}
    )
    _, found = explained(samples_of((features, labels)), plan)

    assert {"gap", "town", "note"} == set(found.drops)
    assert all(drop > 0.005 for drop in found.drops.values())
    assert {dependence.column for dependence in found.dependences} == {"gap", "town"}
    town = next(
        dependence for dependence in found.dependences if dependence.column == "town"
    )
    assert set(town.values) == {"Busan", "Daegu", "Seoul"}


def test_an_image_is_asked_about_in_blocks_and_says_so():
    generator = np.random.default_rng(9)
    labels = (np.arange(400) % 2).astype(np.int32)
    images = generator.normal(size=(400, 8, 8))
    images[labels == 1, :2, :2] += 3.0  # the first block alone tells
    table = pd.DataFrame(images.reshape(400, 64), columns=[f"p{i}" for i in range(64)])
    samples = dataclasses.replace(samples_of((table, labels)), image=True)
    clean = CleanPlan.model_validate(
        {"image": {"height": 8, "width": 8, "channels": 1, "augment": []}}
    )
    plan = tuning(
        epochs=12,
        image=ImageSpace(depth=(2,), filters=(8,), learning_rate=(5e-3, 1e-2)),
    ).model_copy(update={"clean": clean})
    _, found = explained(samples, plan)

    assert len(found.drops) == 16
    ranked = sorted(found.drops, key=lambda name: -found.drops[name])
    assert ranked[0] == "pixels of rows 1-2, columns 1-2"
    assert found.dependences == ()
    assert "single pixels" in found.not_asked
    assert len(found.epochs.training) == len(found.epochs.stopping) > 0


def test_of_many_columns_those_are_shuffled_that_say_most_by_themselves():
    features, labels = line_table(200, seed=3, n_columns=420)
    samples, plan = samples_of((features, labels)), tuning()
    budget = ExplainBudget(baseline="logistic", folds=5, networks=1, shares=("1",))
    _, found = explained(samples, plan, budget=budget)

    assert len(found.drops) == 400
    assert "x0" in found.drops
    assert "only 400 of 420" in str(found.not_asked["columns"])
