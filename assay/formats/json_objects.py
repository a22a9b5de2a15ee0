"""JSON lines, a line at a time: each a flat object without duplicate keys."""

import json
from collections import Counter
from typing import Any, NoReturn

from assay.errors import DataRefused
from assay.formats.checks import Named, Place, line_number, shown
from assay.wording import Sentence

KINDS = {bool: "booleans", int: "numbers", float: "numbers", str: "text"}


class Pairs(list[tuple[str, Any]]):
    """An object as written, so that a duplicate key is seen."""


def object_in(line: str, number: int, source: Named) -> Pairs:
    try:
        value = json.loads(
            line, object_pairs_hook=Pairs, parse_constant=_no_json_number
        )
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataRefused(
            "formats.not_json",
            file=source.name,
            place=line_number(number),
            reason=reason,
        ) from None
    if not isinstance(value, Pairs):
        raise DataRefused(
            "formats.not_an_object", file=source.name, place=line_number(number)
        )
    return value


def _no_json_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def row_of(pairs: Pairs, place: Place, source: Named) -> dict[str, Any]:
    """Return an object's values by key.

    Raises
    ------
    DataRefused
        If a key occurs twice.
    """
    row = dict(pairs)
    if len(row) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise DataRefused(
            "formats.duplicate_key", file=source.name, place=place, key=shown(twice)
        )
    return row


def kind_of(value: Any, key: str, place: Place, source: Named) -> str:
    """Return what kind of value a key holds: booleans, numbers or text.

    Raises
    ------
    DataRefused
        If it is an object or a list.
    """
    kind = KINDS.get(type(value))
    if kind is None:
        nested = "object" if isinstance(value, Pairs) else "list"
        raise DataRefused(
            "formats.nested_value",
            file=source.name,
            place=place,
            key=shown(key),
            value=Sentence.of(f"formats.nested.{nested}"),
        )
    return kind


def kind_name(kind: str) -> Sentence:
    """Return a kind of value by its name in a sentence."""
    return Sentence.of(f"formats.kind.{kind}")
