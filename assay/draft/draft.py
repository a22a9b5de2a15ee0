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


@dataclass(frozen=True)
class Draft:
    """What was found of a table, from which study and suite are written."""

    facts: Facts
    frame: pd.DataFrame

    def study(self, name: str, suite: str, command: str) -> str:
        """Return the study as TOML text; see :func:`assay.draft.study.draft_study`."""
        return draft_study(self.facts, name, suite, command)

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
        folds=_folds(frame[aim.known], order) if order is not None else None,
    )
    return Draft(facts, frame)


def _folds(frame: pd.DataFrame, order: str) -> tuple[int, int] | None:
    """Return outer and inner folds of rows in time; None where the usual ones do.

    Raises
    ------
    DataRefused
        If there are too few times for any.
    """
    found = folds_in_time(moments(frame[order]))
    if found is None:
        raise DataRefused(
            f"--order {order}: {len(frame)} rows with {frame[order].nunique()} different times are too few to learn "
            f"from earlier ones and be scored on later ones. Bring more rows, or leave --order out."
        )
    usual = SplitPlan().folds, SplitPlan().inner_folds
    return None if found == usual else found


def _check_named(frame: pd.DataFrame, named: dict[str, str | None]) -> None:
    seen: dict[str, str] = {}
    for option, column in named.items():
        if column is None:
            continue
        if column not in frame.columns:
            names = ", ".join(map(str, frame.columns[:12]))
            more = f" and {len(frame.columns) - 12} more" * (len(frame.columns) > 12)
            raise StudyError(
                f"--{option} {column}: the table has no such column, but {names}{more}."
            )
        if column in seen:
            raise StudyError(
                f"--{option} {column}: --{seen[column]} names it already. Name another column."
            )
        seen[column] = option
    if named["unit"] is not None and named["order"] is not None:
        raise StudyError(
            "--unit and --order cannot both be given: no exact permutation is known to us for units that run through "
            "time. Give the one that new rows will differ in."
        )
