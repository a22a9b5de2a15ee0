"""Ablation of preparations: the scores of the gate's models with and without each declared one.

It decides nothing: a study declares its preparations before anyone has seen a score.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.data.samples import Samples, standardised
from assay.gate.statistic import GateStatistic
from assay.preprocess import fit as preprocess
from assay.preprocess import outliers
from assay.store.records import Preparations, PreparationWorth
from assay.study.plans import CleanPlan, Gating, OutlierPlan
from assay.wording import Sentence

Kind = Literal["normalisation", "noise removal", "outlier removal"]


class _Preparation(NamedTuple):
    """A declared preparation: the key of the plan, its value, and the plan without it."""

    kind: Kind
    key: Literal["scale", "clip", "denoise", "label_noise", "outliers"]
    value: str
    without: CleanPlan


def ablate(
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
        Not negative where a row is in the training set of that fold.
    """

    def statistic_with(clean: CleanPlan) -> GateStatistic:
        changed = plan.model_copy(update={"clean": clean})
        return GateStatistic(
            standardised(samples),
            *(outer, inner, changed, seed),
            drop_doubtful_labels=True,
        )

    folds = [np.flatnonzero(fold >= 0) for fold in inner]
    with threadpool_limits(1):
        worth = []
        for preparation in _declared(plan.clean, numeric=len(_numbers(samples)) > 0):
            scores, n_diverged = _scores(statistic_with(preparation.without))
            touched = _touched(samples, folds, plan.clean, preparation)
            if n_diverged:
                touched = Sentence.of(
                    "gate.touched.diverged",
                    touched=touched,
                    n=n_diverged,
                    n_folds=len(folds),
                )
            worth.append(
                PreparationWorth(
                    kind=preparation.kind,
                    what=f"{preparation.key} = {preparation.value}",
                    touched=touched,
                    without=scores,
                )
            )
        return Preparations(
            statistic="spearman" if samples.task == "regression" else "auc",
            scores=_scores(statistic_with(plan.clean))[0],
            worth=tuple(worth),
        )


def _scores(statistic: GateStatistic) -> tuple[dict[str, float], int]:
    """Return the scores of both models with the true labels, and on how many folds the net diverged."""
    [scores] = statistic.scores([statistic.samples.labels])
    by_model = dict(zip(statistic.models, map(float, scores), strict=True))
    return by_model, statistic.n_diverged[0]


def _declared(plan: CleanPlan, *, numeric: bool) -> Iterator[_Preparation]:
    """Yield the declared preparations; those of numbers only where there are ``numeric`` columns."""

    def without(**changes: object) -> CleanPlan:
        return plan.model_copy(update=changes)

    if numeric and plan.scale != "none":
        scale = plan.scale
        yield _Preparation("normalisation", "scale", scale, without(scale="none"))
    if numeric and plan.clip:
        clip = f"{plan.clip:g}"
        yield _Preparation("noise removal", "clip", clip, without(clip=0.0))
    if plan.image is not None and plan.image.denoise != "none":
        denoise = plan.image.denoise
        image = plan.image.model_copy(update={"denoise": "none"})
        yield _Preparation("noise removal", "denoise", denoise, without(image=image))
    if plan.label_noise == "drop":
        kept = without(label_noise="keep")
        yield _Preparation("noise removal", "label_noise", "drop", kept)
    if plan.outliers.rule != "none":
        rule, kept = plan.outliers.rule, without(outliers=OutlierPlan())
        yield _Preparation("outlier removal", "outliers", rule, kept)


def _numbers(samples: Samples) -> list[str]:
    return list(map(str, samples.features.select_dtypes("number").columns))


# What a preparation changes ------------------------------------------------------------------------


def _touched(
    samples: Samples,
    folds: list[NDArray[np.int64]],
    plan: CleanPlan,
    preparation: _Preparation,
) -> Sentence:
    """Describe what a preparation changes; where it is fitted to training sets, their mean."""
    match preparation.key:
        case "scale":
            return Sentence.of("gate.touched.columns", n=len(_numbers(samples)))
        case "denoise":
            return Sentence.of("gate.touched.images", n=samples.n_rows)
        case "clip":
            return _clipped(samples, folds, plan)
        case "outliers":
            n_dropped = [_n_outliers(samples, rows, plan) for rows in folds]
        case "label_noise":
            n_dropped = [_n_doubtful(samples, rows, plan) for rows in folds]
    return Sentence.of(
        "gate.touched.dropped",
        n=float(np.mean(n_dropped)),
        n_rows=float(np.mean([len(rows) for rows in folds])),
    )


def _clipped(
    samples: Samples, folds: list[NDArray[np.int64]], plan: CleanPlan
) -> Sentence:
    shares = [_share_clipped(samples, rows, plan) for rows in folds]
    clipped = Sentence.of("gate.touched.clipped", share=float(np.mean(shares)))
    constant = {name for rows in folds for name in _constant(samples, rows, plan)}
    if not constant:
        return clipped
    columns = tuple(sorted(constant))
    return Sentence.of("gate.touched.constant", clipped=clipped, columns=columns)


def _n_outliers(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> int:
    return int((~outliers.kept_rows(samples.features.iloc[rows], plan.outliers)).sum())


def _n_doubtful(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> int:
    rows = rows[outliers.kept_rows(samples.features.iloc[rows], plan.outliers)]
    features = samples.features.iloc[rows]
    inputs = preprocess.fit(features, plan).apply(features)
    units = None if samples.units is None else samples.units[rows]
    plausible = outliers.plausible_labels(inputs, samples.labels[rows], units)
    return int((~plausible).sum())


def _constant(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> list[str]:
    """Return the columns that vary in a training set and that clipping makes constant."""
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


def _share_clipped(samples: Samples, rows: NDArray[np.int64], plan: CleanPlan) -> float:
    features = samples.features.iloc[rows]
    preparation = preprocess.fit(features, plan)
    raw = features[list(preparation.numeric)].to_numpy(dtype=np.float64)
    present = ~np.isnan(raw)
    changed = (preparation.scaling.drawn_in(raw) != raw) & present
    return float(changed.sum() / max(1, present.sum()))
