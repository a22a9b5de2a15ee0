"""Regular expressions of a suite, tried before the suite is held to a table: Great Expectations would wait for ever."""

from collections.abc import Iterator

import pandas as pd

from assay.data.suite import Expectation
from assay.errors import StudyError
from assay.formats.patterns import MAX_CPU_S, is_quick
from assay.study.sources import Suite


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


def _patterns(expectation: Expectation) -> Iterator[str]:
    several = expectation.kwargs.get("regex_list")
    given = [expectation.kwargs.get("regex")]
    given += several if isinstance(several, list) else []
    yield from (pattern for pattern in given if isinstance(pattern, str))
