import csv
import gzip
import io
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.data.ingest import Table, read_source, snapshot
from assay.errors import DataRefused
from assay.store.store import Store
from assay.study.sources import Source
from tests.factories import NOWHERE, make_source, make_table

PLAIN = "city,height\nSeoul,1.5\nBusan,2.5\n"
KOREAN = "도시,키\n서울,1.5\n부산,2.5\n"


@pytest.fixture
def read(tmp_path):
    """Write bytes under a name and read them as a source."""

    def read_bytes(content: bytes, name: str = "table.csv") -> Table:
        path = tmp_path / name
        path.write_bytes(content)
        return read_source(make_source(path))

    return read_bytes


def refusal(read, content: bytes, name: str = "table.csv") -> str:
    with pytest.raises(DataRefused) as refused:
        read(content, name)
    message = str(refused.value)
    assert "\n" not in message
    assert name in message
    return message


# What is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PLAIN.encode(), "table.csv"),
        (PLAIN.encode(), "TABLE.CSV"),
        (PLAIN.encode("utf-8-sig"), "table.csv"),
        (PLAIN.replace("\n", "\r\n").encode(), "table.csv"),
        (PLAIN.replace("\n", "\r").encode(), "table.csv"),
        (("\n" + PLAIN + "\n\n").encode(), "table.csv"),
        (PLAIN.replace(",", ";").encode(), "table.csv"),
        (PLAIN.replace(",", "|").encode(), "table.txt"),
        (PLAIN.replace(",", "\t").encode(), "table.tsv"),
        (PLAIN.replace(",", "\t").encode(), "table.csv"),
        (gzip.compress(PLAIN.encode(), mtime=0), "table.csv.gz"),
        (
            gzip.compress(PLAIN.replace(",", "\t").encode(), mtime=0),
            "some.table.tsv.gz",
        ),
        (b'"city","height"\n"Seoul","1.5"\n"Busan","2.5"\n', "table.csv"),
    ],
)
def test_every_spelling_of_a_table_reads_as_the_same_table(read, content, name):
    expected = pd.DataFrame({"city": ["Seoul", "Busan"], "height": [1.5, 2.5]})

    pd.testing.assert_frame_equal(read(content, name).frame, expected)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_korean_reads_from_each_of_its_encodings(read, encoding):
    table = read(KOREAN.encode(encoding))

    assert list(table.frame.columns) == ["도시", "키"]
    assert table.frame["도시"].tolist() == ["서울", "부산"]
    assert ("cp949" in str(table.remarks[0])) == (encoding == "cp949")


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6)


@given(st.lists(st.tuples(cells, st.integers(-999, 999)), min_size=1, max_size=8))
def test_what_a_csv_writer_wrote_comes_back(rows):
    """Whatever the cells hold: separators, quotes, blanks or other scripts."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([("word", "number"), *((f"a{word}", n) for word, n in rows)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(buffer.getvalue().encode())
        frame = read_source(make_source(path)).frame

    assert frame["word"].tolist() == [f"a{word}" for word, _ in rows]
    assert frame["number"].tolist() == [n for _, n in rows]


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NaN", "null", "None"])
def test_the_words_for_missing_are_read_as_missing(read, word):
    frame = read(f"a,b\n{word},x\n2,{word}\n".encode()).frame

    assert frame.isna().to_numpy().tolist() == [[True, False], [False, True]]
    assert frame["a"].dtype == np.float64


def test_other_words_are_not_read_as_missing(read):
    assert read(b"a,b\n-,1\nn.a.,2\nunknown,3\n").frame["a"].notna().all()


def test_an_integer_of_more_than_64_bits_is_text(read, tmp_path):
    """As a number it would lose digits, or end the run when the table is stored."""
    table = read(b"id,x\n99999999999999999999999,1\n3,2\n,3\n")

    assert table.frame["id"].tolist()[:2] == ["99999999999999999999999", "3"]
    assert table.frame["id"].isna().tolist() == [False, False, True]
    Store(tmp_path / "store").put_table(table.frame)


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3\n", "line 3: 1 fields, but the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: 3 fields, but the header has 2"),
        (b'a,b\n"x\ny",2\n3\n', "line 4: 1 fields"),
        (b'a,b\n1,"2\n3,4\n', "line 3: unexpected end of data"),
        (b'a,b\n"x"y,2\n', "line 2: ',' expected"),
        (b"a,a\n1,2\n", "columns 'a' and 'a'"),
        (b"Age,age\n1,2\n", "columns 'Age' and 'age' differ only in case"),
        ("Straße,STRASSE\n1,2\n".encode(), "differ only in case"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b"a, b\n1,2\n", "' b' has blanks"),
        (b'a,"b\nc"\n1,2\n', "control characters"),
        (b"a,b\n1,2\n3,\x004\n", "line 3: a zero byte"),
        (b"", "is empty"),
        (b" \n\t\r\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\x1c\n", "is empty"),
        (b"a,b\n", "has a header and no rows"),
        (b"a,b\n\n\n", "has a header and no rows"),
        (b"a,b\n1,2\n3,\xff\xff\n", "line 3: neither UTF-8 nor cp949"),
        (b"a,b\n1,2\ninf,4\n", "column a holds inf in row 2"),
        (b"a,b\n1,-1e999\n", "column b holds -inf in row 1"),
        (b"a,b\n1,1.8e308\n", "column b holds inf in row 1"),
        (b"a,b\n1,-1.79e308\n", "column b holds -1.79e+308 in row 1, beyond 1e+38"),
        (b"a\n1\n \n2\n", "lines that hold blanks only"),
    ],
)
def test_what_cannot_be_read_exactly_is_refused_where_it_stands(read, content, said):
    assert said in refusal(read, content)


def test_a_cell_beyond_the_readers_limit_is_refused(read):
    content = b'a,b\n1,"' + b"x" * (16 * 1024**2 + 1) + b'"\n'

    assert "line 2: field larger than field limit" in refusal(read, content)


@pytest.mark.parametrize("cut", [1, 8, 15, 40])
def test_a_gzip_cut_short_is_refused(read, cut):
    whole = gzip.compress(PLAIN.encode() * 50, mtime=0)

    assert "cannot be read" in refusal(read, whole[:-cut], "table.csv.gz")


def test_a_gzip_that_is_none_is_refused(read):
    assert "Not a gzipped file" in refusal(read, PLAIN.encode(), "table.csv.gz")


@pytest.mark.parametrize(
    "name", ["table.pickle", "table.h5", "table", "table.gz", "table.pickle.gz"]
)
def test_an_ending_nobody_reads_is_refused_with_those_that_are_read(read, name):
    assert ".csv, .tsv" in refusal(read, PLAIN.encode(), name)


def test_a_file_that_has_gone_is_refused(tmp_path):
    for name in ("gone.csv", "gone.csv.gz", "gone.parquet"):
        source = Source(name=name, path=str(tmp_path / name), digest="0" * 64)
        with pytest.raises(DataRefused, match=name):
            read_source(source)


messy = st.lists(
    st.sampled_from(
        [
            b"a",
            b"1",
            b"0.5",
            b",",
            b";",
            b"\t",
            b"|",
            b"\n",
            b"\r",
            b"\r\n",
            b'"',
            b'""',
            b" ",
            b"inf",
            b"1e400",
            b"NA",
            b"True",
            b"-",
            b"\x00",
            b"\x1a",
            b"\x0b",
            b"9" * 25,
            b"\xef\xbb\xbf",
            "가".encode(),
            "가".encode("cp949"),
            b"\xff",
        ]
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=300)
@example(b"a\n1\n\xef\xbb\xbf")
@given(st.binary(max_size=60) | messy | messy.map(lambda tail: b"a,b\n1,2\n" + tail))
def test_any_bytes_are_read_or_refused(content):
    """And what is read can be described, stored and read back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        source = make_source(path)
        try:
            table = read_source(source)
        except DataRefused as refused:
            message = str(refused)
        else:
            message = ""
    if message:
        assert "\n" not in message
        return
    buffer = io.BytesIO()
    table.frame.to_parquet(buffer)
    pd.testing.assert_frame_equal(pd.read_parquet(buffer), table.frame)
    assert snapshot(source, table, NOWHERE).n_rows == len(table.frame) > 0


@settings(max_examples=150)
@given(st.data())
def test_any_damaged_archive_or_parquet_is_read_or_refused(data):
    buffer = io.BytesIO()
    make_table(5).to_parquet(buffer)
    gz, parquet = gzip.compress(PLAIN.encode(), mtime=0), buffer.getvalue()
    name, whole = data.draw(st.sampled_from([("t.csv.gz", gz), ("t.parquet", parquet)]))
    damaged = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
            st.integers(0, 255)
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(damaged)
        message = ""
        try:
            read_source(make_source(path))
        except DataRefused as refused:
            message = str(refused)
    assert folder not in message


# Parquet -----------------------------------------------------------------------------------


@pytest.fixture
def read_parquet(tmp_path):
    def read(table: pd.DataFrame | pa.Table) -> Table:
        path = tmp_path / "table.parquet"
        if isinstance(table, pd.DataFrame):
            table.to_parquet(path)
        else:
            pq.write_table(table, path)
        return read_source(make_source(path))

    return read


def test_parquet_reads_as_it_was_written(read_parquet):
    table = make_table()

    pd.testing.assert_frame_equal(read_parquet(table).frame, table)


def test_a_named_index_of_a_parquet_file_is_a_column_like_any_other(read_parquet):
    frame = read_parquet(
        pd.DataFrame({"x": [1, 2, 3], "id": [7, 3, 5]}).set_index("id")
    ).frame

    assert sorted(frame.columns) == ["id", "x"]
    assert frame.index.tolist() == [0, 1, 2]


def test_an_index_without_a_name_is_dropped(read_parquet):
    """What a filter on a table leaves behind is no measurement."""
    table = make_table()
    frame = read_parquet(table[table.height > 0]).frame

    assert list(frame.columns) == list(table.columns)
    assert frame.index.tolist() == list(range(len(frame)))


def test_missing_values_of_nullable_columns_stay_missing(read_parquet):
    frame = read_parquet(
        pd.DataFrame({"n": pd.array([1, None], "Int64"), "t": ["x", None]})
    ).frame

    assert frame["n"].dtype == np.float64
    assert frame.isna().to_numpy().tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"a": [[1], [2]]}, "column a holds list"),
        ({"a": [{"b": 1}]}, "column a holds struct"),
        ({"a": [Decimal("1.5")]}, "column a holds decimal"),
        ({"a": [b"\x00"]}, "column a holds binary"),
        ({"a": [1.0, np.inf]}, "column a holds inf in row 2"),
        ({"a": ["x", "y\x01"]}, "row 2: column a holds a control character"),
        ({"a": ["x", "y\x85"]}, "row 2: column a holds a control character"),
        ({"a": [1], "A": [2]}, "differ only in case"),
        ({"": [1]}, "column 1 has no name"),
        ({}, "no rows"),
        ({"a": pa.array([], pa.int64())}, "no rows"),
    ],
)
def test_a_parquet_table_that_cannot_carry_a_question_is_refused(
    read_parquet, table, said
):
    with pytest.raises(DataRefused, match=said):
        read_parquet(pa.table(table))


def test_columns_of_one_name_in_a_parquet_file_are_refused(read_parquet):
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])

    with pytest.raises(DataRefused, match="'a' and 'a'"):
        read_parquet(table)


# Sources that come along or lie beside ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "target", "classes"),
    [("digits", (1797, 65), "digit", 10), ("breast-cancer", (569, 31), "diagnosis", 2)],
)
def test_the_built_in_tables_have_their_published_size(name, shape, target, classes):
    source = Source(name=f"builtin:{name}", path="unused", digest="0" * 64)
    frame = read_source(source).frame

    assert frame.shape == shape
    assert frame[target].nunique() == classes


def test_the_voice_table_reads_whole(catalogue):
    path = catalogue / "voice-gender" / "voice.csv"
    if not path.is_file():
        pytest.skip(f"there is no {path.relative_to(catalogue)} under ASSAY_DATA")
    table = read_source(make_source(path))
    described = snapshot(make_source(path), table, NOWHERE)

    assert described.n_rows == 3168
    assert [column.type for column in described.columns] == ["number"] * 20 + ["text"]
    assert sum(column.n_missing for column in described.columns) == 0
    assert table.frame["label"].value_counts().to_dict() == {
        "male": 1584,
        "female": 1584,
    }


def test_a_snapshot_counts_what_is_missing_and_distinct(read):
    table = read(b"n,t,b\n1,x,True\n,x,False\n2,,True\n")
    source = Source(name="table.csv", path="", digest="0" * 64)
    n, t, b = snapshot(source, table, NOWHERE).columns

    assert (n.type, n.n_missing, n.n_distinct) == ("number", 1, 2)
    assert (t.type, t.n_missing, t.n_distinct) == ("text", 1, 1)
    assert (b.type, b.n_missing, b.n_distinct) == ("boolean", 0, 2)


def test_a_file_changed_while_it_was_read_is_refused(tmp_path):
    """What was digested before is what the result will be said to rest on."""
    path = tmp_path / "table.csv"
    path.write_bytes(PLAIN.encode())
    source = make_source(path)
    path.write_bytes(PLAIN.replace("1.5", "9.5").encode())

    with pytest.raises(DataRefused, match=r"table\.csv was changed while it was read"):
        read_source(source)
