"""A drafted study reads, cleans and splits as it stands, whatever the table."""

import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets

from assay.data.clean import clean_table
from assay.data.split import draw_folds
from assay.draft import draft_source
from assay.draft.files import find_table
from assay.draft.folds import fewest_rows
from assay.errors import AssayError, DataRefused
from assay.store.canonical import digest_bytes, digest_file, digest_json
from assay.study.plans import Study
from assay.study.toml import toml
from assay.wording import speak
from tests.draft_tables import drafted, every_kind, study_of
from tests.factories import make_report

STORED = (
    "bc5dc199cfb28150296644684b5f8ce1d5862f732b8117ad4b2c418f3fc6de80",
    "47c46984d420f5f422fa2047b793901d86dd22bfbc31d6ed268caed62bd0a85f",
)


def opened(frame, target, **asked):
    """Draft, declare, clean and split; return the plan and the samples."""
    plan = study_of(drafted(frame, target, **asked)).of("a")
    samples = clean_table(frame, make_report(), plan.cleaning())
    draw_folds(samples, plan.split, 1)
    return plan, samples


# Whole tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("bought", {}),
        ("bought", {"unit": "customer_id"}),
        ("bought", {"order": "day"}),
        ("bought", {"order": "seen"}),
        ("bought", {"order": "order_id"}),
        ("price", {}),
        ("length", {}),
        ("age", {}),
        ("town", {"unit": "customer_id"}),
        ("member", {}),
    ],
)
def test_a_draft_of_every_kind_of_column_runs_as_it_stands(target, asked):
    plan, samples = opened(every_kind(), target, **asked)

    assert samples.task == plan.task
    assert set(plan.clean.declared) & {"price", "length", "day", "review", "genres"}


@pytest.mark.parametrize(
    "name", ["iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"]
)
def test_the_tables_of_scikit_learn_run_as_they_stand(name):
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    target = bunch.target if bunch.target.ndim == 1 else bunch.target["Weight"]

    plan, samples = opened(bunch.data.assign(answer=target.to_numpy()), "answer")

    assert plan.task == {
        "diabetes": "regression", "linnerud": "regression", "breast_cancer": "binary",
    }.get(name, "multiclass")  # fmt: skip
    assert samples.n_rows == len(bunch.data)


def test_a_real_strong_column_is_left_to_the_sentinel():
    iris = datasets.load_iris(as_frame=True)
    table = iris.data.assign(species=iris.target_names[iris.target])

    assert study_of(drafted(table, "species")).of("a").clean.drop == ()


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12
)
columns = st.one_of(
    st.lists(st.integers(-5, 5), min_size=30, max_size=30),
    st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=30, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.lists(st.text(max_size=8) | st.none(), min_size=30, max_size=30),
    st.lists(st.sampled_from(["a", "b", "3 kg", "4 kg", "2020-01-02", "x, y", '"', "\\"]), min_size=30, max_size=30),
)  # fmt: skip


@settings(max_examples=150)
@given(st.dictionaries(names, columns, min_size=2, max_size=5), st.data())
def test_any_table_gives_a_study_that_reads_or_is_refused_in_a_sentence(table, data):
    frame = pd.DataFrame(table)
    asked = data.draw(
        st.sampled_from([{}, {"unit": frame.columns[-1]}, {"order": frame.columns[-1]}])
    )
    try:
        draft = drafted(frame, str(frame.columns[0]), **asked)
    except AssayError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert "\n" not in message
        return
    plan = study_of(draft).of("a")
    assert (
        tomllib.loads(draft.study("table", "table.json", "x"))["plan"]["a"]["source"]
        == "table.csv"
    )
    assert {drop.column for drop in plan.clean.drop} < {*frame.columns}
    assert draft.suite("table")


def test_equal_tables_give_equal_bytes():
    first, again = (drafted(every_kind(), "bought") for _ in range(2))

    assert first.study("a", "a.json", "x") == again.study("a", "a.json", "x")
    assert first.suite("a") == again.suite("a")


def test_a_study_is_written_for_people():
    text = drafted(every_kind(), "bought").study(
        "table", "table.json", "python flows/main.py check table.toml"
    )

    assert text.startswith("# Drafted from table.csv: 240 rows, 20 columns.")
    assert "#   python flows/main.py check table.toml" in text
    assert text.count("Not stated") == 3
    assert (
        max(map(len, (line for line in text.splitlines() if line.startswith("# "))))
        <= 120
    )


def test_comments_are_in_the_language_of_whoever_drafts_and_values_never_change():
    """Equal values in every language: the digest of a study names its runs."""
    draft = drafted(every_kind(), "bought", unit="customer_id")
    english = draft.study("table", "table.json", "x"), draft.suite("table")
    speak("ko")
    try:
        korean = draft.study("table", "table.json", "x"), draft.suite("table")
    finally:
        speak("en")

    assert "표의 다이제스트에서" in korean[0]
    assert tomllib.loads(korean[0]) == tomllib.loads(english[0])
    assert korean[1] == english[1]


def test_the_values_of_a_draft_are_those_of_earlier_versions():
    """Stored digests: another word in a value would draft another study of the same table."""
    draft = drafted(every_kind(), "bought")
    declared = tomllib.loads(draft.study("table", "table.json", "x"))

    assert digest_json(declared) == STORED[0]
    assert digest_bytes(draft.suite("table").encode()) == STORED[1]


def test_the_answer_to_an_alarm_that_may_come_stands_ready_as_comment():
    """Whether 'paid' is the label in other words or a source of rows, no program knows."""
    text = drafted(every_kind(), "bought").study("table", "table.json", "x")
    as_it_is = Study.model_validate(tomllib.loads(text)).of("a")
    uncommented = text.replace("# [plan.a.audit]\n# accept", "[plan.a.audit]\naccept")

    assert as_it_is.audit.accept == ()
    (accept,) = Study.model_validate(tomllib.loads(uncommented)).of("a").audit.accept
    assert (accept.sentinel, accept.columns) == ("confounder", ("paid",))


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_comes_back_from_toml(text):
    assert tomllib.loads(f"value = {toml({text: [text, 3]})}")["value"] == {
        text: [text, 3]
    }


# Targets -----------------------------------------------------------------------------------------


def table_of(values):
    n = len(values)
    return pd.DataFrame({"x": np.random.default_rng(1).normal(size=n), "y": values})


@pytest.mark.parametrize(
    ("values", "task", "positive"),
    [
        ([True, False] * 20, "binary", "True"),
        ([0, 1] * 20, "binary", "1"),
        ([1.0, 2.0, 2.0] * 20, "binary", "1"),
        (["no", "yes", "yes"] * 20, "binary", "yes"),
        (["sick", "well", "well"] * 20, "binary", "sick"),
        ([1, 2, 3, 4, 5] * 20, "multiclass", None),
        (["a", "b", "c"] * 20, "multiclass", None),
        ([*range(50)], "regression", None),
        ([1, 2, 3, 4, 5] * 20 + [6], "regression", None),
        ([0.25, 0.5, 0.75] * 20, "regression", None),
        ([f"{k:,} won" for k in range(990, 1040)], "regression", None),
        ([f"{k / 4}" for k in range(40)] + ["Unrated"], "regression", None),
    ],
)
def test_a_target_makes_its_task(values, task, positive):
    plan, samples = opened(table_of(values), "y")

    assert (plan.task, plan.positive) == (task, positive)
    assert plan.metric == ("r2" if task == "regression" else "auc")
    if positive is not None:
        assert samples.classes[1] == positive


def test_a_few_rows_of_rare_classes_are_left_out_by_a_mapping():
    frame = table_of(["a", "b", "c"] * 30 + ["odd"] * 3 + ["other one"])
    plan, samples = opened(frame, "y")

    assert plan.target.mapping == {"a": "a", "b": "b", "c": "c"}
    assert samples.n_rows == 90
    reason = str(drafted(frame, "y").facts.aim.why[-1])
    assert "4 rows are left out" in reason
    assert "odd (3), other one (1)" in reason


def test_two_classes_that_stay_make_a_binary_task():
    plan, samples = opened(table_of(["a", "b", "b"] * 30 + ["odd"]), "y")

    assert (plan.task, plan.positive, samples.classes) == ("binary", "a", ("b", "a"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a"] * 40, "the same value in every row"),
        ([None] * 40, "has no value in any row"),
        (
            ["a"] * 40 + ["b"] * 6,
            "The class 'b' of 'y' is in 6 different rows, but 5 .* need 7",
        ),
        (
            ["a"] * 40 + ["b"] * 40 + [f"c{k}" for k in range(9)] * 3,
            "9 classes are too rare",
        ),
        (
            [f"name {k}" for k in range(40)],
            "40 different texts in 40 rows. A class label has at most 50",
        ),
        ([f"2020-01-{k:02}" for k in range(1, 31)], "holds dates"),
        ([1.5, 2.5, 3.5, 4.5] + [None] * 30, "has a number in 4 rows"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(values, said):
    with pytest.raises(DataRefused, match=said):
        drafted(table_of(values), "y")


def test_of_a_class_there_must_be_enough_units():
    frame = table_of(["a", "b"] * 40).assign(who=np.arange(80) // 8)
    frame.loc[frame["who"] > 2, "y"] = "a"

    with pytest.raises(
        DataRefused, match=r"class 'b' of 'y' is in 3 different units \(who\)"
    ):
        drafted(frame, "y", unit="who")


def test_as_many_rows_of_a_class_as_the_folds_need_are_enough():
    n = fewest_rows()

    opened(table_of(["a"] * 40 + ["b"] * n), "y")
    with pytest.raises(DataRefused):
        drafted(table_of(["a"] * 40 + ["b"] * (n - 1)), "y")


@pytest.mark.parametrize("n", [12, 16, 20, 30, 60, 400])
def test_rows_in_time_get_as_many_blocks_as_there_are_times_for(n):
    plan, _ = opened(
        table_of(np.random.default_rng(2).normal(size=n)).assign(t=range(n)),
        "y",
        order="t",
    )

    assert plan.split.folds == (5 if n > 35 else plan.split.folds)


def test_too_few_times_are_refused():
    with pytest.raises(DataRefused, match="2 different times are too few"):
        drafted(
            table_of([1.5, 2.5, 3.5, 4.5] * 10).assign(t=[1, 2] * 20), "y", order="t"
        )


# Reading -----------------------------------------------------------------------------------------


def test_a_source_is_read_as_a_check_reads_it(tmp_path):
    path = tmp_path / "ramen.csv"
    path.write_text("맛,y\n" + "매운,1\n순한,0\n매운,0\n" * 20, encoding="cp949")

    draft = draft_source(find_table(path).source, "y")

    assert [role.column for role in draft.facts.roles] == ["맛", "y"]
    assert draft.facts.seed == int(digest_file(path)[:8], 16)
