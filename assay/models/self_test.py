"""Self-test: the whole of tuning on permuted labels, where nothing may score above chance.

It runs before any outer fold, so that a pipeline that leaks labels shows no score.
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
from assay.models.tune import families, tuned
from assay.store.progress import report
from assay.store.records import Flag, SelfTest
from assay.store.seeds import seed_for
from assay.study.plans import AuditPlan, TunePlan, Tuning
from assay.wording import Sentence


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
    permuted within each inner fold and within the test part: no sound pipeline can predict the
    permutation of the test part, and no fold loses a class. Rows in time and rows of one unit are
    permuted like others, because this tests the pipeline and not the data: a large unit without
    another of its size would keep its share of each class, which a sound pipeline learns from the
    unit's other rows.

    Parameters
    ----------
    inner : shape (n_folds, n_rows)
        For each outer fold what :func:`tune_fold` takes.
    prepare
        The step of the pipeline in which tests plant a leak.

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
        raise DataRefused("models.self_test.no_test_set")
    scores: dict[str, list[float]] = {}
    with threadpool_limits(1):
        for number in range(audit.self_test):
            report("models.step.permuted_labels", number, audit.self_test)
            fold = folds[number % len(folds)]
            labels = relabelled(alone, fold, seed, number)
            permuted = dataclasses.replace(samples, labels=labels)
            part, own = Part(permuted, fold, light, prepare), seed_for(seed, number)
            for name, family in families(part, own).items():
                fit = tuned(part, family, seed_for(own, name))
                value = statistic(labels[part.test], fit.predictions, samples.task)
                scores.setdefault(name, []).append(value)
        report("models.step.permuted_labels", audit.self_test, audit.self_test)
    return _self_test(scores, 0.0 if part.regression else 0.5, audit)


def _light(plan: TunePlan) -> TunePlan:
    """Return the plan with a search that takes seconds, through the same steps."""
    strong, weak = plan.logistic.inverse_penalty
    sweeps = plan.tuner == "hyperband"  # which tries more than ``trials``
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
    accepted = (item.reason for item in audit.accept if item.sentinel == "self_test")
    return Flag(
        sentinel="self_test",
        columns=(),
        rows=(),
        evidence=Sentence.of(
            "models.self_test.evidence",
            name=name,
            mean=float(np.mean(scores)),
            n=len(scores),
            chance=chance,
            p=p_value,
        ),
        answer=Sentence.of("models.self_test.answer"),
        accepted=next(accepted, None),
    )
