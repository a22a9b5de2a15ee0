import io
import re
import zipfile

import pandas as pd
import pytest

from assay.errors import StudyError
from bench.valid_files import ods, xls, xlsb, xlsx, zipped

ROWS = [["town", "n"], ["Seoul", 1], ["Busan", 2.5]]
EXPECTED = pd.DataFrame({"town": ["Seoul", "Busan"], "n": [1.0, 2.5]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.xlsx", xlsx({"One": ROWS})),
        ("t.ods", ods({"One": ROWS})),
        ("t.xls", xls(ROWS)),
        ("t.xlsb", xlsb(ROWS)),
    ],
)
def test_the_one_sheet_that_holds_something_is_read(reading, name, content):
    pd.testing.assert_frame_equal(reading(content, name).frame, EXPECTED)


def test_empty_sheets_do_not_count_and_the_sheet_is_told(reading):
    table = reading(xlsx({"Cover": [], "Data": ROWS}), "t.xlsx")

    pd.testing.assert_frame_equal(table.frame, EXPECTED)
    assert str(table.remarks[0]) == "sheet Data"


def test_a_sheet_is_read_by_its_name(reading):
    content = xlsx({"One": [["x"], [1]], "Two": ROWS})

    pd.testing.assert_frame_equal(
        reading(content, "t.xlsx", sheet="Two").frame, EXPECTED
    )


def test_a_column_of_text_and_numbers_is_text_and_told(reading):
    table = reading(xlsx({"One": [["code"], [7], ["x"], [2.5]]}), "t.xlsx")

    assert table.frame["code"].tolist() == ["7", "x", "2.5"]
    assert "read as text, because they hold text and numbers: code" in map(
        str, table.remarks
    )


def test_words_for_missing_and_empty_cells_are_missing(reading):
    rows = [["stars", "t"], [4.5, "x"], ["Unrated", None], [None, "NA"]]
    frame = reading(xlsx({"One": rows}), "t.xlsx", missing=["Unrated"]).frame

    assert frame["stars"].isna().tolist() == [False, True, True]
    assert frame["t"].isna().tolist() == [False, True, True]
    assert frame["stars"].dtype == "float64"


def test_rows_left_empty_are_counted(reading):
    table = reading(xlsx({"One": [["x"], [1], [None], [2]]}), "t.xlsx")

    assert table.frame["x"].tolist() == [1, 2]
    assert "1 empty row ignored" in map(str, table.remarks)


def test_a_sheet_without_a_header_takes_its_names_from_the_study(reading):
    frame = reading(xlsx({"One": ROWS[1:]}), "t.xlsx", names=["town", "n"]).frame

    pd.testing.assert_frame_equal(frame, EXPECTED)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (xlsx({"One": ROWS, "Two": ROWS}), "2 sheets that hold something: One, Two. Name one in plan.a.read.sheet"),
        (xlsx({"One": []}), "is empty"),
        (xlsx({"One": ROWS}, merged=["A1:B1"]), "sheet One: cells A1:B1 are merged"),
        (xlsx({"One": [["a", None], [1, 2]]}), "column 2 has no name"),
        (xlsx({"One": [["a", "A"], [1, 2]]}), "differ only in case"),
        (xlsx({"One": [["a"]]}), "has a header and no rows"),
        (xlsx({"One": [["a"], ["x\x85"]]}), "row 2: column a holds a control character"),
        (xlsx({"One": ROWS})[:-30], "is not a readable workbook"),
        (b"town,n\nSeoul,1\n", "is not a readable workbook"),
        (zipped({"x": b"y"}), "is not a readable workbook"),
    ],
)  # fmt: skip
def test_a_workbook_that_is_no_table_is_refused(reading, content, said):
    assert said in reading.refusal(content, "t.xlsx")


def of_dates(*numbers: float) -> bytes:
    """Return a workbook whose column holds numbers under a format of dates."""
    with zipfile.ZipFile(
        io.BytesIO(xlsx({"One": [["day"], *([n] for n in numbers)]}))
    ) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts["xl/styles.xml"] = (
        f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
    ).encode()
    related = parts["xl/_rels/workbook.xml.rels"]
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"
    styles = b'<Relationship Id="s" Type="' + kind + b'" Target="styles.xml"/></Rel'
    parts["xl/_rels/workbook.xml.rels"] = related.replace(b"</Rel", styles)
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = re.sub(
        rb'(r="A\d+")><v>', rb'\1 s="1"><v>', sheet
    )
    return zipped(parts)


def test_a_day_is_read_from_the_first_that_excel_counts_rightly(reading):
    assert reading(of_dates(61, 45_000), "t.xlsx").frame["day"].tolist() == [
        "1900-03-01",
        "2023-03-15",
    ]


@pytest.mark.parametrize("number", [1, 1.5, 59, 60])
def test_a_day_that_excel_counts_wrongly_is_refused_with_its_row(reading, number):
    message = reading.refusal(of_dates(45_000, number), "t.xlsx")

    assert "row 3: the date 1900-0" in message
    assert "before 1 March 1900" in message


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(reading):
    message = reading.refusal(xlsx({"One": ROWS}), "t.xlsx", sheet="Two")

    assert "has no sheet 'Two'; its sheets are One" in message


def test_a_sheet_of_two_far_corners_is_refused(reading):
    """The library would hold all cells between them, 17 thousand million."""
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        "</sheetData></worksheet>"
    )
    content = _with_sheet(sheet)

    assert "takes more than the 1.0 GiB of memory" in reading.refusal(content, "t.xlsx")


def _with_sheet(sheet: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(xlsx({"One": ROWS}))) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    return zipped(parts | {"xl/worksheets/sheet1.xml": sheet})


def test_a_separator_is_of_no_use_here(reading):
    message = reading.refusal(xlsx({"One": ROWS}), "t.xlsx", StudyError, separator=";")

    assert "read.separator is declared" in message
