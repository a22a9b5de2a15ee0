import gzip
import io
import tracemalloc

import pandas as pd
import pytest

from assay.errors import StudyError
from assay.formats import limits
from bench import valid_files
from bench.valid_files import zipped

PLAIN = "city,height\nSeoul,1.5\nBusan,2.5\n"
KOREAN = "도시,키\n서울,1.5\n부산,2.5\n"


def test_every_kind_of_file_reads_as_the_same_table(reading):
    table = valid_files.table()

    for name, content in valid_files.files(table).items():
        pd.testing.assert_frame_equal(reading(content, name).frame, table)


# What is found out, and told -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("cp949", "cp949 (Korean)"),
        ("euc-kr", "cp949 (Korean)"),
    ],
)
def test_the_encoding_is_found_out_and_told(reading, encoding, told):
    table = reading(KOREAN.encode(encoding), "table.csv")

    assert table.frame["도시"].tolist() == ["서울", "부산"]
    assert str(table.remarks[0]) == told


def test_a_declared_encoding_is_used_and_told(reading):
    content = "name,n\nJosé,1\n".encode("cp1252")
    table = reading(content, "table.csv", encoding="cp1252")

    assert table.frame["name"].tolist() == ["José"]
    assert str(table.remarks[0]) == "cp1252, as declared"


def test_a_declared_encoding_that_does_not_hold_is_refused(reading):
    message = reading.refusal(KOREAN.encode("cp949"), "t.csv", encoding="utf-8")

    assert "line 1: not UTF-8 text" in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a;b\n1,5;2\n3,5;4\n", "semicolons"),
        ("a|b\n1,5|2\n3,5|4\n", "bars"),
        ('"x,y,z";b\n1;2\n', "semicolons"),
        ("a,b\n1;5,2\n3;5;7,4\n", "commas"),
        ("a\tb\n1,5\t2\n", "tabs"),
        ("a\n1\n", "commas"),
    ],
)
def test_the_separator_is_the_one_that_divides_the_rows_alike(reading, text, told):
    assert f"separated by {told}" in map(str, reading(text, "table.csv").remarks)


def test_a_declared_separator_is_used(reading):
    table = reading("a;b,c\n1;2,3\n", "table.csv", separator=",")

    assert list(table.frame.columns) == ["a;b", "c"]


IDS = [12345678901234567, None, 12345678901234568]


def test_whole_numbers_keep_their_digits_beside_missing_ones(reading):
    """As numbers they would be rounded to one and the same, and name one thing."""
    text = "id,x\n" + "".join(f"{'' if one is None else one},1e20\n" for one in IDS)
    lines = "".join(f'{{"id": {"null" if one is None else one}}}\n' for one in IDS)
    parquet = io.BytesIO()
    pd.DataFrame({"id": pd.array(IDS, "Int64")}).to_parquet(parquet)
    for name, content in (
        ("t.csv", text.encode()),
        ("t.jsonl", lines.encode()),
        ("t.parquet", parquet.getvalue()),
    ):
        ids = reading(content, name).frame["id"]
        assert ids.tolist()[::2] == ["12345678901234567", "12345678901234568"]
        assert ids.isna().tolist() == [False, True, False]


def test_large_measurements_stay_numbers_beside_missing_ones(reading):
    frame = reading("x,y\n1e20,1\n,2\n3.5e19,3\n", "t.csv").frame

    assert frame["x"].tolist()[::2] == [1e20, 3.5e19]


def test_numbers_with_decimal_commas_are_told_of(reading):
    remarks = reading("a;b\n1,5;2\n3,5;4\n", "table.csv").remarks

    assert (
        str(remarks[-1]) == "read as text, because their numbers have decimal commas: a"
    )


def test_a_header_of_numbers_is_told_of(reading):
    assert "if the file has no header" in str(
        reading("1,2\n3,4\n", "t.csv").remarks[-1]
    )


def test_blank_lines_are_counted(reading):
    table = reading("\na,b\n1,2\n\n\n3,4\n", "table.csv")

    assert len(table.frame) == 2
    assert str(table.remarks[-1]) == "3 blank lines ignored"


def test_line_ends_and_tabs_in_quotes_are_kept(reading):
    frame = reading('a,b\n"x\ny\tz",1\r\n"u\r\nv",2\n', "table.csv").frame

    assert frame["a"].tolist() == ["x\ny\tz", "u\r\nv"]


# What the study declares -----------------------------------------------------------------------


def test_a_file_without_a_header_takes_its_names_from_the_study(reading):
    table = reading("1,x\n2,y\n", "table.csv", names=["n", "t"])

    assert table.frame.to_dict("list") == {"n": [1, 2], "t": ["x", "y"]}
    assert "no header: the study names the columns" in map(str, table.remarks)


def test_more_or_fewer_names_than_columns_are_refused(reading):
    message = reading.refusal("1,x\n2,y\n", "table.csv", names=["n"])

    assert "line 1: 2 fields, but the study declares 1 names" in message


def test_names_for_a_file_that_has_them_are_refused(reading):
    """Its header would be a row, and every column text."""
    message = reading.refusal("N,T\n1,x\n", "table.csv", names=["n", "t"])

    assert "table.csv has a header: its first row repeats the names" in message


@pytest.mark.parametrize(
    "name", ["comma.csv", "lines.jsonl", "table.parquet", "book.xlsx", "arrays.npz"]
)
def test_a_number_declared_as_missing_is_missing_in_every_kind_of_file(reading, name):
    table = valid_files.table()
    frame = reading(valid_files.files(table)[name], name, missing=["9", "-1.25"]).frame

    assert frame["count"].isna().tolist() == (table["count"] == 9).tolist()
    assert frame["height"].isna().tolist() == (table["height"] == -1.25).tolist()
    assert frame["count"].dtype == "float64"


def test_a_further_word_is_read_as_missing_and_told(reading):
    table = reading("stars,x\n4.5,1\nUnrated,2\n", "t.csv", missing=["Unrated"])

    assert table.frame["stars"].isna().tolist() == [False, True]
    assert table.frame["stars"].dtype == "float64"
    assert str(table.remarks[2]).endswith("'None', 'Unrated'")


def test_what_such_a_file_has_no_use_for_is_refused(reading):
    message = reading.refusal(PLAIN, "table.csv", StudyError, sheet="One")

    assert "read.sheet is declared, but table.csv is a text table" in message


ROWS = "n,t\n" + "".join(f'{i},"line\n{i}"\n' for i in range(200))


def test_a_sample_keeps_rows_whole_and_in_order_and_says_so(reading):
    table = reading(ROWS, "table.csv", sample=50)
    n = table.frame["n"].tolist()

    assert len(n) == 50
    assert n == sorted(set(n))
    assert table.frame["t"].tolist() == [f"line\n{i}" for i in n]
    assert str(table.remarks[-1]) == "a sample of 50 of 200 rows, drawn at random"
    (deviation,) = table.deviations
    assert str(deviation) == "looks at a sample of 50 of 200 rows, drawn at random"
    again = reading(ROWS, "table.csv", sample=50)
    pd.testing.assert_frame_equal(again.frame, table.frame)


def test_a_sample_of_a_file_without_a_header_counts_its_first_row(reading):
    table = reading("0\n1\n2\n", "table.csv", sample=2, names=["n"])

    assert len(table.frame) == 2


def test_a_sample_larger_than_the_file_is_the_file(reading):
    table = reading(ROWS, "table.csv", sample=500)

    assert len(table.frame) == 200
    assert table.deviations == ()
    assert str(table.remarks[-1]).startswith("all 200 rows")


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3,x\x0by\n", "line 3: column b holds a control character (U+000B)"),
        (b"a,b\n1,2\n3,\x1b[0m\n", "line 3: column b holds a control character (U+001B)"),
        ("a,b\n1,2\n\x85,4\n".encode(), "line 3: column a holds a control character (U+0085)"),
        (b"a,b\n1,\x7f\n", "line 2: column b holds a control character (U+007F)"),
        ("a,b\n1,\x02\n".encode("utf-16"), "line 2: column b holds a control character (U+0002)"),
        ("a,b\n1,\x00\n".encode("utf-16"), "line 2: a zero byte"),
        ("a,b\n1,2\n".encode("utf-32"), "UTF-32 text. Save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "not UTF-16 text"),
        ("a,b\n1,2\n".encode("utf-16-le"), "line 1: a zero byte"),
        (b"a,a\n1,2\n", "If the file has no header, declare plan.a.read.names."),
    ],
)  # fmt: skip
def test_what_is_no_clean_text_is_refused_where_it_stands(reading, content, said):
    assert said in reading.refusal(content, "table.csv")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (zipped({"x": b"y"}), "a zip archive or a workbook"),
        (gzip.compress(b"a\n1\n", mtime=0), "a gzip file"),
        (valid_files.xls([["a"], [1]]), "a workbook of Excel 97"),
        (valid_files.picture(1), "a PNG image"),
    ],
)
def test_a_file_of_another_kind_under_a_texts_name_is_told_what_it_is(
    reading, content, kind
):
    assert f"it begins like {kind}" in reading.refusal(content, "table.csv")


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_line_that_would_fill_the_memory_is_refused(reading, monkeypatch, name):
    monkeypatch.setattr("assay.formats.encoding.MAX_LINE_CHARACTERS", 1024**2)
    message = reading.refusal(b"a\n" + b"," * 1024**2, name)

    assert "line 2: more than the 1 Mi characters" in message


def test_too_many_columns_or_cells_are_refused_with_the_limit(reading, monkeypatch):
    monkeypatch.setattr(limits, "MAX_COLUMNS", 3)
    assert "takes 3 at most" in reading.refusal("a,b,c,d\n1,2,3,4\n", "t.csv")
    monkeypatch.setattr(limits, "MAX_CELLS", 5)
    message = reading.refusal("a,b\n1,2\n3,4\n5,6\n", "t.csv")
    assert "more than the 5 cells" in message
    assert "plan.a.read.sample" in message
    assert len(reading("a,b\n1,2\n3,4\n5,6\n", "t.csv", sample=2).frame) == 2


def test_a_file_beyond_the_limit_is_refused_unless_a_sample_is_drawn(
    reading, monkeypatch
):
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr("assay.data.readers.read_file.check_file_size", limited(10))

    assert "this reader takes" in reading.refusal(PLAIN, "table.csv")
    assert len(reading(PLAIN, "table.csv", sample=1).frame) == 1


def limited(most: int):
    return lambda n_bytes, source: limits.check_file_size(n_bytes, source, most)


# Packed ----------------------------------------------------------------------------------------


def test_a_zip_of_one_file_reads_as_that_file(reading):
    for inner in ("table.csv", "folder/table.tsv"):
        text = PLAIN if inner.endswith("csv") else PLAIN.replace(",", "\t")
        packed = zipped({"folder/": "", inner: text})
        assert len(reading(packed, "any.zip").frame) == 2


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.csv": PLAIN, "b.csv": PLAIN}, "must hold one file, but it holds 2: a.csv, b.csv"),
        ({}, "it holds 0: none"),
        ({"../a.csv": PLAIN}, "'../a.csv' leads out of the archive"),
        ({"/etc/a.csv": PLAIN}, "leads out of the archive"),
        ({"C:/a.csv": PLAIN}, "leads out of the archive"),
        ({"a.pickle": b"x"}, "the file ending is not one of"),
        ({"a.csv": b""}, "is empty"),
    ],
)  # fmt: skip
def test_a_zip_that_is_no_table_is_refused(reading, members, said):
    assert said in reading.refusal(zipped(members), "t.zip")


def test_a_zip_that_is_none_or_cut_is_refused(reading):
    assert "not a zip file" in reading.refusal(PLAIN, "t.zip")
    assert "not a zip file" in reading.refusal(zipped({"a.csv": PLAIN})[:-5], "t.zip")


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.zip"])
def test_a_bomb_is_refused_before_it_fills_the_memory(reading, monkeypatch, name):
    """32 MiB of zeros in a few KB; the limit is set to a quarter."""
    monkeypatch.setattr("assay.formats.limits.MAX_UNPACKED_BYTES", 8 * 1024**2)
    text = b"a,b\n" + b"1,2\n" * (8 * 1024**2)
    packed = gzip.compress(text, mtime=0) if ".gz" in name else zipped({"b.csv": text})
    tracemalloc.start()
    message = reading.refusal(packed, name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "unpacks to more than the 0.0078125 GiB" in message
    assert peak < 8 * 1024**2
