"""The role of a column by itself: what its values are, and whether a model can learn from them."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from assay.draft import cells
from assay.errors import DataRefused, StudyError
from assay.wording import Item, Sentence, Value

RoleWord = Literal[
    "target", "unit", "order", "number", "number_in_text", "category", "yes_no", "list", "date", "text",
    "id", "entity", "constant", "mostly_missing", "image_file", "leak", "copy",
]  # fmt: skip
Asked = Literal["unit", "order"]
Reading = Literal["numbers", "dates", "lists", "text"]

_MOSTLY = 0.95  # missing: too little is left to learn from
_IN_ORDER = 0.99  # rank correlation with the row number
_MANY_TEXTS = 30  # different texts of words that are still levels
_NEARLY_UNIQUE = 0.9
_MOST_ROWS_OF_AN_ENTITY = 20
_YES_NO = {"yes", "no", "true", "false", "y", "n", "t", "f", "예", "아니오", "0", "1"}
_ID = re.compile(
    r"(?:^|[_\s.\-])(?:id|ids|idx|uuid|guid|key|index|rownames?|#)$|(?<=[a-z])(?:Id|ID)$|^unnamed|번호$",
    re.IGNORECASE,
)
_ENTITY = re.compile(
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
        What its values look like.
    left_out
        Why models are not shown it; None where they are.
    reading, how
        The key of ``clean`` that reads it, and what stands beside its name there.
    remark
        What a person should know about how it is read.
    asks
        What a person might declare it as.
    """

    column: str
    word: RoleWord
    seen: Sentence
    left_out: Sentence | None = None
    reading: Reading | None = None
    how: dict[str, Any] = field(default_factory=dict)
    remark: Sentence | None = None
    asks: Asked | None = None

    @property
    def title(self) -> Sentence:
        """The role in a word or two, for people."""
        return Sentence.of(f"draft.role.{self.word}")


def is_shown(role: Role) -> bool:
    """Return whether models are shown the column."""
    return role.left_out is None and role.word not in ("target", "unit", "order")


def seen(key: str, **values: Value) -> Sentence:
    """Return what the values of a column look like."""
    return Sentence.of(f"draft.seen.{key}", **values)


def _out(key: str, **values: Value) -> Sentence:
    return Sentence.of(f"draft.left_out.{key}", **values)


def role_of(column: "pd.Series[Any]") -> Role:
    """Return the role of a feature, whatever other columns hold."""
    name, n_values = str(column.name), column.nunique()
    missing = float(column.isna().mean())
    if n_values == 0:
        return Role(name, "constant", seen("empty"), _out("constant"))
    if n_values == 1 and not missing:
        always = seen("constant", value=_short(column.iloc[0]))
        return Role(name, "constant", always, _out("constant"))
    if missing > _MOSTLY:
        share = {"share": missing}
        return Role(
            name, "mostly_missing", seen("missing", **share), _out("missing", **share)
        )
    if pd.api.types.is_bool_dtype(column):
        return Role(name, "yes_no", _levels(column))
    if pd.api.types.is_numeric_dtype(column):
        return _numeric(column)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _date(column, cells.Dates(None))
    return _texts(column.map(str, na_action="ignore"))


def _numeric(column: "pd.Series[Any]") -> Role:
    name, values = str(column.name), column.to_numpy(np.float64, na_value=np.nan)
    there = values[~np.isnan(values)]
    whole = bool((there % 1 == 0).all())
    span = _with_gaps(
        seen("range", low=number(there.min()), high=number(there.max())), column
    )
    no_gaps = len(there) == len(column)
    if whole and no_gaps and len(column) >= 3 and column.is_unique:
        from scipy.stats import spearmanr  # half of what drafting loads

        along = float(spearmanr(column, np.arange(len(column))).statistic)
        in_order = abs(along) > _IN_ORDER
        if in_order and _WHEN.search(name):
            return Role(name, "id", span, _out("time_of_row"), asks="order")
        if in_order or _ID.search(name):
            why = _out("id_in_order" if in_order else "id")
            return Role(name, "id", span, why)
    if whole and (_ID.search(name) or _ENTITY.search(name)) and _repeats(column):
        return _entity(column, kept=False)
    return Role(name, "number", span)


def _texts(texts: "pd.Series[Any]") -> Role:
    """Return the role of a column of texts; the more particular readings are tried first."""
    name, n_values, n = str(texts.name), texts.nunique(), int(texts.notna().sum())
    if cells.are_images(texts):
        return Role(
            name,
            "image_file",
            _example(texts),
            _out("image_file"),
            remark=Sentence.of("draft.remark.image_file"),
        )
    if n_values == 2 and {value.casefold() for value in texts.dropna()} <= _YES_NO:
        return Role(name, "yes_no", _levels(texts))
    for reader in (_as_date, _as_amounts, _as_list):
        role = reader(texts)
        if role is not None:
            return role
    if cells.are_words(texts) and n_values > max(_MANY_TEXTS, 0.1 * n):
        return Role(name, "text", _example(texts), reading="text")
    if n_values > _NEARLY_UNIQUE * n:
        return Role(name, "id", _example(texts), _out("text_id"))
    if (_ID.search(name) or _ENTITY.search(name)) and _repeats(texts):
        return _entity(texts, kept=not _ID.search(name))
    role = Role(name, "category", _levels(texts))
    if (
        n_values >= _MANY_TEXTS
        and _repeats(texts)
        and n < _MOST_ROWS_OF_AN_ENTITY * n_values
    ):
        return replace(role, asks="unit")
    return role


def _as_date(texts: "pd.Series[Any]") -> Role | None:
    written = cells.dates(texts)
    return None if written is None else _date(texts, written)


def _date(column: "pd.Series[Any]", written: cells.Dates) -> Role:
    remark = None
    if written.also is not None:
        remark = Sentence.of(
            "draft.remark.two_formats", format=str(written.format), also=written.also
        )
    example = _example(column)
    return Role(
        str(column.name),
        "date",
        seen("date", format=written.format or "ISO 8601", example=example),
        reading="dates",
        how={"format": written.format} if written.format else {},
        remark=remark,
        asks="order",
    )


def _as_amounts(texts: "pd.Series[Any]") -> Role | None:
    amounts = cells.amounts(texts)
    if amounts is None:
        return None
    n_lost = int(texts.notna().sum() - (~np.isnan(amounts.values)).sum())
    remark = None
    if n_lost:
        remark = Sentence.of(
            "draft.remark.lost_cells", n=n_lost, examples=others_of(amounts)
        )
    return Role(
        str(texts.name),
        "number_in_text",
        _with_gaps(seen("example", example=_example(texts)), texts),
        reading="numbers",
        how={"unit": amounts.unit} if amounts.unit is not None else {},
        remark=remark,
    )


def others_of(amounts: cells.Amounts) -> tuple[Item, ...]:
    """Return up to three units and texts that do not count among amounts, as they are quoted."""
    return tuple(map(repr, [*amounts.others, *amounts.not_numbers][:3]))


def _as_list(texts: "pd.Series[Any]") -> Role | None:
    separator = cells.separator(texts)
    if separator is None:
        return None
    how = {"separator": separator} if separator != "," else {}
    return Role(str(texts.name), "list", _example(texts), reading="lists", how=how)


def _entity(column: "pd.Series[Any]", *, kept: bool) -> Role:
    """Return the role of a column whose values name things that come again."""
    return Role(
        str(column.name),
        "entity",
        seen("entity", n=int(column.nunique())),
        None if kept else _out("entity"),
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
    name, n_missing = str(column.name), int(column.isna().sum())
    if n_missing:
        raise DataRefused("draft.order_missing", column=name, n=n_missing)
    if pd.api.types.is_numeric_dtype(column):
        return Role(name, "order", seen("numbers"))
    if pd.api.types.is_datetime64_any_dtype(column):
        return Role(name, "order", seen("dates"))
    written = cells.dates(column.map(str))
    if written is None:
        raise StudyError(
            "draft.order_kind", column=name, value=repr(str(column.iloc[0]))
        )
    role = _date(column, written)
    reading: Reading | None = "dates" if written.format else None
    return replace(role, word="order", reading=reading, asks=None)


# Values for sentences ----------------------------------------------------------------------------


def number(value: Any) -> str:
    """Return a number as people write it; years and the like without a comma."""
    x = float(value)
    if x.is_integer() and 1e4 <= abs(x) < 1e15:
        return f"{x:,.0f}"
    return f"{x:.6g}" if abs(x) < 1e6 else f"{x:.4g}"


def _with_gaps(sentence: Sentence, column: "pd.Series[Any]") -> Sentence:
    share = float(column.isna().mean())
    return (
        seen("with_gaps", values=sentence, share=max(share, 0.01))
        if share
        else sentence
    )


def _levels(column: "pd.Series[Any]") -> Sentence:
    counts = column.value_counts()
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    names = tuple(_short(name) for name, _ in ordered[:3])
    key = "many_levels" if len(ordered) > 3 else "levels"
    return _with_gaps(seen(key, n=len(ordered), names=names), column)


def _example(column: "pd.Series[Any]") -> Sentence:
    return Sentence.plain(_short(column.dropna().iloc[0]))


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 32 else text[:29] + "..."


def listed(items: list[str]) -> tuple[Item, ...]:
    """Return the first four items, and how many more there are."""
    more = (Sentence.of("draft.and_more", n=len(items) - 4),) if len(items) > 4 else ()
    return (*items[:4], *more)
