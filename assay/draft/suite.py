"""An expectation suite drafted from a table: what is true of it, with a margin, all of it to be reviewed.

Its sentences are in English whatever the language, for they are part of the suite's digest.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from assay.draft.column import Role
from assay.store.canonical import digest_bytes
from assay.wording import Sentence, Value, render

_MOST_COLUMNS = (
    60  # with expectations of their own; of a wider table only the target has
)
_LONGEST_NAME = 60  # in an id
_MARGIN = 0.01  # of the rows
_MOST_LEVELS, _FEWEST_OF_A_LEVEL = 30, 5
_WIDENED = 1.5  # interquartile ranges beyond the quantiles .001 and .999
_DATE_TEXTS = 0.95  # of the cells have the format detected
_NOT_AMOUNTS = ("id", "entity", "constant")


def draft_suite(frame: pd.DataFrame, roles: tuple[Role, ...], name: str) -> str:
    """Return a suite, as JSON text, that the table meets.

    All but the target being there is of severity ``warning``: a person who knows the data makes
    ``critical`` what must never happen.
    """
    wide = len(roles) > _MOST_COLUMNS
    rules = [_rows(frame), _columns(frame)]
    for role in roles:
        if not wide or role.word == "target":
            rules += _of_column(frame[role.column], role)
    notes = _text(
        "notes_wide" if wide else "notes", n_rows=len(frame), n_columns=len(roles)
    )
    suite = {"name": name, "notes": notes, "expectations": rules}
    return json.dumps(suite, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _text(key: str, **values: Value) -> str:
    return render(Sentence.of(f"draft.suite.{key}", **values), "en")


def _rule(
    type_: str, id_: str, why: str, severity: str = "warning", **kwargs: Any
) -> dict[str, Any]:
    return {
        "type": type_,
        "kwargs": kwargs,
        "meta": {"id": id_, "why": why, "drafted": True},
        "severity": severity,
    }


def _rows(frame: pd.DataFrame) -> dict[str, Any]:
    n = len(frame)
    return _rule(
        "expect_table_row_count_to_be_between",
        "rows",
        _text("rows", n=n),
        min_value=n // 2,
        max_value=n + -(-n // 2),
    )


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return _rule(
        "expect_table_columns_to_match_set",
        "columns",
        _text("columns"),
        column_set=list(map(str, frame.columns)),
        exact_match=True,
    )


def _of_column(column: "pd.Series[Any]", role: Role) -> Iterator[dict[str, Any]]:
    """Yield what is expected of a column: presence, then levels, a range, or how dates are written."""
    presence = _presence(column, role)
    if presence is not None:
        yield presence
    values = column.dropna()
    if role.word == "date" or (role.word == "order" and role.how):
        yield _dates(values, role)
    elif pd.api.types.is_bool_dtype(values):
        yield _levels(values, [True, False])
    elif pd.api.types.is_numeric_dtype(values):
        if role.word not in _NOT_AMOUNTS and len(values):
            yield _range(values.astype("float64"), role.column)
    elif role.word in ("category", "yes_no", "target") and _is_full(values):
        yield _levels(values, sorted(map(str, values.unique())))


def _presence(column: "pd.Series[Any]", role: Role) -> dict[str, Any] | None:
    share = float(column.notna().mean())
    mostly = _less(share)
    if role.word == "target":
        mostly = 1.0 if share == 1 else mostly
        why = _text("target")
    elif share < 0.05:
        return None
    else:
        why = _text("presence", share=_share(share))
    return _rule(
        "expect_column_values_to_not_be_null",
        f"{_id_of(role.column)}-there",
        why,
        "critical" if role.word == "target" else "warning",
        column=role.column,
        mostly=mostly,
    )


def _is_full(values: "pd.Series[Any]") -> bool:
    """Return whether the levels seen are few and none of them is rare, so that others hardly exist."""
    counts = values.value_counts()
    texts = all(isinstance(value, str) for value in counts.index)
    return bool(
        texts and 0 < len(counts) <= _MOST_LEVELS and counts.min() >= _FEWEST_OF_A_LEVEL
    )


def _levels(values: "pd.Series[Any]", levels: list[Any]) -> dict[str, Any]:
    return _rule(
        "expect_column_values_to_be_in_set",
        f"{_id_of(str(values.name))}-known",
        _text("levels", n=len(levels)),
        column=str(values.name),
        value_set=levels,
        mostly=1 - _MARGIN,
    )


def _range(values: "pd.Series[float]", name: str) -> dict[str, Any]:
    """Return a range that nearly all values are in: few absurd ones neither stretch nor break it."""
    low, first, third, high = np.quantile(values, [0.001, 0.25, 0.75, 0.999])
    room = _WIDENED * (third - first) or 0.5 * (high - low) or abs(high) or 1.0
    bottom, top = low - room, high + room
    if values.min() >= 0:
        bottom = max(0.0, bottom)
    bottom, top = float(f"{bottom:.6g}"), float(f"{top:.6g}")
    share = float(values.between(bottom, top).mean())
    return _rule(
        "expect_column_values_to_be_between",
        f"{_id_of(name)}-range",
        _text("range", low=float(low), high=float(high), widened=_WIDENED),
        column=name,
        min_value=bottom,
        max_value=top,
        mostly=_less(share),
    )


def _dates(values: "pd.Series[Any]", role: Role) -> dict[str, Any]:
    id_, why = f"{_id_of(role.column)}-date", _text("date")
    if pd.api.types.is_datetime64_any_dtype(values):
        span = values.max() - values.min()
        return _rule(
            "expect_column_values_to_be_between",
            id_,
            _text("date_range"),
            column=role.column,
            min_value=(values.min() - span).isoformat(timespec="seconds"),
            max_value=(values.max() + span).isoformat(timespec="seconds"),
        )
    if "format" in role.how:
        return _rule(
            "expect_column_values_to_match_strftime_format",
            id_,
            why,
            column=role.column,
            strftime_format=role.how["format"],
            mostly=_DATE_TEXTS,
        )
    return _rule(
        "expect_column_values_to_match_regex",
        id_,
        why,
        column=role.column,
        regex=r"^\d{4}-\d{2}-\d{2}",
        mostly=_DATE_TEXTS,
    )


def _id_of(name: str) -> str:
    """Return a column's name as part of an id, one short line: a long name is cut and gets a digest.

    Examples
    --------
    >>> _id_of("age"), _id_of("How satisfied are you with " + "it all, all in all, " * 5)
    ('age', 'How satisfied are you with it all, all in all, it all, all i-2384afca')
    """
    if name.isprintable() and len(name) <= _LONGEST_NAME:
        return name
    shown = "".join(sign for sign in name if sign.isprintable())[:_LONGEST_NAME]
    return f"{shown}-{digest_bytes(name.encode())[:8]}"


def _less(share: float) -> float:
    """Return a share with a margin, rounded down to hundredths.

    Examples
    --------
    >>> _less(1.0), _less(0.9713), _less(0.004)
    (0.99, 0.96, 0.0)
    """
    return max(0.0, int((share - _MARGIN) * 100 + 1e-9) / 100)


def _share(share: float) -> str:
    return "all" if share == 1 else f"{min(share, 0.999):.1%}"
