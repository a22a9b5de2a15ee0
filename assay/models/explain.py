"""Explain: how the deep model behaves on an outer fold, after the verdict and beside it.

The networks that the search picked are trained again, without searching: on the whole training part they
come out as they did there, bit for bit. What they look at and how they answer is asked on the test part,
which they never saw; on portions of the training part they and the best simple model say whether more rows
would help. Nothing here is a test, and nothing that decides a verdict reads it.
"""

import dataclasses
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.data.samples import Samples
from assay.errors import DataRefused, TrainingFailed
from assay.metrics import score
from assay.models.baselines import Boosting, Linear
from assay.models.dependence import dependence, grid
from assay.models.ensemble import Nets
from assay.models.explain_budget import DEEP, Scope
from assay.models.importance import (
    MOST_COLUMNS,
    Groups,
    drops,
    groups_of,
    leading,
    some_rows,
)
from assay.models.learning_curve import portion
from assay.models.training_part import TEST, Fitted, Part
from assay.models.tune import families, fold_seed
from assay.networks.job import Trained
from assay.networks.screening import f_statistics
from assay.store.behaviour import AtRows, Epochs, FoldBehaviour, FoldDependence
from assay.store.progress import report
from assay.store.records import FoldResult
from assay.store.seeds import seed_for
from assay.study.plans import Tuning

_MOST_WATCHED = 1024  # rows whose training loss is told
_DEPENDENCES, _DEPENDENCE_ROWS = 10, 500


@dataclass(frozen=True)
class _Learned:
    """What was fitted on one portion of a training part."""

    part: Part
    net: Fitted
    trained: tuple[Trained, ...]

    def answer(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return what the networks predict for rows as they were read."""
        return self.net.predict(self.part.whole.preparation.apply(features))


def explain_fold(
    samples: Samples,
    inner: NDArray[np.int16],
    found: FoldResult,
    scope: Scope,
    plan: Tuning,
    seed: int,
) -> FoldBehaviour:
    """Describe the deep model of one outer fold.

    Parameters
    ----------
    inner : shape (n_rows,)
        Inner fold of each row of the outer training part; -1 marks the test part, -2 rows in neither.
    found
        What the search came to there.
    seed
        The plan's, as the search was handed it.

    Raises
    ------
    TrainingFailed
        If what the search chose comes to nothing on the whole training part.
    """
    begun = time.perf_counter()
    with threadpool_limits(1):
        own = seed_for(seed, "explain", found.place.repeat, found.place.fold)
        at_rows, not_asked, whole = _by_portion(
            samples, inner, found, scope, plan, (seed, own)
        )
        test = np.flatnonzero(inner == TEST)
        groups, left_out = _asked(samples, plan, whole.part, own)
        shuffled = drops(
            whole.answer,
            samples.features.iloc[test],
            samples.labels[test],
            plan.metric,
            groups,
            own,
            image=samples.image,
        )
        dependences = _dependences(samples, whole, groups, shuffled, plan, own)
        return FoldBehaviour(
            place=found.place,
            drops=shuffled,
            dependences=tuple(dependences),
            at_rows=at_rows,
            epochs=_epochs(found.place.fold, whole.trained),
            not_asked=not_asked | left_out,
            seconds=time.perf_counter() - begun,
        )


# Portions of the training part -------------------------------------------------------------------


def _by_portion(
    samples: Samples,
    inner: NDArray[np.int16],
    found: FoldResult,
    scope: Scope,
    plan: Tuning,
    seeds: tuple[int, int],
) -> tuple[dict[str, AtRows], dict[str, str], _Learned]:
    """Learn from each portion, the whole training part last; return scores, what was left out, the last.

    ``seeds`` are the plan's and the place's own.
    """
    at_rows: dict[str, AtRows] = {}
    not_asked: dict[str, str] = {}
    for number, name in enumerate(scope.portions):
        report("portions of the rows", number, len(scope.portions))
        share = Fraction(name)
        try:
            some = portion(samples, inner, share, seeds[1])
            learned = _learned(
                _part(samples, some, plan),
                found,
                scope,
                seeds[0],
                n_watched=_MOST_WATCHED if share == 1 else 0,
            )
            scores = _scores(learned, found, scope, seeds[0], whole=share == 1)
        except (DataRefused, TrainingFailed) as refused:
            if share == 1:
                raise
            not_asked[f"{name} of the rows"] = str(refused)
            continue
        at_rows[name] = AtRows(n_rows=int((some >= 0).sum()), scores=scores)
    report("portions of the rows", len(scope.portions), len(scope.portions))
    return at_rows, not_asked, learned


def _part(samples: Samples, inner: NDArray[np.int16], plan: Tuning) -> Part:
    """Return a part of its rows alone: those in neither part would only be prepared."""
    rows = np.flatnonzero(inner >= TEST)
    some = dataclasses.replace(
        samples,
        features=samples.features.iloc[rows],
        labels=samples.labels[rows],
        units=None if samples.units is None else samples.units[rows],
        times=None if samples.times is None else samples.times[rows],
    )
    return Part(some, inner[rows], plan)


def _learned(
    part: Part, found: FoldResult, scope: Scope, seed: int, n_watched: int
) -> _Learned:
    nets, deep = families(part, fold_seed(found.place, seed))[DEEP], found.models[DEEP]
    assert isinstance(nets, Nets)
    asked = [trial.hyperparameters for trial in deep.trials]
    fitted, trained = nets.again(asked, deep.picks[: scope.networks], n_watched)
    return _Learned(part, fitted, trained)


def _scores(
    learned: _Learned, found: FoldResult, scope: Scope, seed: int, *, whole: bool
) -> dict[str, float]:
    """Return the scores of the networks and the simple model; none where the test part cannot tell.

    On the whole training part the search itself has scored the simple model.
    """
    part, name = learned.part, scope.baseline
    simple = found.models[name]
    if simple.score is None:
        return {}
    at_whole = simple.score if whole else None
    if at_whole is None:
        baseline = families(part, fold_seed(found.place, seed))[name]
        assert isinstance(baseline, Linear | Boosting)
        fitted = baseline.again(simple.trials[simple.winner].hyperparameters)
        at_whole = _score(part, fitted)
    return {DEEP: _score(part, learned.net), name: at_whole}


def _score(part: Part, fitted: Fitted) -> float:
    predictions = fitted.predict(part.tested(fitted))
    return score(part.plan.metric, part.labels[part.test], predictions)


def _epochs(fold: int, trained: tuple[Trained, ...]) -> Epochs:
    """Return the mean course of several trainings; one that has stopped counts on with its last losses."""
    courses = [one.course for one in trained if one.course is not None]
    longest = max((len(one.stopping) for one in courses), default=0)
    watched, stopping = (
        np.mean([np.pad(one, (0, longest - len(one)), "edge") for one in ones], axis=0)
        if ones
        else np.empty(0)
        for ones in (
            [one.watched for one in courses],
            [one.stopping for one in courses],
        )
    )
    return Epochs(
        fold=fold,
        training=_told(watched),
        stopping=_told(stopping),
        best=tuple(one.epoch + 1 for one in trained),
    )


def _told(losses: NDArray[np.float64]) -> tuple[float, ...]:
    """Return losses to the digits that a float32 has."""
    return tuple(float(f"{one:.6g}") for one in losses)


# Columns -------------------------------------------------------------------------------------------


def _asked(
    samples: Samples, plan: Tuning, part: Part, seed: int
) -> tuple[Groups, dict[str, str]]:
    """Return the groups of columns to ask about, and what is left out of them."""
    groups, left_out = groups_of(samples, plan.clean), {}
    if samples.image:
        left_out["single pixels"] = (
            "no pixel of an image stands for itself: blocks of them are shuffled, and of none is it asked "
            "how the model answers to its value"
        )
    if len(groups) > MOST_COLUMNS:
        left_out["columns"] = (
            f"only {MOST_COLUMNS} of {len(groups):,} are shuffled in each fold, those that by themselves say "
            f"most of the labels in its training part; of them those of every fold are told"
        )
        groups = leading(groups, _says(part, seed))
    return groups, left_out


def _says(part: Part, seed: int) -> dict[str, float]:
    """Return what each number says of the labels by itself, on the training rows."""
    numeric = part.whole.preparation.numeric
    statistics = f_statistics(
        *(part.whole.inputs[:, : len(numeric)], part.labels, part.whole.train, None),
        classes=not part.regression,
        seed=seed,
    )
    return dict(zip(map(str, numeric), statistics.tolist(), strict=True))


def _dependences(
    samples: Samples,
    whole: _Learned,
    groups: Groups,
    shuffled: dict[str, float],
    plan: Tuning,
    seed: int,
) -> list[FoldDependence]:
    """Return the dependences of the columns that matter most here, of those whose values can be set."""
    features = whole.part.whole.features.iloc[whole.part.test]
    rows = features.iloc[some_rows(len(features), _DEPENDENCE_ROWS, seed)]
    of_pieces = {*plan.clean.text, *(one.column for one in plan.clean.lists)}
    settable = [
        name
        for name in sorted(shuffled, key=lambda name: -shuffled[name])
        if groups[name] == (name,) and name not in of_pieces
    ]
    found = []
    for name in settable[:_DEPENDENCES]:
        known = grid(samples.features[name])
        if known is not None:
            found.append(dependence(whole.answer, rows, name, known))
    return found
