"""A row that could have been in the training data, and the command that asks for its prediction."""

import json
import math
import shlex
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from assay.errors import DataRefused
from assay.formats.dates import EPOCH
from assay.predict.bundle import Bundle
from assay.predict.categories import ABSENT
from assay.predict.schema import Column, Form

_MOST_SHOWN = 1_200  # characters of a body that a person would paste
_MOMENT, _DAY = np.datetime64("2026-01-15", "us"), np.timedelta64(86_400_000_000, "us")
Body = dict[str, list[dict[str, Any]]]
Pick = Callable[[float, float], float]


def example_body(model: Bundle) -> Body:
    """Return the body of a request with one row, of the middle of what training saw.

    A rule of the suite may refuse that row; then it is one of the lowest or highest numbers, or of gaps.
    """
    picks: tuple[Pick, ...] = (_middle, min, max)
    rows = [_row(model.form, pick) for pick in picks]
    rows.append(dict.fromkeys(model.needed))
    accepted = [row for row in rows if _is_predicted(model, row)]
    return {"rows": [(accepted or rows)[0]]}


def command(body: Body, address: str, *, needs_token: bool) -> str:
    """Return what to type in a shell for the prediction of the example; of a wide table it is fetched first."""
    token = ' -H "Authorization: Bearer $ASSAY_TOKEN"' if needs_token else ""
    url = shlex.quote(f"{address}predict")
    ask = f"curl -s {url}{token} -H 'Content-Type: application/json' -d "
    text = json.dumps(body, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(body)
    if len(text) <= _MOST_SHOWN:
        return ask + shlex.quote(text)
    return f"curl -s {shlex.quote(f'{address}example')}{token} | {ask}@-"


def _is_predicted(model: Bundle, row: dict[str, Any]) -> bool:
    try:
        model.predict({name: [cell] for name, cell in row.items()})
    except DataRefused:
        return False
    return True


def _row(form: Form, pick: Pick) -> dict[str, Any]:
    pixels = frozenset(form.pixels)
    return {
        column.name: _cell_or_gap(
            form, column, pick, "pixels" if column.name in pixels else column.name
        )
        for column in form.columns
    }


def _cell_or_gap(form: Form, column: Column, pick: Pick, seen_as: str) -> Any:
    """Return a cell; none where a bundle says of its training what no training could leave."""
    try:
        cell = _cell(form, column, pick, seen_as)
    except (ArithmeticError, TypeError, ValueError):
        return None
    return None if cell in (math.inf, -math.inf) or cell != cell else cell


def _cell(form: Form, column: Column, pick: Pick, seen_as: str) -> Any:
    range_ = form.seen.numbers.get(seen_as)
    match column.role:
        case "number" if column.kind == "boolean":
            return True
        case "number" if range_ is not None:
            return _number(column, pick(*range_))
        case "category":
            return _level(column, form.seen.levels.get(column.name, ()))
        case "list":
            items = [one for one in form.preparation.lists if one.column == column.name]
            return next((one.known[0] for one in items if one.known), None)
        case "date" if column.kind in ("text", "moment"):
            days = form.seen.numbers.get(f"{column.name} days")
            moment = _MOMENT if days is None else EPOCH + pick(*days) * _DAY
            return moment.astype(datetime).strftime(column.format or "%Y-%m-%d")
        case "text":
            texts = [one for one in form.preparation.texts if one.column == column.name]
            return " ".join(texts[0].terms[:3]) if texts else None
    return None


def _middle(low: float, high: float) -> float:
    """Return a short number near the middle of two."""
    middle = low / 2 + high / 2
    digits = 3 - math.floor(math.log10(max(abs(middle), (high - low) / 10, 1e-30)))
    short = round(middle, digits)
    return short if low <= short <= high else middle


def _number(column: Column, number: float) -> Any:
    if column.kind == "text":
        unit = column.unit or next(filter(None, column.units), "")
        return f"{number:.6g} {unit}".strip()
    return int(number) if column.kind == "whole" else number


def _level(column: Column, levels: tuple[str, ...]) -> Any:
    """Return the first level of a category as a request holds it."""
    level = next((level for level in levels if level != ABSENT), None)
    if level is None or column.kind in ("text", "moment"):
        return level
    if column.kind == "boolean":
        return level == "True"
    number = float(level)
    return int(number) if number.is_integer() else number
