"""Self-test: the whole of tuning on permuted labels, where nothing may score above chance.

It is run before any outer fold, so that a pipeline that sees the answers shows no score.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp
from threadpoolctl import threadpool_limits

from assay.data.permute import relabelled
from assay.data.samples import Samples
from assay.errors import DataRefused
from assay.metrics import statistic
from assay.models.training_part import TEST, Part, Prepare, on_training_rows
from assay.models.tune import families, found_by
from assay.store.progress import report
from assay.store.records import Flag, SelfTest
from assay.store.seeds import seed_for
from assay.study.plans import AuditPlan, TunePlan, Tuning


def tune_permuted(
    samples: Samples,
    inner: NDArray[np.int16],
    plan: Tuning,
    audit: AuditPlan,
    seed: int,
    prepare: Prepare = on_training_rows,
) -> SelfTest:
    """Tune on permuted labels: nothing may score above chance there (PROTOCOL section 5.5).

    Each vector of labels takes one outer fold of the first repeat, with a light search. Labels are
    permuted inside each inner fold and inside the test part: what was permuted in the test part
    cannot be told by any honest pipeline, and no fold loses a class that it had. Rows in time
    and rows of one unit are permuted like others, because this tests the pipeline and not the
    data: a large unit that finds no other of its size would keep its share of each class, which
    an honest pipeline learns from the unit's other rows.

    Parameters
    ----------
    inner : shape (n_folds, n_rows)
        For each outer fold what :func:`tune_fold` takes.
    prepare
        The step of the pipeline that could look where it must not.

    Returns
    -------
    SelfTest
        With an alarm if a family's mean is above chance by a one-sided t test at
        ``audit.alarm`` divided by the number of families.

    Raises
    ------
    DataRefused
        If no test part has rows of two classes.
    """
    light = plan.model_copy(update={"tune": _light(plan.tune)})
    seed = seed_for(seed, "self_test")
    alone = dataclasses.replace(samples, times=None, units=None)
    folds = [fold for fold in inner if len(np.unique(samples.labels[fold == TEST])) > 1]
    if not folds:
        raise DataRefused(
            "No outer fold has a test part with rows of two classes, so nothing can be scored. "
            "Lower split.folds, or leave the rare classes out."
        )
    scores: dict[str, list[float]] = {}
    with threadpool_limits(1):
        for number in range(audit.self_test):
            report("permuted labels", number, audit.self_test)
            fold = folds[number % len(folds)]
            labels = relabelled(alone, fold, seed, number)
            permuted = dataclasses.replace(samples, labels=labels)
            part, own = Part(permuted, fold, light, prepare), seed_for(seed, number)
            for name, family in families(part, own).items():
                found = found_by(part, family, seed_for(own, name))
                value = statistic(labels[part.test], found.predictions, samples.task)
                scores.setdefault(name, []).append(value)
        report("permuted labels", audit.self_test, audit.self_test)
    return _self_test(scores, 0.0 if part.regression else 0.5, audit)


def _light(plan: TunePlan) -> TunePlan:
    """Return the plan with a search that takes seconds; what could leak is the same."""
    strong, weak = plan.logistic.inverse_penalty
    sweeps = plan.tuner == "hyperband"  # and tries more than trials says
    return plan.model_copy(
        update={
            "trials": 3 if sweeps else min(3, plan.trials),
            "seeds": min(2, plan.seeds),
            "folds_per_trial": 1,
            "tuner": "random",
            "epochs": min(10, plan.epochs),
            "net": plan.net.model_copy(
                update={"depth": plan.net.depth[:1], "width": plan.net.width[:1]}
            ),
            "image": plan.image.model_copy(
                update={
                    "depth": plan.image.depth[:1],
                    "filters": plan.image.filters[:1],
                }
            ),
            "logistic": plan.logistic.model_copy(
                update={"inverse_penalty": (strong, (strong * weak) ** 0.5)}
            ),
            "boosting": plan.boosting.model_copy(
                update={
                    "max_rounds": min(5, plan.boosting.max_rounds),
                    "leaves": plan.boosting.leaves[:1],
                }
            ),
        }
    )


def _self_test(
    scores: Mapping[str, Sequence[float]], chance: float, audit: AuditPlan
) -> SelfTest:
    p_values = {name: _above(values, chance) for name, values in scores.items()}
    worst = min(p_values, key=lambda name: p_values[name])
    fired = p_values[worst] * len(p_values) <= audit.alarm
    return SelfTest(
        scores={name: tuple(values) for name, values in scores.items()},
        p_values=p_values,
        chance_level=chance,
        flag=_flag(worst, scores[worst], p_values[worst], chance, audit)
        if fired
        else None,
    )


def _above(scores: Sequence[float], chance: float) -> float:
    """Return the p-value of a one-sided t test that the mean is above chance."""
    if not np.ptp(scores):
        return 0.0 if scores[0] > chance else 1.0
    return float(ttest_1samp(scores, chance, alternative="greater").pvalue)


def _flag(
    name: str, scores: Sequence[float], p_value: float, chance: float, audit: AuditPlan
) -> Flag:
    accepted = (one.reason for one in audit.accept if one.sentinel == "self_test")
    return Flag(
        sentinel="self_test",
        columns=(),
        rows=(),
        evidence=(
            f"With labels permuted, '{name}' scores {np.mean(scores):.3f} on average over {len(scores)} "
            f"permutations where chance is {chance:g} (p = {p_value:.2g}): some step sees the answers it is "
            f"scored on, and every score would be too high"
        ),
        answer=(
            "No study can cause this by itself; it is a fault in the preparation or the search. Report it. "
            "To go on all the same, add {sentinel = 'self_test', reason = '...'} to audit.accept."
        ),
        accepted=next(accepted, None),
    )
