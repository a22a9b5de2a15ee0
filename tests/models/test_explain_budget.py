import pytest

from assay.models.explain_budget import (
    ExplainBudget,
    best_baseline,
    explain_budget,
)
from assay.store.records import FoldResult, ModelFit, Place, Trial

EVERY = ("1/8", "1/4", "1/2", "1")


def result(
    repeat: int,
    fold: int,
    *,
    n_trials: int = 8,
    picks: tuple[int, ...] = tuple(range(8)) * 2,
    scores: dict[str, float | None] | None = None,
) -> FoldResult:
    trials = tuple(
        Trial(number=number, hyperparameters={}, score=0.5)
        for number in range(n_trials)
    )
    scores = scores or {"logistic": 0.7, "boosting": 0.8, "net": 0.9}
    models = {
        name: ModelFit(
            trials=trials,
            winner=0,
            predictions=None,
            score=score,
            fit_s=1.0,
            predict_s=0.1,
            size=1,
            picks=picks if name == "net" else (),
        )
        for name, score in scores.items()
    }
    return FoldResult(place=Place(repeat=repeat, fold=fold), models=models)


def results(repeats: int = 3, **how: object) -> list[FoldResult]:
    return [result(j, f, **how) for j in range(repeats) for f in range(5)]  # type: ignore[arg-type]


def trainings(budget: ExplainBudget) -> float:
    costs = {"1/8": 0.4, "1/4": 0.4, "1/2": 0.5, "1": 1.0}
    return budget.folds * budget.networks * sum(costs[share] for share in budget.shares)


def test_a_usual_search_leaves_room_for_every_fold_and_share():
    """8 trials and 16 networks of 8 trials: 16 trainings a fold, 240 in three repeats of five folds."""
    budget = explain_budget(results(), "auc")

    assert (budget.folds, budget.shares) == (5, EVERY)
    assert 2 <= budget.networks < 16
    assert trainings(budget) <= 240 / 4
    assert [*budget.not_asked(5, 16)] == ["whole ensemble"]


def test_a_larger_search_asks_of_more_networks_but_never_more_than_there_are():
    assert explain_budget(results(n_trials=60), "auc").networks == 8
    assert explain_budget(results(n_trials=60, picks=(0, 0, 1)), "auc").networks == 3


@pytest.mark.parametrize(
    ("how", "folds", "n_shares"),
    [
        ({"n_trials": 3, "picks": (0, 0, 1, 2)}, 5, 2),
        ({"repeats": 1, "n_trials": 2, "picks": (0, 0, 0, 1)}, 2, 2),
    ],
)
def test_a_small_search_leaves_out_shares_then_folds_and_says_so(how, folds, n_shares):
    found = results(**how)
    budget = explain_budget(found, "auc")
    left_out = budget.not_asked(5, 4)

    assert (budget.folds, len(budget.shares)) == (folds, n_shares)
    assert left_out["fewer rows"].values == {"shares": ("1/8", "1/4")}
    assert ("other folds" in left_out) == (folds < 5)


def test_the_budget_depends_on_no_clock():
    slow = [
        result.model_copy(
            update={
                "models": {
                    name: fit.model_copy(update={"fit_s": 1e6})
                    for name, fit in result.models.items()
                }
            }
        )
        for result in results()
    ]

    assert explain_budget(slow, "auc") == explain_budget(results(), "auc")


def test_the_simple_model_is_the_best_by_mean_and_the_first_of_equals():
    losses: dict[str, float | None] = {"logistic": 0.2, "boosting": 0.3, "net": 0.1}

    assert best_baseline(results(), "auc") == "boosting"
    assert best_baseline(results(scores=losses), "log_loss") == "logistic"
    equal: dict[str, float | None] = {"logistic": 0.5, "boosting": 0.5, "net": None}
    assert best_baseline(results(scores=equal), "auc") == "logistic"
