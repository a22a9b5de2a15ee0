"""Values as features: the columns that a preparation is fitted on, made of a table's own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import cut, shown
from assay.formats.dates import moments, part_names, parts_of
from assay.formats.numbers import number_in, units_differ
from assay.predict.categories import ABSENT
from assay.predict.parsing import Chunk
from assay.predict.schema import Column, Form
from assay.predict.warnings import Remarks
from assay.wording import Sentence

Values = Mapping[str, NDArray[Any]]


def features(
    form: Form, values: Values, chunk: Chunk, remarks: Remarks
) -> dict[str, NDArray[Any]]:
    """Return what :meth:`assay.predict.preparation.Preparation.inputs` needs, and remark on what is new.

    Parameters
    ----------
    values
        What :func:`assay.predict.parsing.typed` gave for each column of the form.

    Raises
    ------
    DataRefused
        If a number has a unit that training did not see.
    """
    columns = {
        column.name: _read(column, values[column.name], chunk, remarks)
        for column in form.columns
    }
    for date in form.dates:
        start = None if date.since is None else columns[date.since]
        parts = parts_of(columns[date.column], date.parts, start)
        names = part_names(date.column, date.parts, date.since)
        columns |= dict(zip(names, parts, strict=True))
        if not {*names} & {*form.seen.numbers, *form.seen.gaps}:
            _remark_gaps(date.column, values[date.column], remarks)
    _remark_numbers(form, columns, remarks)
    for name, seen in form.seen.levels.items():
        _remark_levels(name, columns[name], frozenset(seen), remarks)
    for text in form.preparation.texts:
        _remark_text(text.column, columns[text.column], remarks)
    return columns


def _read(
    column: Column, values: NDArray[Any], chunk: Chunk, remarks: Remarks
) -> NDArray[Any]:
    if column.spellings and values.dtype == object:
        respelled = [column.spellings.get(value, value) for value in values]
        values = np.array([*respelled, None], dtype=object)[:-1]
    if column.numbers and values.dtype == object:
        return _numbers_in(column, values, chunk, remarks)
    if column.role == "date" and values.dtype == object:
        dates = moments(values, column.format)
        _remark_lost(column, values, np.isnat(dates), "no date", remarks)
        return dates
    return values


def _numbers_in(
    column: Column, texts: NDArray[np.object_], chunk: Chunk, remarks: Remarks
) -> NDArray[np.float64]:
    """Return the numbers that texts hold, NaN where a text holds none with the declared unit."""
    pairs = {text: number_in(text) for text in set(texts) if text is not None}
    _check_units(column, texts, pairs, chunk)
    wanted = None if column.unit is None else column.unit.casefold()
    numbers = {
        text: pair[0]
        for text, pair in pairs.items()
        if pair and (wanted is None or pair[1].casefold() == wanted)
    }
    values = np.array([numbers.get(text, np.nan) for text in texts], dtype=np.float64)
    what = "no number" if not column.unit else f"no number of {column.unit}"
    _remark_lost(column, texts, np.isnan(values), what, remarks)
    return values


def _check_units(
    column: Column,
    texts: NDArray[np.object_],
    pairs: Mapping[str, tuple[float, str] | None],
    chunk: Chunk,
) -> None:
    """Refuse a unit that training did not see, where the study declares none."""
    if column.unit is not None:
        return
    seen = {unit.casefold() for unit in column.units}
    units = {text: pair[1].casefold() for text, pair in pairs.items() if pair}
    unseen = {
        text
        for text, unit in units.items()
        if unit not in seen and units_differ({*seen, unit})
    }
    if unseen:
        row = next(row for row, text in enumerate(texts) if text in unseen)
        usual = tuple(unit or Sentence.of("formats.none") for unit in column.units)
        chunk.refuse("predict.another_unit", row, column.name, texts[row], units=usual)


def _remark_lost(
    column: Column,
    texts: NDArray[Any],
    lost: NDArray[np.bool_],
    what: str,
    remarks: Remarks,
) -> None:
    there = np.array([text is not None for text in texts], dtype=bool)
    remarks.mark(
        lost & there,
        lambda row: (
            f"{cut(column.name)} {shown(texts[row])} is {what} and counts as missing"
        ),
    )


def _remark_numbers(form: Form, columns: Values, remarks: Remarks) -> None:
    if form.pixels:
        _remark_pixels(form, columns, remarks)
    gaps = frozenset(form.seen.gaps)
    for name, (low, high) in form.seen.numbers.items():
        if name not in columns:
            continue
        values = columns[name]
        _mark(
            remarks,
            values < low,
            values,
            f"{cut(name)} %.6g is below {low:.6g}, the lowest in training",
        )
        _mark(
            remarks,
            values > high,
            values,
            f"{cut(name)} %.6g is above {high:.6g}, the highest in training",
        )
        if name not in gaps:
            remarks.mark(
                np.isnan(values), f"{cut(name)} is missing, as in no training row"
            )


def _remark_gaps(name: str, cells: NDArray[Any], remarks: Remarks) -> None:
    """Remark on missing dates of a column whose parts are all cyclic, so that no range of training shows the gap."""
    if cells.dtype == object:
        absent = np.array([cell is None for cell in cells], dtype=bool)
    else:
        absent = np.isnat(cells)
    remarks.mark(absent, f"{cut(name)} is missing, as in no training row")


def _mark(
    remarks: Remarks, rows: NDArray[np.bool_], values: NDArray[Any], remark: str
) -> None:
    remarks.mark(rows, lambda row: remark.replace("%.6g", f"{values[row]:.6g}", 1))


def _remark_pixels(form: Form, columns: Values, remarks: Remarks) -> None:
    low, high = form.seen.numbers["pixels"]
    pixels = np.column_stack([columns[name] for name in form.pixels])
    outside = ((pixels < low) | (pixels > high)).sum(axis=1)
    remarks.mark(
        outside > 0,
        lambda row: (
            f"{outside[row]} pixels lie outside {low:.6g} to {high:.6g}, which training saw"
        ),
    )


def _remark_levels(
    name: str, texts: NDArray[Any], seen: frozenset[str], remarks: Remarks
) -> None:
    absent = None if ABSENT in seen else "is missing, as in no training row"
    new = [
        row
        for row, text in enumerate(texts)
        if (text not in seen if text is not None else absent is not None)
    ]
    remarks.mark(
        new,
        lambda row: (
            f"{cut(name)} {absent}"
            if texts[row] is None
            else f"{cut(name)} {shown(texts[row])} was not seen in training"
        ),
    )


def _remark_text(name: str, texts: NDArray[Any], remarks: Remarks) -> None:
    blank = [
        row for row, text in enumerate(texts) if text is not None and not text.strip()
    ]
    remarks.mark(blank, f"{cut(name)} holds blanks only")
