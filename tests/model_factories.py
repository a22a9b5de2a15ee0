"""Makers for the tests of the models: small tables, predictions, evidence, studies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assay.data.samples import Labels, Samples
from assay.store.canonical import digest_json
from assay.store.records import (
    AuditReport,
    Cleaned,
    CleanStep,
    ExpectationOutcome,
    Flag,
    FoldResult,
    GateResult,
    ModelFit,
    Place,
    Ref,
    Snapshot,
    Split,
    Trial,
    ValidationReport,
)
from assay.store.verdict import Evidence
from assay.study.plans import (
    BoostingSpace,
    CleanPlan,
    Judging,
    NetSpace,
    Plan,
    Study,
    TunePlan,
    Tuning,
)
from assay.study.registration import Registration
from assay.study.sources import Identity

steady = settings(deadline=None, derandomize=True, max_examples=60)


# Tables and folds ------------------------------------------------------------------------------


def xor_table(
    n: int, seed: int, n_columns: int = 4
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Two columns whose product has the sign of the label: no line sees it."""
    values = np.random.default_rng(seed).normal(size=(n, n_columns))
    return _table(values), (values[:, 0] * values[:, 1] > 0).astype(np.int32)


def noise_table(
    n: int, seed: int, n_columns: int = 4
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Balanced labels that no column knows anything of."""
    values = np.random.default_rng(seed).normal(size=(n, n_columns))
    return _table(values), (np.arange(n) % 2).astype(np.int32)


def line_table(
    n: int, seed: int, n_columns: int = 4, n_classes: int = 2
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Classes in slices along the first column, with some noise."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(n, n_columns))
    along = values[:, 0] + generator.normal(scale=0.5, size=n)
    return _table(values), (along.argsort().argsort() * n_classes // n).astype(np.int32)


def number_table(
    n: int, seed: int, n_columns: int = 4, noise: float = 0.5
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """A number near 100 that bends along the first column."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(n, n_columns))
    bent = values[:, 0] + np.abs(values[:, 0]) + noise * generator.normal(size=n)
    return _table(values), 100 + 10 * bent


def samples_of(table: tuple[pd.DataFrame, Labels], **known: Any) -> Samples:
    """Samples of a table and its labels; ``known`` says what else is known of the rows."""
    features, labels = table
    if labels.dtype.kind == "f":
        return Samples(features, labels, task="regression", **known)
    names = tuple(f"class {code}" for code in range(int(labels.max()) + 1))
    task = "binary" if len(names) == 2 else "multiclass"
    return Samples(features, labels, task=task, classes=names, **known)


def _table(values: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])


def shuffled_folds(
    labels: NDArray[np.int32], n_folds: int, seed: int
) -> NDArray[np.int16]:
    """Stratified shuffled folds, drawn without any of ours."""
    generator = np.random.default_rng(seed)
    folds = np.empty(len(labels), dtype=np.int16)
    for k in np.unique(labels):
        rows = np.flatnonzero(labels == k)
        folds[generator.permutation(rows)] = np.arange(len(rows)) % n_folds
    return folds


# Predictions -----------------------------------------------------------------------------------


@st.composite
def predicted(
    draw: st.DrawFn, n_classes: int = 2
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Labels of which every class has a row, and probabilities with many ties."""
    n = draw(st.integers(2 * n_classes, 40))
    rest = draw(
        st.lists(
            st.integers(0, n_classes - 1),
            min_size=n - n_classes,
            max_size=n - n_classes,
        )
    )
    labels = np.array([*range(n_classes), *rest], dtype=np.int32)
    row = st.lists(st.integers(1, 8), min_size=n_classes, max_size=n_classes)
    weights = np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=np.float64)
    return labels, weights / weights.sum(axis=1, keepdims=True)


def as_probabilities(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both columns of a binary prediction."""
    return np.column_stack([1 - p, p])


@dataclass(frozen=True)
class Case:
    """Everything ``judge_evidence`` is handed after the folds were scored."""

    evidence: Evidence
    labels: Labels
    folds: NDArray[np.int16]
    predictions: dict[str, list[list[NDArray[np.float64]]]]
    units: NDArray[np.int32] | None = None
    unit: str = "row"

    @property
    def samples(self) -> Samples:
        features = pd.DataFrame(index=range(len(self.labels)))
        return samples_of((features, self.labels), units=self.units, unit=self.unit)


def scored_case(
    strength: dict[str, float],
    *,
    n: int = 400,
    repeats: int = 3,
    seed: int = 0,
    fit_s: float = 1.0,
) -> Case:
    """Models that see the label through shared noise, each with its own strength."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.int32)
    folds = np.stack([shuffled_folds(labels, 5, seed + j) for j in range(repeats)])
    shared = generator.normal(size=n)
    predictions: dict[str, list[list[NDArray[np.float64]]]] = {}
    for name, slope in strength.items():
        predictions[name] = []
        for j in range(repeats):
            logit = slope * (2 * labels - 1) + shared
            logit = logit + 0.1 * generator.normal(size=n)
            p = 1 / (1 + np.exp(-logit))
            by_fold = [as_probabilities(p[folds[j] == f]) for f in range(5)]
            predictions[name].append(by_fold)
    results = tuple(
        _fold_result(j, f, {m: p[j][f] for m, p in predictions.items()}, fit_s)
        for j in range(repeats)
        for f in range(5)
    )
    evidence = evidence_of(gate=gate_result("signal"), n=n, repeats=repeats)
    return Case(
        evidence.model_copy(update={"results": results}), labels, folds, predictions
    )


def number_case(
    noise: dict[str, float], *, n: int = 400, repeats: int = 3, seed: int = 0
) -> Case:
    """Models that see a number, of mean 50 and variance 100, through noise of this size."""
    generator = np.random.default_rng(seed)
    labels = generator.normal(50, 10, size=n)
    folds = np.stack(
        [generator.permutation(np.arange(n) % 5) for _ in range(repeats)]
    ).astype(np.int16)
    predictions = {
        name: [
            [
                (of + size * generator.normal(size=len(of)))[:, None]
                for of in (labels[folds[j] == f] for f in range(5))
            ]
            for j in range(repeats)
        ]
        for name, size in noise.items()
    }
    results = tuple(
        _fold_result(j, f, {m: p[j][f] for m, p in predictions.items()}, 1.0)
        for j in range(repeats)
        for f in range(5)
    )
    evidence = evidence_of(gate=gate_result("signal", "spearman"), n=n, repeats=repeats)
    cleaned = evidence.cleaned.model_copy(
        update={"task": "regression", "classes": (), "counts": ()}
    )
    evidence = evidence.model_copy(update={"cleaned": cleaned, "results": results})
    return Case(evidence, labels, folds, predictions)


def _fold_result(
    repeat: int, fold: int, by_model: dict[str, NDArray[np.float64]], fit_s: float
) -> FoldResult:
    models = {
        name: ModelFit(
            trials=(Trial(number=0, hyperparameters={"depth": 1}, score=0.5),),
            winner=0,
            predictions=ref(name, repeat, fold, p.tobytes().hex()),
            score=0.5,
            fit_s=fit_s,
            predict_s=fit_s / 10,
            size=1000,
        )
        for name, p in by_model.items()
    }
    return FoldResult(place=Place(repeat=repeat, fold=fold), models=models)


# Records ---------------------------------------------------------------------------------------


def digest(*what: str | int) -> str:
    return digest_json(list(what))


def ref(*what: str | int, kind: Any = "array") -> Ref:
    return Ref(kind=kind, digest=digest(*what), size=1)


def gate_result(word: str, statistic: str = "auc") -> GateResult:
    tested: dict[str, Any] = {
        "statistic": statistic,
        "score": 0.9 if word == "signal" else 0.52,
        "p_value": 0.02 if word == "signal" else 0.6,
        "scores": {"logistic": 0.5, "net": 0.52},
        "permutations": 48,
        "null_scores": (0.45, 0.5, 0.5, 0.55),
        "detectable": 0.58,
        "needed_rows": None if word == "signal" else 900,
    }
    if word == "untested":
        word = "underpowered"
        tested |= {"score": None, "p_value": None, "scores": {}, "permutations": 0}
        tested |= {"null_scores": (), "detectable": None}
        tested |= {"remark": "too few rows, about 60 are needed"}
    return GateResult.model_validate(
        {
            "passed": word == "signal",
            "word": word,
            "chance_level": 0.5 if statistic == "auc" else 0.0,
            "alpha": 0.05,
            **tested,
        }
    )


def flag(accepted: str | None = None, evidence: str = "'key' alone has AUC 1") -> Flag:
    return Flag(
        sentinel="single_column",
        columns=("key",),
        rows=(),
        evidence=evidence,
        answer="Leave it out.",
        accepted=accepted,
    )


def evidence_of(
    *,
    gate: GateResult | None,
    n: int = 400,
    repeats: int = 3,
    flags: tuple[Flag, ...] = (),
    remark: str = "a reason",
) -> Evidence:
    """Evidence without folds; ``remark`` stands wherever data or a suite may put words."""
    return Evidence(
        snapshot=Snapshot(
            table=ref("table", kind="table"),
            source=remark,
            source_digest=digest("source"),
            n_rows=n,
            columns=(),
            remarks=(),
        ),
        report=ValidationReport(
            suite=remark,
            suite_digest=digest("suite"),
            snapshot_digest=digest("table"),
            outcomes=(
                ExpectationOutcome(
                    id="E1",
                    expectation="expect_column_to_exist",
                    column=remark,
                    severity="warning",
                    status="failed",
                    why=remark,
                    message=remark,
                    n_unexpected=1,
                    examples=(remark,),
                ),
            ),
        ),
        cleaned=Cleaned(
            task="binary",
            features=ref("features", kind="table"),
            labels=ref("labels"),
            aside=None,
            units=None,
            times=None,
            unit="row",
            n_units=n,
            order=None,
            classes=("no", "yes"),
            counts=(n - n // 2, n // 2),
            numeric=("x0", "x1"),
            categorical=(),
            n_rows=n,
            log=(CleanStep(what=remark, n=1, why=remark),),
        ),
        split=Split(
            scheme="stratified",
            unit="row",
            outer=ref("outer"),
            inner=ref("inner"),
            repeats=repeats,
            folds=5,
            inner_folds=5,
        ),
        audit=AuditReport(flags=flags, looked_for=("single_column",)),
        gate=gate,
    )


def judging(**changed: Any) -> Judging:
    return Judging.model_validate(
        {
            "study": "toy",
            "plan": "a",
            "metric": "auc",
            "at_least": 0.8,
            "at_most": None,
            "margin": 0.02,
            "smallest_effect": 0.6,
            "alpha": 0.05,
            **changed,
        }
    )


def tuning(metric: Any = "auc", **changed: Any) -> Tuning:
    """A search of two trials on small models, seconds long."""
    plan = TunePlan.model_validate(
        {
            "trials": 2,
            "seeds": 2,
            "epochs": 8,
            "patience": 4,
            "batch_size": 32,
            "net": NetSpace(
                depth=(1,), width=(8, 16), pieces=(0, 4), learning_rate=(8e-3, 2e-2)
            ),
            "boosting": BoostingSpace(max_rounds=15, min_rows_per_leaf=(5,)),
            **changed,
        }
    )
    return Tuning(tune=plan, clean=CleanPlan(), metric=metric)


def identity() -> Identity:
    return Identity(
        name="toy",
        sources={},
        suites={},
        study=digest("study"),
        program=digest("program"),
        lock=digest("lock"),
    )


def plan(**changed: Any) -> Plan:
    return Plan.model_validate(
        {
            "claim": "The classes are told apart",
            "at_least": 0.8,
            "source": "toy.csv",
            "target": "label",
            "task": "binary",
            "suite": "toy",
            **changed,
        }
    )


def study(**changed: Any) -> Study:
    return Study.model_validate(
        {
            "name": "toy",
            "position": "Analyst",
            "company": "A company",
            "rationale": "A reason",
            "question": "Can the classes be told apart?",
            "seed": 7,
            "plan": {"a": plan()},
            **changed,
        }
    )


def registration(of: Study | None = None) -> Registration:
    declared = of or study()
    return Registration(study=declared, digest=declared.essence_digest(), order=0)
