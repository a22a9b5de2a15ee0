import typing

import pytest

from assay.judge.sentences import (
    HEADLINES,
    METRICS,
    SENTINELS,
    claim_sentence,
    edge_sentence,
    figure,
    more_rows_sentence,
    price_sentence,
    sentences,
    signal_sentence,
)
from assay.judge.stage import judge_evidence
from assay.store.behaviour import AtRows, Behaviour
from assay.store.records import Metric, Sentinel
from assay.store.verdict import OutcomeWord, edges
from tests.model_factories import (
    evidence_of,
    gate_result,
    identity,
    judging,
    number_case,
    scored_case,
)


def verdict_of(case, **plan):
    return judge_evidence(
        case.evidence,
        case.samples,
        case.folds,
        case.predictions,
        judging(**plan),
        identity(),
    ).verdict


@pytest.fixture(scope="module")
def scored():
    return verdict_of(scored_case({"logistic": 1.0, "net": 1.0}), at_least=0.6)


@pytest.fixture(scope="module")
def stopped():
    case = scored_case({"net": 1.0})
    evidence = evidence_of(gate=gate_result("no_signal"))
    return judge_evidence(
        evidence, case.samples, case.folds, {}, judging(), identity()
    ).verdict


def test_every_outcome_metric_and_sentinel_has_its_words():
    assert set(HEADLINES) == set(typing.get_args(OutcomeWord))
    assert all(sign and headline for sign, headline in HEADLINES.values())
    assert set(METRICS) == set(typing.get_args(Metric))
    assert set(SENTINELS) == set(typing.get_args(Sentinel))


def test_a_scored_verdict_says_signal_claim_deep_learning_and_price_with_numbers(
    scored,
):
    signal, claim, reason, price = sentences(scored)

    assert (
        signal
        == "Something beats chance: AUC 0.900 against 0.50, p <= 0.02 after 48 permutations."
    )
    assert claim == claim_sentence(scored)
    assert f"{scored.claim.score:.4f}" in claim
    assert "AUC 0.6 or more is supported" in claim
    assert reason == scored.reason
    assert price == (
        "The net took 1.0 s a fold to search and fit, 1.0 times as long as logistic, "
        "and its numbers fill 1 kB."
    )


def test_a_number_is_spoken_of_by_spearman_and_a_loss_from_above():
    case = number_case({"linear": 6.0, "net": 1.0})
    verdict = verdict_of(case, metric="absolute_error", at_least=None, at_most=2.5)

    assert "Spearman correlation 0.900 against 0.00" in signal_sentence(verdict)
    assert "mean absolute error 2.5 or less is supported: the net has 0." in (
        claim_sentence(verdict)
    )
    assert "(lower is better); the gain lies between +" in verdict.reason


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("auc", 0.5, "0.5000"),
        ("r2", -1.25, "-1.2500"),
        ("log_loss", 2, "2.0000"),
        ("squared_error", 2.01, "2.010"),
        ("squared_error", 999.99, "1,000"),
        ("absolute_error", 1234567.8, "1,234,568"),
        ("absolute_error", 0.00012344, "0.0001234"),
    ],
)
def test_a_figure_has_the_digits_of_its_metric(metric, value, shown):
    assert figure(metric, value) == shown


MORE_ROWS = [
    ("auc", (0.90, 0.93), "still gained as much as the margin or more"),
    ("auc", (0.92, 0.93), "gained less than the margin"),
    ("auc", (0.94, 0.93), "gained nothing"),
    ("log_loss", (0.50, 0.40), "still gained as much as the margin or more"),
]


@pytest.mark.parametrize(("metric", "net", "said"), MORE_ROWS)
def test_what_twice_the_rows_did_is_told_with_figures_and_is_no_test(metric, net, said):
    behaviour = behaviour_with(
        AtRows(n_rows=100, scores={"net": 0.1, "logistic": 0.1}),
        AtRows(n_rows=400, scores={"net": net[0], "logistic": 0.91}),
        AtRows(n_rows=800, scores={"net": net[1], "logistic": 0.92}),
    )
    sentence = more_rows_sentence(behaviour, metric, 0.02)

    assert sentence.startswith("Learning from 800 rows instead of 400 took the")
    assert f"the net from {net[0]:.4f} to {net[1]:.4f}" in sentence
    assert "logistic from 0.9100 to 0.9200" in sentence
    assert said in sentence
    assert "not tested" in sentence


def test_nothing_is_said_of_more_rows_where_fewer_were_not_tried():
    assert more_rows_sentence(behaviour_with(), "auc", 0.02) == ""
    alone = AtRows(n_rows=800, scores={"net": 0.9})
    assert more_rows_sentence(behaviour_with(alone), "auc", 0.02) == ""


def behaviour_with(*at_rows: AtRows) -> Behaviour:
    return Behaviour(importances=(), dependences=(), at_rows=at_rows, epochs=())


def test_a_signed_figure_has_its_sign_and_no_negative_zero():
    assert figure("auc", 0.01, signed=True) == "+0.0100"
    assert figure("squared_error", -45210, signed=True) == "-45,210"
    assert figure("auc", -1e-9, signed=True) == "+0.0000"


def test_the_price_is_told_beside_the_baseline_the_net_gains_least_over(scored):
    case = scored_case({"logistic": 0.4, "boosting": 0.9, "net": 1.5}, fit_s=0.0)

    assert "times" not in price_sentence(verdict_of(case))
    deep = scored.deep_learning
    dear = deep.price["net"].model_copy(update={"fit_s": 31.4, "size": 2_600_000})
    verdict = scored.model_copy(
        update={
            "deep_learning": deep.model_copy(
                update={"price": deep.price | {"net": dear}}
            )
        }
    )
    assert price_sentence(verdict) == (
        "The net took 31.4 s a fold to search and fit, 31 times as long as logistic, "
        "and its numbers fill 2.6 MB."
    )


def test_an_edge_that_most_folds_share_is_told_with_where_to_widen(scored):
    deep = scored.deep_learning.model_copy(update={"edges": ("net: width >= 256",)})
    verdict = scored.model_copy(update={"deep_learning": deep})

    assert edge_sentence(scored) == ""
    assert "(net: width >= 256)" in edge_sentence(verdict)
    assert "plan.a.tune" in edge_sentence(verdict)
    assert edge_sentence(verdict) in sentences(verdict)


def test_edges_count_where_more_than_half_of_the_folds_have_them():
    case = scored_case({"logistic": 0.4, "net": 1.5})
    results = case.evidence.results
    wide = tuple(
        result.model_copy(
            update={
                "models": {
                    name: fit.model_copy(update={"edges": ("width >= 256",)})
                    for name, fit in result.models.items()
                    if name == "net"
                }
            }
        )
        for result in results
    )
    n = len(results) // 2

    assert edges(results) == ()
    assert edges(wide[:n] + results[n:]) == ()
    assert edges(wide[: n + 1] + results[n + 1 :]) == ("net: width >= 256",)


def test_a_stopped_verdict_says_only_why(stopped):
    assert sentences(stopped) == [stopped.reason]
    assert signal_sentence(stopped) == ""
    assert claim_sentence(stopped) == ""
    assert price_sentence(stopped) == ""


def test_plan_a_comes_first_and_deviations_last(scored, stopped):
    said = sentences(scored.after(stopped, ("differs from registration 12ab",)))

    assert said[0].startswith("Plan A ended in no_signal (No model beat chance")
    assert said[-1] == "Deviation: this study differs from registration 12ab."
    assert len(said) == 6
