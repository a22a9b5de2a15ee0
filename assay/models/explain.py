"""Explain: how the deep model behaves on an outer fold, after the verdict and beside it.

The networks that the search selected are trained again, without searching: on the whole training part they
come out as they did there, bit for bit. Importance and dependence are computed on the test part, which they
never saw; subsets of the training part show whether they and the best simple model would gain from more
rows. Nothing here is a test, and nothing that decides a verdict reads it.
"""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.data.samples import Samples
from assay.errors import DataRefused, TrainingFailed
from assay.metrics import score
from assay.models import ensemble
from assay.models.baselines import Boosting, Linear
from assay.models.dependence import dependence, grid_of
from assay.models.explain_budget import DEEP, ExplainBudget
from assay.models.importance import (
    MAX_COLUMNS,
    Groups,
    drops,
    groups_of,
    most_informative,
    sampled_rows,
)
from assay.models.learning_curve import training_subset
from assay.models.net_search import NetSearch
from assay.models.training_part import TEST, Fitted, Part
from assay.models.tune import families, fold_seed
from assay.networks.job import Trained
from assay.networks.screening import f_statistics
from assay.store.behaviour import AtRows, Epochs, FoldBehaviour, FoldDependence
from assay.store.progress import report
from assay.store.records import FoldResult
from assay.store.seeds import seed_for
from assay.study.plans import Tuning
from assay.wording import Sentence

_MAX_WATCHED = 1024  # training rows whose loss is recorded
_MAX_DEPENDENCES, _DEPENDENCE_ROWS = 10, 500


@dataclass(frozen=True)
class _Fold:
    """An outer fold: its data, what its search chose, and how much of it to describe."""

    samples: Samples
    inner: NDArray[np.int16]
    result: FoldResult
    budget: ExplainBudget
    plan: Tuning
    seed: int

    @property
    def own_seed(self) -> int:
        place = self.result.place
        return seed_for(self.seed, "explain", place.repeat, place.fold)

    @property
    def tuning_seed(self) -> int:
        return fold_seed(self.result.place, self.seed)


@dataclass(frozen=True)
class _Refit:
    """The networks, fitted again on a subset of a training part."""

    part: Part
    net: Fitted
    trained: tuple[Trained, ...]

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the networks' predictions for rows as they were read."""
        return self.net.predict(self.part.whole.preparation.apply(features))


def explain_fold(
    samples: Samples,
    inner: NDArray[np.int16],
    result: FoldResult,
    budget: ExplainBudget,
    plan: Tuning,
    seed: int,
) -> FoldBehaviour:
    """Describe the deep model of one outer fold.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row of the outer training part; -1 marks the test part, -2 rows in neither.
    result
        Of the search on this fold.
    seed
        The plan's, as the search was given it.

    Raises
    ------
    TrainingFailed
        If what the search chose has no finite loss on the whole training part.
    """
    begun = time.perf_counter()
    fold = _Fold(samples, inner, result, budget, plan, seed)
    with threadpool_limits(1):
        at_rows, failed, whole = _learning_curve(fold)
        test = np.flatnonzero(inner == TEST)
        groups, left_out = _groups(fold, whole.part)
        losses = drops(
            whole.predict,
            samples.features.iloc[test],
            samples.labels[test],
            plan.metric,
            groups,
            fold.own_seed,
            image=samples.image,
        )
        return FoldBehaviour(
            place=result.place,
            drops=losses,
            dependences=tuple(_dependences(fold, whole, groups, losses)),
            at_rows=at_rows,
            epochs=_epochs(result.place.fold, whole.trained),
            not_asked=failed | left_out,
            seconds=time.perf_counter() - begun,
        )


# Learning curve ------------------------------------------------------------------------------------


def _learning_curve(
    fold: _Fold,
) -> tuple[dict[str, AtRows], dict[str, Sentence], _Refit]:
    """Fit on each subset, the whole training part last; return scores, what failed, and the last fit."""
    at_rows: dict[str, AtRows] = {}
    failed: dict[str, Sentence] = {}
    names = fold.budget.shares
    for number, name in enumerate(names):
        report("models.step.learning_curve", number, len(names))
        share = Fraction(name)
        try:
            inner = training_subset(fold.samples, fold.inner, share, fold.own_seed)
            refit = _refit(fold, inner, n_watched=_MAX_WATCHED if share == 1 else 0)
            scores = _scores(fold, refit, whole=share == 1)
        except (DataRefused, TrainingFailed) as error:
            if share == 1:
                raise
            failed[f"{name} of the rows"] = Sentence.of(
                "models.explain.share", share=name, reason=error.sentence
            )
            continue
        at_rows[name] = AtRows(n_rows=int((inner >= 0).sum()), scores=scores)
    report("models.step.learning_curve", len(names), len(names))
    return at_rows, failed, refit


def _refit(fold: _Fold, inner: NDArray[np.int16], n_watched: int) -> _Refit:
    part = _part(fold.samples, inner, fold.plan)
    search, deep = families(part, fold.tuning_seed)[DEEP], fold.result.models[DEEP]
    assert isinstance(search, NetSearch)
    trials = [trial.hyperparameters for trial in deep.trials]
    picks = deep.picks[: fold.budget.networks]
    return _Refit(part, *ensemble.refit(search.trainer, trials, picks, n_watched))


def _part(samples: Samples, inner: NDArray[np.int16], plan: Tuning) -> Part:
    """Return a part of the training and test rows alone: others would only be prepared."""
    rows = np.flatnonzero(inner >= TEST)
    within = dataclasses.replace(
        samples,
        features=samples.features.iloc[rows],
        labels=samples.labels[rows],
        units=None if samples.units is None else samples.units[rows],
        times=None if samples.times is None else samples.times[rows],
    )
    return Part(within, inner[rows], plan)


def _scores(fold: _Fold, refit: _Refit, *, whole: bool) -> dict[str, float]:
    """Return the scores of the networks and the simple model; none where the metric is undefined.

    On the whole training part the search has scored the simple model already.
    """
    part, name = refit.part, fold.budget.baseline
    simple = fold.result.models[name]
    if simple.score is None:
        return {}
    baseline_score = simple.score
    if not whole:
        baseline = families(part, fold.tuning_seed)[name]
        assert isinstance(baseline, Linear | Boosting)
        winner = simple.trials[simple.winner].hyperparameters
        baseline_score = _score(part, baseline.refit(winner))
    return {DEEP: _score(part, refit.net), name: baseline_score}


def _score(part: Part, fitted: Fitted) -> float:
    predictions = fitted.predict(part.tested(fitted))
    return score(part.plan.metric, part.labels[part.test], predictions)


# Epochs --------------------------------------------------------------------------------------------


def _epochs(fold: int, trained: tuple[Trained, ...]) -> Epochs:
    """Return the mean course of several trainings; one that stopped keeps its last losses."""
    courses = [training.course for training in trained if training.course is not None]
    return Epochs(
        fold=fold,
        training=_mean_course([course.watched for course in courses]),
        stopping=_mean_course([course.stopping for course in courses]),
        best=tuple(training.epoch + 1 for training in trained),
    )


def _mean_course(courses: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the mean loss after each epoch, to the six digits of a float32."""
    if not courses:
        return ()
    longest = max(map(len, courses))
    padded = [np.pad(course, (0, longest - len(course)), "edge") for course in courses]
    return tuple(float(f"{loss:.6g}") for loss in np.mean(padded, axis=0))


# Columns -------------------------------------------------------------------------------------------


def _groups(fold: _Fold, part: Part) -> tuple[Groups, dict[str, Sentence]]:
    """Return the groups of columns to shuffle, and what is left out of them."""
    groups, left_out = groups_of(fold.samples, fold.plan.clean), {}
    if fold.samples.image:
        left_out["single pixels"] = Sentence.of("models.explain.pixels")
    if len(groups) > MAX_COLUMNS:
        left_out["columns"] = Sentence.of(
            "models.explain.columns", n=MAX_COLUMNS, n_columns=len(groups)
        )
        groups = most_informative(groups, _association(part, fold.own_seed))
    return groups, left_out


def _association(part: Part, seed: int) -> dict[str, float]:
    """Return the F statistic of each numeric column by itself, on the training rows."""
    numeric = part.whole.preparation.numeric
    statistics = f_statistics(
        *(part.whole.inputs[:, : len(numeric)], part.labels, part.whole.train, None),
        classes=not part.regression,
        seed=seed,
    )
    return dict(zip(map(str, numeric), statistics.tolist(), strict=True))


def _dependences(
    fold: _Fold, whole: _Refit, groups: Groups, losses: dict[str, float]
) -> list[FoldDependence]:
    """Return the dependences of the most important columns whose values can be set."""
    features = whole.part.whole.features.iloc[whole.part.test]
    rows = sampled_rows(len(features), _DEPENDENCE_ROWS, fold.own_seed)
    clean = fold.plan.clean
    split_up = {*clean.text, *(column.column for column in clean.lists)}
    settable = [
        name
        for name in sorted(losses, key=lambda name: -losses[name])
        if groups[name] == (name,) and name not in split_up
    ]
    grids = {
        name: grid_of(fold.samples.features[name])
        for name in settable[:_MAX_DEPENDENCES]
    }
    return [
        dependence(whole.predict, features.iloc[rows], name, grid)
        for name, grid in grids.items()
        if grid is not None
    ]
