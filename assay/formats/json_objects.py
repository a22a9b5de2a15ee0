"""JSON lines, a line at a time: each a flat object, whose keys stand once."""

import json
from typing import Any, NoReturn

from assay.errors import DataRefused
from assay.formats.checks import Named, shown

KINDS = {bool: "true and false", int: "numbers", float: "numbers", str: "text"}


class Pairs(list[tuple[str, Any]]):
    """An object as written, so that a key that stands twice is seen."""


def object_in(line: str, number: int, source: Named) -> Pairs:
    try:
        found = json.loads(
            line, object_pairs_hook=Pairs, parse_constant=_no_json_number
        )
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataRefused(
            f"{source.name}, line {number}: no JSON object ({said})."
        ) from None
    if not isinstance(found, Pairs):
        raise DataRefused(
            f"{source.name}, line {number}: a JSON value, but no object with keys for its columns."
        )
    return found


def _no_json_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def row_of(pairs: Pairs, place: str, source: Named) -> dict[str, Any]:
    """Return an object's values by key.

    Raises
    ------
    DataRefused
        If a key stands twice.
    """
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataRefused(
            f"{source.name}, {place}: the key {shown(twice)} stands twice."
        )
    return row


def kind_of(value: Any, key: str, place: str, source: Named) -> str:
    """Return what kind of value a key holds.

    Raises
    ------
    DataRefused
        If it is an object or a list.
    """
    kind = KINDS.get(type(value))
    if kind is None:
        what = "an object" if isinstance(value, Pairs) else "a list"
        raise DataRefused(
            f"{source.name}, {place}: the key {shown(key)} holds {what}. Give its parts keys of their own."
        )
    return kind
