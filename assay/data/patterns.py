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


def need_quick_patterns(
    frame: pd.DataFrame, suite: Suite, expectations: tuple[Expectation, ...]
) -> None:
    """Refuse a regular expression that takes longer on a column of the table than any sensible one.

    Raises
    ------
    StudyError
        If there is one; the message names its expectation.
    """
    for expectation in expectations:
        name = expectation.column
        if not isinstance(name, str) or name not in frame.columns:
            continue
        for pattern in _patterns(expectation):
            texts = set(frame[name].dropna().astype(str))
            if not is_quick(pattern, texts):
                raise StudyError(
                    "data.suite.slow_pattern",
                    suite=suite.name,
                    expectation=expectation.meta.id,
                    column=name,
                    seconds=MAX_CPU_S,
                )


def need_bounded_work(
    frame: pd.DataFrame, suite: Suite, expectations: tuple[Expectation, ...]
) -> None:
    """Refuse arguments whose cost grows with their square, or with the square of a cell.

    Raises
    ------
    StudyError
        If there are some; the message names the expectation.
    """
    for expectation in expectations:
        if _is_unbounded(frame, expectation):
            raise StudyError(
                "data.suite.too_much_work",
                suite=suite.name,
                expectation=expectation.meta.id,
                quantiles=_MOST_QUANTILES,
                pairs=_MOST_PAIRS,
                characters=_LONGEST_DATE,
            )


def _is_unbounded(frame: pd.DataFrame, expectation: Expectation) -> bool:
    kwargs, name = expectation.kwargs, expectation.column
    ranges, pairs = kwargs.get("quantile_ranges"), kwargs.get("value_pairs_set")
    quantiles = ranges.get("quantiles") if isinstance(ranges, dict) else None
    if isinstance(quantiles, list) and len(quantiles) > _MOST_QUANTILES:
        return True
    if isinstance(pairs, list) and len(pairs) * len(frame) > _MOST_PAIRS:
        return True
    parsed = expectation.type == "expect_column_values_to_be_dateutil_parseable"
    if not parsed or not isinstance(name, str) or name not in frame.columns:
        return False
    texts = frame[name].dropna().astype(str)
    return bool((texts.str.len() > _LONGEST_DATE).any())


def _patterns(expectation: Expectation) -> Iterator[str]:
    several = expectation.kwargs.get("regex_list")
    given = [expectation.kwargs.get("regex")]
    given += several if isinstance(several, list) else []
    yield from (pattern for pattern in given if isinstance(pattern, str))
