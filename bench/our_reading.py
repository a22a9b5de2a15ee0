"""One size of ``bench_reader``: write a table as CSV, or take it from there to samples.

python -m bench.our_reading write|read FILE [ROWS]
"""

import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from assay.data.clean import clean_table
from assay.data.ingest import read_source, snapshot
from assay.data.validate import validate_table
from assay.store.store import Store
from assay.study.plans import Plan
from assay.study.sources import Suite, source_of

_AT_ONCE = 100_000
_WORDS = [
    "the",
    "a",
    "data",
    "row",
    "signal",
    "noise",
    "fold",
    "model",
    "score",
    "chance",
    "of",
    "in",
    "gain",
    "late",
    "early",
]
_PLAN = {
    "claim": "it is told",
    "at_least": 0.6,
    "target": "answer",
    "task": "binary",
    "suite": "none",
    "clean": {"text": ["remark"]},
}


def write(path: Path, n_rows: int) -> None:
    """Write rows a part at a time, so that writing takes no memory that reading is blamed for."""
    generator = np.random.default_rng(0)
    for start in range(0, n_rows, _AT_ONCE):
        n = min(_AT_ONCE, n_rows - start)
        part = pd.DataFrame(
            generator.normal(size=(n, 6)).round(6),
            columns=[f"measured_{i}" for i in range(6)],
        )
        part["visits"] = generator.poisson(4, n)
        part["id"] = np.arange(start, start + n)
        part["town"] = generator.choice(["Seoul", "Busan", "Daegu", "Incheon"], n)
        part["kind"] = generator.choice([f"kind {i}" for i in range(300)], n)
        words = generator.choice(_WORDS, (n, 6))
        part["remark"] = [f"{' '.join(row)} {i}" for i, row in enumerate(words, start)]
        part["answer"] = np.where(part["measured_0"] > 0, "yes", "no")
        part.to_csv(path, mode="a", header=start == 0, index=False)


def suite() -> Suite:
    """Return a suite with a rule on each column."""
    rules = [
        ("expect_column_values_to_not_be_null", {"column": name})
        for name in ("answer", "town", "kind", "remark")
    ]
    rules += [
        (
            "expect_column_values_to_be_between",
            {"column": f"measured_{i}", "min_value": -9, "max_value": 9},
        )
        for i in range(6)
    ]
    rules += [
        ("expect_column_values_to_be_unique", {"column": "id"}),
        (
            "expect_column_values_to_be_in_set",
            {"column": "answer", "value_set": ["yes", "no"]},
        ),
    ]
    listed = [
        {"type": kind, "kwargs": kwargs, "meta": {"id": f"rule-{n}", "why": "measured"}}
        for n, (kind, kwargs) in enumerate(rules)
    ]
    return Suite(name="bench", text=json.dumps({"expectations": listed}))


def peak_bytes() -> int:
    """Return the most memory held since the mark was last taken back, or ever."""
    status = Path("/proc/self/status")
    line = (
        re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.is_file() else None
    )
    peak = int(line[1]) if line else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def measured(costs: dict[str, dict[str, float]], stage: str) -> Iterator[None]:
    mark = Path("/proc/self/clear_refs")
    if mark.is_file():
        mark.write_text("5")  # takes the high-water mark of memory back
    begun = time.perf_counter()
    yield
    costs[stage] = {
        "seconds": round(time.perf_counter() - begun, 2),
        "peak_gb": round(peak_bytes() / 1e9, 3),
    }


def take(path: Path) -> dict[str, object]:
    costs: dict[str, dict[str, float]] = {}
    plan = Plan.model_validate(_PLAN | {"source": path.name})
    store = Store(path.parent / "store")
    with measured(costs, "digest"):
        source = source_of(plan, path.parent)
    with measured(costs, "read"):
        table = read_source(source)
    with measured(costs, "store"):
        ref = store.put_table(table.frame)
    with measured(costs, "describe"):
        taken = snapshot(source, table, ref)
    shape = table.frame.shape
    del table
    with measured(costs, "open"):
        frame = store.get_table(ref)
    with measured(costs, "validate"):
        report = validate_table(frame, suite(), taken)
    with measured(costs, "clean"):
        samples = clean_table(frame, report, plan.cleaning())
    if len(samples.labels) != shape[0]:
        raise ValueError("rows were lost")
    size = {"rows": shape[0], "columns": shape[1]}
    return size | {"file_gb": round(path.stat().st_size / 1e9, 3), "stages": costs}


def main(arguments: list[str]) -> None:
    what, path = arguments[0], Path(arguments[1])
    if what == "write":
        write(path, int(arguments[2]))
        print(json.dumps({}))
    else:
        print(json.dumps(take(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
