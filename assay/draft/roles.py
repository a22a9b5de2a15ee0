"""The role of each column: what it is, how it is read, and whether models are shown it."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from assay.draft import cells
from assay.draft.column import Role, is_shown, listed, number, order_of, role_of
from assay.draft.leaks import COPYING, TELLING, told_by
from assay.draft.target import Aim
from assay.errors import DataRefused

_MOST_ROWS = 20_000  # in which leaks are looked for
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
    found = []
    kept: dict[bytes, str] = {}
    for name in map(str, frame.columns):
        column = frame[name]
        if name == aim.column:
            role = Role(name, "target", _seen_target(aim))
        elif name == unit:
            role = Role(name, "unit", f"{column.nunique():,} of them")
        elif name == order:
            role = order_of(column)
        else:
            role = _unless_leak(role_of(column), column, aim)
            role = _unless_copy(role, column, kept)
            if unit or order:
                role = replace(role, asks=None)
        found.append(role)
    if not any(is_shown(role) for role in found):
        reasons = "; ".join(
            f"{one.column}: {one.left_out}" for one in found if one.left_out
        )
        raise DataRefused(
            f"No column is left to predict '{aim.column}' from "
            f"({reasons or 'there is no other, and a unit or an order is shown to no model'})."
        )
    return tuple(found)


def question_of(role: Role, answer: str) -> str:
    """Return what a person should decide of a column, ``answer`` being how they would say yes."""
    if role.asks is None:
        return ""
    said = {
        "unit": "rows share its values: if rows of one value belong together",
        "order": "it says when: if new rows will be later ones",
    }[role.asks]
    return f"{said}, {answer}"


def picture_in(roles: tuple[Role, ...]) -> str:
    """Return how to read columns as the pixels of one image, where their names say so; else nothing."""
    pixels = [role for role in roles if _PIXEL.fullmatch(role.column)]
    for channels in (1, 3):
        side = math.isqrt(len(pixels) // channels)
        if 8 <= side <= 64 and side * side * channels == len(pixels):
            others = sum(role.word == "number" for role in roles if role not in pixels)
            more = ", with the other columns of numbers in clean.drop" if others else ""
            if any(role.left_out for role in pixels):
                more += ", and all of them out of it"
            return (
                f"{len(pixels):,} columns are named as pixels: to read them as an image{more}, write image = "
                f"{{ height = {side}, width = {side}, channels = {channels} }} in [plan.a.clean]"
            )
    return ""


# Columns beside others ---------------------------------------------------------------------------


def _unless_leak(role: Role, column: "pd.Series[Any]", aim: Aim) -> Role:
    """Leave a column out that gives the target away."""
    if role.left_out or role.word == "text":
        return role
    values = _readable(role, column)[aim.known].reset_index(drop=True)
    step = -(-len(values) // _MOST_ROWS)
    classes = aim.task != "regression"
    told = told_by(
        values[::step].reset_index(drop=True), aim.values[::step], classes=classes
    )
    if told <= (TELLING if classes else COPYING):
        return role
    said = f"{'AUC' if classes else 'rank correlation'} {told:.4f}".rstrip("0").rstrip(
        "."
    )
    reason = f"it tells the target almost alone ({said}): a copy of it, or known only after it"
    remark = f"if '{role.column}' is an honest measurement, take it out of clean.drop"
    return replace(
        role, word="tells the target", left_out=reason, reading=None, remark=remark
    )


def _readable(role: Role, column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as the study will read it, as far as that decides what it tells."""
    if role.word == "number in text":
        found = cells.amounts(column.map(str, na_action="ignore"))
        assert found is not None
        return pd.Series(found.values)
    if role.word == "date":
        known = cells.moments(column)
        return known.astype("int64").where(known.notna()).astype("float64")
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    return column.map(str, na_action="ignore")


def _unless_copy(role: Role, column: "pd.Series[Any]", kept: dict[bytes, str]) -> Role:
    """Leave a column out that equals an earlier one in every row."""
    if not is_shown(role):
        return role
    first = kept.setdefault(_fingerprint(column), role.column)
    if first == role.column:
        return role
    reason = f"equals '{first}' in every row"
    return replace(role, word="copy", left_out=reason, reading=None, remark="")


def _fingerprint(column: "pd.Series[Any]") -> bytes:
    is_number = pd.api.types.is_numeric_dtype(column)
    values = column.astype("float64" if is_number else "str")
    return np.asarray(pd.util.hash_pandas_object(values, index=False)).tobytes()


def _seen_target(aim: Aim) -> str:
    if aim.task == "regression":
        return f"{number(aim.values.min())} to {number(aim.values.max())}"
    pairs = [f"{name} {n:,}" for name, n in zip(aim.classes, aim.counts, strict=True)]
    return listed(pairs)
