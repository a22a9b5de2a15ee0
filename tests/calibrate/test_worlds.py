"""Worlds whose truth is known: what they are said to be, they are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from assay.calibrate.worlds import (
    WORLDS,
    World,
    own_world,
    relabelled_samples,
    snapshot_of,
)
from assay.data.clean import clean_table
from assay.data.permute import has_one_label_each
from assay.data.samples import Samples
from assay.data.split import draw_folds
from assay.store.records import Cleaned
from assay.store.store import Store
from tests.factories import make_report, make_study


def samples_of(world: World, number: int = 0) -> Samples:
    plan = world.study(1).plan.a
    return clean_table(world.table(1, number), make_report(), plan.cleaning())


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_a_study_and_a_table_that_can_be_cleaned_and_split(name: str):
    world = WORLDS[name]
    samples = samples_of(world)

    plan = world.study(1).plan.a.split

    assert samples.n_rows == len(world.table(1, 0))
    assert draw_folds(samples, plan, seed=1).outer.max() == plan.folds - 1


@pytest.mark.parametrize("name", WORLDS)
def test_a_repetition_is_drawn_again_as_it_was_and_unlike_the_others(name: str):
    world = WORLDS[name]

    pd.testing.assert_frame_equal(world.table(1, 3), world.table(1, 3))
    assert not world.table(1, 3).equals(world.table(1, 4))
    assert not world.table(1, 3).equals(world.table(2, 3))


@pytest.mark.parametrize(("name", "area"), [("signal-55", 0.55), ("signal-70", 0.70)])
def test_a_signal_is_as_strong_as_its_name_says(name: str, area: float):
    """The classes are normal, so the linear discriminant of many rows is the best score."""
    tables = [WORLDS[name].table(1, number) for number in range(16)]
    reached = [
        roc_auc_score(
            table["y"],
            LogisticRegression(C=1e3)
            .fit(table.drop(columns="y"), table["y"])
            .decision_function(table.drop(columns="y")),
        )
        for table in tables
    ]

    # fitted and scored on the same 300 rows, which adds about .02
    assert area - 0.02 < np.mean(reached) < area + 0.06


def test_no_line_tells_anything_in_the_world_of_a_product():
    table = pd.concat([WORLDS["signal-xor"].table(1, n) for n in range(20)])
    x, y = table.drop(columns="y"), table["y"]

    line = LogisticRegression().fit(x, y).decision_function(x)

    assert roc_auc_score(y, line) < 0.53
    assert roc_auc_score(y, x["x1"] * x["x2"]) > 0.75


def test_units_have_one_label_or_mixed_ones_as_their_world_says():
    first, mixed = (
        samples_of(WORLDS["null-units"]),
        samples_of(WORLDS["null-units-mixed"]),
    )

    assert first.n_units == mixed.n_units == 40
    assert first.units is not None
    assert mixed.units is not None
    assert has_one_label_each(first.labels, first.units)
    assert not has_one_label_each(mixed.labels, mixed.units)


def test_copies_are_kept_together():
    samples = samples_of(WORLDS["null-copies"])

    assert samples.n_rows == 150
    assert samples.n_units == 120


def test_a_family_tries_two_labels_of_one_table():
    study = WORLDS["family"].study(1)

    assert study.plans() == ("a", "b")
    assert study.of("b").target == "z"


def test_the_table_of_a_world_is_stored_with_a_report_that_asks_nothing(tmp_path):
    snapshot, report = snapshot_of(Store(tmp_path), WORLDS["null-small"], 1, 0)

    assert snapshot.n_rows == 60
    assert report.outcomes == ()
    assert report.snapshot_digest == snapshot.table.digest


def kept(store: Store, **changes) -> Cleaned:
    samples = samples_of(WORLDS["null-units"])
    return replace(samples, **changes).keep(store)


def test_a_table_of_ones_own_keeps_its_features_and_units_and_gets_other_labels(
    tmp_path,
):
    store = Store(tmp_path)
    cleaned = kept(store)
    before = samples_of(WORLDS["null-units"])

    drawn = [relabelled_samples(store, cleaned, 1, number) for number in (0, 0, 1)]

    assert np.array_equal(drawn[0].labels, drawn[1].labels)
    assert not np.array_equal(drawn[0].labels, drawn[2].labels)
    assert drawn[0].counts() == before.counts()
    assert drawn[0].units is not None
    assert has_one_label_each(drawn[0].labels, drawn[0].units)
    pd.testing.assert_frame_equal(drawn[0].features, before.features)


def test_ones_own_world_answers_every_alarm_and_tries_plan_a_alone():
    world = own_world(make_study(), ("height", "town"))
    study = world.study(9)

    assert world.name == "own-table"
    assert study.seed == 9
    assert study.plans() == ("a",)
    assert {one.sentinel for one in study.plan.a.audit.accept} >= {
        "row_order",
        "confounder",
    }
    with pytest.raises(ValueError, match="not drawn but read"):
        world.table(1, 0)
