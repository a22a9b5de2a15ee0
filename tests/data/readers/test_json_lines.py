import pandas as pd
import pytest

from assay.errors import StudyError


def test_flat_objects_read_as_rows_and_absent_keys_as_missing(reading):
    text = '{"n": 1, "t": "x"}\n\n{"t": "y", "b": true}\n{"n": 3, "b": false}\n'
    table = reading(text, "table.jsonl")

    expected = pd.DataFrame(
        {
            "n": [1.0, None, 3.0],
            "t": pd.Series(["x", "y", None], dtype="str"),
            "b": pd.Series([None, True, False], dtype=object),
        }
    )
    pd.testing.assert_frame_equal(table.frame, expected)
    assert "1 blank line ignored" in map(str, table.remarks)
    assert "3 values missing because their row does not name the key" in map(
        str, table.remarks
    )


def test_an_integer_of_more_than_64_bits_is_text(reading):
    frame = reading('{"id": 99999999999999999999}\n{"id": 3}\n', "t.ndjson").frame

    assert frame["id"].tolist() == ["99999999999999999999", "3"]


def test_a_declared_word_is_missing_and_changes_no_kind(reading):
    text = '{"stars": 4.5}\n{"stars": "Unrated"}\n'
    frame = reading(text, "t.jsonl", missing=["Unrated"]).frame

    assert frame["stars"].isna().tolist() == [False, True]


def test_a_sample_is_drawn_of_lines(reading):
    text = "".join(f'{{"n": {i}}}\n' for i in range(100))
    table = reading(text, "t.jsonl", sample=10)

    assert len(table.frame) == 10
    assert table.frame["n"].is_monotonic_increasing
    (deviation,) = table.deviations
    assert str(deviation) == "looks at a sample of 10 of 100 rows, drawn at random"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n{"a": [1]}\n', "line 2: the key 'a' holds a list"),
        ('{"a": 1}\n{"a": {"b": 1}}\n', "line 2: the key 'a' holds an object"),
        ('{"a": 1}\n{"a": "x"}\n', "line 2: the key 'a' holds text here and numbers before"),
        ('{"a": 1}\n{"a": true}\n', "line 2: the key 'a' holds true and false here"),
        ('{"a": 1, "a": 2}\n', "line 1: duplicate key 'a'"),
        ('{"a": 1, "A": 2}\n', "differ only in case"),
        ('{"a": 1}\n[1]\n', "line 2: a JSON value, but not an object"),
        ('{"a": 1}\n{"a": \n', "line 2: not a JSON object"),
        ('{"a": 1}\n{"a": NaN}\n', "line 2: not a JSON object (NaN is not a JSON number)"),
        ('{"a": 1} {"a": 2}\n', "line 1: not a JSON object (Extra data)"),
        ('{"a": 1e999}\n', "column a holds inf in row 1"),
        ('{"a": "x\\u0000"}\n', "line 1: column a holds a control character (U+0000)"),
        ('{"a": "\\ud800"}\n', "column a holds a control character (U+D800)"),
        ('{"": 1}\n', "column 1 has no name"),
        ("{}\n{}\n", "has rows and no keys"),
        ("[" * 100_000 + "\n", "line 1: not a JSON object"),
        ('{"a": ' + "9" * 5000 + "}\n", "line 1: not a JSON object"),
        ("\n \n", "is empty"),
    ],
)  # fmt: skip
def test_what_is_no_flat_object_is_refused_with_line_and_key(reading, text, said):
    assert said in reading.refusal(text, "table.jsonl")


def test_a_separator_is_of_no_use_here(reading):
    message = reading.refusal('{"a": 1}\n', "t.jsonl", StudyError, separator=";")

    assert "read.separator is declared" in message
