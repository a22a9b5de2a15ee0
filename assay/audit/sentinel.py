"""What every sentinel is handed, and what it brings back."""

from dataclasses import dataclass, field
from typing import Self

from assay.audit.kernel_ridge import Learner
from assay.data.samples import Samples
from assay.store.records import Flag
from assay.study.plans import AuditPlan
from assay.wording import Sentence


@dataclass(frozen=True)
class Case:
    """A table to search for leaks.

    Attributes
    ----------
    learner
        A quick model of the samples, shared by the sentinels.
    flagged
        Columns that another sentinel alarms on already.
    """

    samples: Samples
    plan: AuditPlan
    seed: int
    learner: Learner
    flagged: frozenset[str] = frozenset()

    @classmethod
    def of(cls, samples: Samples, plan: AuditPlan, seed: int) -> Self:
        return cls(samples, plan, seed, Learner(samples, seed))

    @property
    def metric(self) -> Sentence:
        """How strength of a prediction is measured, for evidence."""
        number = self.samples.task == "regression"
        return Sentence.of("audit.correlation") if number else Sentence.plain("AUC")


@dataclass(frozen=True)
class Finding:
    """What one sentinel found.

    Attributes
    ----------
    looked_for
        What it did look for, in one word each.
    not_looked_for
        What it could not look for, wholly or in part, and why.
    """

    flags: tuple[Flag, ...] = ()
    looked_for: tuple[str, ...] = ()
    not_looked_for: dict[str, Sentence] = field(default_factory=dict)

    @classmethod
    def skipped(cls, why: Sentence, *words: str) -> Self:
        """Return the finding of a sentinel that could not look for anything."""
        return cls(not_looked_for=dict.fromkeys(words, why))
