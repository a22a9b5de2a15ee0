"""What a suite asks of a table, bounded before it is held to it: Great Expectations would wait for ever."""

from collections.abc import Iterator

import pandas as pd

from assay.data.suite import Expectation
from assay.errors import StudyError
from assay.formats.patterns import MAX_CPU_S, is_quick
from assay.study.sources import Suite

_MOST_QUANTILES = 100
_MOST_PAIRS = 1_000_000  # rows times pairs that are looked for
_LONGEST_DATE = 100  # characters


def need_bounded_work(
    frame: pd.DataFrame, suite: Suite, expectations: tuple[Expectation, ...]
) -> None:
    """Refuse what takes longer on a table than any sensible rule: a regular expression, or a cost that grows with a square.

    Raises
    ------
    StudyError
        If there is such a rule; the message names it.
    """
    for expectation in expectations:
        place = {"suite": suite.name, "expectation": expectation.meta.id}
        if _is_unbounded(frame, expectation):
            raise StudyError(
                "data.suite.too_much_work",
                **place,
                quantiles=_MOST_QUANTILES,
                pairs=_MOST_PAIRS,
                characters=_LONGEST_DATE,
            )
        patterns = [*_patterns(expectation)]
        texts = _texts(frame, expectation) if patterns else set()
        if not all(is_quick(pattern, texts) for pattern in patterns):
            column, seconds = str(expectation.column), MAX_CPU_S
            raise StudyError(
                "data.suite.slow_pattern", **place, column=column, seconds=seconds
            )


def _texts(frame: pd.DataFrame, expectation: Expectation) -> set[str]:
    """Return the different texts of the column that a rule is about, if it is about one."""
    name = expectation.column
    if not isinstance(name, str) or name not in frame.columns:
        return set()
    return set(frame[name].dropna().astype(str))


def _is_unbounded(frame: pd.DataFrame, expectation: Expectation) -> bool:
    kwargs = expectation.kwargs
    ranges, pairs = kwargs.get("quantile_ranges"), kwargs.get("value_pairs_set")
    quantiles = ranges.get("quantiles") if isinstance(ranges, dict) else None
    if isinstance(quantiles, list) and len(quantiles) > _MOST_QUANTILES:
        return True
    if isinstance(pairs, list) and len(pairs) * len(frame) > _MOST_PAIRS:
        return True
    if expectation.type != "expect_column_values_to_be_dateutil_parseable":
        return False
    return any(len(text) > _LONGEST_DATE for text in _texts(frame, expectation))


def _patterns(expectation: Expectation) -> Iterator[str]:
    several = expectation.kwargs.get("regex_list")
    given = [expectation.kwargs.get("regex")]
    given += several if isinstance(several, list) else []
    yield from (pattern for pattern in given if isinstance(pattern, str))
