import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.data.split import draw_folds
from assay.errors import DataRefused
from assay.models.dense_nets import portfolio
from assay.models.self_test import _light, tune_permuted
from assay.preprocess import fit as preprocess
from assay.preprocess.fit import Preparation
from assay.study.plans import AuditPlan, NetSpace, SplitPlan, TunePlan
from tests.model_factories import (
    line_table,
    number_table,
    samples_of,
    tuning,
)

pytestmark = pytest.mark.slow


def permuted(samples, prepare=None, *, vectors=10, metric=None, seed=1, **plan):
    """Run the self-test on the folds that a study would draw."""
    split = SplitPlan.model_validate({"inner_folds": 4, **plan})
    inner = draw_folds(samples, split, seed).inner[0]
    default = "r2" if samples.task == "regression" else "auc"
    step = {} if prepare is None else {"prepare": prepare}
    return tune_permuted(
        samples,
        inner,
        tuning(metric or default),
        AuditPlan(self_test=vectors),
        seed,
        **step,
    )


def scaled_on_all_rows(samples, rows, plan):
    """What does not look at labels cannot be seen on permuted ones."""
    return preprocess.fit(samples.features, plan)


def selected_on_all_rows(samples, rows, plan):
    """Ten columns of many, chosen with the labels of the test part too."""
    labels = pd.Series(samples.labels)
    strength = samples.features.corrwith(labels).abs()
    return preprocess.fit(
        samples.features[strength.nlargest(10).index].iloc[rows], plan
    )


def selected_on_training_rows(samples, rows, plan):
    seen = dataclasses.replace(
        samples,
        features=samples.features.iloc[rows].reset_index(drop=True),
        labels=samples.labels[rows],
    )
    return selected_on_all_rows(seen, np.arange(len(rows)), plan)


@dataclasses.dataclass(frozen=True)
class Encoded(Preparation):
    """A preparation that has a column more: each town's mean label, over whatever rows taught it."""

    means: dict[str, float] = dataclasses.field(default_factory=dict)

    def apply(self, features):
        of_town = features["town"].map(self.means).fillna(0.0).to_numpy(np.float32)
        return np.column_stack([super().apply(features), of_town])


def encoded_on_all_rows(samples, rows, plan):
    means = pd.Series(samples.labels).groupby(samples.features["town"].to_numpy())
    fitted = preprocess.fit(samples.features[["x0"]].iloc[rows], plan)
    spread = (means.mean() - samples.labels.mean()) / samples.labels.std()
    return Encoded(**vars(fitted), means=spread.to_dict())


def towns(samples):
    """Forty towns that have nothing to do with anything."""
    names = [f"town {n % 40}" for n in range(samples.n_rows)]
    return dataclasses.replace(samples, features=samples.features.assign(town=names))


def wide(table):
    """Sixty columns, the first of which tell of the labels before they are permuted."""
    return samples_of(table(200, 1, n_columns=60))


@pytest.mark.parametrize("table", [line_table, number_table])
@pytest.mark.parametrize(
    "prepare", [None, scaled_on_all_rows, selected_on_training_rows]
)
def test_an_honest_pipeline_scores_chance_on_permuted_labels(table, prepare):
    """PROTOCOL section 5.5: neither the clean pipeline alarms nor one whose scaler saw all rows."""
    tested = permuted(wide(table), prepare, vectors=12)

    assert tested.flag is None
    assert len(tested.scores) == 3
    for name, scores in tested.scores.items():
        assert len(scores) == 12
        assert np.mean(scores) == pytest.approx(tested.chance_level, abs=0.1), name
        assert 0.003 < tested.p_values[name] <= 1


def test_large_units_that_keep_their_share_of_a_class_are_no_leak():
    """Twelve units of sizes of their own, each known by a column, with rates from .1 to .9."""
    rng = np.random.default_rng(4)
    sizes = np.arange(20, 44, 2)
    units = np.repeat(np.arange(12, dtype=np.int32), sizes)
    rates = rng.permutation(np.linspace(0.1, 0.9, 12))
    labels = (rng.random(len(units)) < rates[units]).astype(np.int32)
    features = pd.DataFrame({"x0": units + rng.normal(0, 0.05, len(units))})
    features["x1"] = rates[units] + rng.normal(0, 0.05, len(units))
    tested = permuted(samples_of((features, labels), units=units), vectors=12)

    assert tested.flag is None
    assert max(map(np.mean, tested.scores.values())) < 0.53


@pytest.mark.parametrize("table", [line_table, number_table])
def test_columns_selected_on_all_rows_are_caught(table):
    """Measured there: AUC .658, an alarm every time."""
    tested = permuted(wide(table), selected_on_all_rows)

    assert tested.flag is not None
    assert tested.flag.sentinel == "self_test"
    assert tested.flag.columns == ()
    assert tested.flag.accepted is None
    assert min(tested.p_values.values()) < 1e-3


@pytest.mark.parametrize("table", [line_table, number_table])
def test_a_target_encoding_on_all_rows_is_caught(table):
    """Measured there: AUC .730, an alarm every time."""
    tested = permuted(towns(samples_of(table(200, 1))), encoded_on_all_rows)

    assert tested.flag is not None
    assert "permuted" in str(tested.flag.evidence)


def test_an_alarm_that_the_study_accepts_carries_its_reason():
    samples = wide(line_table)
    inner = draw_folds(samples, SplitPlan(), 1).inner[0]
    audit = AuditPlan.model_validate(
        {
            "self_test": 10,
            "accept": [{"sentinel": "self_test", "reason": "known and wanted"}],
        }
    )
    tested = tune_permuted(
        samples, inner, tuning(), audit, 1, prepare=selected_on_all_rows
    )

    assert tested.flag is not None
    assert tested.flag.accepted == "known and wanted"


def test_the_self_test_is_the_same_twice_and_other_with_another_seed():
    samples = samples_of(line_table(200, 1))
    first, again = (permuted(samples, vectors=5) for _ in range(2))

    assert first == again
    assert first.scores != permuted(samples, vectors=5, seed=2).scores


def test_units_stay_whole_and_rare_classes_and_series_are_tested_too():
    """Twenty units of ten rows; one row in twenty of a class; rows in time, forward; seven classes."""
    features, labels = line_table(200, 1)
    units = np.repeat(np.arange(20, dtype=np.int32), 10)
    constant = (units % 2).astype(np.int32)
    rare = (np.arange(200) % 20 == 0).astype(np.int32)
    times = np.arange(200, dtype=np.int32)
    cases = [
        samples_of((features, constant), units=units, unit="person"),
        samples_of((features, labels), units=units, unit="person"),
        samples_of((features, rare)),
        samples_of((features, labels), times=times, order="day"),
        samples_of(number_table(200, 1), times=times, order="day"),
        samples_of(line_table(210, 1, n_classes=7)),
    ]
    for samples in cases:
        tested = permuted(samples, vectors=5, inner_folds=3)
        assert tested.flag is None
        assert {len(scores) for scores in tested.scores.values()} == {5}


def test_outer_folds_of_one_class_are_passed_over_and_refused_when_there_is_no_other():
    samples = samples_of(line_table(200, 1))
    inner = draw_folds(samples, SplitPlan(folds=2, inner_folds=3), 1).inner[0]
    for code in (0, 1):
        inner[1, (inner[1] == -1) & (samples.labels == code)] = -2 if code else -1
    audit = AuditPlan(self_test=5)
    tested = tune_permuted(samples, inner, tuning(), audit, 1)

    assert {len(scores) for scores in tested.scores.values()} == {5}
    with pytest.raises(DataRefused, match="two classes"):
        tune_permuted(samples, inner[1:], tuning(), audit, 1)


@pytest.mark.parametrize("how", [{}, {"trials": 1, "tuner": "hyperband"}])
def test_a_light_search_still_tries_all_that_is_good_without_one(how):
    """Screening looks at labels: it must be among what permuted ones are tried on."""
    light = _light(TunePlan(**how))
    first = portfolio(light.net)

    assert light.trials >= len(first) == len(portfolio(NetSpace()))
    assert {one["screen"] > 0 for one in first} == {True, False}
