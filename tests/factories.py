"""Real data, made small: tables, studies, suites and the records that describe them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.ingest import Table, snapshot
from assay.data.samples import Samples
from assay.store.canonical import digest_bytes
from assay.store.records import (
    Cleaned,
    ExpectationOutcome,
    Ref,
    Snapshot,
    Split,
    ValidationReport,
)
from assay.study.plans import Cleaning, CleanPlan, LabelRule, Study
from assay.study.sources import Source, Suite

NOWHERE = Ref(kind="bytes", digest="0" * 64, size=0)


# Tables ----------------------------------------------------------------------------------------


def make_table(n_rows: int = 60, seed: int = 7, shift: float = 1.0) -> pd.DataFrame:
    """Return two continuous columns, one of text, and a target that the first column tells of."""
    generator = np.random.default_rng(seed)
    target = np.arange(n_rows) % 2
    return pd.DataFrame(
        {
            "height": generator.normal(size=n_rows) + shift * target,
            "weight": generator.normal(size=n_rows),
            "town": generator.choice(["Busan", "Daegu", "Seoul"], size=n_rows),
            "answer": np.where(target == 1, "yes", "no"),
        }
    )


def make_labels(*counts: int) -> NDArray[np.int32]:
    """Return class codes with these counts, in a fixed mixed order."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    return np.random.default_rng(len(labels)).permutation(labels)


# Studies and suites ----------------------------------------------------------------------------


def make_plan(**changes: Any) -> dict[str, Any]:
    """Return the fewest keys a plan needs, with changes."""
    return {
        "claim": "The answer is told with an AUC of at least 0.7",
        "at_least": 0.7,
        "source": "table.csv",
        "target": "answer",
        "task": "binary",
        "suite": "table.json",
    } | changes


def make_values(**changes: Any) -> dict[str, Any]:
    """Return the fewest keys a study file needs, with changes."""
    return {
        "position": "Tester",
        "company": "A company that tests",
        "rationale": "It has to be known.",
        "question": "Is it so?",
        "seed": 7,
        "plan": {"a": make_plan()},
    } | changes


def make_study(**changes: Any) -> Study:
    return Study.model_validate({"name": "table", **make_values(**changes)})


def write_study(folder: Path, name: str = "table.toml", **changes: Any) -> Path:
    """Write a study file and return its path."""
    path = folder / name
    path.write_text(_toml(make_values(**changes)), encoding="utf-8")
    return path


def _toml(values: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {_inline(value)}" for key, value in values.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def make_rule(
    type_: str, id_: str, severity: str = "critical", **kwargs: Any
) -> dict[str, Any]:
    """Return one expectation as a suite file has it."""
    return {
        "type": type_,
        "kwargs": kwargs,
        "meta": {"id": id_, "why": f"because of {id_}"},
        "severity": severity,
    }


def make_suite(*rules: Any) -> Suite:
    return Suite(name="table", text=json.dumps({"expectations": rules}))


# Records -----------------------------------------------------------------------------------


def make_source(path: Path, name: str | None = None) -> Source:
    return Source(
        name=name or path.name, path=str(path), digest=digest_bytes(path.read_bytes())
    )


def make_snapshot(frame: pd.DataFrame) -> Snapshot:
    source = Source(name="table.csv", path="table.csv", digest="0" * 64)
    return snapshot(source, Table(frame, ()), NOWHERE)


def make_report(*outcomes: ExpectationOutcome) -> ValidationReport:
    return ValidationReport(
        suite="table",
        suite_digest="0" * 64,
        snapshot_digest="0" * 64,
        outcomes=outcomes,
    )


def make_cleaning(target: str | LabelRule = "answer", **changes: Any) -> Cleaning:
    """Return what cleaning depends on; ``clean`` may be given as a dict."""
    values = {
        "positive": None,
        "task": "binary",
        "unit": "row",
        "order": None,
        "clean": CleanPlan(),
    } | changes
    return Cleaning(target=target, **values)


def make_cleaned(labels: NDArray[np.int32]) -> Cleaned:
    """Return the record of samples with these class codes and one numeric feature."""
    counts = np.bincount(labels)
    return Cleaned(
        task="binary" if len(counts) == 2 else "multiclass",
        features=NOWHERE,
        labels=NOWHERE,
        aside=None,
        units=None,
        times=None,
        unit="row",
        n_units=len(labels),
        order=None,
        classes=tuple(f"class {code}" for code in range(len(counts))),
        counts=tuple(int(n) for n in counts),
        numeric=("height",),
        categorical=(),
        n_rows=len(labels),
        log=(),
    )


def make_samples(
    labels: NDArray[Any], aside: dict[str, Any] | None = None, **known: Any
) -> Samples:
    """Return samples with these labels; columns of the features are given by name.

    ``units`` and ``times`` are what else is known of the rows. Text is text, all else numbers.
    """
    rows = {name: known.pop(name) for name in ("units", "times") if name in known}
    names = {name: known.pop(name) for name in ("unit", "order") if name in known}
    number = labels.dtype.kind == "f"
    n_classes = 0 if number else int(labels.max()) + 1
    task = "regression" if number else "binary" if n_classes == 2 else "multiclass"
    return Samples(
        features=_typed(known),
        labels=labels,
        task=task,
        classes=tuple(f"class {code}" for code in range(n_classes)),
        aside=_typed(aside or {}),
        **{name: np.asarray(codes, dtype=np.int32) for name, codes in rows.items()},
        **names,
    )


def _typed(columns: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    texts = {
        name: "str" for name in table.columns if table[name].dtype.kind not in "fiub"
    }
    return table.astype({name: texts.get(name, "float64") for name in table.columns})


def make_split(ref: Ref) -> Split:
    """Return a split of two folds, both of whose arrays are the object that ``ref`` names."""
    return Split(
        scheme="stratified",
        unit="rows",
        outer=ref,
        inner=ref,
        folds=2,
        repeats=1,
        inner_folds=2,
    )
