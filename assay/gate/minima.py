"""Minima: how much data the gate needs to test at all (PROTOCOL section 1), and its result where there is less."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.data.permute import first_rows, has_one_label_each, n_shifts
from assay.data.samples import Samples
from assay.store.records import GateResult, unit_name
from assay.study.plans import LEAST_ROWS, Gating
from assay.wording import Sentence, Value

_MIN_CLASS, _MIN_UNITS, _MIN_UNITS_OF_CLASS = 10, 20, 10

Statistic = Literal["auc", "spearman"]


@dataclass(frozen=True)
class _Shortfall:
    """The ``have`` of something that takes ``need``; the rest names it in the sentence ``gate.shortfall.key``."""

    have: int
    need: int
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def sentence(self) -> Sentence:
        counts = {"have": self.have, "need": self.need}
        return Sentence.of(f"gate.shortfall.{self.key}", **counts, **self.values)


def untested(
    samples: Samples, outer: NDArray[np.int16], plan: Gating
) -> GateResult | None:
    """Return the gate's result where there is too little data to test; None where there is enough."""
    too_few = _shortfalls(samples, outer, plan)
    return _underpowered(samples, plan, too_few) if too_few else None


def _shortfalls(
    samples: Samples, outer: NDArray[np.int16], plan: Gating
) -> list[_Shortfall]:
    counted = [_Shortfall(samples.n_rows, LEAST_ROWS, "rows")]
    if samples.task != "regression":
        rarest = int(np.argmin(samples.counts()))
        name = {"name": samples.classes[rarest]}
        counted.append(
            _Shortfall(samples.counts()[rarest], _MIN_CLASS, "class_rows", name)
        )
        n_tests = sum(
            len(np.unique(samples.labels[outer == fold])) > 1
            for fold in range(int(outer.max()) + 1)
        )
        counted.append(_Shortfall(n_tests, 2, "test_sets"))
    if samples.units is not None:
        counted += _counted_units(samples, samples.units)
    if samples.times is not None:
        fewest = plan.gate.fewest_permutations(plan.alpha)
        shifts, alpha = int(n_shifts(samples.n_rows)), {"alpha": plan.alpha}
        counted.append(_Shortfall(shifts, fewest, "shifts", alpha))
    return [count for count in counted if count.have < count.need]


def _counted_units(samples: Samples, units: NDArray[np.int32]) -> list[_Shortfall]:
    unit: dict[str, Value] = {"unit": unit_name(samples.unit)}
    counted = [_Shortfall(samples.n_units, _MIN_UNITS, "units", unit)]
    if samples.task != "regression" and has_one_label_each(samples.labels, units):
        of_units = samples.labels[first_rows(units)]
        counts = np.bincount(of_units, minlength=len(samples.classes))
        rarest = int(np.argmin(counts))
        name = {"name": samples.classes[rarest]}
        counted.append(
            _Shortfall(
                int(counts[rarest]), _MIN_UNITS_OF_CLASS, "class_units", unit | name
            )
        )
    return counted


def _underpowered(
    samples: Samples, plan: Gating, shortfalls: list[_Shortfall]
) -> GateResult:
    """Name each shortfall, and count how many rows would suffice at the present shares."""
    needed = max(
        -(-samples.n_rows * shortfall.need // max(1, shortfall.have))
        for shortfall in shortfalls
    )
    return GateResult(
        passed=False,
        word="underpowered",
        statistic=statistic_of(samples),
        score=None,
        chance_level=chance_level(samples),
        p_value=None,
        alpha=plan.alpha,
        scores={},
        permutations=0,
        null_scores=(),
        detectable=None,
        needed_rows=needed,
        remark=Sentence.of(
            "gate.shortfall.list",
            shortfalls=tuple(shortfall.sentence() for shortfall in shortfalls),
        ),
    )


def statistic_of(samples: Samples) -> Statistic:
    """Return the name of the statistic that is compared with chance."""
    return "spearman" if samples.task == "regression" else "auc"


def chance_level(samples: Samples) -> float:
    """Return the statistic of a predictor that ignores the features."""
    return 0.0 if samples.task == "regression" else 0.5
