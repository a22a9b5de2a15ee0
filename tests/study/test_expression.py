import contextlib
import re
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.evaluate import ON_CONDITIONS, ON_NUMBERS, values_of
from assay.study.expression import OPERATORS, Column, Constant, Operation, parse

TABLE = pd.DataFrame(
    {
        "likes": [10.0, 0.0, np.nan, 5.0],
        "view count": [100.0, 0.0, 50.0, 20.0],
        "나라": ["KR", "US", "KR", None],
        "score": ["3", "4.5", "1", "2"],
        "live": [True, False, True, False],
    }
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("likes / `view count`", [0.1, np.nan, np.nan, 0.25]),
        ("log1p(likes) - 1", [np.log(11) - 1, -1, np.nan, np.log(6) - 1]),
        ("max(likes, 7) * -2 ** 1", [-20, -14, np.nan, -14]),
        ("score + 1", [4, 5.5, 2, 3]),
        ("likes > 4", [1, 0, np.nan, 1]),
        ("0 <= likes < 10 and `view count` > 0", [0, 0, np.nan, 1]),
        ("나라 == 'KR'", [1, 0, 1, np.nan]),
        ("나라 in ['US', 'JP'] or likes == 10", [1, 1, np.nan, np.nan]),
        ("not 나라 in ['US']", [1, 0, 1, np.nan]),
        ("나라 not in ['US']", [1, 0, 1, np.nan]),
        ("likes in [0, 5]", [0, 1, np.nan, 1]),
        ("live == 1", [1, 0, 1, 0]),
        ("4.5 == score", [0, 1, 0, 0]),
        ("score == likes / 2", [0, 0, np.nan, 0]),
        ("likes / 2 + 0.5 in [score, 3]", [0, 0, np.nan, 1]),
        ("likes == '10'", [1, 0, np.nan, 0]),
        ("나라 == 'a`b`c' or likes == 10", [1, 0, np.nan, np.nan]),
        ("score == 4.5", [0, 1, 0, 0]),
        ("sqrt(likes - 5)", [np.sqrt(5), np.nan, np.nan, 0]),
    ],
)
def test_an_expression_has_its_value_in_each_row(text, values):
    np.testing.assert_allclose(values_of(parse(text), TABLE), values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an expression"),
        ("likes +", "not an expression"),
        ("1 + 1", "reads no column"),
        ("__import__('os').system('x')", "cannot contain"),
        ("likes.real", "cannot contain 'likes.real'"),
        ("likes[0]", "cannot contain"),
        ("exec('x')", "cannot contain exec(...)"),
        ("log(likes, 2)", "log(...) with 2 arguments"),
        ("lambda: likes", "cannot contain"),
        ("(likes := 3)", "cannot contain"),
        ("[x for x in likes]", "cannot contain"),
        ("likes if live else 0", "cannot contain"),
        ("likes % 2", "cannot contain"),
        ("likes and live", "'likes' is not true or false"),
        ("(likes > 3) + 1", "is not a value"),
        ("likes == True", "cannot contain 'True'"),
        ("likes in 3", "cannot contain"),
        ("likes == b'x'", "cannot contain"),
        ("log(likes, base=2)", "cannot contain"),
        ("likes is 3", "cannot contain"),
        ("-" * 499 + "x", "more than 50 levels"),
        ("x" * 501, "at most 500"),
        ("likes > 1" + "0" * 400, "too large to compute"),
        ("(" * 400, "not an expression"),
    ],
)
def test_what_the_grammar_does_not_know_is_refused(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse(text)


def test_arithmetic_with_a_text_names_the_row():
    with pytest.raises(ValueError, match="needs numbers, but finds 'KR' in row 1"):
        values_of(parse("나라 * 2"), TABLE)
    with pytest.raises(ValueError, match="arithmetic with the text 'a'"):
        values_of(parse("likes + 'a'"), TABLE)


def test_columns_are_named_once_in_their_order_and_conditions_are_told_apart():
    assert parse("`view count` * likes + likes").columns == ("view count", "likes")
    assert parse("likes > 1 or live == 1").is_condition
    assert not parse("likes * 2").is_condition


def test_a_name_is_the_tables_not_pythons_spelling_of_it():
    nfd = unicodedata.normalize("NFD", "좋아요")

    assert parse(f"{nfd} > 1").columns == (nfd,)
    assert parse("ｖｉｅｗ > 5").columns == ("ｖｉｅｗ",)


def test_every_operator_of_the_grammar_can_be_evaluated():
    elsewhere = {"==", "!=", "in", "not in", "not"}

    assert OPERATORS.keys() == {*ON_NUMBERS, *ON_CONDITIONS, *elsewhere}


def test_every_link_of_a_chain_must_hold():
    zero, likes, ten = Constant(0.0), Column("likes"), Constant(10.0)

    assert parse("0 <= likes < 10").root == Operation(
        "and",
        (Operation("<=", (zero, likes)), Operation("<", (likes, ten))),
    )


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_a_sentence(text):
    with contextlib.suppress(ValueError):
        assert parse(text).columns
