"""The role of a column by itself: what its values are, and whether they can teach anything."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from assay.draft import cells
from assay.errors import DataRefused, StudyError

RoleWord = Literal[
    "target", "unit", "order", "number", "number in text", "category", "yes/no",
    "several values", "date", "text", "id", "names things", "constant",
    "mostly missing", "image file", "tells the target", "copy",
]  # fmt: skip
Asked = Literal["unit", "order"]
Reading = Literal["numbers", "dates", "lists", "text"]


_MOSTLY = 0.95  # missing: what is left teaches little
_IN_ORDER = 0.99  # rank correlation with the row number
_MANY_TEXTS = 30  # different texts of words that are still levels
_NEARLY_UNIQUE = 0.9
_MOST_ROWS_OF_A_THING = 20
_YES_NO = {"yes", "no", "true", "false", "y", "n", "t", "f", "예", "아니오", "0", "1"}
_ID = re.compile(
    r"(?:^|[_\s.\-])(?:id|ids|idx|uuid|guid|key|index|rownames?|#)$|(?<=[a-z])(?:Id|ID)$|^unnamed|번호$",
    re.IGNORECASE,
)
_THING = re.compile(
    r"(?:^|[_\s.\-])(?:subject|participant|patient|person|user|customer|client|speaker|player|firm|company|store|"
    r"household|family|school|lesion|video|track|artist|author|channel|device|session|individual|respondent)"
    r"(?:$|[_\s.\-]?(?:id|name|no|number|code)$)",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:^|[_\s.\-])(?:year|yr|month|week|date|day|time|timestamp|quarter)s?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Role:
    """What a column is.

    Attributes
    ----------
    seen
        What was seen of its values, in words.
    left_out
        Why models are not shown it; empty where they are.
    reading, how
        The key of ``clean`` that reads it, and what stands beside its name there.
    remark
        What a person should know of how it is read.
    asks
        What a person might declare it as.
    """

    column: str
    word: RoleWord
    seen: str
    left_out: str = ""
    reading: Reading | None = None
    how: dict[str, Any] = field(default_factory=dict)
    remark: str = ""
    asks: Asked | None = None


def is_shown(role: Role) -> bool:
    """Return whether models are shown the column."""
    return not role.left_out and role.word not in ("target", "unit", "order")


def role_of(column: "pd.Series[Any]") -> Role:
    """Return the role of a feature, whatever other columns say."""
    name, n_values = str(column.name), column.nunique()
    missing = float(column.isna().mean())
    if n_values == 0 or (n_values == 1 and not missing):
        said = "no value" if n_values == 0 else f"always {_short(column.iloc[0])}"
        return Role(name, "constant", said, "one value only")
    if missing > _MOSTLY:
        said = f"{missing:.0%} missing"
        return Role(
            name, "mostly missing", said, f"missing in {missing:.0%} of the rows"
        )
    if pd.api.types.is_bool_dtype(column):
        return Role(name, "yes/no", _levels(column))
    if pd.api.types.is_numeric_dtype(column):
        return _numeric(column)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _date(column, cells.Dates(None))
    return _texts(column.map(str, na_action="ignore"))


def _numeric(column: "pd.Series[Any]") -> Role:
    name = str(column.name)
    whole = bool((column.dropna() % 1 == 0).all())
    unique = column.is_unique and not column.isna().any()
    seen = f"{number(column.min())} to {number(column.max())}{_gaps(column)}"
    if unique and whole and len(column) >= 3:
        along = float(spearmanr(column, np.arange(len(column))).statistic)
        in_order = abs(along) > _IN_ORDER
        if in_order and _WHEN.search(name):
            why = "says when, once for each row"
            return Role(name, "id", seen, why, asks="order")
        if in_order or _ID.search(name):
            why = "an id: no two rows share a value" + in_order * (
                ", and its order is the rows'"
            )
            return Role(name, "id", seen, why)
    if whole and (_ID.search(name) or _THING.search(name)) and _repeats(column):
        return _names_things(column, kept=False)
    return Role(name, "number", seen)


def _texts(texts: "pd.Series[Any]") -> Role:
    """Return the role of a column of texts; the more particular readings are tried first."""
    name, n_values, n = str(texts.name), texts.nunique(), int(texts.notna().sum())
    if cells.are_images(texts):
        remark = "it names image files: a study reads images with [plan.a.images], see the documentation"
        return Role(
            name, "image file", _example(texts), "names of image files", remark=remark
        )
    if n_values == 2 and {value.casefold() for value in texts.dropna()} <= _YES_NO:
        return Role(name, "yes/no", _levels(texts))
    for reader in (_as_date, _as_amounts, _as_list):
        found = reader(texts)
        if found is not None:
            return found
    if cells.are_words(texts) and n_values > max(_MANY_TEXTS, 0.1 * n):
        return Role(name, "text", _example(texts), reading="text")
    if n_values > _NEARLY_UNIQUE * n:
        return Role(name, "id", _example(texts), "an id: hardly two rows share a value")
    if (_ID.search(name) or _THING.search(name)) and _repeats(texts):
        return _names_things(texts, kept=not _ID.search(name))
    role = Role(name, "category", _levels(texts))
    if (
        n_values >= _MANY_TEXTS
        and _repeats(texts)
        and n < _MOST_ROWS_OF_A_THING * n_values
    ):
        return replace(role, asks="unit")
    return role


def _as_date(texts: "pd.Series[Any]") -> Role | None:
    found = cells.dates(texts)
    return None if found is None else _date(texts, found)


def _date(column: "pd.Series[Any]", found: cells.Dates) -> Role:
    name = str(column.name)
    remark = ""
    if found.also is not None:
        remark = f"read as {found.format}, but {found.also} would fit too: correct it if need be"
    how = {"format": found.format} if found.format else {}
    seen = f"as {found.format or 'ISO 8601'}: {_example(column)}"
    return Role(
        name,
        "date",
        seen,
        reading="dates",
        how=how,
        remark=remark,
        asks="order",
    )


def _as_amounts(texts: "pd.Series[Any]") -> Role | None:
    found = cells.amounts(texts)
    if found is None:
        return None
    lost = int(texts.notna().sum() - (~np.isnan(found.values)).sum())
    others = ", ".join(map(repr, [*found.others, *found.not_numbers][:3]))
    remark = f"{lost:,} cells are read as missing ({others})" if lost else ""
    how = {"unit": found.unit} if found.unit is not None else {}
    seen = f"such as {_example(texts)}{_gaps(texts)}"
    return Role(
        str(texts.name),
        "number in text",
        seen,
        reading="numbers",
        how=how,
        remark=remark,
    )


def _as_list(texts: "pd.Series[Any]") -> Role | None:
    found = cells.separator(texts)
    if found is None:
        return None
    how = {"separator": found} if found != "," else {}
    return Role(
        str(texts.name), "several values", _example(texts), reading="lists", how=how
    )


def _names_things(column: "pd.Series[Any]", *, kept: bool) -> Role:
    """Return the role of a column whose values name things that come again."""
    name, n = str(column.name), column.nunique()
    left_out = "" if kept else "it names things, and new rows will bring new ones"
    return Role(
        name,
        "names things",
        f"{n:,} values that come again",
        left_out,
        asks="unit",
    )


def _repeats(column: "pd.Series[Any]") -> bool:
    """Return whether values come again, and none is in more rows than a fold holds."""
    counts = column.value_counts()
    return bool(
        len(counts) >= 5 and counts.iloc[0] > 1 and counts.iloc[0] <= len(column) / 5
    )


def order_of(column: "pd.Series[Any]") -> Role:
    """Return the role of the column that puts rows in order.

    Raises
    ------
    StudyError
        If it holds neither numbers nor dates.
    DataRefused
        If a row has no value.
    """
    name = str(column.name)
    if column.isna().any():
        n = int(column.isna().sum())
        raise DataRefused(
            f"--order {name}: {n:,} {'row has' if n == 1 else 'rows have'} no value, so when that was is not known. "
            f"Leave such rows out of the file, or name another column."
        )
    if pd.api.types.is_numeric_dtype(column):
        return Role(name, "order", "numbers")
    if pd.api.types.is_datetime64_any_dtype(column):
        return Role(name, "order", "dates")
    found = cells.dates(column.map(str))
    if found is None:
        raise StudyError(
            f"--order {name}: {column.iloc[0]!r} is neither a number nor a date as far as can be seen. Write dates "
            f"as 2026-11-23 or 2026-11-23T08:30, or name another column."
        )
    role = _date(column, found)
    reading: Reading | None = "dates" if found.format else None
    return replace(role, word="order", reading=reading, asks=None)


# In words ----------------------------------------------------------------------------------------


def number(value: Any) -> str:
    """Return a number as people write it; years and the like without a comma."""
    x = float(value)
    if x.is_integer() and 1e4 <= abs(x) < 1e15:
        return f"{x:,.0f}"
    return f"{x:.6g}" if abs(x) < 1e6 else f"{x:.4g}"


def _gaps(column: "pd.Series[Any]") -> str:
    share = float(column.isna().mean())
    return f", {max(share, 0.01):.0%} missing" if share else ""


def _levels(column: "pd.Series[Any]") -> str:
    counts = column.value_counts()
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    first = [_short(name) for name, _ in ordered[:3]]
    more = ", ..." if len(ordered) > 3 else ""
    return f"{len(ordered):,} values: {', '.join(first)}{more}{_gaps(column)}"


def _example(column: "pd.Series[Any]") -> str:
    return _short(column.dropna().iloc[0])


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 32 else text[:29] + "..."


def listed(items: list[str]) -> str:
    more = f", and {len(items) - 4} more" if len(items) > 4 else ""
    return ", ".join(items[:4]) + more
