import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.models.importance import MAX_COLUMNS, drops, groups_of, most_informative
from assay.study.plans import CleanPlan
from tests.factories import make_samples
from tests.model_factories import as_probabilities


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        np.random.default_rng(seed).normal(size=(n, 3)), columns=["a", "b", "c"]
    )


def by_column(**weights: float):
    """A model that adds columns up, as if it had learned so."""

    def answer(features: pd.DataFrame):
        total = sum(weight * features[name] for name, weight in weights.items())
        return as_probabilities(1 / (1 + np.exp(-total.to_numpy())))

    return answer


def alone(*names: str):
    return {name: (name,) for name in names}


def test_what_a_model_does_not_use_loses_nothing_and_what_it_uses_most_loses_most():
    features = table()
    labels = (2 * features["a"] + features["b"] > 0).to_numpy().astype(np.int32)
    answer = by_column(a=2.0, b=1.0)
    found = drops(answer, features, labels, "auc", alone("a", "b", "c"), 7)

    assert found["a"] > found["b"] > 0.02
    assert found["c"] == 0.0


@pytest.mark.parametrize("metric", ["log_loss", "brier", "accuracy"])
def test_worse_is_positive_for_scores_and_for_losses(metric):
    features = table()
    labels = (features["a"] > 0).to_numpy().astype(np.int32)
    found = drops(by_column(a=3.0), features, labels, metric, alone("a"), 7)

    assert found["a"] > 0.1


def test_a_number_is_asked_about_like_a_class():
    features = table()
    labels = features["a"].to_numpy()
    found = drops(
        lambda rows: rows[["a"]].to_numpy(),
        features,
        labels,
        "r2",
        alone("a", "b"),
        7,
    )

    assert found["a"] == pytest.approx(2.0, abs=0.15)  # an R2 of -1 in the mean
    assert found["b"] == 0.0


def test_of_two_columns_that_say_the_same_each_loses_less_than_both_together():
    """The caveat of the method: a model that leans on each of two copies shares the drop."""
    features = table()
    features["copy"] = features["a"]
    labels = (features["a"] > 0).to_numpy().astype(np.int32)
    answer = by_column(a=1.0, copy=1.0)
    groups = alone("a", "copy") | {"both": ("a", "copy")}
    found = drops(answer, features, labels, "auc", groups, 7)

    assert found["both"] == pytest.approx(0.5, abs=0.05)
    assert 0 < found["a"] < 0.7 * found["both"]
    assert 0 < found["copy"] < 0.7 * found["both"]


def test_a_shuffle_belongs_to_its_seed_and_column_whatever_else_is_asked():
    features = table()
    labels = (features["a"] > 0).to_numpy().astype(np.int32)
    first, more, other = (
        drops(by_column(a=1.0, b=1.0), features, labels, "auc", alone(*names), seed)
        for names, seed in (("a", 7), ("abc", 7), ("a", 8))
    )

    assert first["a"] == more["a"]
    assert first["a"] != other["a"]


def test_rows_of_one_class_cannot_tell():
    labels = np.zeros(400, dtype=np.int32)

    assert drops(by_column(a=1.0), table(), labels, "auc", alone("a"), 7) == {}


def test_many_rows_and_columns_cost_no_more_than_so_many_predictions():
    features = pd.DataFrame(
        np.zeros((6_000, 300)), columns=[f"x{i}" for i in range(300)]
    )
    features["x0"] = np.arange(6_000.0)
    labels = (np.arange(6_000) % 2).astype(np.int32)
    seen = []

    def answer(rows: pd.DataFrame):
        seen.append(len(rows))
        return as_probabilities(rows["x0"].to_numpy() / 6_000)

    drops(answer, features, labels, "auc", alone(*features.columns), 7)

    assert sum(seen) <= 201_000
    assert len(seen) == 301


def test_the_parts_of_a_date_and_the_pixels_of_a_block_go_together():
    names = ("day days", "day sine in year", "day cosine in year", "x")
    labels = np.zeros(4, dtype=np.int32)
    dated = make_samples(labels, **{name: np.arange(4.0) for name in names})
    plan = CleanPlan.model_validate(
        {"dates": [{"column": "day", "parts": ["elapsed", "month"]}]}
    )
    pixels = {f"p{i}": np.arange(4.0) for i in range(100 * 3)}
    image = make_samples(labels, **pixels, place=["a", "b", "a", "b"])
    of_image = CleanPlan.model_validate(
        {"image": {"height": 10, "width": 10, "channels": 3}}
    )
    found = groups_of(dataclasses.replace(image, image=True), of_image)

    assert groups_of(dated, plan) == {"x": ("x",), "day": names[:3]}
    assert found["place"] == ("place",)
    assert len(found) == 17
    assert sorted(sum(found.values(), ())) == sorted([*pixels, "place"])
    assert found["pixels of rows 1-3, columns 1-3"][:6] == tuple(
        f"p{i}" for i in range(6)
    )


def test_of_very_many_columns_those_stay_that_say_most_and_all_that_are_no_numbers():
    groups = alone(*(f"x{i}" for i in range(500)), "town")
    kept = most_informative(groups, {f"x{i}": float(i) for i in range(500)})

    assert len(kept) == MAX_COLUMNS
    assert "town" in kept
    assert "x499" in kept
    assert "x100" not in kept


def test_gaps_and_texts_are_shuffled_as_they_are():
    features = pd.DataFrame(
        {
            "number": [1.0, np.nan] * 100,
            "town": pd.Series(["a", None] * 100, dtype="str"),
        }
    )
    labels = (np.arange(200) % 2).astype(np.int32)

    def answer(rows: pd.DataFrame):
        assert rows.dtypes.equals(features.dtypes)
        assert list(rows.columns) == list(features.columns)
        missing = rows["number"].isna() + 0.5 * rows["town"].isna()
        return as_probabilities(missing.to_numpy() / 2)

    found = drops(answer, features, labels, "auc", alone("number", "town"), 7)

    assert found["number"] > 0.1
    assert found["town"] == 0.0  # the number alone orders the classes
