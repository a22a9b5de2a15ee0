"""``prep.json`` and ``prep.npz`` read back as a form, every value of the right type and all parts fitting together."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from assay.formats.checks import shown
from assay.formats.dates import check_format, part_names
from assay.predict.decoding import decoded
from assay.predict.preparation import Preparation, PreparationForm
from assay.predict.schema import (
    VERSION,
    Column,
    Dated,
    Form,
    Images,
    Reading,
    Seen,
    Task,
)
from assay.predict.stored_arrays import Arrays, check_arrays
from assay.predict.unfit import Unfit

_MOST_INPUTS = 1_000_000  # some rows of which are in memory at once
_LONGEST = 100  # format of a date


@dataclass(frozen=True)
class _Written:
    """What ``prep.json`` holds."""

    format: int
    study: str
    plan: str
    task: Task
    classes: tuple[str, ...]
    label: str
    n_inputs: int
    read: Reading
    columns: tuple[Column, ...]
    dates: tuple[Dated, ...]
    copied: tuple[str, ...]
    pixels: tuple[str, ...]
    images: Images | None
    seen: Seen
    preparation: PreparationForm


def form_of(values: Any, arrays: Arrays) -> Form:
    """Return the form that :meth:`Form.as_json` and :meth:`Form.arrays` gave.

    Raises
    ------
    Unfit
        If this is not such a form, or of another version, or its parts do not fit together.
    """
    version = values.get("format") if isinstance(values, dict) else None
    if version != VERSION:
        raise Unfit("predict.form.version", version=shown(version), readable=VERSION)
    written = decoded(_Written, values)
    check_arrays(written.preparation, arrays)
    preparation = Preparation.written(written.preparation, arrays)
    plain = {
        name: getattr(written, name)
        for name in Form.__dataclass_fields__
        if name != "preparation"
    }
    form = Form(**plain, preparation=preparation)
    _check_names(form)
    _check_columns(form)
    _check_images(form)
    n_inputs = preparation.n_inputs
    if n_inputs != written.n_inputs:
        n = {"n_made": n_inputs, "n_declared": written.n_inputs}
        raise Unfit("predict.form.inputs", **n)
    if not 0 < n_inputs <= _MOST_INPUTS:
        raise Unfit("predict.form.too_wide", n=n_inputs, most=_MOST_INPUTS)
    return form


# Columns -------------------------------------------------------------------------------------------


def _check_names(form: Form) -> None:
    """Refuse names that a sentence or the head of a table cannot hold, and names given twice."""
    names = [column.name for column in form.columns]
    of_images = () if form.images is None else (form.images.column,)
    for name in (form.study, form.plan, *of_images, *names, *form.copied):
        if not name.isprintable():
            raise Unfit("predict.form.name", name=shown(name))
    for group in (names, form.copied, form.classes, form.pixels):
        if len(set(group)) < len(group):
            [(twice, _)] = Counter(group).most_common(1)
            raise Unfit("predict.form.name_twice", name=shown(twice))
    if len(form.classes) == 1 or (form.task == "regression") != (not form.classes):
        raise Unfit("predict.form.classes", task=form.task, n=len(form.classes))


def _check_columns(form: Form) -> None:
    """Refuse features of columns that are not there, or hold values of another kind."""
    kinds = {column.name: _kind_made(column) for column in form.columns}
    dates = _named(kinds, "date")
    for date in form.dates:
        _need(date.column, dates)
        if date.since is not None:
            _need(date.since, dates)
        names = part_names(date.column, date.parts, date.since)
        kinds |= dict.fromkeys(names, "number")
    preparation = form.preparation
    numbers, texts = _named(kinds, "number"), _named(kinds, "text")
    for name in (*preparation.numeric, *form.pixels):
        _need(name, numbers)
    for name in (*preparation.categorical, *form.seen.levels):
        _need(name, texts)
    for item in preparation.lists:
        _need(item.column, texts)
        if not item.separator or item.scale <= 0:
            raise Unfit("predict.form.list", column=shown(item.column))
    for text in preparation.texts:
        _need(text.column, texts)
    for name in form.seen.numbers.keys() & kinds.keys():
        _need(name, numbers)


def _named(kinds: dict[str, str], kind: str) -> frozenset[str]:
    return frozenset(name for name, made in kinds.items() if made == kind)


def _need(name: str, names: Collection[str]) -> None:
    if name not in names:
        raise Unfit("predict.form.column", column=shown(name))


def _kind_made(column: Column) -> str:
    """Return what a column becomes: numbers, dates or texts."""
    if column.format is not None:
        _check_date_format(column.format)
    in_texts = column.kind == "text" and column.numbers
    can_be = {
        "number": column.kind in ("number", "whole", "boolean") or in_texts,
        "date": not in_texts,
        "category": not in_texts,
        "list": column.kind in ("text", "boolean", "moment") and not in_texts,
        "text": column.kind in ("text", "boolean", "moment") and not in_texts,
    }
    if not can_be[column.role]:
        raise Unfit("predict.form.role", column=shown(column.name), role=column.role)
    return column.role if column.role in ("number", "date") else "text"


def _check_date_format(format_: str) -> None:
    try:
        check_format(format_)
    except ValueError:
        fits = False
    else:
        fits = len(format_) <= _LONGEST
    if not fits:
        raise Unfit("predict.form.date_format", format=shown(format_))


def _check_images(form: Form) -> None:
    """Refuse pixels that are not those of an image."""
    images, smoothed = form.images, form.preparation.smoothed
    sizes = [] if smoothed is None else [(*smoothed, len(form.preparation.numeric))]
    if images is not None:
        sizes.append((*list(asdict(images).values())[1:], len(form.pixels)))
    for *size, n_pixels in sizes:
        if min(size) < 1 or prod(size) != n_pixels or size[2] not in (1, 3):
            raise Unfit("predict.form.images", n=n_pixels)
    if form.pixels and "pixels" not in form.seen.numbers:
        raise Unfit("predict.form.images", n=len(form.pixels))
