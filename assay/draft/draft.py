"""Drafting: from a table and the name of its target to a study and an expectation suite."""

from dataclasses import dataclass

import pandas as pd

from assay.data.ingest import read_source
from assay.draft.cells import moments
from assay.draft.folds import folds_in_time
from assay.draft.roles import roles_of
from assay.draft.study import Facts, draft_study
from assay.draft.suite import draft_suite
from assay.draft.target import aim_at
from assay.errors import DataRefused, StudyError
from assay.study.plans import SplitPlan
from assay.study.sources import Source
from assay.wording import Sentence


@dataclass(frozen=True)
class Draft:
    """The facts about a table from which study and suite are written."""

    facts: Facts
    frame: pd.DataFrame

    def study(self, name: str, suite: str, command: str, schema: str = "") -> str:
        """Return the study as TOML text; see :func:`assay.draft.study.draft_study`."""
        return draft_study(self.facts, name, suite, command, schema)

    def suite(self, name: str) -> str:
        """Return the expectation suite as JSON text."""
        return draft_suite(self.frame, self.facts.roles, name)


def draft_source(
    source: Source, target: str, unit: str | None = None, order: str | None = None
) -> Draft:
    """Read a source and draft a study of it.

    Raises
    ------
    StudyError
        If a column that is named is not there, is named twice, or cannot be what it is named for.
    DataRefused
        If the table cannot be read, or nothing can be predicted in it.
    """
    return draft_table(read_source(source).frame, source, target, unit, order)


def draft_table(
    frame: pd.DataFrame,
    source: Source,
    target: str,
    unit: str | None = None,
    order: str | None = None,
) -> Draft:
    """Draft a study of a table that has been read; raises as :func:`draft_source` does."""
    if unit == "row":
        unit = None
    _check_named(frame, {"target": target, "unit": unit, "order": order})
    aim = aim_at(frame, target, frame[unit] if unit is not None else None)
    facts = Facts(
        source=source.name,
        n_rows=len(frame),
        seed=int(source.digest[:8], 16),
        aim=aim,
        roles=roles_of(frame, aim, unit, order),
        unit=unit,
        order=order,
        read=source.read,
        folds=_folds(frame[aim.labelled], order) if order is not None else None,
    )
    return Draft(facts, frame)


def _folds(frame: pd.DataFrame, order: str) -> tuple[int, int] | None:
    """Return outer and inner folds of rows in time; None for the usual ones.

    Raises
    ------
    DataRefused
        If there are too few times for any.
    """
    folds = folds_in_time(moments(frame[order]))
    if folds is None:
        raise DataRefused(
            "draft.few_times",
            column=order,
            n_rows=len(frame),
            n_times=int(frame[order].nunique()),
        )
    usual = SplitPlan().folds, SplitPlan().inner_folds
    return None if folds == usual else folds


def _check_named(frame: pd.DataFrame, named: dict[str, str | None]) -> None:
    option_of: dict[str, str] = {}
    for option, column in named.items():
        if column is None:
            continue
        if column not in frame.columns:
            columns = tuple(map(str, frame.columns[:12]))
            more = len(frame.columns) - 12
            raise StudyError(
                "draft.no_such_column",
                option=option,
                column=column,
                columns=(*columns, Sentence.of("draft.and_more", n=more))
                if more > 0
                else columns,
            )
        if column in option_of:
            raise StudyError(
                "draft.named_twice",
                option=option,
                column=column,
                other=option_of[column],
            )
        option_of[column] = option
    if named["unit"] is not None and named["order"] is not None:
        raise StudyError("draft.unit_and_order")
