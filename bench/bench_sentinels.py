"""How often each leak sentinel alarms, on tables without a leak and on tables with one.

    python -m bench.bench_sentinels [--quick] [--json]

Every line is a world: a way to make tables, and how many of the tables drawn from it alarmed. The
95 % interval is Wilson's. About ten minutes of one core; ``--quick`` draws a tenth of the tables.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, norm
from threadpoolctl import threadpool_limits

from assay.audit import (
    confounder,
    duplicates,
    row_order,
    single_column,
    undeclared_unit,
)
from assay.audit.sentinel import Case, Finding
from assay.audit.single_column import honest_correlation
from assay.data.samples import Samples
from assay.store.records import Task
from assay.study.plans import AuditPlan

Random = np.random.Generator
Table = NDArray[np.float64]
PLAN = AuditPlan()


@dataclass(frozen=True)
class World:
    """A way to make tables, and whether a sentinel should alarm on them."""

    sentinel: str
    leak: bool
    name: str
    n_tables: int
    make: Callable[[Random], Samples]


SENTINELS: dict[str, Callable[[Case], Finding]] = {
    "single_column": single_column.detect,
    "duplicates": duplicates.detect,
    "row_order": row_order.detect,
    "undeclared_unit": undeclared_unit.detect,
    "confounder": confounder.detect,
}


def samples_of(
    table: Table | pd.DataFrame,
    labels: NDArray[Any],
    *,
    units: NDArray[Any] | None = None,
    **aside: Any,
) -> Samples:
    """Return samples of these features; columns set aside are text."""
    features = pd.DataFrame(table)
    features.columns = [str(name) for name in features.columns]
    number = np.issubdtype(labels.dtype, np.floating)
    classes = () if number else tuple(f"class {k}" for k in np.unique(labels))
    of_classes: Task = "binary" if len(classes) == 2 else "multiclass"
    return Samples(
        features=features,
        labels=labels if number else labels.astype(np.int32),
        task="regression" if number else of_classes,
        classes=classes,
        units=None if units is None else units.astype(np.int32),
        aside=pd.DataFrame({name: text(codes) for name, codes in aside.items()}),
    )


def text(codes: NDArray[Any]) -> "pd.Series[Any]":
    return pd.Series([f"value {code}" for code in codes]).astype("str")


def coin(random: Random, n: int) -> NDArray[Any]:
    return random.integers(0, 2, n)


def answers(random: Random, logit: Table) -> NDArray[Any]:
    """Return labels whose log-odds are given."""
    return (logit + random.logistic(size=len(logit)) > 0).astype(np.int32)


# A single column -------------------------------------------------------------------------------


def _column(kind: str, labels: NDArray[Any], random: Random) -> Table:
    n = len(labels)
    match kind:
        case "copy":
            return labels.astype(float)
        case "copy, 1 % flipped":
            return np.where(random.random(n) < 0.01, 1 - labels, labels).astype(float)
        case "t3 tails, AUC .944":
            return random.standard_t(3, n) + 3.35 * labels
    shift = np.sqrt(2) * norm.ppf(float(kind.removeprefix("AUC ")))
    shifted: Table = random.normal(size=n) + shift * labels
    return shifted


def _with_columns(kind: str, n1: int, n0: int, many: int) -> Callable[..., Samples]:
    def make(random: Random) -> Samples:
        labels = np.repeat([1, 0], [n1, n0])
        informative = [_column(kind, labels, random) for _ in range(many)]
        noise = random.normal(size=(20 - many, n1 + n0))
        return samples_of(np.column_stack([*informative, *noise]), labels)

    return make


def _number(kind: str, n: int) -> Callable[..., Samples]:
    def make(random: Random) -> Samples:
        labels = random.normal(size=n)
        if kind == "rounded copy":
            informative = np.round(labels, 1)
        else:
            rho = honest_correlation(0.95) if kind == "honest" else float(kind)
            informative = rho * labels + np.sqrt(1 - rho**2) * random.normal(size=n)
        noise = random.normal(size=(19, n))
        return samples_of(np.column_stack([informative, *noise]), labels)

    return make


def single_column_worlds() -> Iterator[World]:
    for n1, n0 in ((50, 50), (250, 250), (20, 400), (20, 1000)):
        for kind, many, leak in (
            ("AUC .90", 1, False),
            ("AUC .95", 1, False),
            ("AUC .95", 20, False),
            ("t3 tails, AUC .944", 1, False),
            ("AUC .98", 1, True),
            ("AUC .995", 1, True),
            ("copy, 1 % flipped", 1, True),
            ("copy", 1, True),
        ):
            name = f"{n1}:{n0} rows, {many} of 20 columns: {kind}"
            yield World(
                "single_column", leak, name, 300, _with_columns(kind, n1, n0, many)
            )
    for n in (100, 500):
        for kind, leak in (
            (".97", False),
            ("honest", False),
            (".995", True),
            ("rounded copy", True),
        ):
            name = f"{n} rows, a number to predict, correlation {kind}"
            yield World("single_column", leak, name, 300, _number(kind, n))


# Copies ----------------------------------------------------------------------------------------


def scattered(kind: str, n: int, p: int, random: Random) -> Table:
    """Return points without copies."""
    normal: Table = random.normal(size=(n, p))
    match kind:
        case "t3":
            return random.standard_t(3, (n, p))
        case "cauchy":
            return random.standard_t(1, (n, p))
        case "clusters":
            return 4 * random.normal(size=(5, p))[random.integers(0, 5, n)] + normal
        case "plane and noise":
            return random.normal(size=(n, 2)) @ random.normal(size=(2, p)) + normal / 20
        case "log-normal":
            return np.exp(normal)
        case "rounded to .01":
            return np.round(normal, 2)
        case "few levels and two continuous":
            normal[:, 2:] = np.round(normal[:, 2:])
            return normal
        case "zeros in half the columns of 40 %":
            gone = np.ix_(random.random(n) < 0.4, np.arange(p // 2))
            normal[gone] = 0
            return normal
        case "40 % on a line":
            rows = random.random(n) < 0.4
            normal[rows] = normal[rows, :1]
            return normal
    return normal


def _points(kind: str, n: int, p: int, share: float) -> Callable[..., Samples]:
    def make(random: Random) -> Samples:
        points = scattered(kind, n, p, random)
        k = round(share * n)
        jitter = 0.01 * points.std(axis=0) * random.normal(size=(k, p))
        table = np.vstack([points, points[:k] + jitter])
        return samples_of(table, coin(random, len(table)))

    return make


def copies_worlds() -> Iterator[World]:
    kinds = (
        "normal",
        "t3",
        "cauchy",
        "clusters",
        "plane and noise",
        "log-normal",
        "rounded to .01",
        "few levels and two continuous",
        "zeros in half the columns of 40 %",
        "40 % on a line",
    )
    for kind in kinds:
        for n, p in ((100, 5), (200, 10), (1000, 3), (1000, 30)):
            name = f"{n} rows, {p} columns, {kind}"
            yield World("duplicates", False, name, 100, _points(kind, n, p, 0))
    for kind in ("normal", "t3", "clusters", "plane and noise", "log-normal"):
        for n, p in ((100, 5), (200, 10), (1000, 3), (1000, 30)):
            name = f"{n} rows, {p} columns, {kind}, 5 % copied with a jitter of 1 %"
            yield World("duplicates", True, name, 100, _points(kind, n, p, 0.05))


# Row order -------------------------------------------------------------------------------------


def _line(kind: str, n: int = 200) -> Callable[..., Samples]:
    def make(random: Random) -> Samples:
        table, labels = random.normal(size=(n, 5)), coin(random, n)
        along, units = np.linspace(-1, 1, n), None
        match kind:
            case "three classes":
                labels = random.integers(0, 3, n)
            case "a number to predict":
                return samples_of(table, random.normal(size=n))
            case "one class in fifty":
                labels = (np.arange(n) < n / 50).astype(int)[random.permutation(n)]
            case "units of five in a row, declared" | "units of five in a row":
                group = np.arange(n) // 5
                table, labels = random.normal(size=(n, 5))[group], labels[group]
                units = group if "declared" in kind else None
            case "sorted by the label":
                labels = np.sort(labels)
            case "label drifts, log-odds -1 to 1":
                labels = answers(random, along)
            case "one column drifts by .6 sd":
                table[:, 0] += 0.6 * along
            case "columns remember half of the row before":
                for row in range(1, n):
                    table[row] = 0.5 * table[row - 1] + np.sqrt(0.75) * table[row]
        return samples_of(table, labels, units=units)

    return make


def row_order_worlds() -> Iterator[World]:
    for kind in (
        "two classes",
        "three classes",
        "one class in fifty",
        "a number to predict",
        "units of five in a row, declared",
    ):
        yield World("row_order", False, f"200 rows, {kind}", 400, _line(kind))
    for kind in (
        "units of five in a row",
        "sorted by the label",
        "label drifts, log-odds -1 to 1",
        "one column drifts by .6 sd",
        "columns remember half of the row before",
    ):
        for n in (200, 500):
            yield World("row_order", True, f"{n} rows, {kind}", 200, _line(kind, n))


# Undeclared unit -------------------------------------------------------------------------------


def _grouped(kind: str, groups: int, size: int) -> Callable[..., Samples]:
    """Return a maker of rows in groups; a group has a fingerprint in ten columns."""

    def make(random: Random) -> Samples:
        group = np.repeat(np.arange(groups), size)
        n = len(group)
        own: Table = random.normal(size=(n, 10))
        table = random.normal(size=(groups, 10))[group] + own / 2
        of_group = coin(random, groups)[group]
        flipped = np.where(random.random(n) < 0.2, 1 - of_group, of_group)
        match kind:
            case "meaningless":
                labels = answers(random, own[:, 0])
                return samples_of(own, labels, id=random.permutation(group))
            case "fingerprint, labels at random":
                return samples_of(table, coin(random, n), id=group)
            case "fingerprint, one label each, declared":
                return samples_of(table, of_group, units=group, id=group)
            case "fingerprint, one label each":
                return samples_of(table, of_group, id=group)
            case "fingerprint, a number to predict":
                informative = random.normal(size=groups)[group] + random.normal(size=n)
                return samples_of(table, informative, id=group)
        return samples_of(table, flipped, id=group)  # "fingerprint, labels mixed 80:20"

    return make


def _category(kind: str, n: int, levels: int) -> Callable[..., Samples]:
    """Return a maker of rows with an honest category or whole number among the features."""

    def make(random: Random) -> Samples:
        level = random.integers(0, levels, n)
        own: Table = random.normal(size=(n, 6))
        columns = pd.DataFrame(own, columns=[f"x{k}" for k in range(6)])
        if kind == "category with an effect":
            effect = random.normal(size=levels)[level]
            return samples_of(
                columns.assign(c=text(level)), answers(random, own[:, 0] + effect)
            )
        z = (level - level.mean()) / level.std()
        if kind == "whole number with an effect, others go with it":
            columns += z[:, None]
        return samples_of(
            columns.assign(c=level.astype(float)), answers(random, own[:, 0] + 2 * z)
        )

    return make


def undeclared_unit_worlds() -> Iterator[World]:
    for groups, size, share in ((40, 5, 1), (100, 10, 2)):
        shape = f"{groups} groups of {size}"
        for kind, n_tables, leak in (
            ("meaningless", 400, False),
            ("fingerprint, labels at random", 200, False),
            ("fingerprint, one label each, declared", 100, False),
            ("fingerprint, one label each", 60, True),
            ("fingerprint, labels mixed 80:20", 60, True),
            ("fingerprint, a number to predict", 60, True),
        ):
            make = _grouped(kind, groups, size)
            yield World(
                "undeclared_unit", leak, f"{shape}, {kind}", n_tables // share, make
            )
    for kind in (
        "category with an effect",
        "whole number with an effect",
        "whole number with an effect, others go with it",
    ):
        for n in (300, 1000):
            name = f"{n} rows, 20 levels, {kind}"
            yield World("undeclared_unit", False, name, 60, _category(kind, n, 20))


# Confounder ------------------------------------------------------------------------------------


def _sites(kind: str, n: int) -> Callable[..., Samples]:
    """Return a maker of rows from four sites."""

    def make(random: Random) -> Samples:
        site = random.integers(0, 4, n)
        own: Table = random.normal(size=(n, 8))
        rate = np.array([-2.0, -0.7, 0.7, 2.0])[site]
        shifted = own + 1.5 * random.normal(size=(4, 8))[site]
        match kind:
            case "no signal":
                return samples_of(own, coin(random, n), site=site)
            case "signal, site independent":
                return samples_of(own, answers(random, own[:, 0]), site=site)
            case "signal, label rate goes a little with the site":
                labels = answers(random, 1.5 * own[:, 0] + rate / 4)
                return samples_of(own, labels, site=site)
            case "signal, features shifted by site":
                return samples_of(shifted, answers(random, 1.5 * own[:, 0]), site=site)
            case "signal mostly, site some":
                labels = answers(random, 1.5 * own[:, 0] + rate / 2)
                return samples_of(shifted, labels, site=site)
            case "site alone, a number to predict":
                return samples_of(shifted, rate + random.normal(size=n), site=site)
            case "site decides the label":
                return samples_of(shifted, site // 2, site=site)
        return samples_of(shifted, answers(random, rate), site=site)  # "site alone"

    return make


def confounder_worlds() -> Iterator[World]:
    for n, share in ((200, 1), (1000, 2)):
        for kind, n_tables, leak in (
            ("no signal", 200, False),
            ("signal, site independent", 200, False),
            ("signal, label rate goes a little with the site", 200, False),
            ("signal, features shifted by site", 200, False),
            ("signal mostly, site some", 100, False),
            ("site alone", 100, True),
            ("site alone, a number to predict", 100, True),
            ("site decides the label", 100, True),
        ):
            name = f"{n} rows, 4 sites, {kind}"
            yield World("confounder", leak, name, n_tables // share, _sites(kind, n))


def worlds() -> Iterator[World]:
    yield from single_column_worlds()
    yield from copies_worlds()
    yield from row_order_worlds()
    yield from undeclared_unit_worlds()
    yield from confounder_worlds()


def count(world: World, n_tables: int) -> int:
    """Return how many of the world's first tables alarm."""
    detect, n_alarms = SENTINELS[world.sentinel], 0
    for table in range(n_tables):
        samples = world.make(np.random.default_rng(table))
        n_alarms += bool(detect(Case.of(samples, PLAN, table)).flags)
    return n_alarms


def main(arguments: list[str]) -> None:
    wanted = [word for word in arguments if not word.startswith("-")]
    rows = []
    for world in worlds():
        if wanted and world.sentinel not in wanted:
            continue
        n = max(10, world.n_tables // 10) if "--quick" in arguments else world.n_tables
        begun = time.process_time()
        with threadpool_limits(1):
            alarms = count(world, n)
        low, high = binomtest(alarms, n).proportion_ci(method="wilson")
        row = {
            "sentinel": world.sentinel,
            "leak": world.leak,
            "world": world.name,
            "tables": n,
            "alarms": alarms,
            "low": round(low, 3),
            "high": round(high, 3),
        }
        rows.append(row)
        if "--json" not in arguments:
            print(
                f"| {world.sentinel} | {'leak' if world.leak else 'none'} | {world.name} | {alarms}/{n} "
                f"| {low:.3f}-{high:.3f} | {time.process_time() - begun:.1f} s |",
                flush=True,
            )
    if "--json" in arguments:
        print(json.dumps(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
