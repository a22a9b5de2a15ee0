"""Worlds: simulated tables with a known truth, to measure the error rates of verdicts.

In a null world the features are independent of the label; in the others a signal, a leak or an
advantage of networks of known strength is planted. A world is drawn from a seed and a number, so that
every repetition is a table of its own and can be drawn again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from assay.calibrate import generators
from assay.data.ingest import Table, snapshot
from assay.data.permute import relabelled
from assay.data.samples import Samples, opened
from assay.store.records import Cleaned, Sentinel, Snapshot, ValidationReport
from assay.store.seeds import generator_for, seed_for
from assay.store.store import Store
from assay.study.plans import Accept, Study, TunePlan
from assay.study.sources import Source
from assay.wording import Sentence

Kind = Literal["null", "family", "signal", "comparison", "leak"]

_LEAST_TUNING = {
    "trials": 1,
    "seeds": 1,
    "epochs": 4,
    "patience": 2,
    "net": {"depth": [1], "width": [16], "pieces": [0]},
    "boosting": {"max_rounds": 10},
}
# Small enough for hundreds of tables: 3 folds drawn 3 times, 3 trials, 10 vectors in the self-test.
_SMALL_COMPARISON = {
    "split": {"folds": 3, "repeats": 3, "inner_folds": 3},
    "audit": {"self_test": 10},
    "tune": {
        "trials": 3,
        "seeds": 4,
        "epochs": 24,
        "patience": 5,
        "net": {"depth": [1], "width": [32], "learning_rate": [5e-3, 1e-2]},
        "boosting": {"max_rounds": 40},
    },
}

_AREAS = {"signal-55": 0.55, "signal-60": 0.60, "signal-65": 0.65, "signal-70": 0.70}


@dataclass(frozen=True)
class World:
    """A table to be drawn, and what is true in it.

    Attributes
    ----------
    draw
        Takes a generator and returns the table; its target is ``y``, plan B's ``z``. None: the
        table is that of the study in ``declared``.
    plan
        What the study declares beyond the target.
    repetitions
        Number of tables by default.
    planted
        The sentinel whose leak is planted.
    """

    name: str
    kind: Kind
    draw: Callable[[np.random.Generator], pd.DataFrame] | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    repetitions: int = 500
    planted: Sentinel | None = None
    declared: Study | None = None

    @property
    def truth(self) -> Sentence:
        """What is true in it."""
        if self.declared is not None:
            return Sentence.of("calibrate.own_world", study=self.declared.name)
        return Sentence.of(f"calibrate.world.{self.name.replace('-', '_')}")

    def table(self, seed: int, number: int) -> pd.DataFrame:
        """Return the table of one repetition."""
        if self.draw is None:
            raise ValueError(f"the table of {self.name} is not drawn but read")
        return self.draw(generator_for(seed, "world", self.name, number))

    def study(self, seed: int) -> Study:
        """Return the study of one repetition; a world of two plans is a family of hypotheses."""
        if self.declared is not None:
            return self.declared.model_copy(update={"seed": seed})
        text = f"calibration on the world {self.name}"
        plan: dict[str, Any] = {
            "claim": text,
            "source": f"world:{self.name}",
            "target": "y",
            "task": "binary",
            "suite": "none",
            "tune": _LEAST_TUNING,
        } | self.plan
        if self.kind == "comparison":
            plan |= _SMALL_COMPARISON
        plan = {"at_least": 0.5} | plan if "at_most" not in plan else plan
        return Study.model_validate(
            {
                "name": self.name,
                "position": "calibration",
                "company": "calibration",
                "rationale": text,
                "question": text,
                "seed": seed,
                "plan": _both(plan) if self.kind == "family" else {"a": plan},
            }
        )


def _both(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan for the target ``y`` and one for ``z``, each without the other's."""
    without_z = [{"column": "z", "reason": "plan B's label"}]
    without_y = [{"column": "y", "reason": "plan A's label"}]
    return {
        "a": plan | {"clean": {"drop": without_z}},
        "b": plan | {"target": "z", "clean": {"drop": without_y}},
    }


# All of them -----------------------------------------------------------------------------------------

_UNITS = {"unit": "who"}
_COPIES_ACCEPTED = {
    "audit": {
        "accept": [{"sentinel": "duplicates", "reason": "planted, and kept together"}]
    }
}

WORLDS = {
    world.name: world
    for world in (
        World("null-balanced", "null", generators.null(150, 8, 75)),
        World("null-small", "null", generators.null(60, 6, 30)),
        World("null-wide", "null", generators.null(60, 80, 30)),
        World("null-1-to-20", "null", generators.null(420, 5, 20)),
        World("null-1-to-50", "null", generators.null(765, 5, 15)),
        World("null-columns", "null", generators.null_columns),
        World(
            "null-multiclass",
            "null",
            generators.null_multiclass,
            {"task": "multiclass"},
        ),
        World(
            "null-regression",
            "null",
            generators.null_regression,
            {"task": "regression", "at_least": 0.1},
        ),
        World("null-units", "null", generators.null_units(mixed=False), _UNITS),
        World("null-units-mixed", "null", generators.null_units(mixed=True), _UNITS),
        World(
            "null-units-unequal",
            "null",
            generators.null_units(mixed=True, sizes=True),
            _UNITS,
        ),
        World("null-copies", "null", generators.null_copies, _COPIES_ACCEPTED),
        World("null-time", "null", generators.null_time, {"order": "day"}),
        World(
            "null-time-blocks",
            "null",
            generators.null_time,
            {"order": "day", "split": {"time": "blocks"}},
        ),
        World("family", "family", generators.null_family),
        *(
            World(name, "signal", generators.shifted(area), repetitions=200)
            for name, area in _AREAS.items()
        ),
        World("signal-xor", "signal", generators.xor, repetitions=200),
        World("linear", "comparison", generators.linear(500), repetitions=100),
        World(
            "linear-units",
            "comparison",
            generators.linear_units,
            _UNITS,
            repetitions=100,
        ),
        World(
            "linear-number",
            "comparison",
            generators.linear_number,
            {"task": "regression", "at_least": 0.1},
            repetitions=100,
        ),
        World("curved", "comparison", generators.curved, repetitions=100),
        World(
            "leak-column",
            "leak",
            generators.leak_column,
            repetitions=100,
            planted="single_column",
        ),
        World(
            "leak-copies",
            "leak",
            generators.leak_copies,
            repetitions=100,
            planted="duplicates",
        ),
        World(
            "leak-near-copies",
            "leak",
            generators.leak_near_copies,
            repetitions=100,
            planted="duplicates",
        ),
        World(
            "leak-sorted",
            "leak",
            generators.leak_sorted,
            repetitions=100,
            planted="row_order",
        ),
        World(
            "leak-time",
            "leak",
            generators.leak_time,
            repetitions=100,
            planted="row_order",
        ),
        World(
            "leak-unit",
            "leak",
            generators.leak_unit,
            repetitions=100,
            planted="undeclared_unit",
        ),
        World(
            "leak-site",
            "leak",
            generators.leak_site,
            repetitions=100,
            planted="confounder",
        ),
    )
}


# As the stages want them -----------------------------------------------------------------------------


def snapshot_of(
    store: Store, world: World, seed: int, number: int
) -> tuple[Snapshot, ValidationReport]:
    """Store the table of one repetition, with the report of a suite without expectations."""
    table = Table(world.table(seed, number), ())
    source = Source(name=f"world:{world.name}", path="", digest="0" * 64)
    taken = snapshot(source, table, store.put_table(table.frame))
    report = ValidationReport(
        suite="none",
        suite_digest="0" * 64,
        snapshot_digest=taken.table.digest,
        outcomes=(),
    )
    return taken, report


def own_world(study: Study, columns: tuple[str, ...]) -> World:
    """Return the null world of a user's own table: its features and units, with permuted labels.

    Its alarms are accepted in advance, since they concern the table; tuning is minimal, since it only
    follows where the gate was wrong.
    """
    plan = study.plan.a
    answered = tuple(
        Accept(sentinel=name, columns=columns, reason="calibration of the gate")
        for name in get_args(Sentinel)
    )
    least = plan.model_copy(
        update={
            "audit": plan.audit.model_copy(update={"accept": answered}),
            "tune": TunePlan.model_validate(_LEAST_TUNING),
        }
    )
    declared = study.model_copy(
        update={"plan": study.plan.model_copy(update={"a": least, "b": None})}
    )
    return World(
        name=f"own-{study.name}",
        kind="null",
        declared=declared,
    )


def relabelled_samples(
    store: Store, cleaned: Cleaned, seed: int, number: int
) -> Samples:
    """Return samples whose labels are permuted by one of the relabellings that the gate draws from."""
    samples = opened(store, cleaned)
    nowhere = np.zeros(samples.n_rows, dtype=np.int16)
    labels = relabelled(samples, nowhere, seed_for(seed, "own"), number)
    return replace(samples, labels=labels)
