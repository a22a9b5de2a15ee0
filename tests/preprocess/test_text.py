"""Text columns: what scikit-learn makes of them, kept so that it is not needed to apply."""

import unicodedata
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from assay.predict.decoding import decoded
from assay.predict.text import TextForm
from assay.preprocess.text import Text, fit

WORDS = [
    "매운",
    "라면",
    "김치",
    "컵",
    "Ramen",
    "NOODLES",
    "spicy",
    "a",
    "É",
    "Zoë",
    "chicken",
    "치킨",
    "x2",
    "soup",
]
phrases = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


def texts(n: int, seed: int = 0) -> "pd.Series[str]":
    generator = np.random.default_rng(seed)
    said = [
        "  ".join(generator.choice(WORDS, generator.integers(1, 7))) for _ in range(n)
    ]
    return pd.Series(said, name="title", dtype="str")


def theirs(column, n_axes: int, vocabulary=None):
    """The same by scikit-learn alone, and by its own pieces of words."""
    vectorizer = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 4),
        preprocessor=lambda text: unicodedata.normalize("NFC", text.lower()),
        min_df=2,
        vocabulary=vocabulary,
    )
    svd = TruncatedSVD(n_axes, random_state=0)
    with threadpool_limits(1):
        return make_pipeline(vectorizer, svd, StandardScaler()).fit(column)


# What scikit-learn does ------------------------------------------------------------------------


@pytest.mark.parametrize("n_axes", [1, 8])
def test_text_is_prepared_as_scikit_learn_would(n_axes):
    train, test = texts(80), texts(30, seed=1)
    pipeline = theirs(train, n_axes)
    fitted = fit(train, n_axes)

    assert list(fitted.terms) == list(pipeline[0].get_feature_names_out())
    np.testing.assert_allclose(fitted.idf, pipeline[0].idf_, rtol=1e-12)
    for column in (train, test):
        expected = pipeline.transform(column)
        np.testing.assert_allclose(fitted.apply(column), expected, atol=1e-6)


@given(st.lists(phrases, min_size=1, max_size=8))
def test_any_text_is_applied_as_scikit_learn_would(said):
    """Empty ones too, and words that no training row had."""
    train, test = texts(40), pd.Series([*said, "zebra", ""], dtype="str")
    fitted = fit(train, 4)
    expected = theirs(train, 4).transform(test)

    np.testing.assert_allclose(fitted.apply(test), expected, atol=1e-6)


def test_of_too_many_terms_those_of_most_rows_count_and_ties_go_by_the_term():
    generator = np.random.default_rng(0)
    words = [
        "".join(generator.choice(list("abcdefghijklmnopqrst"), 7)) for _ in range(3_500)
    ]
    column = pd.Series(words * 2, name="code", dtype="str")
    n_rows = Counter(
        term
        for word in column
        for term in {
            f" {word} "[start : start + n] for n in (2, 3, 4) for start in range(10 - n)
        }
    )
    order = sorted(n_rows, key=lambda term: (-n_rows[term], term))

    assert len(order) > 20_000
    assert fit(column, 1).terms == tuple(sorted(order[:20_000]))


# Sameness --------------------------------------------------------------------------------------


def test_what_is_fitted_is_the_same_to_the_bit_whatever_the_threads():
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefgh"), 5)) for _ in range(400)]
    column = pd.Series(
        [" ".join(generator.choice(words, 8)) for _ in range(1_500)], dtype="str"
    )
    with threadpool_limits(1):
        first = fit(column, 32)
    with threadpool_limits(2):
        other = fit(column, 32)

    assert first.terms == other.terms
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name])


@given(st.integers(0, 99))
def test_a_text_is_placed_the_same_whatever_stands_beside_it(seed):
    fitted, column = fit(texts(60), 6), texts(12, seed)
    together = fitted.apply(column)

    for row in range(len(column)):
        alone = fitted.apply(column.iloc[[row]])
        np.testing.assert_array_equal(alone[0], together[row])


@given(st.lists(phrases, min_size=1, max_size=6))
def test_neither_case_nor_composition_nor_spaces_change_a_text(said):
    """Korean syllables may come in letters, as from a Mac's file names."""
    fitted = fit(texts(60), 6)
    spelled = [
        "\t " + unicodedata.normalize("NFD", text.upper()).replace(" ", " \n")
        for text in said
    ]
    first, other = (pd.Series(column, dtype="str") for column in (said, spelled))

    np.testing.assert_array_equal(fitted.apply(first), fitted.apply(other))


def test_a_fitted_column_comes_back_from_its_form_and_arrays():
    fitted, column = fit(texts(60), 6), texts(9, seed=2)
    arrays = {f"at_{name}": array for name, array in fitted.arrays().items()}
    back = Text.of(decoded(TextForm, fitted.form()), arrays, "at_")

    assert back.form() == fitted.form()
    np.testing.assert_array_equal(back.apply(column), fitted.apply(column))


# Gaps and columns that teach nothing -----------------------------------------------------------


def test_a_missing_text_is_in_the_middle_of_every_axis_and_teaches_nothing():
    column = texts(60)
    gaps = pd.concat([column, pd.Series([None] * 20, dtype="str")], ignore_index=True)
    gaps.name = "title"
    full, with_gaps = fit(column, 4), fit(gaps, 4)

    assert not full.indicated
    assert with_gaps.indicated
    assert full.n_inputs == with_gaps.n_inputs - 1 == 4
    for name, array in full.arrays().items():
        np.testing.assert_array_equal(array, with_gaps.arrays()[name])
    assert not with_gaps.apply(gaps)[60:].any()


def only_zeros(fitted: Text, column) -> bool:
    places = fitted.apply(pd.concat([column, texts(5)]))
    return places.shape[1] == 1 and bool(np.abs(places[: len(column)]).max() < 1e-9)


@pytest.mark.parametrize(
    "said",
    [["same words"] * 9, ["!"] * 9, [""] * 9, [None] * 9, ["one", "two", "six"], ["a"]],
)
def test_a_column_that_teaches_nothing_gives_one_column_of_zeros(said):
    column = pd.Series(said, name="title", dtype="str")

    assert only_zeros(fit(column, 4), column)


def test_axes_that_are_only_rounding_are_left_out():
    """Three different texts span three axes; standardised rounding would be noise as large as they."""
    column = pd.Series(["red house", "green tree", "blue sea"] * 20, name="title")

    assert fit(column.astype("str"), 32).n_inputs == 3
