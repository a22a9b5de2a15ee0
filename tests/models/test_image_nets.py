import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.data.split import draw_folds
from assay.gate.stage import chance_gate
from assay.metrics import auc
from assay.models.baselines import Linear
from assay.models.dense_nets import Dense
from assay.models.image_nets import Convolutional, untuned
from assay.models.net_search import deep
from assay.models.search import search
from assay.models.self_test import tune_permuted
from assay.models.training_part import Part
from assay.models.tune import tune_all, tune_fold
from assay.store.records import Place
from assay.study.plans import (
    AuditPlan,
    BoostingSpace,
    CleanPlan,
    GatePlan,
    Gating,
    ImageSpace,
    SplitPlan,
    TunePlan,
    Tuning,
)
from tests.model_factories import plan as study_plan
from tests.model_factories import samples_of, shuffled_folds

pytestmark = pytest.mark.slow

IMAGE = {"height": 8, "width": 8, "channels": 1}
SPACE = ImageSpace(depth=(2,), filters=(8,), learning_rate=(5e-3, 1e-2))


def stripes(n=400, seed=0):
    """Images of stripes that lie or stand, at any place, with noise: a class and its transpose."""
    generator = np.random.default_rng(seed)
    phase, labels = generator.uniform(0, 2 * np.pi, n), np.arange(n) % 2
    waves = np.sin(np.pi / 2 * np.arange(8) + phase[:, None])
    lying = np.repeat(waves[:, :, None], 8, axis=2)
    images = np.where(labels[:, None, None] == 0, lying, lying.transpose(0, 2, 1))
    images = images + 0.3 * generator.normal(size=images.shape)
    columns = [f"p{i}" for i in range(64)]
    table = pd.DataFrame(images.reshape(n, 64), columns=columns)
    return samples_of((table, labels.astype(np.int32)))


def tuning(augment=("shift",), **changed):
    plan = {"trials": 2, "seeds": 2, "epochs": 12, "patience": 6, "image": SPACE}
    return Tuning(
        tune=TunePlan.model_validate(
            plan | {"boosting": BoostingSpace(max_rounds=10)} | changed
        ),
        clean=CleanPlan.model_validate({"image": IMAGE | {"augment": augment}}),
        metric="auc",
    )


def parts_of(labels):
    inner = shuffled_folds(labels, 3, 1)
    inner[shuffled_folds(labels, 4, 2) == 0] = -1
    return inner


def unseen_auc(family, part):
    trials, winner = search(family.space, 2, 5, family.try_all, first=family.first)
    found = family.fit(trials[winner])
    return auc(part.labels[part.test], found.predict(part.whole.inputs[part.test]))


def test_stripes_are_told_from_their_transpose_and_not_by_a_linear_model():
    samples = stripes()
    part = Part(samples, parts_of(samples.labels), tuning())

    assert unseen_auc(deep(part, 5), part) > 0.99
    assert unseen_auc(Linear(part), part) < 0.75


def test_other_columns_are_read_beside_the_image():
    """Noise for an image, and a category that tells the class."""
    samples = stripes()
    noise = pd.DataFrame(
        np.random.default_rng(1).normal(size=samples.features.shape),
        columns=samples.features.columns,
    )
    town = np.where(samples.labels == 0, "a", "b")
    told = dataclasses.replace(samples, features=noise.assign(town=town))
    part = Part(told, parts_of(told.labels), tuning(epochs=20))

    assert unseen_auc(deep(part, 5), part) > 0.95


def test_a_plan_without_an_image_has_networks_for_tables():
    samples = stripes(n=120)
    plan = tuning().model_copy(update={"clean": CleanPlan()})
    part = Part(samples, parts_of(samples.labels), plan)

    images = Part(samples, part.inner, tuning())
    assert type(deep(part, 5).trainer.architecture) is Dense
    assert type(deep(images, 5).trainer.architecture) is Convolutional


def test_images_are_changed_only_as_the_study_says():
    samples = stripes(n=120)
    inner = parts_of(samples.labels)
    upright = deep(Part(samples, inner, tuning(augment=("flip",))), 5)
    turned = deep(Part(samples, inner, tuning(augment=("shift", "rotate"))), 5)
    moves = [
        search.trainer.architecture.settings(search.first[0], 0)["augmentation"]
        for search in (upright, turned)
    ]

    assert [(move.shift > 0, move.flip, move.rotate) for move in moves] == [
        (False, True, False),
        (True, False, True),
    ]


def test_what_is_good_without_a_search_lies_in_the_space():
    assert [untuned(ImageSpace(), side)["depth"] for side in (8, 15, 16, 64)] == [
        *(2, 2),
        *(3, 3),
    ]
    assert untuned(SPACE, 64)["filters"] == 8
    assert untuned(SPACE, 64)["learning_rate"] == 5e-3


def test_images_get_fewer_networks_and_epochs_unless_the_study_says_otherwise():
    plain, image = study_plan(), study_plan(clean={"image": IMAGE})
    own = study_plan(clean={"image": IMAGE}, tune={"seeds": 7})

    assert (plain.tune.seeds, plain.tune.epochs) == (16, 120)
    assert (image.tune.seeds, image.tune.epochs) == (4, 40)
    assert (own.tune.seeds, own.tune.epochs) == (7, 40)


def test_folds_of_an_image_study_are_tuned_twice_the_same_and_finished_on_all_rows():
    samples = stripes(n=200)
    inner, place = parts_of(samples.labels), Place(repeat=0, fold=0)
    first, again = (tune_fold(samples, inner, tuning(), place, 7) for _ in range(2))
    final = tune_all(samples, shuffled_folds(samples.labels, 3, 1), tuning(), 7)

    assert set(first) == {"logistic", "boosting", "net"}
    for name, found in first.items():
        assert np.array_equal(found.predictions, again[name].predictions)
    assert [net.n_inputs for net in final.members] == [64, 64]
    assert not final.preparation.bent


def test_the_self_test_of_an_image_study_raises_no_alarm():
    samples = stripes(n=160)
    inner = np.stack([parts_of(samples.labels)])
    found = tune_permuted(samples, inner, tuning(), AuditPlan(self_test=5), 3)

    assert found.flag is None
    assert set(found.scores) == {"logistic", "boosting", "net"}


def test_the_gate_of_an_image_study_passes_by_its_small_net():
    samples = stripes()
    folds = draw_folds(samples, SplitPlan(repeats=1), 3)
    plan = Gating(
        gate=GatePlan(permutations=99, steps=100),
        clean=tuning().clean,
        smallest_effect=0.6,
        alpha=0.05,
    )
    found = chance_gate(samples, folds.outer[0], folds.inner[0], plan, 3)

    assert found.passed
    assert found.scores["net"] > found.scores["logistic"]
