"""Clean: fixed rules that learn nothing from the rows, and a log of what they did and why.

A table goes one way: its columns are read, the label is made, what no model is shown is set aside,
rows are put in order, and units are found.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from assay.data import columns, labels, times
from assay.data.aside import columns_apart, set_aside, without_constants
from assay.data.paragraph import paragraph
from assay.data.samples import Samples
from assay.data.units import units_of
from assay.errors import DataRefused, StudyError
from assay.store.records import CleanStep, ValidationReport
from assay.study.plans import Cleaning, CleanPlan, ImagePlan
from assay.wording import Sentence


def clean_table(
    frame: pd.DataFrame, report: ValidationReport, plan: Cleaning
) -> Samples:
    """Turn a validated table into samples.

    ``report`` is the evidence that the table was validated: refused data has none.

    Raises
    ------
    StudyError
        If the plan names a column that is not there, or one of numbers as text, or an image that
        has not as many pixels as the table has columns of numbers.
    DataRefused
        If the target has one value, or not the number of classes its task needs; if a time is
        missing or no time; if no row has a unit; if no features are left.
    """
    log: list[CleanStep] = [*_carried(report)]
    need_columns(frame, plan)
    _need_text(frame, plan.clean)
    frame = columns.read(frame, plan.clean, log)
    label = labels.make(frame, plan, log)
    features, aside = set_aside(frame.loc[label.index], plan, log)
    if plan.clean.duplicates == "drop":
        features = _without_copies(features, label, aside, plan, log)
    moments = None
    if plan.order is not None:
        moments = times.in_order(aside.loc[features.index, plan.order])
        features = features.loc[moments.index]
    rows, image = features.index, plan.clean.image
    codes, classes = labels.coded(label[rows], plan)
    features = columns.typed(without_constants(features, log, pixels=image is not None))
    if image is not None:
        _need_pixels(features, image)
    aside = aside.loc[rows]
    units, unit = units_of(features, aside, plan, log)
    return Samples(
        features=features,
        labels=codes,
        task=plan.task,
        classes=classes,
        units=units,
        times=None if moments is None else times.ranks(moments, log),
        unit=unit,
        order=plan.order,
        aside=columns.typed(aside),
        log=tuple(log),
        image=image is not None,
    )


def _carried(report: ValidationReport) -> Iterator[CleanStep]:
    """Yield the step that says which expectations were not met, if any."""
    messages = [outcome.message for outcome in report.warnings]
    if messages:
        yield CleanStep(
            what=Sentence.of("data.clean.expectations_not_met"),
            n=len(messages),
            why=paragraph(messages),
        )


def _without_copies(
    features: pd.DataFrame,
    label: "pd.Series[Any]",
    aside: pd.DataFrame,
    plan: Cleaning,
    log: list[CleanStep],
) -> pd.DataFrame:
    """Leave out rows that equal an earlier one in features, label, unit and time."""
    apart = aside[columns_apart(plan)]
    copies = pd.concat([features, label, apart], axis=1).duplicated()
    if copies.any():
        log.append(
            CleanStep(
                what=Sentence.of("data.clean.rows_left_out"),
                n=int(copies.sum()),
                why=Sentence.of("data.clean.exact_copy"),
            )
        )
    return features[~copies]


# What a plan needs of a table ----------------------------------------------------------------------


def need_columns(frame: pd.DataFrame, plan: Cleaning) -> None:
    """Refuse a plan that names a column which is not there.

    Raises
    ------
    StudyError
        Naming the first one.
    """
    clean = plan.clean
    named = [
        *labels.made_from(plan),
        *columns_apart(plan),
        *(drop.column for drop in clean.drop),
        *clean.declared,
        *clean.spellings,
    ]
    for name in named:
        if name not in frame.columns:
            raise StudyError(
                "data.clean.no_column",
                column=str(name),
                columns=tuple(map(str, frame.columns)),
            )


def _need_text(frame: pd.DataFrame, plan: CleanPlan) -> None:
    for key, names in (
        ("data.clean.numbers_as_text", plan.text),
        ("data.clean.numbers_as_lists", [column.column for column in plan.lists]),
        (
            "data.clean.numbers_as_dates",
            [date.column for date in plan.dates if date.format is None],
        ),
    ):
        for name in names:
            column = frame[name]
            if pd.api.types.is_numeric_dtype(column) and column.notna().any():
                raise StudyError(key, column=name)


def _need_pixels(features: pd.DataFrame, image: ImagePlan) -> None:
    pixels = features.select_dtypes("number")
    if pixels.shape[1] != image.n_pixels:
        raise StudyError(
            "data.clean.image_size",
            height=image.height,
            width=image.width,
            channels=image.channels,
            n_pixels=image.n_pixels,
            n_columns=pixels.shape[1],
        )
    missing = pixels.columns[pixels.isna().any()]
    if image.denoise != "none" and len(missing):
        raise DataRefused("data.clean.pixel_missing", column=str(missing[0]))
