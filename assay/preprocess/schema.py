"""The schema of a study's rows, as a bundle keeps it: how training read and prepared a table.

Each column is described from the study's plan and the table as it was read; :mod:`assay.predict` applies
the schema. Before it is trusted, rows of the table are prepared both ways and must give the same inputs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data import columns, labels
from assay.formats.dates import CIRCLES, part_names
from assay.formats.missing import Words
from assay.formats.numbers import number_in
from assay.predict.categories import ABSENT
from assay.predict.features import features as made_of
from assay.predict.parsing import Cells, Chunk, typed
from assay.predict.schema import (
    Column,
    Dated,
    Form,
    Images,
    Kind,
    Reading,
    Role,
    Seen,
)
from assay.predict.warnings import Remarks
from assay.preprocess.fit import Preparation
from assay.store.records import Cleaned
from assay.study.plans import CleanPlan, LabelRule, Plan, PlanName
from assay.wording import Sentence, render


@dataclass(frozen=True)
class Tables:
    """A plan's rows as they were read, the features they became, and the columns no model sees.

    ``raw`` has the columns of :func:`columns_read` or more; its rows are not those of the others, from
    which rows without a label and copies are gone.
    """

    raw: pd.DataFrame
    features: pd.DataFrame
    aside: pd.DataFrame


def form_of(
    which: tuple[str, PlanName],
    plan: Plan,
    cleaned: Cleaned,
    tables: Tables,
    preparation: Preparation,
) -> Form:
    """Return the form of a plan's rows, with a preparation that was fitted on them; ``which`` names study and plan."""
    dates = tuple(_dates(plan, preparation))
    needed = columns_needed(plan, preparation)
    pixels = preparation.numeric if plan.clean.image is not None else ()
    return Form(
        study=which[0],
        plan=which[1],
        task=cleaned.task,
        classes=cleaned.classes,
        label=label_in_words(plan, cleaned),
        read=Reading(
            names=plan.read.names,
            encoding=plan.read.encoding,
            separator=plan.read.separator,
            missing=plan.read.missing,
        ),
        columns=tuple(
            _column(name, tables.raw[name], plan.clean, preparation) for name in needed
        ),
        dates=dates,
        copied=tuple(_copied(plan, tables, frozenset(needed))),
        pixels=pixels,
        images=_images(plan),
        seen=_seen(tables.features, preparation, pixels, _circles(dates)),
        preparation=preparation,
    )


def _images(plan: Plan) -> Images | None:
    source = plan.images
    if source is None:
        return None
    return Images(source.column, source.height, source.width, source.channels)


def columns_needed(plan: Plan, preparation: Preparation) -> tuple[str, ...]:
    """Return the columns of a table that a preparation's inputs are made of, in a fixed order."""
    date_of_part = {
        part: date.column
        for date in plan.clean.dates
        for part in columns.names_of_parts(date)
    }
    names = [*preparation.numeric, *preparation.categorical]
    names += [item.column for item in preparation.lists]
    names += [text.column for text in preparation.texts]
    needed = [date_of_part.get(name, name) for name in names]
    since = (date.since for date in _dates(plan, preparation) if date.since)
    return tuple(dict.fromkeys([*needed, *since]))


def columns_read(plan: Plan, preparation: Preparation) -> tuple[str, ...]:
    """Return the columns that reading as training reads needs: those needed, and all that the plan declares."""
    declared = [*plan.clean.declared, *plan.clean.spellings]
    return tuple(dict.fromkeys([*columns_needed(plan, preparation), *declared]))


def _dates(plan: Plan, preparation: Preparation) -> Iterator[Dated]:
    """Yield the dates that a preparation has a part of."""
    numeric = frozenset(preparation.numeric)
    for date in plan.clean.dates:
        parts = columns.names_of_parts(date)
        if date.column != plan.order and numeric & frozenset(parts):
            yield Dated(date.column, tuple(date.parts), date.since)


# A column ------------------------------------------------------------------------------------------


def _column(
    name: str, cells: "pd.Series[Any]", plan: CleanPlan, preparation: Preparation
) -> Column:
    kind, role = kind_of(cells), _role(name, plan, preparation)
    spellings = plan.spellings.get(name, {})
    number = next((number for number in plan.numbers if number.column == name), None)
    date = next((date for date in plan.dates if date.column == name), None)
    in_texts = number is not None and kind == "text" and number.unit is None
    return Column(
        name=name,
        kind=kind,
        role=role,
        spellings=spellings,
        numbers=number is not None,
        unit=number.unit if number is not None else None,
        units=_units(cells.replace(spellings)) if in_texts else (),
        format=date.format if date is not None else None,
    )


def kind_of(cells: "pd.Series[Any]") -> Kind:
    types = pd.api.types
    if types.is_bool_dtype(cells):
        return "boolean"
    if types.is_numeric_dtype(cells):
        return "whole" if types.is_integer_dtype(cells) else "number"
    if types.is_datetime64_any_dtype(cells):
        return "moment"
    of_cells = cells.dtype == object and types.infer_dtype(cells, skipna=True)
    return "boolean" if of_cells == "boolean" else "text"


def _role(name: str, plan: CleanPlan, preparation: Preparation) -> Role:
    if any(date.column == name for date in plan.dates):
        return "date"
    if name in preparation.numeric:
        return "number"
    if any(item.column == name for item in preparation.lists):
        return "list"
    if any(text.column == name for text in preparation.texts):
        return "text"
    return "category"


def _units(cells: "pd.Series[Any]") -> tuple[str, ...]:
    """Return the units of the numbers in texts, each in one of its spellings."""
    numbers = map(number_in, map(str, cells.dropna().unique()))
    units = {number[1].casefold(): number[1] for number in numbers if number}
    return tuple(sorted(units.values()))


def _copied(plan: Plan, tables: Tables, needed: frozenset[str]) -> Iterator[str]:
    """Yield the columns that identify a row: the unit, the order, ids."""
    for name in map(str, tables.aside.columns):
        column = tables.aside[name]
        if name not in needed and (
            name in (plan.unit, plan.order) or _identifies_rows(column)
        ):
            yield name


def _identifies_rows(column: "pd.Series[Any]") -> bool:
    """Return whether every row has a text or a whole number that no other row has."""
    if column.isna().any() or not column.is_unique:
        return False
    return not pd.api.types.is_numeric_dtype(column) or bool((column % 1 == 0).all())


# What training saw -----------------------------------------------------------------------------------


def _seen(
    features: pd.DataFrame,
    preparation: Preparation,
    pixels: tuple[str, ...],
    circles: frozenset[str],
) -> Seen:
    numbers = features[list(preparation.numeric)]
    bounds = {
        str(name): (float(numbers[name].min()), float(numbers[name].max()))
        for name in numbers.columns
        if numbers[name].notna().any() and name not in circles
    }
    if pixels:
        lows, highs = zip(*bounds.values(), strict=True)
        bounds = {"pixels": (min(lows), max(highs))}
    gaps = numbers.columns[numbers.isna().any()]
    return Seen(
        numbers=bounds,
        gaps=tuple(map(str, gaps)),
        levels={name: _categories(features[name]) for name in preparation.categorical},
    )


def _circles(dates: tuple[Dated, ...]) -> frozenset[str]:
    """Return the columns that are a sine or cosine of a cyclic date part, which have no unusual values."""
    return frozenset(
        name
        for date in dates
        for part in date.parts
        if part in CIRCLES
        for name in part_names(date.column, (part,), date.since)
    )


def _categories(column: "pd.Series[Any]") -> tuple[str, ...]:
    categories = sorted(map(str, column.dropna().unique()))
    return (*categories, *([ABSENT] if column.isna().any() else []))


def label_in_words(plan: Plan, cleaned: Cleaned) -> str:
    """Return what is predicted, in English: it stands in bundles and cards."""
    rule = plan.target
    if not isinstance(rule, LabelRule):
        return rule
    if rule.mapping is not None:
        mapped = Sentence.of(
            "preprocess.label_mapped", column=str(rule.column), classes=cleaned.classes
        )
        return render(mapped, "en")
    reason = next(
        (step.why for step in cleaned.log if step.what.key == "data.label.made"), None
    )
    if reason is None:
        return labels.name_of(plan.cleaning())
    derived = Sentence.of(
        "preprocess.label_rule", rule=reason, negative=str(rule.negative)
    )
    return render(derived, "en")


# Both ways -----------------------------------------------------------------------------------------


def both_ways(
    plan: Plan, form: Form, preparation: Preparation, raw: pd.DataFrame, n_rows: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the inputs of a table's first rows, as training prepares them and as the schema does.

    Parameters
    ----------
    form
        As a bundle has it, written and read back.
    raw
        All rows as they were read: how a column is read may depend on its cells together.
    """
    read = columns.read(raw, plan.clean, [])
    features = columns.in_parts(read, plan.clean, plan.order).iloc[:n_rows]
    by_training = preparation.apply(columns.typed(features))
    rows = raw.iloc[:n_rows]
    cells = {column.name: _cells(rows[column.name]) for column in form.columns}
    chunk, words = Chunk("the table", len(rows), cells), Words(form.read.missing)
    values = {column.name: typed(column, chunk, words) for column in form.columns}
    prepared = made_of(form, values, chunk, Remarks())
    by_schema = form.preparation.inputs(prepared, len(rows)).astype(np.float32)
    return by_training, by_schema


def _cells(column: "pd.Series[Any]") -> Cells:
    """Return a column's cells as a reader gives them to prediction."""
    if pd.api.types.is_datetime64_any_dtype(column):
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return np.asarray(column)
    types = pd.api.types
    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        gaps = column.isna().any()
        return (
            column.to_numpy(np.float64, na_value=np.nan) if gaps else np.asarray(column)
        )
    return list(column.astype(object).where(column.notna(), None))
