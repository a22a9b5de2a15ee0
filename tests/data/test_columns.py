import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.columns import in_parts, read
from assay.errors import DataRefused, StudyError
from assay.formats.numbers import number_in
from assay.study.plans import CleanPlan


def column(*cells) -> pd.DataFrame:
    return pd.DataFrame({"x": cells})


def as_read(frame, **plan):
    log = []
    return read(frame, CleanPlan(**plan), log)["x"], log


# Numbers in texts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "number", "unit"),
    [
        ("1,000", 1000, ""),
        ("1,234,567.5", 1234567.5, ""),
        (" -3 ", -3, ""),
        ("\u22124", -4, ""),
        ("+2.5e3", 2500, ""),
        ("$4.50", 4.5, "$"),
        ("₩12,000", 12000, "₩"),
        ("12,000원", 12000, "원"),
        ("USD 5", 5, "USD"),
        ("90 min", 90, "min"),
        ("45%", 45, "%"),
        (".5", 0.5, ""),
    ],
)
def test_the_number_in_a_cell_and_its_unit(cell, number, unit):
    assert number_in(cell) == (number, unit)


@pytest.mark.parametrize(
    "cell",
    [
        *("", "Unrated", "1,00", "3 of 4", "1.2.3", "12:30", "2020-01-01", "--5"),
        *("1e999", "9" * 400, "(1,000)", "<5", "~3", "≥ 2"),
    ],
)
def test_a_cell_that_is_no_number_has_none(cell):
    assert number_in(cell) is None


@given(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)))
def test_numbers_with_thousands_come_back(x):
    assert number_in(f"{x:,.2f}") == (pytest.approx(x), "")


def test_a_column_of_numbers_in_texts_is_read_and_the_rest_is_told():
    found, log = as_read(column("3.5", "1,000", "Unrated", None), numbers=["x"])

    assert found.tolist()[:2] == [3.5, 1000.0]
    assert found.isna().tolist() == [False, False, True, True]
    assert log[0].n == 2
    assert "cells that hold none: 1, counted as missing, such as 'Unrated'" in str(
        log[0].why
    )


def test_mixed_units_are_refused_until_one_is_declared():
    frame = column("90 min", "2 Seasons", "100 min", "80 Min")

    with pytest.raises(DataRefused, match="the units 'Min', 'Seasons'"):
        as_read(frame, numbers=["x"])
    found, log = as_read(frame, numbers=[{"column": "x", "unit": "min"}])
    assert found.dropna().tolist() == [90.0, 100.0, 80.0]
    assert "numbers of min" in str(log[0].what)


@pytest.mark.parametrize(
    ("cells", "said"),
    [(["900", "1.2K", "3"], "units none, 'K'"), (["5", "12%", "3"], "units none, '%'")],
)
def test_cells_without_a_unit_beside_cells_with_one_are_refused(cells, said):
    with pytest.raises(DataRefused, match=said):
        as_read(column(*cells), numbers=["x"])
    found, _ = as_read(column(*cells), numbers=[{"column": "x", "unit": ""}])
    assert found.notna().tolist() == [True, False, True]


def test_the_sign_of_a_currency_may_be_left_out():
    found, _ = as_read(column("$4", "5", "$1,000"), numbers=["x"])

    assert found.tolist() == [4.0, 5.0, 1000.0]


def test_a_column_that_hardly_holds_a_number_is_refused():
    with pytest.raises(DataRefused, match="only 1 of 3 cells do; row 2 has 'b'"):
        as_read(column("1", "b", "c"), numbers=["x"])


def test_numbers_are_left_as_they_are():
    found, log = as_read(column(1.0, 2.0), numbers=["x"])

    assert found.tolist() == [1.0, 2.0]
    assert not log


# Spellings -------------------------------------------------------------------------------------


def test_values_written_in_several_ways_become_one():
    frame = column("USA", "United States", None, "Japan")
    found, log = as_read(frame, spellings={"x": {"United States": "USA"}})

    assert found.tolist()[:2] == ["USA", "USA"]
    assert log[0].n == 1
    with pytest.raises(StudyError, match="values are numbers"):
        as_read(column(1.0, 2.0), spellings={"x": {"1": "2"}})


def test_codes_are_categories():
    found, _ = as_read(column(24.0, 10.0, None, 24.0), categories=["x"])

    assert found.tolist()[:2] == ["24", "10"]
    assert found.isna().tolist() == [False, False, True, False]


# Dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("2021-09-25", None),
        ("2021-09-25T00:00:00Z", None),
        ("2021-09-25T09:00:00+09:00", None),
        (" September 25, 2021", "%B %d, %Y"),
        (20210925, "%Y%m%d"),
        ("25.09.2021", "%d.%m.%Y"),
    ],
)
def test_a_date_is_read_whatever_its_form(cell, form):
    dates = [{"column": "x"} | ({"format": form} if form else {})]
    found, _ = as_read(column(cell, cell), dates=dates)

    assert found[0] == pd.Timestamp("2021-09-25")


def test_cells_that_are_no_date_are_missing_and_told_and_too_many_refused():
    found, log = as_read(column("2021-01-01", "2021-01-02", "soon"), dates=["x"])

    assert found.isna().tolist() == [False, False, True]
    assert "such as 'soon'" in str(log[0].why)
    with pytest.raises(DataRefused, match="declared to hold dates"):
        as_read(column("soon", "later", "2021-01-01"), dates=["x"])


def parts(cell, **changes):
    plan = CleanPlan(dates=[{"column": "x", **changes}])
    return in_parts(read(column(cell, cell), plan, []), plan, None).iloc[0]


def test_a_moment_becomes_days_and_places_in_circles():
    found = parts(
        "2000-01-08T06:00", parts=["elapsed", "year", "month", "weekday", "hour"]
    )

    assert found["x days"] == 7.25
    assert found["x year"] == 2000
    np.testing.assert_allclose(found["x sine in day"], 1, atol=1e-12)
    np.testing.assert_allclose(found["x cosine in week"], np.cos(2 * np.pi * 5.25 / 7))


@pytest.mark.parametrize("form", ["%d%d", "%G-%V"])
def test_a_format_that_is_none_is_refused_in_a_sentence(form):
    with pytest.raises(StudyError, match="is no format for 'x'"):
        as_read(
            column("2020-01-01", "2020-01-02"), dates=[{"column": "x", "format": form}]
        )


@pytest.mark.parametrize("form", ["%Q", "%Y-%m-%d %", "%d.%m.%Y %Z", "%c"])
def test_a_format_that_means_nothing_certain_is_refused_before_any_data(form):
    with pytest.raises(ValueError, match="format has %"):
        CleanPlan(dates=[{"column": "x", "format": form}])


def test_a_format_is_not_guessed():
    with pytest.raises(ValueError, match="format"):
        CleanPlan(dates=[{"column": "x", "format": "mixed"}])


def test_one_fine_cell_does_not_narrow_the_years_of_the_others():
    cells = ["2020-01-01", "2021-01-01T00:00:00.000000001", "9999-12-31", "2022-05-05"]

    assert as_read(column(*cells), dates=["x"])[0].notna().all()


def test_december_lies_beside_january():
    last, first = (
        parts(day, parts=["month"]).to_numpy() for day in ("2020-12-31", "2021-01-01")
    )

    assert np.linalg.norm(last - first) < 0.05


def test_days_count_from_another_date():
    frame = pd.DataFrame({"x": ["2021-01-03"] * 2, "y": ["2021-01-01T12:00"] * 2})
    plan = CleanPlan(
        dates=[
            {"column": "x", "since": "y", "parts": ["elapsed"]},
            {"column": "y", "parts": ["year"]},
        ]
    )
    found = in_parts(read(frame, plan, []), plan, None)

    assert found["x days since y"].tolist() == [1.5, 1.5]
    with pytest.raises(ValueError, match="since"):
        CleanPlan(dates=[{"column": "x", "since": "y"}])


def test_the_column_of_the_order_stays_whole_and_names_do_not_collide():
    plan = CleanPlan(dates=["x"])
    frame = read(column("2021-01-03", "2021-01-04"), plan, [])

    assert in_parts(frame, plan, "x").columns.tolist() == ["x"]
    with pytest.raises(StudyError, match="'x days'"):
        in_parts(frame.assign(**{"x days": 1}), plan, None)
