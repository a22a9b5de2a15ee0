import numpy as np
import pytest

from assay.data.split import draw_folds
from assay.gate.ablation import ablate
from assay.gate.stage import chance_gate
from assay.study.plans import CleanPlan, GatePlan, Gating, SplitPlan
from tests.model_factories import line_table, number_table, samples_of

pytestmark = pytest.mark.slow


def arguments_of(table, folds=5, **clean):
    samples = samples_of(table)
    split = draw_folds(samples, SplitPlan(folds=folds), 3)
    plan = Gating(
        gate=GatePlan(permutations=99, steps=60, hidden=8),
        clean=CleanPlan.model_validate(clean),
        smallest_effect=0.6 if samples.task != "regression" else 0.2,
        alpha=0.05,
    )
    return samples, split.outer[0], split.inner[0], plan, 3


def ablated(table, **clean):
    return ablate(*arguments_of(table, **clean))


def test_with_everything_the_scores_are_the_gates():
    arguments = arguments_of(line_table(200, 7))
    ablation, gate = ablate(*arguments), chance_gate(*arguments)

    assert ablation.scores == gate.scores
    assert [worth.what for worth in ablation.worth] == ["scale = robust"]


def test_without_a_column_of_numbers_none_of_their_preparations_is_ablated():
    table, labels = line_table(200, 7)
    level = table.iloc[:, 0].gt(0).map({True: "high", False: "low"})
    ablation = ablated((level.to_frame("level"), labels), clip=0.05)

    assert ablation.worth == ()


def test_a_gate_of_numbers_has_its_scores_too():
    arguments = arguments_of(number_table(200, 7))
    ablation, gate = ablate(*arguments), chance_gate(*arguments)

    assert ablation.scores == gate.scores


def test_a_rare_level_that_clipping_takes_away_is_named():
    table, labels = line_table(200, 7)
    rare = table.assign(rare=[1.0] * 4 + [0.0] * 196)
    ablation = ablated((rare, labels), clip=0.05)
    touched = {worth.what: worth.touched for worth in ablation.worth}["clip = 0.05"]

    assert touched.key == "gate.touched.constant"
    assert touched.values["columns"] == ("rare",)


def test_each_declared_preparation_is_left_out_once_and_counted():
    ablation = ablated(
        line_table(200, 7),
        folds=2,
        scale="quantile",
        clip=0.05,
        label_noise="drop",
        outliers={"rule": "isolation_forest", "share": 0.05},
    )
    touched = {worth.what: str(worth.touched) for worth in ablation.worth}

    assert ablation.worth[-1].kind == "outlier removal"
    assert touched["outliers = isolation_forest"].startswith("5.0 of 100.0 rows")
    assert touched["clip = 0.05"].startswith("10.0")
    assert [*touched] == [
        "scale = quantile",
        "clip = 0.05",
        "label_noise = drop",
        "outliers = isolation_forest",
    ]


def test_what_scaling_is_worth_shows_where_columns_have_other_units():
    """One column in units a million times larger: without scaling a net sees nothing else."""
    features, labels = line_table(240, 7)
    huge = np.random.default_rng(1).normal(size=240) * 1e6
    ablation = ablated((features.assign(huge=huge), labels))

    assert ablation.worth[0].without["net"] < ablation.scores["net"] - 0.05


def test_doubtful_labels_are_left_out_where_labels_are_wrong():
    features, labels = line_table(400, 7)
    wrong = np.random.default_rng(2).random(400) < 0.15
    ablation = ablated(
        (features, np.where(wrong, 1 - labels, labels)), label_noise="drop"
    )

    assert 20 < ablation.worth[1].touched.values["n"] < 120
