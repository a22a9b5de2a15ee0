"""What prediction makes of a row is what training makes of it, for every way to prepare a column."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import median_filter
from scipy.special import ndtri
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import (
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from assay.predict.categories import one_hot
from assay.predict.denoise import smoothed
from assay.predict.preparation import Preparation
from assay.predict.scaling import Scaling, bent, normal_deviates
from assay.predict.text import Text, words_of
from assay.preprocess import fit as preprocess
from assay.study.plans import CleanPlan

cells = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
matrices = hnp.arrays(np.float64, st.tuples(st.integers(4, 20), st.integers(1, 3)), elements=cells, fill=st.nothing())  # fmt: skip
WORDS = ["매운", "라면", "김치", "Ramen", "NOODLES", "spicy", "É", "Zoë", "치킨", "x2"]
phrases = st.none() | st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


def again(preparation: preprocess.Preparation) -> Preparation:
    """The preparation as a bundle has it: through JSON and arrays, without scikit-learn or SciPy."""
    form = json.loads(json.dumps(preparation.form(), ensure_ascii=False))
    return Preparation.of(form, preparation.arrays())


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Columns as prediction has them."""
    return {
        str(name): frame[name].to_numpy(np.float64)
        if pd.api.types.is_numeric_dtype(frame[name])
        else np.array([None if one is None or one != one else str(one) for one in [*frame[name], None]], dtype=object)[:-1]
        for name in frame
    }  # fmt: skip


def assert_prepares_alike(train: pd.DataFrame, test: pd.DataFrame, **plan) -> None:
    fitted = preprocess.fit(train, CleanPlan(**plan))
    for frame in (train, test):
        ours = again(fitted).inputs(columns_of(frame), len(frame))
        np.testing.assert_allclose(ours, fitted.apply(frame), rtol=0, atol=1e-6)


def numbers(matrix) -> pd.DataFrame:
    return pd.DataFrame(matrix, columns=[f"x{n}" for n in range(matrix.shape[1])])


# Numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("impute", ["median", "mean"])
@pytest.mark.parametrize("clip", [0.0, 0.1])
@pytest.mark.parametrize("scale", ["robust", "standard", "quantile", "power", "none"])
@given(train=matrices, seed=st.integers(0, 99))
def test_numbers_are_prepared_as_in_training(impute, clip, scale, train, seed):
    rng = np.random.default_rng(seed)
    test = np.where(rng.random((6, train.shape[1])) < 0.3, np.nan, rng.normal(0, 1e3, (6, train.shape[1])))  # fmt: skip
    plan = {"impute": impute, "clip": clip, "scale": scale}
    fitted = preprocess.fit(numbers(train), CleanPlan(**plan))

    for matrix in (train, test):
        theirs = fitted.apply(numbers(matrix))
        ours = again(fitted).inputs(columns_of(numbers(matrix)), len(matrix))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("scale", "theirs"),
    [
        ("robust", RobustScaler()),
        ("standard", StandardScaler()),
        ("power", PowerTransformer()),
        ("quantile", QuantileTransformer(n_quantiles=200, output_distribution="normal")),
    ],
)  # fmt: skip
def test_numbers_are_scaled_as_scikit_learn_scales_them(scale, theirs):
    rng = np.random.default_rng(0)
    train, test = np.exp(rng.normal(size=(200, 2))), np.exp(rng.normal(size=(50, 2)))
    if scale == "power":  # ours puts a column in units of its own first
        units = RobustScaler().fit(train)
        train, test = units.transform(train), units.transform(test)
        test = test.clip(train.min(axis=0), train.max(axis=0))
    if scale == "quantile":
        test = test.clip(*np.quantile(train, [0.02, 0.98], axis=0))
    fitted = again(preprocess.fit(numbers(train), CleanPlan(scale=scale)))
    found = fitted.inputs(columns_of(numbers(test)), len(test))

    np.testing.assert_allclose(
        found, bent(theirs.fit(train).transform(test)), atol=1e-6
    )


@given(hnp.arrays(np.float64, 50, elements=st.floats(1e-7, 1 - 1e-7)))
def test_normal_deviates_are_those_of_scipy(shares):
    np.testing.assert_allclose(normal_deviates(shares), ndtri(shares), rtol=1e-13, atol=1e-15)  # fmt: skip
    ends = np.array([1e-7, 1 - 1e-7, 1e-11, 1e-300, 0.5, 0.075, 0.925])
    np.testing.assert_allclose(normal_deviates(ends), ndtri(ends), rtol=1e-13, atol=1e-15)  # fmt: skip


def test_missing_numbers_are_filled_and_said_where_training_rows_had_gaps():
    train = pd.DataFrame({"gap": [1.0, 2.0, np.nan, 4.0], "full": [1.0, 2.0, 3.0, 5.0]})
    test = pd.DataFrame({"gap": [np.nan, 9.0], "full": [np.nan, 2.0]})
    fitted = preprocess.fit(train, CleanPlan())

    assert_prepares_alike(train, test)
    assert again(fitted).inputs(columns_of(test), 2)[:, 2].tolist() == [1.0, 0.0]


def test_a_column_without_a_value_is_zero_whatever_comes():
    train = pd.DataFrame({"x": [1.0, 2.0, 3.0], "empty": [np.nan] * 3})
    test = pd.DataFrame({"x": [1.0], "empty": [7.0]})

    for scale in ("robust", "standard", "quantile", "power"):
        assert_prepares_alike(train, test, scale=scale)


# Levels, lists, texts ----------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(["a", "b", "rare", None, "나"]), min_size=4, max_size=30),
    st.lists(st.sampled_from(["a", "b", "rare", "new", None, "(missing)"]), min_size=1, max_size=9),
)  # fmt: skip
def test_levels_are_told_apart_as_in_training_and_by_scikit_learn(train, test):
    """Known, rare, unseen and missing ones; what scikit-learn calls infrequent shares one column."""
    first, other = (pd.DataFrame({"x": pd.Series(some, dtype="str")}) for some in (train, test))  # fmt: skip
    assert_prepares_alike(first, other)
    said = [[cell or "(missing)" for cell in some] for some in (train, test)]
    encoder = OneHotEncoder(min_frequency=2, handle_unknown="infrequent_if_exist", sparse_output=False)  # fmt: skip
    theirs = encoder.fit(np.array(said[0], dtype=object)[:, None])
    known = preprocess.fit(first, CleanPlan()).levels[0]
    expected = theirs.transform(np.array(said[1], dtype=object)[:, None])

    np.testing.assert_array_equal(one_hot(test, known)[:, : len(known)], expected[:, : len(known)])  # fmt: skip


lists = st.none() | st.lists(
    st.sampled_from(["Drama", " Kim", "", "이", "x,y"]), max_size=4
).map("|".join)


@given(st.lists(lists, min_size=3, max_size=20), st.lists(lists, min_size=1, max_size=5))  # fmt: skip
def test_lists_are_counted_as_in_training(train, test):
    first, other = (pd.DataFrame({"x": pd.Series(some, dtype="str"), "y": np.arange(len(some)) * 1.0}) for some in (train, test))  # fmt: skip

    assert_prepares_alike(first, other, lists=[{"column": "x", "separator": "|", "most": 2}])  # fmt: skip


@given(st.lists(phrases, min_size=5, max_size=30), st.lists(phrases | st.text(max_size=9), min_size=1, max_size=6))  # fmt: skip
def test_english_and_korean_texts_are_placed_as_in_training(train, test):
    first, other = (pd.DataFrame({"x": pd.Series(some, dtype="str"), "y": np.arange(len(some)) * 1.0}) for some in (train, test))  # fmt: skip

    assert_prepares_alike(first, other, text=["x"], text_components=4)


def test_texts_are_weighed_as_scikit_learn_weighs_them():
    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(WORDS, 4)) for _ in range(60)]
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), preprocessor=lambda text: words_joined(text), min_df=2)  # fmt: skip
    weights = theirs.fit_transform(said).toarray()
    n = weights.shape[1]
    text = Text("x", tuple(theirs.get_feature_names_out()), theirs.idf_, np.eye(n), np.zeros(n), np.ones(n), False)  # fmt: skip

    np.testing.assert_allclose(text.apply(said), weights, atol=1e-12)


def words_joined(text: str) -> str:
    return " ".join(words_of([text])[0])


# Pixels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("denoise", ["none", "median"])
@pytest.mark.parametrize("scale", ["robust", "none"])
def test_pixels_are_prepared_as_in_training(channels, denoise, scale):
    rng = np.random.default_rng(0)
    image = {"height": 8, "width": 9, "channels": channels, "denoise": denoise}
    train, test = (numbers(rng.integers(0, 17, (n, 72 * channels)) * 1.0) for n in (30, 7))  # fmt: skip

    assert_prepares_alike(train, test, image=image, scale=scale)


@given(
    hnp.arrays(np.float64, (3, 8 * 9 * 3), elements=st.integers(0, 255).map(float)),
)
def test_noise_is_taken_out_as_scipy_takes_it_out(pixels):
    theirs = median_filter(pixels.reshape(3, 8, 9, 3), size=(1, 3, 3, 1), mode="nearest")  # fmt: skip

    np.testing.assert_array_equal(smoothed(pixels, (8, 9, 3)), theirs.reshape(3, -1))


# Together --------------------------------------------------------------------------------------


def test_a_row_is_prepared_the_same_whatever_rows_stand_beside_it():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=40),
            "town": rng.choice(["Busan", "Seoul"], 40),
            "said": [" ".join(rng.choice(WORDS, 3)) for _ in range(40)],
        }
    )
    fitted = again(preprocess.fit(frame, CleanPlan(text=["said"], text_components=3)))
    together = fitted.inputs(columns_of(frame), 40)

    for row in range(40):
        alone = fitted.inputs(columns_of(frame.iloc[[row]]), 1)
        np.testing.assert_array_equal(alone[0], together[row])


def test_what_training_applies_differs_from_prediction_in_nothing_but_two_libraries():
    """A change to how a preparation is applied changes both; only deviates and sparse products are training's."""
    ours, theirs = preprocess.Preparation, Preparation
    for name in ("inputs", "raw", "form", "arrays"):
        assert getattr(ours, name) is getattr(theirs, name)
    for name in ("apply", "drawn_in"):
        assert getattr(ours.scaling_class, name) is getattr(Scaling, name)
    assert ours.text_class.apply is Text.apply
