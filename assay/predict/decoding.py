"""JSON values as dataclasses: each of the type that its annotation states, or refused by its place."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from assay.formats.checks import first_line, shown
from assay.predict.unfit import Unfit
from assay.wording import Sentence

T = TypeVar("T")
_MOST = 2**53  # of a whole number


def json_in(content: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    Unfit
        If it is none, or an object in it has a key twice.
    """
    try:
        return json.loads(content, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        if isinstance(error, Unfit):
            raise
        raise Unfit("predict.form.not_json", reason=first_line(error)) from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Unfit("predict.form.key_twice", key=shown(key))
    return value


def decoded(kind: type[T], value: Any) -> T:
    """Return a JSON value as a dataclass; keys with a default may be left out.

    Raises
    ------
    Unfit
        If a value in it has another type, a key is missing, or one is unknown.
    """
    made: T = _decoded(kind, value, "")
    return made


def _decoded(kind: Any, value: Any, at: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _instance(kind, value, at)
    if origin in (Union, UnionType):  # of something and None
        return None if value is None else _decoded(args[0], value, at)
    if origin is tuple and isinstance(value, list):
        kinds = args[:1] * len(value) if args[-1] is ... else args
        if len(kinds) == len(value):
            return tuple(_items(kinds, value, at))
    if origin is Mapping and isinstance(value, dict):
        keys = _items(args[:1] * len(value), list(value), at)
        inner = _items(args[1:] * len(value), list(value.values()), at)
        return dict(zip(keys, inner, strict=True))
    if not _fits(kind, value):
        where = at or Sentence.of("predict.form.it")
        raise Unfit("predict.form.value", at=where, value=shown(value))
    return float(value) if kind is float else value


def _fits(kind: Any, value: Any) -> bool:
    """Return whether a value is one of a plain type, or of those that a ``Literal`` lists."""
    if get_origin(kind) is Literal:
        return any(type(value) is type(arg) and value == arg for arg in get_args(kind))
    if kind is float:
        return type(value) in (int, float) and _is_finite(value)
    if kind is int:
        return type(value) is int and abs(value) < _MOST
    return type(value) is kind and (kind is not str or _is_text(value))


def _items(kinds: Sequence[Any], values: Sequence[Any], at: str) -> list[Any]:
    if set(kinds) == {str} and set(map(type, values)) == {str}:
        if not _is_text("".join(values)):
            raise Unfit("predict.form.no_characters", at=at)
        return list(values)
    pairs = zip(kinds, values, strict=True)
    return [_decoded(kind, value, f"{at}[{n}]") for n, (kind, value) in enumerate(pairs)]  # fmt: skip


def _instance(kind: Any, value: Any, at: str) -> Any:
    hints, required = _annotated(kind)
    if not isinstance(value, dict):
        raise Unfit(
            "predict.form.value",
            at=at or Sentence.of("predict.form.it"),
            value=shown(value),
        )
    missing = next((name for name in required if name not in value), None)
    unknown = next((name for name in value if name not in hints), None)
    if missing is not None or unknown is not None:
        key = "missing" if missing is not None else "unknown"
        name = missing if missing is not None else unknown
        raise Unfit(
            f"predict.form.key_{key}",
            at=at or Sentence.of("predict.form.it"),
            key=shown(name),
        )
    prefix = f"{at}." if at else ""
    return kind(
        **{
            name: _decoded(hints[name], inner, prefix + name)
            for name, inner in value.items()
        }
    )


@lru_cache
def _annotated(kind: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the types of a dataclass's fields, and those that have no default."""
    required = tuple(
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    )
    return get_type_hints(kind), required


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that no float holds
        return False


def _is_text(text: str) -> bool:
    """Return whether a text holds characters only: half a surrogate pair is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
