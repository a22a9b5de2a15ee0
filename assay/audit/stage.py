"""Audit: look for leaks before a score is shown.

The sentinels of PROTOCOL section 5 that need no model of the study's own, and one for columns that
say where a row came from, each at its own level. An alarm withholds the verdict until the study
answers it. The fifth of the protocol, tuning on permuted labels, is the self-test of ``tune``.
"""

from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from assay.audit import confounder, row_order, single_column, undeclared_unit
from assay.audit import duplicates as copies
from assay.audit.kernel_ridge import Learner
from assay.data.samples import Samples
from assay.store.records import AuditReport, Flag
from assay.study.plans import Accept, AuditPlan


def audit_samples(samples: Samples, plan: AuditPlan, seed: int) -> AuditReport:
    """Run the sentinels and hold their alarms against what the study accepts.

    Raises
    ------
    StudyError
        If ``plan.sources`` names a column that is not there.
    """
    with threadpool_limits(1):
        learner = Learner(samples, seed)
        alone = single_column.look(samples, plan, seed)
        named = frozenset(name for flag in alone.flags for name in flag.columns)
        looks = (
            alone,
            copies.look(samples, plan, seed),
            row_order.look(samples, plan, seed, learner),
            undeclared_unit.look(samples, plan, seed, learner),
            confounder.look(samples, plan, seed, learner, named),
        )
    return AuditReport(
        flags=tuple(
            _answered(flag, plan.accept) for look in looks for flag in look.flags
        ),
        looked_for=tuple(word for look in looks for word in look.looked_for),
        not_looked_for={
            word: why for look in looks for word, why in look.not_looked_for.items()
        },
    )


def _answered(flag: Flag, accepts: Sequence[Accept]) -> Flag:
    for accept in accepts:
        if accept.sentinel == flag.sentinel and set(flag.columns) <= set(
            accept.columns
        ):
            return flag.model_copy(update={"accepted": accept.reason})
    return flag
