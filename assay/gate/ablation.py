"""Preparations: what each declared one is worth to the gate's models, on the outer folds they were tested on.

It decides nothing: a study declares its preparations before anyone has seen a score.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.data.samples import Samples, standardised
from assay.gate.statistic import Contest
from assay.preprocess import fit as preprocess
from assay.preprocess import outliers
from assay.store.records import Preparations, PreparationWorth
from assay.study.plans import CleanPlan, Gating, OutlierPlan

Kind = Literal["normalisation", "noise removal", "outlier removal"]


class _Step(NamedTuple):
    kind: Kind
    what: str
    without: CleanPlan


def weigh(
    samples: Samples,
    outer: NDArray[np.int16],
    inner: NDArray[np.int16],
    plan: Gating,
    seed: int,
) -> Preparations:
    """Score the gate's models with all declared preparations, and again without each.

    Parameters
    ----------
    outer : shape (n_rows,)
        Test fold of each row, -1 where it is never tested.
    inner : shape (n_folds, n_rows)
        Not negative where a row is in the training part of that fold.
    """

    def scores(clean: CleanPlan) -> tuple[dict[str, float], str]:
        changed = plan.model_copy(update={"clean": clean})
        contest = Contest(
            standardised(samples), outer, inner, changed, seed, believing=True
        )
        [found] = contest.scores([contest.samples.labels])
        n_diverged = contest.n_diverged[0]
        remark = f"; the net diverged on {n_diverged} of {len(parts)} folds"
        return dict(zip(contest.models, map(float, found), strict=True)), (
            remark if n_diverged else ""
        )

    parts = [np.flatnonzero(fold >= 0) for fold in inner]
    with threadpool_limits(1):
        worth = []
        for step in _steps(plan.clean, numbers=len(_numbers(samples)) > 0):
            without, remark = scores(step.without)
            touched = _touched(samples, parts, plan.clean, step.what)
            worth.append(
                PreparationWorth(
                    kind=step.kind,
                    what=step.what,
                    touched=touched + (f"{remark} without it" if remark else ""),
                    without=without,
                )
            )
        return Preparations(
            statistic="spearman" if samples.task == "regression" else "auc",
            scores=scores(plan.clean)[0],
            worth=tuple(worth),
        )


def _steps(plan: CleanPlan, *, numbers: bool) -> Iterator[_Step]:
    """Return the declared preparations, each with the plan that lacks it; without numbers none of numbers."""

    def without(**changes: object) -> CleanPlan:
        return plan.model_copy(update=changes)

    if numbers and plan.scale != "none":
        yield _Step("normalisation", f"scale = {plan.scale}", without(scale="none"))
    if numbers and plan.clip:
        yield _Step("noise removal", f"clip = {plan.clip:g}", without(clip=0.0))
    if plan.image is not None and plan.image.denoise != "none":
        image = plan.image.model_copy(update={"denoise": "none"})
        yield _Step(
            "noise removal", f"denoise = {plan.image.denoise}", without(image=image)
        )
    if plan.label_noise == "drop":
        yield _Step("noise removal", "label_noise = drop", without(label_noise="keep"))
    if plan.outliers.rule != "none":
        yield _Step(
            "outlier removal",
            f"outliers = {plan.outliers.rule}",
            without(outliers=OutlierPlan()),
        )


def _numbers(samples: Samples) -> list[str]:
    return list(map(str, samples.features.select_dtypes("number").columns))


def _touched(
    samples: Samples, parts: list[NDArray[np.int64]], plan: CleanPlan, what: str
) -> str:
    """Say what a preparation changed: in the mean over the training parts, where it is fitted there."""
    name = what.split(" ")[0]
    n_rows = float(np.mean([len(rows) for rows in parts]))
    if name == "scale":
        return f"{len(_numbers(samples)):,} columns of numbers"
    if name == "denoise":
        return f"{samples.n_rows:,} images"
    if name == "clip":
        shares = [_share_drawn_in(samples, rows, plan) for rows in parts]
        lost = sorted(
            {name for rows in parts for name in _emptied(samples, rows, plan)}
        )
        said = f"; nothing is left of {', '.join(lost)} in some part" if lost else ""
        return f"{np.mean(shares):.2%} of the numbers of a training part{said}"
    count = _n_outliers if name == "outliers" else _n_doubted
    n_gone = float(np.mean([count(samples, rows, plan) for rows in parts]))
    return f"{n_gone:,.1f} of {n_rows:,.1f} rows of a training part left out"


def _n_outliers(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> int:
    return int((~outliers.kept_rows(samples.features.iloc[rows], plan.outliers)).sum())


def _n_doubted(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> int:
    rows = rows[outliers.kept_rows(samples.features.iloc[rows], plan.outliers)]
    features = samples.features.iloc[rows]
    inputs = preprocess.fit(features, plan).apply(features)
    units = None if samples.units is None else samples.units[rows]
    believed = outliers.believed_labels(inputs, samples.labels[rows], units)
    return int((~believed).sum())


def _emptied(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> list[str]:
    """Return the columns that differ in training rows, and are drawn in to one value."""
    features = samples.features.iloc[rows]
    preparation = preprocess.fit(features, plan)
    scaling = preparation.scaling
    return [
        name
        for name, low, high in zip(
            preparation.numeric, scaling.low, scaling.high, strict=True
        )
        if low == high and features[name].nunique() > 1
    ]


def _share_drawn_in(
    samples: Samples, rows: NDArray[np.int64], plan: CleanPlan
) -> float:
    features = samples.features.iloc[rows]
    preparation = preprocess.fit(features, plan)
    raw = features[list(preparation.numeric)].to_numpy(dtype=np.float64)
    there = ~np.isnan(raw)
    changed = (preparation.scaling.drawn_in(raw) != raw) & there
    return float(changed.sum() / max(1, there.sum()))
