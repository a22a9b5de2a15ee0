"""Dates as training and prediction read them, compared with pandas."""

import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.columns import in_parts, read
from assay.formats.dates import moments, part_names, parts_of
from assay.study.plans import CleanPlan

FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S%z", "%Y%m%d", "%m/%d/%Y",
    "%d.%m.%y", "%B %d, %Y", "%b %d %Y", "%d %b %Y %I:%M %p", "%A, %d %B %Y", "%Y년 %m월 %d일", "%Y-%j",
    "%d %b", "%H:%M", "100%% %Y", "%a %d/%m/%y %H:%M:%S", "%d.%m.%Y %H:%M:%S %z", "%Y %W %w", "%G %V %u",
)  # fmt: skip


def by_pandas(cells, format_):
    """What pandas makes of the cells, to the microsecond; words whose date depends on today are none."""
    cells = [re.sub(r"(\.\d{6})\d+", r"\1", cell.strip()) for cell in cells]
    cells = ["" if cell.casefold() in ("now", "today") else cell for cell in cells]
    texts = pd.Series(cells, dtype=object)
    dates = pd.to_datetime(texts, format=format_ or "ISO8601", errors="coerce", utc=True)  # fmt: skip
    return dates.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def by_training(cells, format_):
    """What training makes of the cells of a date column, at least half of which are dates."""
    plan = {"column": "x", "format": format_, "parts": ["year"]}
    filler = "2001-02-03"
    if format_ is not None:
        filler = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(format_)
    frame = pd.DataFrame({"x": pd.Series([*cells, *[filler] * len(cells)], dtype="str")})  # fmt: skip
    dates = read(frame, CleanPlan(dates=[plan]), [])["x"].to_numpy()
    return dates[: len(cells)].astype("datetime64[us]")


def assert_same(cells, format_):
    ours = moments(cells, format_)
    for theirs in (by_pandas(cells, format_), by_training(cells, format_)):
        different = (ours != theirs) & ~(np.isnat(ours) & np.isnat(theirs))
        at = np.flatnonzero(different)
        assert [(cells[row], ours[row], theirs[row]) for row in at] == []


numbers = st.integers(0, 99).map(str) | st.integers(0, 99).map(lambda n: f"{n:02}")
years = st.integers(0, 9999).map(lambda n: f"{n:04}") | st.just("2024")
marks = st.sampled_from(["-", "/", ".", " ", ""])
zones = st.sampled_from(
    ["", "Z", " Z", "+09:00", "-0130", "+9", " +05:30", "+24:00", "+930", "z", "+"]
)
parts = st.sampled_from(["", ".5", ".123456", ".1234567", ".", ",5"])
clocks = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from(["T", " ", "t", "  "]), st.lists(numbers, min_size=1, max_size=3),
              st.sampled_from([":", "", "."]), parts, zones)
    .map(lambda c: c[0] + c[2].join(c[1]) + c[3] + c[4]),
)  # fmt: skip
iso = st.tuples(years, marks, st.lists(numbers, max_size=2), clocks, zones).map(
    lambda d: d[1].join([d[0], *d[2]]) + d[3] + d[4]
)


@settings(max_examples=200)
@given(st.lists(iso, min_size=1, max_size=20))
def test_iso_dates_are_read_as_pandas_reads_them(cells):
    assert_same(cells, None)


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-11-23", "2026-11", "2026", "20261123", "202611", "2026/11/23"),
        *("2026-1-5", "2026-11-23T08:30", "2026-11-23 08:30:15.1234567", "-2026-01-01"),
        *("2026-11-23T08:30:15+09:00", "2026-11-23 0830", "20261123T083015", "0000-01-01"),
        *("2026-W01-1", "2026-13-01", "2026-02-30", "2024-02-29", "2023-02-29", "NaT"),
        *("2026-11-23T24:00", "2026-11-23 08:30:60", "", " 2026-11-23 ", "9999-12-31"),
        *("2026-11-23Z", "2026-11-23T08:30:15+24:00", "１０26-11-23", "2026\\11\\23"),
        *("now", "today", "2026-11-23T08+09", "2026-11-23 8Z", "1900-02-29", "2000-02-29"),
    ],
)  # fmt: skip
def test_any_way_to_write_a_day_means_the_same_day_to_both(cell):
    assert_same([cell], None)


@settings(max_examples=100)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.datetimes(pd.Timestamp(1970, 1, 1), pd.Timestamp(2068, 1, 1)), min_size=1, max_size=5),
    st.sampled_from(["", " ", "x", "0"]),
)  # fmt: skip
def test_dates_of_a_format_are_read_as_pandas_reads_them(format_, said, more):
    cells = [one.strftime(format_) for one in said]
    cells = [cell + "+0900" * format_.endswith("z") for cell in cells]

    assert_same([*cells, *(more + cell for cell in cells), "soon"], format_)


@pytest.mark.parametrize("format_", FORMATS)
def test_neither_case_nor_leading_zeros_matter_where_they_do_not_to_pandas(format_):
    cells = ["3 NOV 2020 8:05 pm", "november 3, 2020", "1/2/2020", "29 Feb", "2020-1-5",
             "2020113", "24:00", "31.2.20", "Tue 3/11/20 1:2:3", "2020 45 1", "2020-366", "2021-366"]  # fmt: skip
    assert_same(cells, format_)


def test_a_word_that_means_another_moment_each_day_is_no_date():
    assert np.isnat(moments(["now", "today", "Today"], None)).all()
    assert np.isnat(by_pandas(["now", "today"], None)).all()
    assert np.isnat(by_pandas(["now", "today"], "%d/%m/%Y")).all()


@given(
    st.lists(
        st.none() | st.datetimes(pd.Timestamp(1600, 1, 1), pd.Timestamp(2900, 1, 1)),
        min_size=1,
        max_size=9,
    )
)
def test_the_parts_of_a_date_are_those_that_pandas_tells(said):
    column = pd.Series(said, dtype="datetime64[us]")
    frame = pd.DataFrame({"x": column, "y": column[::-1].to_numpy()})
    every = ("elapsed", "year", "month", "weekday", "hour")
    since = {"column": "x", "since": "y", "parts": ["elapsed"]}
    plan = CleanPlan(dates=[{"column": "y", "parts": every}, since])
    in_training = in_parts(frame, plan, None)
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    ours = dict(
        zip(part_names("y", every, None), parts_of(y, every, None), strict=True)
    )
    ours["x days since y"] = parts_of(x, ("elapsed",), y)[0]
    days = frame["y"].dt.normalize()
    in_day = (frame["y"] - days).dt.total_seconds() / 86400
    angle = 2 * np.pi * (frame["y"].dt.day_of_week + in_day) / 7
    turn = 2 * np.pi * (frame["y"].dt.day_of_year - 1 + in_day) / 366

    assert list(in_training) == list(ours)
    for name, values in ours.items():
        np.testing.assert_array_equal(in_training[name], values)
    np.testing.assert_array_equal(ours["y year"], frame["y"].dt.year)
    np.testing.assert_allclose(ours["y sine in week"], np.sin(angle), atol=1e-12)
    np.testing.assert_allclose(ours["y cosine in year"], np.cos(turn), atol=1e-12)
    elapsed = (frame["y"] - pd.Timestamp("2000-01-01")).dt.total_seconds() / 86400
    np.testing.assert_allclose(ours["y days"], elapsed, rtol=1e-14)


@settings(max_examples=100)
@given(
    st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f"]),
    st.lists(st.lists(st.integers(0, 70), min_size=7, max_size=7), min_size=1, max_size=9),
)  # fmt: skip
def test_numbers_that_are_no_day_or_time_are_read_as_pandas_reads_them(format_, rows):
    names = ("m", "d", "H", "M", "S", "f")
    cells = []
    for year, *others in rows:
        cell = format_.replace("%Y", f"{1960 + year}")
        for name, number in zip(names, others, strict=True):
            cell = cell.replace(f"%{name}", f"{number % 40}")
        cells.append(cell)

    assert_same(cells, format_)


@pytest.mark.parametrize(
    "format_", ["%d %d", "%G-%V", "%Y-%V-%u", "%", "%Y-%G-%V-%u", "%Q"]
)
def test_what_is_no_format_is_refused(format_):
    with pytest.raises(ValueError, match=r"\w"):
        moments(["2026"], format_)
    with pytest.raises((ValueError, re.error)):
        pd.to_datetime(pd.Series(["2026"]), format=format_, errors="coerce")


@pytest.mark.parametrize(
    "format_", [None, "%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S", "%Y%m%d", "%Y%m", "%Y-%j"]
)  # fmt: skip
def test_years_before_1_are_read_where_pandas_reads_them(format_):
    cells = ["-200", "-2", "-2026", "-0000", "0000", "-12345", "-200-01-05", "-4-02-29", "-400-02-29", "-100-02-29",
             "-200/01/05", "-2026-01-05 08:00:05", "0000-02-29", "-20260101", "--1", "-200.13"]  # fmt: skip
    assert_same(cells, format_)
