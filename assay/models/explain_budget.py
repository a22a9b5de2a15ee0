"""Scope: how much of the deep model's behaviour is asked for, so that it stays cheap beside tuning.

What it costs is counted in trainings of a network, of which the search did so many: no clock decides.
"""

from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean

from pydantic import Field

from assay.store.records import FoldResult, Metric, Record
from assay.study.plans import LOSSES

DEEP = "net"
_SHARE = 0.25  # of the search's trainings
_MOST_NETWORKS, _FEWEST_NETWORKS = 8, 2
_PORTIONS = ("1/8", "1/4", "1/2", "1")
_FEW_PORTIONS = _PORTIONS[2:]
_FEW_FOLDS = 2
_LEAST_COST = 0.4  # of a training on few rows, beside one on all: it takes more epochs, of small batches


class Scope(Record):
    """What is asked of each outer fold of the first repeat that is described."""

    baseline: str = Field(description="The simple model with the best mean score.")
    folds: int = Field(description="How many outer folds, the first ones.")
    networks: int = Field(
        description="The first so many of the ensemble's: its selection is greedy."
    )
    portions: tuple[str, ...] = Field(
        description="Of the training part that are learned from."
    )

    def not_asked(self, n_folds: int, n_networks: int) -> dict[str, str]:
        """Return what the scope leaves out of so many folds and networks, and why."""
        found = {}
        why = "to stay cheap beside the search"
        if self.folds < n_folds:
            found["other folds"] = (
                f"only {self.folds} of the first repeat's {n_folds} outer folds are described, {why}"
            )
        if self.networks < n_networks:
            first = (
                "only the network that was picked first"
                if self.networks == 1
                else f"only the {self.networks} networks that were picked first"
            )
            verb = "is" if self.networks == 1 else "are"
            found["whole ensemble"] = (
                f"{first}, of its {n_networks}, {verb} described, {why}"
            )
        if self.portions != _PORTIONS:
            left_out = [one for one in _PORTIONS if one not in self.portions]
            found["fewer rows"] = f"{' and '.join(left_out)} of the rows, {why}"
        return found


def scope_of(results: Sequence[FoldResult], metric: Metric) -> Scope:
    """Return the widest scope whose trainings are at most a quarter of the search's; else the narrowest.

    Parameters
    ----------
    results
        Of every outer fold of every repeat.
    """
    first = [one.models[DEEP] for one in results if one.place.repeat == 0]
    affordable = _SHARE * sum(_trainings(one) for one in results)
    most = min(_MOST_NETWORKS, *(len(fit.picks) for fit in first))
    candidates = [
        (folds, networks, portions)
        for folds, fewest, portions in (
            (len(first), min(most, _FEWEST_NETWORKS), _PORTIONS),
            (len(first), min(most, _FEWEST_NETWORKS), _FEW_PORTIONS),
            (min(_FEW_FOLDS, len(first)), 1, _FEW_PORTIONS),
        )
        for networks in range(most, fewest - 1, -1)
    ]
    folds, networks, portions = next(
        (one for one in candidates if _cost(*one) <= affordable), candidates[-1]
    )
    return Scope(
        baseline=best_baseline(results, metric),
        folds=folds,
        networks=networks,
        portions=portions,
    )


def _trainings(result: FoldResult) -> int:
    """Return about how many networks a fold's search trained: one a trial, and what the ensemble lacked."""
    fit = result.models[DEEP]
    return len(fit.trials) + len(fit.picks) - len(set(fit.picks))


def _cost(folds: int, networks: int, portions: Sequence[str]) -> float:
    return (
        folds
        * networks
        * sum(max(_LEAST_COST, float(Fraction(one))) for one in portions)
    )


def best_baseline(results: Sequence[FoldResult], metric: Metric) -> str:
    """Return the simple model with the best mean score over all outer folds; the first of equal ones."""
    sign = -1.0 if metric in LOSSES else 1.0
    names = [name for name in results[0].models if name != DEEP]
    return max(names, key=lambda name: sign * _mean(results, name))


def _mean(results: Sequence[FoldResult], name: str) -> float:
    scores = [one.models[name].score for one in results]
    known = [score for score in scores if score is not None]
    return fmean(known) if known else 0.0
