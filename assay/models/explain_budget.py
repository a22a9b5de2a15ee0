"""Explain budget: how many folds, networks and rows are described, to keep explaining cheap beside tuning.

The cost is counted in trainings of a network, as for the search, so that no clock decides.
"""

from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean

from pydantic import Field

from assay.store.records import FoldResult, Metric, Record
from assay.study.plans import LOSSES
from assay.wording import Sentence

DEEP = "net"
_SHARE = 0.25  # of the search's trainings
_MAX_NETWORKS, _MIN_NETWORKS = 8, 2
_SHARES = ("1/8", "1/4", "1/2", "1")
_FEW_SHARES = _SHARES[2:]
_FEW_FOLDS = 2
_MIN_COST = 0.4  # of a training on few rows, relative to one on all: more epochs of small batches


class ExplainBudget(Record):
    """What is described of the deep model on the first repeat."""

    baseline: str = Field(description="The simple model with the best mean score.")
    folds: int = Field(description="Number of outer folds, the first ones.")
    networks: int = Field(
        description="Number of the ensemble's networks, the first ones: its selection is greedy."
    )
    shares: tuple[str, ...] = Field(
        description="Of the training part: the points of the learning curve."
    )

    def not_asked(self, n_folds: int, n_networks: int) -> dict[str, Sentence]:
        """Return what the budget leaves out of so many folds and networks, and why."""
        left_out = {}
        if self.folds < n_folds:
            left_out["other folds"] = Sentence.of(
                "models.explain.folds", n=self.folds, n_folds=n_folds
            )
        if self.networks < n_networks:
            key = "first_network" if self.networks == 1 else "networks"
            left_out["whole ensemble"] = Sentence.of(
                f"models.explain.{key}", n=self.networks, n_networks=n_networks
            )
        if self.shares != _SHARES:
            missing = tuple(share for share in _SHARES if share not in self.shares)
            left_out["fewer rows"] = Sentence.of(
                "models.explain.shares", shares=missing
            )
        return left_out


def explain_budget(results: Sequence[FoldResult], metric: Metric) -> ExplainBudget:
    """Choose how many folds, networks and rows to describe within a quarter of the search's trainings.

    The widest budget that fits; where none does, the narrowest.

    Parameters
    ----------
    results
        Of every outer fold of every repeat.
    """
    first = [result.models[DEEP] for result in results if result.place.repeat == 0]
    affordable = _SHARE * sum(_trainings(result) for result in results)
    most = min(_MAX_NETWORKS, *(len(fit.picks) for fit in first))
    few = min(most, _MIN_NETWORKS)
    candidates = [
        (n_folds, n_networks, shares)
        for n_folds, fewest, shares in (
            (len(first), few, _SHARES),
            (len(first), few, _FEW_SHARES),
            (min(_FEW_FOLDS, len(first)), 1, _FEW_SHARES),
        )
        for n_networks in range(most, fewest - 1, -1)
    ]
    folds, networks, shares = next(
        (candidate for candidate in candidates if _cost(*candidate) <= affordable),
        candidates[-1],
    )
    return ExplainBudget(
        baseline=best_baseline(results, metric),
        folds=folds,
        networks=networks,
        shares=shares,
    )


def _trainings(result: FoldResult) -> int:
    """Return about how many networks a fold's search trained: one per trial, and those the ensemble lacked."""
    fit = result.models[DEEP]
    return len(fit.trials) + len(fit.picks) - len(set(fit.picks))


def _cost(folds: int, networks: int, shares: Sequence[str]) -> float:
    per_network = sum(max(_MIN_COST, float(Fraction(share))) for share in shares)
    return folds * networks * per_network


def best_baseline(results: Sequence[FoldResult], metric: Metric) -> str:
    """Return the simple model with the best mean score over all outer folds; the first of equal ones."""
    sign = -1.0 if metric in LOSSES else 1.0
    names = [name for name in results[0].models if name != DEEP]
    return max(names, key=lambda name: sign * _mean(results, name))


def _mean(results: Sequence[FoldResult], name: str) -> float:
    scores = [result.models[name].score for result in results]
    defined = [score for score in scores if score is not None]
    return fmean(defined) if defined else 0.0
