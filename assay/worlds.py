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
from numpy.typing import NDArray
from scipy.stats import norm

from assay.ingest import Table, snapshot
from assay.permute import relabelled
from assay.plans import Accept, Study, TunePlan
from assay.records import Cleaned, Sentinel, Snapshot, ValidationReport
from assay.samples import Samples, opened
from assay.seeds import generator_for, seed_for
from assay.store import Store
from assay.study import Source

Kind = Literal["null", "family", "signal", "comparison", "leak"]
Floats = NDArray[np.float64]

_LEAST_TUNING = {
    "trials": 1,
    "seeds": 1,
    "epochs": 4,
    "patience": 2,
    "net": {"depth": [1], "width": [16]},
    "boosting": {"max_rounds": 10},
}
# Small enough for hundreds of tables: 3 folds drawn 3 times, 2 trials, 10 vectors in the self-test.
_SMALL_COMPARISON = {
    "split": {"folds": 3, "repeats": 3, "inner_folds": 3},
    "audit": {"self_test": 10},
    "tune": {
        "trials": 2,
        "seeds": 2,
        "epochs": 24,
        "patience": 5,
        "net": {"depth": [1], "width": [32]},
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


# Parts of tables -------------------------------------------------------------------------------------


def _columns(values: Floats, prefix: str = "x") -> pd.DataFrame:
    return pd.DataFrame(
        values, columns=[f"{prefix}{i + 1}" for i in range(values.shape[1])]
    )


def _coins(n: int, n_yes: int, generator: np.random.Generator) -> NDArray[np.str_]:
    """Return n labels of which exactly n_yes are 'yes', in random order."""
    return np.where(generator.permutation(n) < n_yes, "yes", "no")


def _series(n: int, phi: float, generator: np.random.Generator) -> Floats:
    """Return a stationary autoregressive series of order 1 with unit variance."""
    series = np.empty(n)
    series[0] = generator.normal()
    shocks = generator.normal(0, np.sqrt(1 - phi**2), n)
    for i in range(1, n):
        series[i] = phi * series[i - 1] + shocks[i]
    return series


def _said(logit: Floats, generator: np.random.Generator) -> NDArray[np.str_]:
    return np.where(
        generator.random(len(logit)) < 1 / (1 + np.exp(-logit)), "yes", "no"
    )


# Null worlds -----------------------------------------------------------------------------------------


def _null(n: int, p: int, n_yes: int) -> Callable[[np.random.Generator], pd.DataFrame]:
    def draw(generator: np.random.Generator) -> pd.DataFrame:
        table = _columns(generator.normal(size=(n, p)))
        return table.assign(y=_coins(n, n_yes, generator))

    return draw


def _null_columns(generator: np.random.Generator) -> pd.DataFrame:
    """Numbers with holes and heavy tails, and categories of few and many levels."""
    n = 150
    table = _columns(generator.standard_t(2.5, size=(n, 4)))
    table = table.mask(generator.random(table.shape) < 0.1)
    return table.assign(
        few=generator.choice(["a", "b", "c"], n),
        many=generator.choice([f"level {i}" for i in range(12)], n),
        y=_coins(n, 60, generator),
    )


def _null_units(
    mixed: bool, *, sizes: bool = False
) -> Callable[[np.random.Generator], pd.DataFrame]:
    """Rows of a unit look alike; its label, or the rate of its labels, has nothing to do with that."""

    def draw(generator: np.random.Generator) -> pd.DataFrame:
        n_units = 40
        rows = generator.integers(1, 10, n_units) if sizes else np.full(n_units, 5)
        unit = np.repeat(np.arange(n_units), rows)
        fingerprint = generator.normal(size=(n_units, 6))[unit]
        table = _columns(fingerprint + generator.normal(0, 0.5, fingerprint.shape))
        if mixed:
            rate = generator.beta(0.6, 0.6, n_units)[unit]
            label = np.where(generator.random(len(unit)) < rate, "yes", "no")
        else:
            label = _coins(n_units, n_units // 2, generator)[unit]
        names = np.array([f"unit {i}" for i in range(n_units)])
        return table.assign(who=names[unit], y=label)

    return draw


def _null_time(generator: np.random.Generator) -> pd.DataFrame:
    n = 300
    table = _columns(np.column_stack([_series(n, 0.9, generator) for _ in range(4)]))
    label = np.where(_series(n, 0.9, generator) > 0, "yes", "no")
    return table.assign(day=np.arange(n), y=label)


def _null_copies(generator: np.random.Generator) -> pd.DataFrame:
    """A fifth of the rows are copies of others, label and all."""
    table = _null(120, 6, 60)(generator)
    copies = table.iloc[generator.choice(120, 30)]
    whole = pd.concat([table, copies], ignore_index=True)
    return whole.iloc[generator.permutation(len(whole))].reset_index(drop=True)


def _null_multiclass(generator: np.random.Generator) -> pd.DataFrame:
    n = 150
    label = np.array(["one", "two", "three"])[generator.permutation(n) % 3]
    return _columns(generator.normal(size=(n, 6))).assign(y=label)


def _null_regression(generator: np.random.Generator) -> pd.DataFrame:
    n = 120
    return _columns(generator.normal(size=(n, 6))).assign(y=generator.standard_t(3, n))


def _null_family(generator: np.random.Generator) -> pd.DataFrame:
    """Two related labels, neither of which has to do with the features."""
    n = 100
    hidden = generator.normal(size=n)
    first = hidden + generator.normal(size=n) > 0
    second = hidden + generator.normal(size=n) > 0
    table = _columns(generator.normal(size=(n, 6)))
    return table.assign(y=np.where(first, "yes", "no"), z=np.where(second, "yes", "no"))


# Signals ---------------------------------------------------------------------------------------------


def _shifted(area: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    """Two normal classes whose best score has this AUC: ``Phi(d / sqrt 2)``, d their distance."""

    def draw(generator: np.random.Generator) -> pd.DataFrame:
        n, p = 300, 5
        direction = generator.normal(size=p)
        direction /= np.linalg.norm(direction)
        label = _coins(n, n // 2, generator)
        distance = np.sqrt(2) * norm.ppf(area)
        shift = np.where(label == "yes", distance, 0.0)[:, None] * direction
        return _columns(generator.normal(size=(n, p)) + shift).assign(y=label)

    return draw


def _xor(generator: np.random.Generator) -> pd.DataFrame:
    """The label is the sign of a product: no line tells anything."""
    table = _columns(generator.normal(size=(300, 4)))
    product = np.sign(table["x1"].to_numpy() * table["x2"].to_numpy())
    return table.assign(y=_said(2.0 * product, generator))


def _linear(n: int) -> Callable[[np.random.Generator], pd.DataFrame]:
    def draw(generator: np.random.Generator) -> pd.DataFrame:
        x = generator.normal(size=(n, 6))
        weights = np.array([1.0, -0.8, 0.6, -0.4, 0.2, 0.0])
        return _columns(x).assign(y=_said(x @ weights, generator))

    return draw


def _linear_units(generator: np.random.Generator) -> pd.DataFrame:
    """Rows of a unit share a part of their features and of their label's odds."""
    n_units, size = 100, 5
    unit = np.repeat(np.arange(n_units), size)
    x = 0.7 * generator.normal(size=(n_units, 5))[unit]
    x = x + 0.7 * generator.normal(size=(len(unit), 5))
    own = generator.normal(0, 1.0, n_units)[unit]
    weights = np.array([1.0, -0.8, 0.6, -0.4, 0.0])
    names = np.array([f"unit {i}" for i in range(n_units)])
    return _columns(x).assign(who=names[unit], y=_said(x @ weights + own, generator))


def _linear_number(generator: np.random.Generator) -> pd.DataFrame:
    x = generator.normal(size=(500, 5))
    weights = np.array([1.0, -0.8, 0.6, -0.4, 0.0])
    return _columns(x).assign(y=x @ weights + generator.normal(0, 1.5, len(x)))


def _curved(generator: np.random.Generator) -> pd.DataFrame:
    """The label turns on the product of two slanted directions: hard for lines, and for trees."""
    n, p = 800, 6
    x = generator.normal(size=(n, p))
    first = np.array([1, 1, 1, 0, 0, 0]) / np.sqrt(3)
    second = np.array([0, 0, 0, 1, 1, 1]) / np.sqrt(3)
    return _columns(x).assign(y=_said(4.0 * (x @ first) * (x @ second), generator))


# Leaks -----------------------------------------------------------------------------------------------


def _clean_signal(n: int, generator: np.random.Generator) -> pd.DataFrame:
    x = generator.normal(size=(n, 6))
    return _columns(x).assign(y=_said(0.7 * x[:, 0] - 0.5 * x[:, 1], generator))


def _leak_column(generator: np.random.Generator) -> pd.DataFrame:
    """A column holds the target, but for one row in a hundred."""
    table = _clean_signal(300, generator)
    known = (table["y"] == "yes") ^ (generator.random(300) < 0.01)
    return table.assign(result_code=known + generator.normal(0, 0.1, 300))


def _leak_copies(generator: np.random.Generator) -> pd.DataFrame:
    table = _clean_signal(300, generator)
    whole = pd.concat([table, table.iloc[:15]], ignore_index=True)
    return whole.iloc[generator.permutation(len(whole))].reset_index(drop=True)


def _leak_near_copies(generator: np.random.Generator) -> pd.DataFrame:
    """One row in twenty is another one, measured again with a hundredth of noise."""
    table = _clean_signal(300, generator)
    again = table.iloc[:15].copy()
    numbers = again.columns.drop("y")
    again[numbers] += generator.normal(0, 0.01, (15, len(numbers)))
    whole = pd.concat([table, again], ignore_index=True)
    return whole.iloc[generator.permutation(len(whole))].reset_index(drop=True)


def _leak_sorted(generator: np.random.Generator) -> pd.DataFrame:
    table = _clean_signal(300, generator)
    return table.sort_values("y", kind="stable").reset_index(drop=True)


def _leak_time(generator: np.random.Generator) -> pd.DataFrame:
    """A series in order of time that the study does not declare."""
    return _null_time(generator).drop(columns="day")


def _leak_unit(generator: np.random.Generator) -> pd.DataFrame:
    """Several rows of each patient, who is named in a column and not declared; rows shuffled."""
    table = _null_units(mixed=False)(generator).rename(columns={"who": "patient"})
    return table.iloc[generator.permutation(len(table))].reset_index(drop=True)


def _leak_site(generator: np.random.Generator) -> pd.DataFrame:
    """Three hospitals differ in their devices and in how many are ill; within one nothing is told."""
    n = 300
    site = generator.integers(0, 3, n)
    device = generator.normal(size=(3, 5))[site]
    label = np.where(
        generator.random(n) < np.array([0.15, 0.5, 0.85])[site], "yes", "no"
    )
    table = _columns(1.5 * device + generator.normal(size=(n, 5)))
    return table.assign(hospital=np.array(["north", "south", "west"])[site], y=label)


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
            _null(150, 8, 75),
        ),
        World(
            "null-small", "null", "60 rows, 6 numbers, classes 1:1", _null(60, 6, 30)
        ),
        World(
            "null-wide",
            "null",
            "60 rows, 80 numbers, classes 1:1",
            _null(60, 80, 30),
        ),
        World(
            "null-1-to-20",
            "null",
            "420 rows, 5 numbers, classes 1:20",
            _null(420, 5, 20),
        ),
        World(
            "null-1-to-50",
            "null",
            "765 rows, 5 numbers, classes 1:50",
            _null(765, 5, 15),
        ),
        World(
            "null-columns",
            "null",
            "150 rows of numbers with holes and of categories",
            _null_columns,
        ),
        World(
            "null-multiclass",
            "null",
            "150 rows, 6 numbers, three classes",
            _null_multiclass,
            {"task": "multiclass"},
        ),
        World(
            "null-regression",
            "null",
            "120 rows, 6 numbers, a heavy-tailed number to predict",
            _null_regression,
            {"task": "regression", "at_least": 0.1},
        ),
        World(
            "null-units",
            "null",
            "40 units of 5 rows that look alike, one label each; unit declared",
            _null_units(mixed=False),
            _UNITS,
        ),
        World(
            "null-units-mixed",
            "null",
            "the same with labels mixed inside the units",
            _null_units(mixed=True),
            _UNITS,
        ),
        World(
            "null-units-unequal",
            "null",
            "units of 1 to 9 rows, labels mixed; unit declared",
            _null_units(mixed=True, sizes=True),
            _UNITS,
        ),
        World(
            "null-copies",
            "null",
            "a fifth of 150 rows are exact copies, kept together",
            _null_copies,
            _COPIES_KNOWN,
        ),
        World(
            "null-time",
            "null",
            "two unrelated autoregressive series, phi .9; order declared, folds forward",
            _null_time,
            {"order": "day"},
        ),
        World(
            "null-time-blocks",
            "null",
            "the same with folds that are blocks",
            _null_time,
            {"order": "day", "split": {"time": "blocks"}},
        ),
        World(
            "family",
            "family",
            "two related labels as plans A and B, neither to be told from the features",
            _null_family,
        ),
        *(
            World(
                f"signal-{round(100 * area)}",
                "signal",
                f"300 rows, 5 numbers; the best possible AUC is {area:.2f}",
                _shifted(area),
                repetitions=200,
            )
            for area in (0.55, 0.60, 0.65, 0.70)
        ),
        World(
            "signal-xor",
            "signal",
            "the label is the sign of a product, 1 in 8 wrong: no line tells anything",
            _xor,
            repetitions=200,
        ),
        World(
            "linear",
            "comparison",
            "500 rows, linear log-odds: a network has nothing to add",
            _linear(500),
            repetitions=100,
        ),
        World(
            "linear-units",
            "comparison",
            "100 units of 5 rows, linear log-odds, units differ; unit declared",
            _linear_units,
            _UNITS,
            repetitions=100,
        ),
        World(
            "linear-number",
            "comparison",
            "500 rows, a number with linear expectation",
            _linear_number,
            {"task": "regression", "at_least": 0.1},
            repetitions=100,
        ),
        World(
            "curved",
            "comparison",
            "800 rows, log-odds a product of two slanted directions: a network has much to add",
            _curved,
            repetitions=100,
        ),
        World(
            "leak-column",
            "leak",
            "a column holds the target but for 1 row in 100",
            _leak_column,
            repetitions=100,
            planted="single_column",
        ),
        World(
            "leak-copies",
            "leak",
            "15 of 315 rows are exact copies",
            _leak_copies,
            repetitions=100,
            planted="duplicates",
        ),
        World(
            "leak-near-copies",
            "leak",
            "15 of 315 rows are others measured again, noise .01",
            _leak_near_copies,
            repetitions=100,
            planted="duplicates",
        ),
        World(
            "leak-sorted",
            "leak",
            "the file is sorted by the target",
            _leak_sorted,
            repetitions=100,
            planted="row_order",
        ),
        World(
            "leak-time",
            "leak",
            "autoregressive series, order not declared",
            _leak_time,
            repetitions=100,
            planted="row_order",
        ),
        World(
            "leak-unit",
            "leak",
            "40 patients of 5 rows, not declared",
            _leak_unit,
            repetitions=100,
            planted="undeclared_unit",
        ),
        World(
            "leak-site",
            "leak",
            "three hospitals differ in devices and in rates; nothing is told within one",
            _leak_site,
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
