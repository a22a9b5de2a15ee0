"""Every accepted cell is the value that was written; ``bench.bench_values`` holds thousands of files to that."""

import datetime
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import bench_values
from bench.valid_files import npz, xlsx

BEYOND = 2**63


@pytest.mark.parametrize(
    ("kind", "n"), [("csv", 60), ("json", 30), ("parquet", 20), ("excel", 2)]
)
def test_cells_are_read_as_they_were_written_and_predicted_as_they_are_trained(
    tmp_path, kind, n
):
    for number in range(n):
        outcome = bench_values.run_case(kind, number, 0, tmp_path)
        assert outcome in ("read", "refused"), (
            f"python -m bench.bench_values --seed 0 --only {kind} --case {number}\n{outcome}"
        )


def as_parquet(*cells, kind=None, **options) -> bytes:
    array = cells[0] if isinstance(cells[0], pa.Array) else pa.array(cells, kind)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": array}), buffer, **options)
    return buffer.getvalue()


# Whole numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["1", f"{BEYOND}"], [1, BEYOND]),
        (["1", f"{BEYOND}", "NA"], ["1", f"{BEYOND}", None]),
        (["-1", f"{BEYOND}", ""], ["-1", f"{BEYOND}", None]),
        (["-1", f"{BEYOND}"], ["-1", f"{BEYOND}"]),
        (["1.5", f"{BEYOND}", "NA"], [1.5, float(BEYOND), None]),
        (["007", f"{2**64}", "NA"], ["007", f"{2**64}", None]),
        (["1.5", "9" * 23, "NA"], [1.5, 1e23, None]),
        (["true", f"{BEYOND}", "NA"], ["true", f"{BEYOND}", None]),
    ],
)
def test_missing_words_are_missing_beside_numbers_of_any_size(reading, cells, found):
    rows = "".join(f"{cell},x\n" for cell in cells)
    column = reading(f"a,b\n{rows}", "t.csv").frame["a"]

    assert [None if one != one else one for one in column.tolist()] == found


@pytest.mark.parametrize("gap", [True, False])
def test_whole_numbers_of_64_bits_are_the_same_in_every_format(reading, gap):
    cells = [1, BEYOND, *([None] if gap else [])]
    lines = "".join('{"a": %s}\n' % ("null" if one is None else one) for one in cells)
    files = {
        "t.csv": "a,b\n" + "".join(f"{'' if one is None else one},1\n" for one in cells),
        "t.jsonl": lines,
        "t.parquet": as_parquet(*cells, kind=pa.uint64()),
    }  # fmt: skip
    if not gap:
        files["t.npz"] = npz({"a": np.array(cells, np.uint64)})
    for name, content in files.items():
        column = reading(content, name).frame["a"]
        if gap:
            assert column.tolist()[:2] == ["1", f"{BEYOND}"], name
            assert column.isna().tolist() == [False, False, True]
        else:
            assert column.dtype == "uint64", name
            assert column.tolist() == cells


# Missing words -------------------------------------------------------------------------------------

DAY = datetime.date(1900, 1, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "a,b\n-1.0,x\n5,y\n"),
        ("t.jsonl", '{"a": -1}\n{"a": 5}\n'),
        ("u.jsonl", '{"a": "?"}\n{"a": 5}\n'),
        ("t.xlsx", xlsx({"One": [["a"], [-1], [5]]})),
        ("whole.parquet", as_parquet(-1, 5)),
        ("half.parquet", as_parquet(pa.array(np.array([-1, 5], np.float16)))),
        ("single.parquet", as_parquet(-999.9, 5, kind=pa.float32())),
        ("dictionary.parquet", as_parquet(pa.array(["?", "x"]).dictionary_encode())),
        ("view.parquet", as_parquet("?", "x", kind=pa.string_view())),
        ("true.parquet", as_parquet(False, True)),
        ("date.parquet", as_parquet(DAY, datetime.date(2020, 1, 1))),
        ("moment.parquet", as_parquet(datetime.datetime(1900, 1, 1), datetime.datetime(2020, 1, 1))),
    ],
)  # fmt: skip
def test_a_declared_word_is_missing_in_every_type_of_every_format(
    reading, name, content
):
    words = ["-1", "-999.9", "?", "false", "1900-01-01"]
    column = reading(content, name, missing=words).frame["a"]

    assert column.isna().tolist() == [True, False]


def test_a_declared_number_takes_no_digits_from_those_beside_it(reading):
    ids = [2**53 + 1, -1, 2**60 + 1]
    for name, content in (
        ("t.csv", "a,b\n" + "".join(f"{one},1\n" for one in ids)),
        ("t.parquet", as_parquet(*ids)),
    ):
        column = reading(content, name, missing=["-1"]).frame["a"]
        assert column.tolist()[::2] == [f"{ids[0]}", f"{ids[2]}"]
        assert column.isna().tolist() == [False, True, False]


# Parquet -------------------------------------------------------------------------------------------


def test_a_dictionary_is_read_as_the_texts_that_it_holds(reading):
    frame = reading(pd.DataFrame({"a": pd.Categorical(["x", "y", "x"])}).to_parquet(), "t.parquet").frame  # fmt: skip

    assert frame["a"].dtype == "str"
    assert frame["a"].tolist() == ["x", "y", "x"]
    damaged = as_parquet(pa.array(["x", "\x07"]).dictionary_encode())
    assert "row 2: column a holds a control character (U+0007)" in reading.refusal(damaged, "t.parquet")  # fmt: skip


@pytest.mark.parametrize("zone", ["Asia/Seoul", "+09:00", "Mars/Phobos", "Z", None])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_moment_is_read_in_utc_whether_its_zone_is_known_or_not(reading, unit, zone):
    table = reading(as_parquet(0, None, kind=pa.timestamp(unit, zone)), "t.parquet")

    assert str(table.frame["a"].dtype) == f"datetime64[{unit}]"
    assert table.frame["a"].tolist() == [pd.Timestamp("1970-01-01"), pd.NaT]
    said = "moments with a time zone read as UTC: a" in map(str, table.remarks)
    assert said == (zone is not None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (as_parquet([1]), "column a holds list<element: int64>"),
        (as_parquet({"x": 1}), "column a holds struct<x: int64>"),
        (as_parquet([("x", 1)], kind=pa.map_(pa.string(), pa.int64())), "column a holds map<string, int64"),
        (as_parquet(b"x"), "column a holds binary"),
        (as_parquet(pa.array([b"x"]).dictionary_encode()), "column a holds dictionary<values=binary"),
        (as_parquet(datetime.time(1)), "column a holds time64[us]"),
        (as_parquet(datetime.timedelta(1)), "column a holds duration[us]"),
        (as_parquet(pa.array([2**30], pa.int32()).cast(pa.date32())), "column a holds a date outside the years 1 to 9999"),
        (as_parquet(316516204800000, kind=pa.timestamp("ms")), "column a holds a date outside the years 1 to 9999"),
    ],
)  # fmt: skip
def test_a_type_that_holds_no_plain_values_is_refused(reading, content, said):
    assert said in reading.refusal(content, "t.parquet")


def test_bytes_that_are_no_text_are_refused(reading):
    ends, bytes_ = np.array([0, 2], np.int32).tobytes(), b"\xff\xfe"
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(bytes_)]
    content = as_parquet(pa.Array.from_buffers(pa.string(), 1, buffers))

    assert "not a readable Parquet file: Invalid UTF8" in reading.refusal(content, "t.parquet")  # fmt: skip


def test_a_moment_of_96_bits_is_read_beyond_what_nanoseconds_hold(reading):
    """As Spark writes them; pyarrow's own default wraps around."""
    moments = [datetime.datetime(year, 1, 1) for year in (1500, 2020, 2500)]
    content = as_parquet(
        *moments, kind=pa.timestamp("us"), use_deprecated_int96_timestamps=True
    )

    texts = reading(content, "t.parquet").frame["a"].astype(str).tolist()

    assert [text[:10] for text in texts] == ["1500-01-01", "2020-01-01", "2500-01-01"]
