"""The role of each column: what it is, how it is read, and whether models are shown it."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from assay.draft import cells
from assay.draft.column import (
    Role,
    is_shown,
    listed,
    number,
    order_of,
    role_of,
    seen,
)
from assay.draft.leaks import LEAK_AUC, LEAK_CORRELATION, score_alone
from assay.draft.target import Aim
from assay.errors import DataRefused
from assay.wording import Sentence

_MOST_ROWS = 20_000  # in which leaks are looked for
_PIXELS = {  # whether there are other columns of numbers, and whether pixels are left out
    (False, False): "draft.remark.pixels",
    (True, False): "draft.remark.pixels_others",
    (False, True): "draft.remark.pixels_dropped",
    (True, True): "draft.remark.pixels_others_dropped",
}
_PIXEL = re.compile(r"(?:pixel|px)[_ -]?\d+(?:[_ -]\d+)*", re.IGNORECASE)


def roles_of(
    frame: pd.DataFrame, aim: Aim, unit: str | None, order: str | None
) -> tuple[Role, ...]:
    """Return the role of every column, in the table's order.

    Raises
    ------
    StudyError
        If ``order`` holds neither numbers nor dates.
    DataRefused
        If a row has no value of ``order``, or no column is left to predict from.
    """
    roles = []
    first_of: dict[bytes, str] = {}
    for name in map(str, frame.columns):
        column = frame[name]
        if name == aim.column:
            role = Role(name, "target", _seen_target(aim))
        elif name == unit:
            role = Role(name, "unit", seen("units", n=int(column.nunique())))
        elif name == order:
            role = order_of(column)
        else:
            role = _unless_leak(role_of(column), column, aim)
            role = _unless_copy(role, column, first_of)
            if unit or order:
                role = replace(role, asks=None)
        roles.append(role)
    if not any(map(is_shown, roles)):
        raise _no_feature(aim, roles)
    return tuple(roles)


def _no_feature(aim: Aim, roles: list[Role]) -> DataRefused:
    reasons = tuple(
        Sentence.of("draft.column_note", column=role.column, note=role.left_out)
        for role in roles
        if role.left_out is not None
    )
    if not reasons:
        return DataRefused("draft.no_column", target=aim.column)
    return DataRefused("draft.no_feature", target=aim.column, reasons=reasons)


def question_of(role: Role, answer: str) -> Sentence | None:
    """Return what a person should decide about a column.

    ``answer`` is what they write to say yes, such as ``--unit customer`` or ``unit = "customer"``.
    """
    if role.asks is None:
        return None
    return Sentence.of(f"draft.question.{role.asks}", answer=answer)


def picture_in(roles: tuple[Role, ...]) -> Sentence | None:
    """Return how to read columns as the pixels of one image, where their names suggest it."""
    pixels = [role for role in roles if _PIXEL.fullmatch(role.column)]
    for channels in (1, 3):
        side = math.isqrt(len(pixels) // channels)
        if 8 <= side <= 64 and side * side * channels == len(pixels):
            others = any(role.word == "number" for role in roles if role not in pixels)
            dropped = any(role.left_out is not None for role in pixels)
            size = f"{{ height = {side}, width = {side}, channels = {channels} }}"
            return Sentence.of(_PIXELS[others, dropped], n=len(pixels), size=size)
    return None


# Columns beside others ---------------------------------------------------------------------------


def _unless_leak(role: Role, column: "pd.Series[Any]", aim: Aim) -> Role:
    """Leave a column out that leaks the target."""
    if role.left_out is not None or role.word == "text":
        return role
    values = _readable(role, column)[aim.labelled].reset_index(drop=True)
    step = -(-len(values) // _MOST_ROWS)
    classes = aim.task != "regression"
    score = score_alone(
        values[::step].reset_index(drop=True), aim.values[::step], classes=classes
    )
    if score <= (LEAK_AUC if classes else LEAK_CORRELATION):
        return role
    return replace(
        role,
        word="leak",
        left_out=Sentence.of(
            f"draft.left_out.leak_{'auc' if classes else 'correlation'}",
            score=f"{score:.4f}".rstrip("0").rstrip("."),
        ),
        reading=None,
        remark=Sentence.of("draft.remark.leak", column=role.column),
    )


def _readable(role: Role, column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as the study will read it, as far as that decides what it predicts."""
    if role.word == "number_in_text":
        amounts = cells.amounts(column.map(str, na_action="ignore"))
        assert amounts is not None
        return pd.Series(amounts.values)
    if role.word == "date":
        times = cells.moments(column)
        return times.astype("int64").where(times.notna()).astype("float64")
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    return column.map(str, na_action="ignore")


def _unless_copy(
    role: Role, column: "pd.Series[Any]", first_of: dict[bytes, str]
) -> Role:
    """Leave a column out that equals an earlier one in every row."""
    if not is_shown(role):
        return role
    first = first_of.setdefault(_fingerprint(column), role.column)
    if first == role.column:
        return role
    reason = Sentence.of("draft.left_out.copy", column=first)
    return replace(role, word="copy", left_out=reason, reading=None, remark=None)


def _fingerprint(column: "pd.Series[Any]") -> bytes:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan).tobytes()
    values = column.astype("str")
    return np.asarray(pd.util.hash_pandas_object(values, index=False)).tobytes()


def _seen_target(aim: Aim) -> Sentence:
    if aim.task == "regression":
        low, high = number(aim.values.min()), number(aim.values.max())
        return seen("range", low=low, high=high)
    pairs = [f"{name} {n:,}" for name, n in zip(aim.classes, aim.counts, strict=True)]
    return seen("classes", classes=listed(pairs))
