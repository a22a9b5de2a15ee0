"""Damaged files of every kind: read right, or refused in one sentence. ``bench.fuzz`` runs thousands."""

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.ingest import read_source
from assay.errors import DataRefused
from bench import fuzz, independent, valid_files
from tests.factories import make_source


@pytest.mark.parametrize(
    ("kind", "cases"),
    [("text", range(140)), ("binary", range(60)), ("workbook", range(6)), ("image", range(40))],
)  # fmt: skip
def test_a_damaged_file_is_read_right_or_refused_in_words(tmp_path, kind, cases):
    for number in cases:
        outcome, said = fuzz.run_case(kind, number, 0, tmp_path)
        assert outcome in fuzz.GOOD, (
            f"python -m bench.fuzz --seed 0 --only {kind} --case {number}\n{said}"
        )


def test_the_fuzzer_sees_a_lost_row_a_traceback_and_a_hang(tmp_path, monkeypatch):
    """What it is there for: were the reader to do any of these, the case would fail."""

    def cases(error: BaseException):
        def fail(_draw, _folder):
            raise error

        return fail

    for error, outcome in (
        (fuzz.Lost("a row"), "lost"),
        (KeyError("x"), "traceback"),
        (fuzz.TooSlow(), "hang"),
        (DataRefused("two\nlines"), "unclear"),
        (DataRefused("table.csv is empty."), "refused"),
    ):
        monkeypatch.setitem(fuzz.KINDS, "text", cases(error))
        assert fuzz.run_case("text", 0, 0, tmp_path)[0] == outcome


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6)


@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_no_row_is_lost_whatever_the_cells_hold(rows, separator):
    """Three programs count: the reader's scan, its parser, and a machine of five states."""
    table = [("one", "two"), *((f"a{one}", f"b{two}") for one, two in rows)]
    text = valid_files.separated(table, separator)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(text, encoding="utf-8", newline="")
        frame = read_source(make_source(path)).frame

    assert len(frame) == len(rows) == independent.records(text, separator) - 1


@given(
    st.binary(max_size=200),
    st.sampled_from(sorted(valid_files.files(valid_files.table(3)))),
)
def test_any_bytes_under_any_name_are_read_or_refused(content, name):
    if name.startswith("book"):
        return  # a process for each: the fuzzer's work
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            table = read_source(make_source(path))
        except DataRefused as refused:
            said = str(refused)
        else:
            said = name
            table.frame.to_parquet(io.BytesIO(), index=False)
    assert name in said
    assert "\n" not in said
