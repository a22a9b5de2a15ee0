import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.audit.columns import every_column
from assay.data.clean import clean_table
from assay.errors import DataRefused, StudyError
from assay.store.records import ExpectationOutcome
from assay.study.plans import Cleaning, CleanPlan
from tests.factories import make_cleaning, make_report, make_table


def clean(frame, plan: Cleaning | None = None, report=None):
    return clean_table(frame, report or make_report(), plan or make_cleaning())


def test_labels_are_codes_of_the_sorted_classes():
    table = make_table()
    samples = clean(table)

    assert samples.classes == ("no", "yes")
    assert samples.labels.dtype == np.int32
    assert [samples.classes[code] for code in samples.labels] == table.answer.tolist()
    assert list(samples.features.columns) == ["height", "weight", "town"]


def test_the_positive_class_comes_last():
    samples = clean(make_table(), make_cleaning(positive="no"))

    assert samples.classes == ("yes", "no")
    assert samples.labels[0] == 1


@given(st.lists(st.sampled_from(["2", "10", "9", "a", "²", "٣", "B"]), min_size=2))
def test_classes_sort_as_numbers_where_they_are_numbers(names):
    names = [*names, *names, "2", "10", "2", "10"]
    frame = pd.DataFrame({"x": np.arange(len(names)) / 3, "answer": names})
    classes = clean(frame, make_cleaning(task="multiclass")).classes

    assert set(classes) == set(names)
    numbers = [int(name) for name in classes if name.isdecimal()]
    assert numbers == sorted(numbers)
    assert classes[: len(numbers)] == tuple(n for n in classes if n.isdecimal())


def test_whole_numbers_are_classes_without_a_point():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "answer": [0.0, 1.0, np.nan]})

    assert clean(frame).classes == ("0", "1")


# Images ----------------------------------------------------------------------------------------


def image_table(n_columns=64):
    generator = np.random.default_rng(0)
    pixels = pd.DataFrame(generator.integers(0, 17, (30, n_columns)))
    pixels.columns = [f"p{i}" for i in range(n_columns)]
    return pixels.assign(p0=0, site="here", town=["a", "b"] * 15, answer=[0, 1] * 15)


def image_cleaning():
    image = {"height": 8, "width": 8, "channels": 1}
    return make_cleaning(clean=CleanPlan.model_validate({"image": image}))


def test_a_pixel_that_never_changes_keeps_its_place_and_another_column_does_not():
    samples = clean(image_table(), image_cleaning())

    assert [*samples.features.columns] == [*(f"p{i}" for i in range(64)), "town"]
    assert samples.image
    assert [*every_column(samples)] == ["town"]


@pytest.mark.parametrize("n_columns", [63, 65])
def test_an_image_of_another_size_than_the_table_is_refused_with_both_numbers(
    n_columns,
):
    said = f"64 columns of numbers, but the table has {n_columns} left"

    with pytest.raises(StudyError, match=said):
        clean(image_table(n_columns), image_cleaning())


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["yes"] * 4, r"has one class \(yes\)"),
        (["a", "b", "c", "a"], "has 3 classes, but task = 'binary'"),
    ],
)
def test_a_target_that_is_not_binary_is_refused(answers, said):
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "answer": answers})

    with pytest.raises(DataRefused, match=said):
        clean(frame)


def test_a_target_without_any_value_is_refused():
    with pytest.raises(DataRefused):
        clean(make_table().assign(answer=None))


def test_a_column_of_names_is_no_class_label():
    frame = make_table().assign(answer=lambda t: [f"name {n}" for n in range(len(t))])

    with pytest.raises(DataRefused, match="60 classes in 60 rows"):
        clean(frame, make_cleaning(task="multiclass"))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (make_cleaning("Answer"), "'Answer', but the table has: height, weight"),
        (
            make_cleaning(
                clean=CleanPlan.model_validate(
                    {"drop": [{"column": "age", "reason": "r"}]}
                )
            ),
            "'age', but the table has",
        ),
        (
            make_cleaning(clean=CleanPlan(text=("title",))),
            "'title', but the table has",
        ),
        (
            make_cleaning(clean=CleanPlan(text=("town", "height"))),
            "clean.text names 'height', but its values are numbers",
        ),
        (
            make_cleaning(positive="maybe"),
            "positive = 'maybe', but 'answer' holds no, yes",
        ),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused(plan, said):
    with pytest.raises(StudyError, match=said):
        clean(make_table(), plan)


@pytest.mark.parametrize(
    "columns", [["height", "weight", "town"], ["town", "height", "weight", "town"]]
)
def test_a_table_without_features_is_refused(columns):
    plan = CleanPlan.model_validate(
        {"drop": [{"column": name, "reason": "r"} for name in columns]}
    )

    with pytest.raises(DataRefused, match="No feature column"):
        clean(make_table(), make_cleaning(clean=plan))


# What is left out ----------------------------------------------------------------------------


def test_rows_without_a_target_go_and_are_counted():
    table = make_table()
    table.loc[[0, 7], "answer"] = None
    samples = clean(table)

    assert len(samples.features) == len(samples.labels) == len(table) - 2
    assert [step.n for step in samples.log if str(step.what) == "rows left out"] == [2]


def test_dropped_and_constant_columns_go_with_their_reasons():
    plan = CleanPlan.model_validate(
        {"drop": [{"column": "weight", "reason": "measured after the answer"}] * 2}
    )
    table = make_table().assign(unit="cm", nothing=np.nan)
    samples = clean(table, make_cleaning(clean=plan))

    assert list(samples.features.columns) == ["height", "town"]
    assert [(str(step.what), str(step.why)) for step in samples.log] == [
        ("column 'weight' left out", "measured after the answer"),
        ("columns left out: unit, nothing", "one value only"),
    ]


def test_a_text_is_no_id_though_no_two_rows_share_it():
    said = [f"row {number} of the table" for number in range(60)]
    table = make_table().assign(title=said, name=said)
    samples = clean(table, make_cleaning(clean=CleanPlan(text=("title",))))

    assert list(samples.features.columns) == ["height", "weight", "town", "title"]
    assert list(samples.aside.columns) == ["name"]


def test_copies_go_only_where_the_plan_says_so():
    table = pd.concat([make_table(20), make_table(20)], ignore_index=True)
    drop = make_cleaning(clean=CleanPlan(duplicates="drop"))

    assert len(clean(table).labels) == 40
    assert clean(table, drop).labels.tolist() == clean(make_table(20)).labels.tolist()


def test_rows_that_differ_in_the_label_only_are_no_copies():
    frame = pd.DataFrame({"x": [1.0, 1.0, 2.0], "answer": ["a", "b", "a"]})
    drop = make_cleaning(clean=CleanPlan(duplicates="drop"))

    assert len(clean(frame, drop).labels) == 3


def test_a_target_may_have_any_name():
    table = make_table().rename(columns={"answer": "self"})
    plan = make_cleaning("self", clean=CleanPlan(duplicates="drop"))

    assert clean(table, plan).classes == ("no", "yes")


# Kinds -----------------------------------------------------------------------------------------


def test_numbers_become_floats_and_everything_else_text():
    frame = pd.DataFrame(
        {
            "n": [1, 2, 2],
            "gap": [1.5, np.nan, 2.5],
            "flag": [True, False, True],
            "word": ["a", None, "b"],
            "mixed": [True, None, False],
            "day": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "kind": pd.Categorical(["x", "y", None]),
            "answer": ["p", "q", "p"],
        }
    )
    samples = clean(frame)
    numbers, texts = ["n", "gap", "flag"], ["word", "mixed", "day", "kind"]

    assert set(samples.features[numbers].dtypes) == {np.dtype("float64")}
    assert samples.features["flag"].tolist() == [1.0, 0.0, 1.0]
    assert set(map(str, samples.features[texts].dtypes)) == {"str"}
    assert samples.features.isna().sum().to_dict() == {
        "n": 0, "gap": 1, "flag": 0, "word": 1, "mixed": 1, "day": 1, "kind": 1,
    }  # fmt: skip


def test_what_validation_carried_stands_in_the_log():
    outcome = ExpectationOutcome(
        id="i",
        expectation="e",
        column=None,
        severity="warning",
        status="failed",
        why="w",
        message="Too many rows.",
        n_unexpected=None,
        examples=(),
    )

    (step,) = clean(make_table(), report=make_report(outcome)).log
    assert str(step.why) == "Too many rows."


@given(st.integers(0, 99))
def test_cleaning_leaves_the_table_it_was_handed(seed):
    table = make_table(12, seed)
    before = table.copy()
    clean(table, make_cleaning(clean=CleanPlan(duplicates="drop")))

    pd.testing.assert_frame_equal(table, before)


# Ids -------------------------------------------------------------------------------------------


def steps(samples) -> dict[str, int]:
    return {str(step.what): step.n for step in samples.log}


@pytest.mark.parametrize(
    "values",
    [
        [f"row {n}" for n in range(60)],
        list(range(100, 160)),
        list(range(160, 100, -1)),
        [float(n) for n in range(60)],
        pd.date_range("2020-01-01", periods=60),
    ],
)
def test_a_column_that_only_names_the_rows_is_set_aside(values):
    samples = clean(make_table().assign(number=values))

    assert list(samples.features.columns) == ["height", "weight", "town"]
    assert list(samples.aside.columns) == ["number"]
    assert steps(samples)["column 'number' left out"] == 1


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).permutation(60),  # distinct, in no order
        np.arange(60) / 3,  # in order, but a measurement
        np.arange(60) // 2,  # two rows each
        [None, *(f"row {n}" for n in range(59))],
    ],
)
def test_a_column_that_may_say_something_stays(values):
    assert "kept" in clean(make_table().assign(kept=values)).features.columns


def test_an_id_does_not_hide_that_rows_are_copies():
    table = pd.concat([make_table(), make_table()], ignore_index=True)

    assert clean(table.assign(number=range(120))).n_units == 60


# Units -----------------------------------------------------------------------------------------


def test_the_units_column_says_which_rows_belong_together_and_is_shown_to_no_model():
    table = make_table().assign(person=[f"p{n % 7}" for n in range(60)])
    samples = clean(table, make_cleaning(unit="person"))

    assert "person" not in samples.features.columns
    assert samples.aside["person"].tolist() == table.person.tolist()
    assert (samples.unit, samples.n_units) == ("person", 7)
    assert pd.Series(samples.units).groupby(table.person).nunique().max() == 1
    assert pd.Series(table.person).groupby(samples.units).nunique().max() == 1


def test_rows_without_a_unit_are_units_of_their_own():
    person = pd.Series([f"p{n % 5}" for n in range(60)], dtype="str")
    person[[3, 50]] = None
    samples = clean(make_table().assign(person=person), make_cleaning(unit="person"))

    assert samples.n_units == 7
    assert np.count_nonzero(samples.units == samples.units[3]) == 1
    assert np.count_nonzero(samples.units == samples.units[50]) == 1
    assert steps(samples)["units unknown"] == 2


def test_a_unit_that_no_row_has_is_refused():
    with pytest.raises(DataRefused, match="'person' has no value in any row"):
        clean(make_table().assign(person=np.nan), make_cleaning(unit="person"))


def test_without_units_and_copies_every_row_is_independent():
    samples = clean(make_table())

    assert samples.units is None
    assert (samples.unit, samples.n_units) == ("row", 60)


# Copies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [2, 3, 6])
def test_exact_copies_share_a_unit_however_many_there_are(times):
    """Also where most rows are copies, so that no column has values for half of the rows."""
    table = pd.concat([make_table()] * times, ignore_index=True)
    samples = clean(table.sample(frac=1, random_state=1).reset_index(drop=True))

    assert samples.unit == "row with its copies"
    assert samples.n_units == 60
    assert np.all(np.bincount(samples.units) == times)
    assert samples.features.groupby(samples.units).nunique().max().max() == 1
    assert steps(samples)["rows kept together"] == 60 * (times - 1)


def test_equal_rows_of_few_levels_are_no_copies():
    """600 rows in 81 cells: keeping cells together would take each out of its own training data."""
    generator = np.random.default_rng(3)
    levels = {name: generator.integers(3, size=600) for name in "abcd"}
    frame = pd.DataFrame({**levels, "answer": ["p", "q"] * 300})

    assert clean(frame).units is None


def test_two_columns_of_few_levels_that_say_the_same_make_no_copies():
    month = np.arange(120) % 12
    frame = pd.DataFrame({"month": month, "name": [f"m{m}" for m in month]})

    assert clean(frame.assign(answer=["p", "q"] * 60)).units is None


def test_copies_with_different_labels_are_copies():
    table = pd.concat([make_table(), make_table()], ignore_index=True)
    table.loc[60:, "answer"] = "yes"

    assert clean(table).n_units == 60


def test_missing_cells_and_signs_of_zero_are_equal_in_copies():
    frame = make_table(20)
    frame["weight"] = np.where(np.arange(20) < 2, [0.0] * 20, frame.weight)
    frame.loc[1] = frame.loc[0]
    frame.loc[1, "weight"] = -0.0
    frame.loc[[2, 3], "height"] = np.nan
    frame.loc[3, ["weight", "town"]] = frame.loc[2, ["weight", "town"]]
    units = clean(frame).units

    assert units[0] == units[1]
    assert units[2] == units[3]
    assert units.max() == 17


def test_units_that_share_a_copy_are_joined():
    """Rows 0-2 are of person a, 3-5 of b, and row 5 copies row 0: a fold must keep all six."""
    table = make_table(9).assign(person=list("aaabbbccc"))
    table.loc[5, ["height", "weight", "town"]] = table.loc[
        0, ["height", "weight", "town"]
    ]
    samples = clean(table, make_cleaning(unit="person"))

    assert samples.units.tolist() == [0] * 6 + [1] * 3
    assert steps(samples)["units joined to others"] == 1


@given(st.lists(st.integers(0, 9), min_size=4, max_size=30), st.integers(0, 99))
def test_units_are_the_finest_that_part_neither_persons_nor_copies(persons, seed):
    generator = np.random.default_rng(seed)
    n = len(persons)
    rows = np.where(generator.random(n) < 0.3, generator.integers(n, size=n), range(n))
    values = generator.normal(size=n)[rows]
    frame = pd.DataFrame({"x": values, "z": values**2, "person": persons})
    frame = frame.assign(answer=["p", "q"] * (n // 2) + ["p"] * (n % 2))
    samples = clean(frame, make_cleaning(unit="person"))
    linked = np.equal.outer(persons, persons)
    if len(set(values)) > n / 2:
        linked |= np.equal.outer(values, values)
    for _ in range(n):
        linked = linked @ linked

    assert np.array_equal(np.equal.outer(samples.units, samples.units), linked)


# Time ------------------------------------------------------------------------------------------


def timed(times, **changes):
    table = make_table(len(times)).assign(day=times)
    return table, clean(table, make_cleaning(order="day", **changes))


def test_rows_come_in_order_of_time():
    order = np.random.default_rng(2).permutation(60)
    table, samples = timed(order * 1.5)

    assert samples.order == "day"
    assert "day" not in samples.features.columns
    assert samples.times.tolist() == list(range(60))
    for name in ("height", "town"):
        assert samples.features[name].tolist() == (
            table.sort_values("day")[name].tolist()
        )
    assert [samples.classes[code] for code in samples.labels] == (
        table.sort_values("day").answer.tolist()
    )


def test_equal_times_keep_the_order_of_the_file_and_share_a_rank():
    table, samples = timed([3, 1, 1, 2, 3, 1])

    assert samples.times.tolist() == [0, 0, 0, 1, 2, 2]
    assert samples.features.weight.tolist() == table.weight[[1, 2, 5, 3, 0, 4]].tolist()
    assert steps(samples)["rows with an equal time"] == 3


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-03", "2024-01-01T10:00", "2024-01-02 23:59"],
        ["2024-01-01T00:30+09:00", "2023-12-30", "2023-12-31T15:29Z"],
        pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01"]),
        pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01"], utc=True),
        ["2021", "9", "10"],
        [2**60 + 2, 2**60, 2**60 + 1],
        [3.5, -1e30, 0.0],
        ["20240103", "20240101", "20240102"],
    ],
)
def test_dates_and_numbers_of_any_size_are_ordered_as_what_they_are(times):
    """Neither as text nor rounded to what a float can hold."""
    _, samples = timed(times)

    assert samples.times.tolist() == [0, 1, 2]
    assert samples.aside.day.tolist()[2] == timed(times)[0].day.map(_as_kept)[0]


def _as_kept(value):
    return str(value) if isinstance(value, str | pd.Timestamp) else float(value)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([1.0, None, 2.0], "no value in row 2, so"),
        ([None, None, 2.0], "no value in row 1 and 1 more, so"),
        (["2024-01-01", "soon", "2024-01-02"], "has 'soon' in row 2, but every row"),
        (["31/12/2023", "2024-01-01", "2024-01-02"], "has '31/12/2023' in row 1"),
        ([1.0, np.inf, 2.0], "has 'inf' in row 2"),
        (["2024-01-02", "5", "2024-01-01"], "has '5' in row 2"),
        ([True, False, None], "no value in row 3"),
    ],
)
def test_a_time_that_is_missing_or_no_time_is_refused_with_its_row(times, said):
    with pytest.raises(DataRefused, match=said):
        timed(times)


def test_a_time_is_not_asked_of_rows_that_have_no_target():
    table = make_table(12).assign(day=[None, *range(11)])
    table.loc[0, "answer"] = None

    assert clean(table, make_cleaning(order="day")).n_rows == 11


def test_gaps_in_time_are_told():
    _, samples = timed([*range(30), *range(400, 430)])

    assert steps(samples)["gaps in time"] == 1
    assert "371 times the median step" in str(samples.log[-1].why)


@pytest.mark.parametrize("times", [range(60), pd.bdate_range("2024", periods=60)])
def test_even_times_and_weekends_are_no_gaps(times):
    assert "gaps in time" not in steps(timed(list(times))[1])


def test_ordered_rows_have_no_units_whatever_is_copied():
    table = pd.concat([make_table(30), make_table(30)], ignore_index=True)

    assert clean(table.assign(day=range(60)), make_cleaning(order="day")).units is None


def test_copies_in_time_are_dropped_only_with_their_time():
    table = pd.concat([make_table(10), make_table(10)], ignore_index=True)
    plan = make_cleaning(order="day", clean=CleanPlan(duplicates="drop"))

    assert clean(table.assign(day=range(20)), plan).n_rows == 20
    assert clean(table.assign(day=[*range(10)] * 2), plan).n_rows == 10


# A number to predict -----------------------------------------------------------------------------


def numbered(values, **changes):
    table = make_table(len(values)).assign(price=values).drop(columns="answer")
    return clean(table, make_cleaning("price", task="regression", **changes))


@given(
    st.lists(st.floats(-1e38, 1e38), min_size=3, max_size=20, unique=True),
    st.booleans(),
)
def test_numbers_to_predict_come_back_to_the_last_bit(values, as_text):
    samples = numbered([repr(v) for v in values] if as_text else values)

    assert samples.labels.dtype == np.float64
    assert samples.labels.tolist() == values
    assert samples.classes == ()
    assert samples.counts() == ()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 2.0, "cheap"], "'price' has 'cheap' in row 3"),
        (["1", "2", "1e999"], "'price' has '1e999' in row 3"),
        (["1", "2", "1,000"], "'price' has '1,000' in row 3"),
        ([4.0, 4.0, 4.0], r"one value \(4\) in every row"),
    ],
)
def test_what_is_no_number_to_predict_is_refused_with_its_row(values, said):
    with pytest.raises(DataRefused, match=said):
        numbered(values)


def test_rows_without_a_number_to_predict_go():
    assert numbered([1.0, None, 3.0, 4.0]).labels.tolist() == [1.0, 3.0, 4.0]


def test_numbers_follow_their_rows_into_the_order_of_time():
    table = make_table(5).assign(price=[5.0, 4.0, 3.0, 2.0, 1.0], day=[4, 0, 3, 1, 2])
    plan = make_cleaning("price", task="regression", order="day")

    assert clean(table.drop(columns="answer"), plan).labels.tolist() == [4, 2, 1, 3, 5]


# Columns that are no plain values --------------------------------------------------------------


def test_lists_and_dates_that_never_repeat_are_no_ids():
    frame = pd.DataFrame(
        {
            "cast": [f"Kim {k}, Lee" for k in range(12)],
            "day": [f"2021-01-{k + 1:02d}" for k in range(12)],
            "name": [f"n{k}" for k in range(12)],
            "answer": [0, 1] * 6,
        }
    )
    plan = CleanPlan(lists=["cast"], dates=[{"column": "day", "parts": ["elapsed"]}])
    samples = clean(frame, make_cleaning(clean=plan))

    assert samples.features.columns.tolist() == ["cast", "day days"]
    assert samples.features["day days"].diff().dropna().eq(1).all()


def test_the_order_may_be_a_date_of_any_form():
    days = ["March 3, 2021", "January 9, 2021", "February 1, 2021", "April 2, 2021"]
    frame = pd.DataFrame(
        {"day": days, "x": [3.5, 1.0, 2.0, 4.0], "answer": [0, 1, 1, 0]}
    )
    plan = CleanPlan(dates=[{"column": "day", "format": "%B %d, %Y"}])
    samples = clean(frame, make_cleaning(order="day", clean=plan))

    assert samples.features["x"].tolist() == [1.0, 2.0, 3.5, 4.0]
    assert samples.times.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["lists", "dates"])
def test_numbers_are_neither_lists_nor_dates(kind):
    with pytest.raises(StudyError, match=f"clean.{kind} names 'x', but its values"):
        clean(
            pd.DataFrame({"x": [1.0, 2.0], "answer": [0, 1]}),
            make_cleaning(clean=CleanPlan(**{kind: ["x"]})),
        )
