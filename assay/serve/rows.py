"""The rows of a request: JSON in which every cell is what the bundle's columns say, or sentences that repeat nothing."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from math import inf
from typing import Any

from assay.formats.checks import CONTROL, MAX_NUMBER, cut
from assay.predict.schema import Column, Form
from assay.serve.refusal import Refused
from assay.wording import Sentence

MOST_ROWS = 10_000  # of a request
_MOST_PROBABILITIES = 1_000_000  # of an answer
_MOST_NESTED = 10 * MOST_ROWS  # lists and objects, each of which takes 64 bytes or more
_MOST_CHARACTERS = 2**20  # of a cell
_MOST_PROBLEMS = 10
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_KINDS = {"boolean": (bool,), "number": (int, float), "whole": (int, float)}
_TEXT = (str,)

Columns = dict[str, list[Any]]


def most_rows(form: Form) -> int:
    """Return how many rows a request may have: fewer where there are hundreds of classes."""
    return max(1, min(MOST_ROWS, _MOST_PROBABILITIES // form.n_outputs))


def columns_in(body: bytes | bytearray, form: Form) -> Columns:
    """Return the cells of a request by column.

    Raises
    ------
    Refused
        If it is not JSON, has another form, or a cell is not what its column holds.
    """
    rows = _rows_in(_parsed(body), most_rows(form))
    problems = list(islice(_problems(rows, form), _MOST_PROBLEMS + 1))
    if problems:
        raise _refused(problems)
    names = [column.name for column in form.columns]
    return {name: [row[name] for row in rows] for name in names}


# From bytes to rows --------------------------------------------------------------------------------


def _parsed(body: bytes | bytearray) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(400, Sentence("serve.not_utf8")) from None
    _check_nesting(text)
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = Sentence.of("serve.not_json", line=error.lineno, column=error.colno)
        raise Refused(400, where) from None
    except RecursionError:
        raise _too_nested() from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise Refused(422, Sentence("serve.too_many_digits")) from None


def _check_nesting(text: str) -> None:
    """Refuse lists and objects by the hundred thousand before they are made; in texts they do not count."""
    if text.count("[") + text.count("{") > _MOST_NESTED:
        bare = _STRING.sub("", text)
        if bare.count("[") + bare.count("{") > _MOST_NESTED:
            raise _too_nested()


def _too_nested() -> Refused:
    return Refused(422, Sentence("serve.too_nested"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Refused(422, Sentence("serve.doubled_key"))
    return made


def _rows_in(value: Any, most: int) -> list[dict[str, Any]]:
    rows = value.get("rows") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(rows, list) or not rows:
        raise Refused(422, Sentence("serve.shape"))
    if len(rows) > most:
        values = {"n": len(rows), "most": most}
        raise Refused(422, Sentence.of("serve.too_many_rows", **values))
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise Refused(422, Sentence.of("serve.row_shape", row=number))
    return rows


# Cells ---------------------------------------------------------------------------------------------


def _problems(rows: list[dict[str, Any]], form: Form) -> Iterator[Sentence]:
    for number, row in enumerate(rows, start=1):
        for column in form.columns:
            wrong = (
                _wrong(column, row[column.name]) if column.name in row else "missing"
            )
            if wrong:
                yield Sentence.of(
                    f"serve.cell.{wrong}", row=number, column=repr(cut(column.name))
                )


def _wrong(column: Column, cell: Any) -> str:
    """Return what is wrong with a cell, as its sentence's key ends; empty if nothing is."""
    if cell is None:
        return ""
    kinds = _KINDS.get(column.kind, _TEXT)
    if type(cell) not in kinds:
        return column.kind
    if kinds is _TEXT:
        if len(cell) > _MOST_CHARACTERS:
            return "too_long"
        return "control" if CONTROL.search(cell) else ""
    if cell in (inf, -inf) or cell != cell:
        return column.kind
    return "" if -MAX_NUMBER <= cell <= MAX_NUMBER else "too_large"


def _refused(problems: list[Sentence]) -> Refused:
    """Return the refusal of cells; of more than are told only that there are more."""
    told, more = problems[:_MOST_PROBLEMS], len(problems) > _MOST_PROBLEMS
    if len(told) == 1:
        return Refused(422, told[0])
    key = "serve.problems_at_least" if more else "serve.problems"
    return Refused(422, Sentence(key, {"first": told[0], "n": len(told)}), told)
