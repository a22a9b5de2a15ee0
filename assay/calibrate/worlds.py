"""Worlds: tables whose truth is known, to measure how often the pipeline's words are right.

In a null world nothing can be told from the features; in the others a signal, a leak, or an
advantage of networks is planted, of known strength. A world is drawn from a seed and a number, so
that every repetition is a table of its own and can be drawn again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from assay.calibrate import generators as simulate
from assay.data.ingest import Table, snapshot
from assay.data.permute import relabelled
from assay.data.samples import Samples, opened
from assay.store.records import Cleaned, Sentinel, Snapshot, ValidationReport
from assay.store.seeds import generator_for, seed_for
from assay.store.store import Store
from assay.study.plans import Accept, Study, TunePlan
from assay.study.sources import Source

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


@dataclass(frozen=True)
class World:
    """A table to be drawn, and what is true in it.

    Attributes
    ----------
    truth
        What is true, in one sentence.
    draw
        Takes a generator and returns the table; its target is ``y``, plan B's ``z``. None: the
        table is that of the study in ``declared``.
    plan
        What the study declares beyond the target.
    repetitions
        How often it is drawn unless one says otherwise.
    planted
        The sentinel that has something to find.
    """

    name: str
    kind: Kind
    truth: str
    draw: Callable[[np.random.Generator], pd.DataFrame] | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    repetitions: int = 500
    planted: Sentinel | None = None
    declared: Study | None = None

    def table(self, seed: int, number: int) -> pd.DataFrame:
        """Return the table of one repetition."""
        if self.draw is None:
            raise ValueError(f"the table of {self.name} is not drawn but read")
        return self.draw(generator_for(seed, "world", self.name, number))

    def study(self, seed: int) -> Study:
        """Return the study of one repetition; a world of two plans is a family of hypotheses."""
        if self.declared is not None:
            return self.declared.model_copy(update={"seed": seed})
        plan: dict[str, Any] = {
            "claim": self.truth,
            "source": f"world:{self.name}",
            "target": "y",
            "task": "binary",
            "suite": "none",
            "tune": _LEAST_TUNING,
        } | self.plan
        if self.kind == "comparison":
            plan |= _SMALL_COMPARISON
        plan = {"at_least": 0.5} | plan if "at_most" not in plan else plan
        plans = {"a": plan}
        if self.kind == "family":
            drop = [{"column": "z", "reason": "plan B's label"}]
            other = [{"column": "y", "reason": "plan A's label"}]
            plans = {
                "a": plan | {"clean": {"drop": drop}},
                "b": plan | {"target": "z", "clean": {"drop": other}},
            }
        return Study.model_validate(
            {
                "name": self.name,
                "position": "calibration",
                "company": "calibration",
                "rationale": self.truth,
                "question": self.truth,
                "seed": seed,
                "plan": plans,
            }
        )


# All of them -----------------------------------------------------------------------------------------

_UNITS = {"unit": "who"}
_COPIES_KNOWN = {
    "audit": {
        "accept": [{"sentinel": "duplicates", "reason": "planted, and kept together"}]
    }
}

WORLDS = {
    world.name: world
    for world in (
        World(
            "null-balanced",
            "null",
            "150 rows, 8 numbers, classes 1:1",
            simulate.null(150, 8, 75),
        ),
        World(
            "null-small",
            "null",
            "60 rows, 6 numbers, classes 1:1",
            simulate.null(60, 6, 30),
        ),
        World(
            "null-wide",
            "null",
            "60 rows, 80 numbers, classes 1:1",
            simulate.null(60, 80, 30),
        ),
        World(
            "null-1-to-20",
            "null",
            "420 rows, 5 numbers, classes 1:20",
            simulate.null(420, 5, 20),
        ),
        World(
            "null-1-to-50",
            "null",
            "765 rows, 5 numbers, classes 1:50",
            simulate.null(765, 5, 15),
        ),
        World(
            "null-columns",
            "null",
            "150 rows of numbers with holes and of categories",
            simulate.null_columns,
        ),
        World(
            "null-multiclass",
            "null",
            "150 rows, 6 numbers, three classes",
            simulate.null_multiclass,
            {"task": "multiclass"},
        ),
        World(
            "null-regression",
            "null",
            "120 rows, 6 numbers, a heavy-tailed number to predict",
            simulate.null_regression,
            {"task": "regression", "at_least": 0.1},
        ),
        World(
            "null-units",
            "null",
            "40 units of 5 rows that look alike, one label each; unit declared",
            simulate.null_units(mixed=False),
            _UNITS,
        ),
        World(
            "null-units-mixed",
            "null",
            "the same with labels mixed inside the units",
            simulate.null_units(mixed=True),
            _UNITS,
        ),
        World(
            "null-units-unequal",
            "null",
            "units of 1 to 9 rows, labels mixed; unit declared",
            simulate.null_units(mixed=True, sizes=True),
            _UNITS,
        ),
        World(
            "null-copies",
            "null",
            "a fifth of 150 rows are exact copies, kept together",
            simulate.null_copies,
            _COPIES_KNOWN,
        ),
        World(
            "null-time",
            "null",
            "two unrelated autoregressive series, phi .9; order declared, folds forward",
            simulate.null_time,
            {"order": "day"},
        ),
        World(
            "null-time-blocks",
            "null",
            "the same with folds that are blocks",
            simulate.null_time,
            {"order": "day", "split": {"time": "blocks"}},
        ),
        World(
            "family",
            "family",
            "two related labels as plans A and B, neither to be told from the features",
            simulate.null_family,
        ),
        *(
            World(
                f"signal-{round(100 * area)}",
                "signal",
                f"300 rows, 5 numbers; the best possible AUC is {area:.2f}",
                simulate.shifted(area),
                repetitions=200,
            )
            for area in (0.55, 0.60, 0.65, 0.70)
        ),
        World(
            "signal-xor",
            "signal",
            "the label is the sign of a product, 1 in 8 wrong: no line tells anything",
            simulate.xor,
            repetitions=200,
        ),
        World(
            "linear",
            "comparison",
            "500 rows, linear log-odds: a network has nothing to add",
            simulate.linear(500),
            repetitions=100,
        ),
        World(
            "linear-units",
            "comparison",
            "100 units of 5 rows, linear log-odds, units differ; unit declared",
            simulate.linear_units,
            _UNITS,
            repetitions=100,
        ),
        World(
            "linear-number",
            "comparison",
            "500 rows, a number with linear expectation",
            simulate.linear_number,
            {"task": "regression", "at_least": 0.1},
            repetitions=100,
        ),
        World(
            "curved",
            "comparison",
            "800 rows, log-odds a product of two slanted directions: a network has much to add",
            simulate.curved,
            repetitions=100,
        ),
        World(
            "leak-column",
            "leak",
            "a column holds the target but for 1 row in 100",
            simulate.leak_column,
            repetitions=100,
            planted="single_column",
        ),
        World(
            "leak-copies",
            "leak",
            "15 of 315 rows are exact copies",
            simulate.leak_copies,
            repetitions=100,
            planted="duplicates",
        ),
        World(
            "leak-near-copies",
            "leak",
            "15 of 315 rows are others measured again, noise .01",
            simulate.leak_near_copies,
            repetitions=100,
            planted="duplicates",
        ),
        World(
            "leak-sorted",
            "leak",
            "the file is sorted by the target",
            simulate.leak_sorted,
            repetitions=100,
            planted="row_order",
        ),
        World(
            "leak-time",
            "leak",
            "autoregressive series, order not declared",
            simulate.leak_time,
            repetitions=100,
            planted="row_order",
        ),
        World(
            "leak-unit",
            "leak",
            "40 patients of 5 rows, not declared",
            simulate.leak_unit,
            repetitions=100,
            planted="undeclared_unit",
        ),
        World(
            "leak-site",
            "leak",
            "three hospitals differ in devices and in rates; nothing is told within one",
            simulate.leak_site,
            repetitions=100,
            planted="confounder",
        ),
    )
}


# As the stages want them -----------------------------------------------------------------------------


def snapshot_of(
    store: Store, world: World, seed: int, number: int
) -> tuple[Snapshot, ValidationReport]:
    """Store the table of one repetition, with the report of a suite that asks nothing."""
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
    """Return the null world of a person's own table: its features and units, labels that mean nothing.

    Its alarms are answered beforehand, since they are about the table; tuning is as small as can
    be, since it only follows where the gate was wrong.
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
        truth=f"the table of {study.name}, its labels permuted as chance allows",
        declared=declared,
    )


def relabelled_samples(
    store: Store, cleaned: Cleaned, seed: int, number: int
) -> Samples:
    """Return samples whose labels were permuted by one of the relabellings chance allows."""
    samples = opened(store, cleaned)
    nowhere = np.zeros(samples.n_rows, dtype=np.int16)
    labels = relabelled(samples, nowhere, seed_for(seed, "own"), number)
    return replace(samples, labels=labels)
