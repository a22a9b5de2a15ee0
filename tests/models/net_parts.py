"""Small parts, and networks searched and fitted on them."""

import numpy as np

from assay.models.net_search import deep
from assay.models.search import search
from assay.models.training_part import Part
from assay.study.plans import CleanPlan, NetSpace, TunePlan, Tuning
from tests.model_factories import line_table, samples_of, shuffled_folds

SPACE = NetSpace(depth=(1,), width=(8,), pieces=(0, 4), learning_rate=(5e-3, 2e-2))


def part_of(table=None, **changed):
    samples = samples_of(table or line_table(160, seed=3))
    codes = samples.labels if samples.task != "regression" else np.zeros(160)
    inner = shuffled_folds(codes, 3, 1)
    inner[shuffled_folds(codes, 4, 2) == 0] = -1
    plan = {"seeds": 4, "epochs": 6, "patience": 3, "net": SPACE, **changed}
    metric = "r2" if samples.task == "regression" else "auc"
    tuning = Tuning(
        tune=TunePlan.model_validate(plan), clean=CleanPlan(), metric=metric
    )
    return Part(samples, inner, tuning)


def fitted(part, n_trials=3, **how):
    nets = deep(part, 5)
    trials, winner = search(
        nets.space, n_trials, 5, nets.try_all, first=nets.first, **how
    )
    return nets, trials, nets.fit(trials[winner])
