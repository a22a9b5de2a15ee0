"""Audit: look for leaks before a score is shown.

The sentinels of PROTOCOL section 5 that need no model of the study's own, and one for columns that
say where a row came from, each at its own level. An alarm withholds the verdict until the study
answers it. The fifth of the protocol, tuning on permuted labels, is the self-test of ``tune``.
"""

from collections.abc import Sequence
from dataclasses import replace

from threadpoolctl import threadpool_limits

from assay.audit import (
    confounder,
    duplicates,
    row_order,
    single_column,
    undeclared_unit,
)
from assay.audit.sentinel import Case
from assay.data.samples import Samples
from assay.store.records import AuditReport, Flag
from assay.study.plans import Accept, AuditPlan
from assay.wording import Sentence


def audit_samples(samples: Samples, plan: AuditPlan, seed: int) -> AuditReport:
    """Run the sentinels and hold their alarms against what the study accepts.

    Raises
    ------
    StudyError
        If ``plan.sources`` names a column that is not there.
    """
    with threadpool_limits(1):
        case = Case.of(samples, plan, seed)
        alone = single_column.detect(case)
        flagged = frozenset(name for flag in alone.flags for name in flag.columns)
        findings = (
            alone,
            duplicates.detect(case),
            row_order.detect(case),
            undeclared_unit.detect(case),
            confounder.detect(replace(case, flagged=flagged)),
        )
    flags = (flag for finding in findings for flag in finding.flags)
    not_looked_for: dict[str, Sentence] = {}
    for finding in findings:
        not_looked_for |= finding.not_looked_for
    return AuditReport(
        flags=tuple(_answered(flag, plan.accept) for flag in flags),
        looked_for=tuple(word for finding in findings for word in finding.looked_for),
        not_looked_for=not_looked_for,
    )


def _answered(flag: Flag, accepts: Sequence[Accept]) -> Flag:
    for accept in accepts:
        if accept.sentinel == flag.sentinel and set(flag.columns) <= set(
            accept.columns
        ):
            return flag.model_copy(update={"accepted": accept.reason})
    return flag
