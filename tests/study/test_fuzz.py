"""Damaged studies and suites: read, or refused in one sentence. ``bench.fuzz`` runs thousands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.suite import expectations_of
from assay.errors import StudyError
from assay.study.load import load
from assay.study.sources import Suite
from bench import fuzz
from tests.factories import make_rule, write_study

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def test_a_damaged_study_is_read_or_refused_in_words(tmp_path):
    for number in range(100):
        outcome, said = fuzz.run_case("study", number, 0, tmp_path)
        assert outcome in fuzz.GOOD, f"case {number}\n{said}"


@pytest.mark.slow
def test_a_damaged_suite_is_held_to_or_refused_in_words(tmp_path):
    for number in range(20):
        outcome, said = fuzz.run_case("suite", number, 0, tmp_path)
        assert outcome in fuzz.GOOD, f"case {number}\n{said}"


@given(
    st.sampled_from(["type", "kwargs", "meta", "severity", "notes", "id", "extra"]),
    values,
)
def test_any_value_in_a_rule_is_a_rule_or_refused(key, value):
    rule = make_rule("expect_column_to_exist", "a", column="a") | {key: value}
    said, given = "", {name: rule[name] for name in rule if name != "id"}
    try:
        suite = Suite(name="t", text=json.dumps({"expectations": [rule]}))
        rules = [rule.as_json() for rule in expectations_of(suite)]
    except StudyError as refused:
        said, rules = str(refused), [given]
    assert "\n" not in said
    assert rules == [given]


KEYS = [
    "plan.a.read.names",
    "plan.a.read.sheet",
    "plan.a.read.encoding",
    "plan.a.read.separator",
    "plan.a.read.missing",
    "plan.a.read.sample",
    "plan.a.images",
    "plan.a.images.source",
    "plan.a.clean.image",
]
LITERALS = ["[]", "{}", "''", "-1", "0", "1.5", "true", "'x'", "['a','A']", "[1]", "{a=1}", "nan", "1979-05-27", "'\\t'", '"\\t"', "[[]]"]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(LITERALS)), max_size=3)
)
def test_any_declaration_of_reading_is_a_study_or_refused(tmp_path_factory, declared):
    path = tmp_path_factory.getbasetemp() / "table.toml"
    if not path.exists():
        write_study(path.parent)
    message = ""
    try:
        load(path, tuple(f"{key}={value}" for key, value in declared))
    except StudyError as refused:
        message = str(refused)
    assert "\n" not in message
