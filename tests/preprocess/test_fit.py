import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler, StandardScaler

from assay.errors import DataRefused
from assay.predict.scaling import CLIP
from assay.preprocess.fit import check_classes, fit, unpack
from assay.store.store import Store
from assay.study.plans import CleanPlan, ImagePlan
from tests.factories import make_table

cells = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
matrices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(4, 20), st.integers(1, 3)),
    elements=cells,
    fill=st.nothing(),
)


def features(n_rows: int = 60, seed: int = 7) -> pd.DataFrame:
    return make_table(n_rows, seed).drop(columns="answer")


def numbers(matrix) -> pd.DataFrame:
    return pd.DataFrame(matrix, columns=[f"x{n}" for n in range(matrix.shape[1])])


def bent(z):
    return z / np.sqrt(1 + (z / CLIP) ** 2)


# The order of the inputs -----------------------------------------------------------------------


def test_columns_of_three_values_or_fewer_stand_behind_the_others():
    """Each with what was fitted to it; the pixels of an image keep their places."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "few": generator.integers(0, 3, 400).astype(float),
            "many": generator.normal(size=400),
            "empty": np.full(400, np.nan),
            "late": np.where(np.arange(400) < 1200, np.arange(400) % 4, 0) * 1.0,
            "gaps": np.where(np.arange(400) % 5 == 0, np.nan, np.arange(400) % 2),
        }
    )
    found = fit(table, CleanPlan())
    alone = fit(table[["gaps"]], CleanPlan())
    image = ImagePlan(height=8, width=8, channels=1)
    pixels = numbers(generator.integers(0, 2, (30, 64)) * generator.random(64))
    pixels["x1"] = generator.random(30)

    assert found.numeric == ("many", "late", "few", "empty", "gaps")
    assert [
        one[4]
        for one in (found.scaling.fill, found.scaling.centre, found.scaling.scale)
    ] == [
        *(
            one[0]
            for one in (alone.scaling.fill, alone.scaling.centre, alone.scaling.scale)
        ),
    ]
    assert found.indicated.tolist() == [3, 4]
    kept = fit(pixels, CleanPlan(image=image)).numeric
    assert kept == tuple(pixels.columns)


# What scikit-learn does, where both do it ------------------------------------------------------


@pytest.mark.parametrize("impute", ["median", "mean"])
@pytest.mark.parametrize(
    ("scale", "scaler"), [("robust", RobustScaler), ("standard", StandardScaler)]
)
@given(train=matrices, seed=st.integers(0, 99))
def test_numbers_are_prepared_as_scikit_learn_would(impute, scale, scaler, train, seed):
    rng = np.random.default_rng(seed)
    train[0] = rng.normal(size=train.shape[1])  # no column is empty
    train[1:4] = rng.normal(size=(3, train.shape[1]))
    theirs = make_pipeline(SimpleImputer(strategy=impute), scaler()).fit(train)
    filled = SimpleImputer(strategy=impute).fit_transform(train)
    low, high = np.quantile(filled, [0.25, 0.75], axis=0)
    assume((high > low).all())  # elsewhere the rule is ours
    test = np.where(
        rng.random((5, train.shape[1])) < 0.3,
        np.nan,
        rng.normal(size=(5, train.shape[1])),
    )

    prepared = fit(numbers(train), CleanPlan(impute=impute, scale=scale)).apply(
        numbers(test)
    )

    expected = bent(theirs.transform(test))
    np.testing.assert_allclose(
        prepared[:, : train.shape[1]], expected, rtol=1e-4, atol=1e-6
    )


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=4, max_size=30),
    st.lists(st.sampled_from(["a", "b", "c", "d", "new"]), min_size=1, max_size=8),
)
def test_levels_are_encoded_as_scikit_learn_would(train, test):
    """The same columns; the last one is for rare and unseen levels."""
    encoder = OneHotEncoder(
        min_frequency=2, handle_unknown="infrequent_if_exist", sparse_output=False
    ).fit(np.array(train, dtype=object)[:, None])
    theirs = encoder.transform(np.array(test, dtype=object)[:, None])
    preparation = fit(pd.DataFrame({"word": train}), CleanPlan())
    ours = preparation.apply(pd.DataFrame({"word": test}))
    n_known = len(preparation.levels[0])

    np.testing.assert_array_equal(ours[:, :n_known], theirs[:, :n_known])
    assert (ours.sum(axis=1) == 1).all()


# Missing and unseen ----------------------------------------------------------------------------


def test_a_missing_cell_is_filled_and_indicated_where_training_rows_had_gaps():
    train = pd.DataFrame({"gap": [1.0, 2.0, 3.0, np.nan], "full": [1.0, 2.0, 3.0, 4.0]})
    test = pd.DataFrame({"gap": [np.nan, 2.0], "full": [np.nan, 2.5]})
    preparation = fit(train, CleanPlan())

    assert preparation.n_inputs == 3
    np.testing.assert_array_equal(preparation.apply(test), [[0, 0, 1], [0, 0, 0]])


def test_an_unseen_level_and_a_rare_one_share_a_column():
    train = pd.DataFrame({"town": ["Busan"] * 3 + ["Seoul"] * 2 + ["Daegu"]})
    test = pd.DataFrame({"town": ["Seoul", "Daegu", "Jeju", None]})
    preparation = fit(train, CleanPlan())

    assert preparation.levels == (("Busan", "Seoul"),)
    np.testing.assert_array_equal(
        preparation.apply(test), [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]
    )


def test_a_missing_level_that_training_rows_had_is_a_level():
    train = pd.DataFrame({"town": ["Busan", "Busan", None, None]})
    preparation = fit(train, CleanPlan())

    assert preparation.levels == (("(missing)", "Busan"),)
    np.testing.assert_array_equal(
        preparation.apply(train), [[0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]]
    )


def test_a_column_of_names_gives_no_columns_of_its_own():
    names = pd.DataFrame({"name": [f"name {n}" for n in range(200)]})

    assert fit(names, CleanPlan()).n_inputs == 1


def test_a_column_of_many_levels_gives_fifty_columns_at_most_or_where_it_is_wide_255():
    levels = pd.DataFrame({"code": [f"c{n % 80}" for n in range(400)]})
    many = pd.DataFrame({"code": [f"c{n % 300}" for n in range(900)]})

    assert fit(levels, CleanPlan()).n_inputs == 50
    assert fit(levels, CleanPlan(), wide=True).n_inputs == 81
    assert fit(many, CleanPlan(), wide=True).n_inputs == 255


def test_a_column_without_a_value_in_the_training_part_says_only_that_it_is_missing():
    """Which training part a sparse column is empty in depends on the seed: no reason to stop there."""
    train = pd.DataFrame({"x": [1.0, 2.0], "empty": [np.nan, np.nan]})
    test = pd.DataFrame({"x": [1.5], "empty": [7.0]})

    preparation = fit(train, CleanPlan())

    assert preparation.apply(train)[:, 1:].tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert np.isfinite(preparation.apply(test)).all()


def test_a_column_in_very_small_units_keeps_its_spread():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    small = fit(pd.DataFrame({"x": values * 1e-18}), CleanPlan())
    large = fit(pd.DataFrame({"x": values}), CleanPlan())

    tiny = small.apply(pd.DataFrame({"x": values * 1e-18}))
    np.testing.assert_allclose(
        tiny, large.apply(pd.DataFrame({"x": values})), rtol=1e-6
    )


def test_outlier_rules_that_take_a_whole_class_are_refused():
    labels = np.array([0, 0, 1, 1], dtype=np.int32)

    check_classes(labels, np.array([0, 3]))
    with pytest.raises(DataRefused, match="no rows of class number 1"):
        check_classes(labels, np.array([0, 1]))


# What holds for any numbers --------------------------------------------------------------------


@given(matrices, st.sampled_from(["robust", "standard"]))
def test_inputs_are_finite_and_never_beyond_the_clip(matrix, scale):
    matrix[:, np.isnan(matrix).all(axis=0)] = 0.0
    inputs = fit(numbers(matrix), CleanPlan(scale=scale)).apply(numbers(matrix * 1e9))

    assert inputs.dtype == np.float32
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= np.float32(CLIP)


def test_a_column_whose_quartiles_agree_is_scaled_by_half_its_range():
    train = pd.DataFrame({"mostly": [0.0] * 9 + [4.0], "constant": [7.0] * 10})
    preparation = fit(train, CleanPlan())

    np.testing.assert_array_equal(preparation.scaling.scale, [2.0, 1.0])


@given(st.permutations(range(12)))
def test_the_order_of_training_rows_does_not_matter(order):
    train = features(12)
    first, other = fit(train, CleanPlan()), fit(train.iloc[list(order)], CleanPlan())

    np.testing.assert_allclose(first.apply(train), other.apply(train), rtol=1e-6)


@given(st.integers(0, 99))
def test_a_row_is_prepared_the_same_whatever_stands_beside_it(seed):
    """Nothing is learned from rows that are only prepared."""
    train, test = features(), features(20, seed)
    test.loc[3, "height"] = 1e9
    test.loc[4, "town"] = "Jeju"
    preparation = fit(train, CleanPlan())
    before = preparation.packed()
    together = preparation.apply(test)

    for row in range(len(test)):
        np.testing.assert_array_equal(
            preparation.apply(test.iloc[[row]])[0], together[row]
        )
    for name, array in preparation.packed().items():
        np.testing.assert_array_equal(array, before[name])


# Texts and trees -------------------------------------------------------------------------------


def with_titles(n_rows: int = 60, seed: int = 7) -> pd.DataFrame:
    """Two numbers, a town, and titles with a gap; the title stands between the numbers."""
    generator = np.random.default_rng(seed)
    said = [
        " ".join(generator.choice(["매운", "cup", "soup"], 3)) for _ in range(n_rows)
    ]
    table = features(n_rows, seed).assign(title=pd.Series(said, dtype="str"))
    table.loc[[2, 5], "title"] = None
    table.loc[[2, 3], "weight"] = np.nan
    return table[["height", "title", "weight", "town"]]


def test_texts_come_last_each_with_its_gaps_and_numbers_first():
    table, plan = with_titles(), CleanPlan(text=("title",), text_components=3)
    with_text, without = fit(table, plan), fit(table.drop(columns="title"), CleanPlan())
    inputs, [first] = with_text.apply(table), with_text.texts

    assert with_text.categorical == ("town",)
    assert inputs.shape == (60, with_text.n_inputs)
    assert with_text.n_inputs == without.n_inputs + 4
    np.testing.assert_array_equal(inputs[:, :-4], without.apply(table))
    expected = bent(first.apply(table["title"]))
    np.testing.assert_allclose(inputs[:, -4:-1], expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(inputs[:, -1], table["title"].isna())


def test_a_text_that_a_plan_does_not_name_is_a_category():
    assert fit(with_titles(), CleanPlan()).categorical == ("title", "town")


def test_trees_are_shown_numbers_as_they_are_codes_of_levels_and_texts():
    table = with_titles()
    preparation = fit(table, CleanPlan(text=("title",), text_components=3))
    inputs = preparation.apply(table)
    shown = preparation.trees(table, inputs)

    np.testing.assert_array_equal(shown[:, :2], table[["height", "weight"]])
    codes = table["town"].map({"Busan": 0, "Daegu": 1, "Seoul": 2})
    np.testing.assert_array_equal(
        shown[:, preparation.category_columns], codes.to_frame()
    )
    np.testing.assert_array_equal(shown[:, 3:], inputs[:, -4:])
    assert np.isnan(shown).any()


@pytest.mark.parametrize(("wide", "of_inputs"), [(False, 49), (True, 254)])
def test_trees_tell_254_levels_apart_and_the_rest_is_one_more(wide, of_inputs):
    """The most frequent ones; each that has a column in the inputs is among them."""
    n_rows = np.arange(300) // 30 + 1  # thirty levels seen once, thirty twice, ...
    names = np.repeat([f"level {number:03}" for number in range(300)], n_rows)
    train = pd.DataFrame({"code": pd.Series(names, dtype="str")})
    preparation = fit(train, CleanPlan(), wide=wide)
    codes = preparation.trees(train, preparation.apply(train))[:, 0]
    [first], [further] = preparation.levels, preparation.further

    assert (len(first), len(first) + len(further)) == (of_inputs, 254)
    assert len(np.unique(codes)) == codes.max() + 1 == 255
    assert set(names[codes == 254]) == {f"level {number:03}" for number in range(46)}
    unseen = pd.DataFrame({"code": pd.Series(["new", None], dtype="str")})
    new = preparation.trees(unseen, preparation.apply(unseen))
    np.testing.assert_array_equal(new, [[254.0], [254.0]])


# Storing ---------------------------------------------------------------------------------------


def test_a_preparation_comes_back_from_the_store_and_prepares_the_same(tmp_path):
    train = with_titles().rename(columns={"town": "도시"})
    train.loc[5, "height"] = np.nan
    train.loc[6, "도시"] = None
    preparation = fit(train, CleanPlan(text=("title",), text_components=5))
    store = Store(tmp_path)

    back = unpack(store.get_arrays(store.put_arrays(preparation.packed())))

    assert back.form() == preparation.form()
    test = with_titles(seed=8).rename(columns={"town": "도시"})
    inputs = preparation.apply(test)
    np.testing.assert_array_equal(back.apply(test), inputs)
    np.testing.assert_array_equal(
        back.trees(test, inputs), preparation.trees(test, inputs)
    )


@pytest.mark.parametrize("columns", [["height", "weight"], ["town"]])
def test_tables_of_one_kind_of_column_are_prepared_and_packed(columns):
    train = features()[columns]
    preparation = fit(train, CleanPlan())
    inputs = preparation.apply(train)

    assert inputs.shape == (60, preparation.n_inputs)
    np.testing.assert_array_equal(unpack(preparation.packed()).apply(train), inputs)
