import typing

import pytest

from assay.judge.sentences import (
    HEADLINES,
    METRICS,
    answers,
    claim_sentence,
    cost_sentence,
    edge_sentence,
    figure,
    more_rows_sentence,
    multiverse_sentence,
    sentences,
    signal_sentence,
)
from assay.judge.stage import judge_evidence
from assay.store.behaviour import AtRows, Behaviour
from assay.store.records import Metric
from assay.store.verdict import OutcomeWord, Universe, Verdict, edges
from assay.wording import Sentence, render, speak
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


def test_every_outcome_and_metric_has_its_words():
    assert set(HEADLINES) == set(typing.get_args(OutcomeWord))
    assert all(sign and str(headline) for sign, headline in HEADLINES.values())
    assert set(METRICS) == set(typing.get_args(Metric))
    assert all(map(str, METRICS.values()))


def test_a_scored_verdict_says_signal_claim_deep_learning_and_price_with_numbers(
    scored,
):
    signal, claim, reason, cost = sentences(scored)

    assert str(signal) == (
        "Something beats chance: AUC 0.900 against chance 0.50, p ≤ 0.02 after 48 permutations."
    )
    assert claim == claim_sentence(scored)
    assert f"{scored.claim.score:.4f}" in str(claim)
    assert "AUC 0.6 or more is supported" in str(claim)
    assert reason == scored.reason
    assert str(cost) == (
        "The net took 1.0 s per fold to search and fit, logistic took 1.0 s; "
        "the net's size is 1 kB."
    )


def test_a_verdict_comes_back_equal_from_its_json_which_a_person_can_read(scored):
    kept = scored.model_dump(mode="json")

    assert kept["reason"]["text"] == render(scored.reason, "en")
    assert Verdict.model_validate(kept) == scored
    assert Verdict.model_validate_json(scored.model_dump_json()) == scored


def test_the_reason_of_an_earlier_version_is_a_text_that_stands_for_itself(scored):
    kept = scored.model_dump(mode="json") | {"reason": "The net is worth it."}
    verdict = Verdict.model_validate(kept)

    assert str(verdict.reason) == "The net is worth it."
    assert verdict.essence()["reason"] == "The net is worth it."
    assert verdict.model_dump(mode="json") == kept


def test_the_language_changes_what_is_shown_and_nothing_else(scored):
    digest = scored.essence_digest()
    speak("ko")
    try:
        shown = [str(sentence) for sentence in sentences(scored)]
        again = verdict_of(scored_case({"logistic": 1.0, "net": 1.0}), at_least=0.6)
        digests = {scored.essence_digest(), again.essence_digest()}
        kept = scored.model_dump_json()
    finally:
        speak("en")

    assert shown[2].startswith("여기서 딥러닝은 비용만큼의 가치가 없습니다: AUC ")
    assert digests == {digest}
    assert kept == scored.model_dump_json()


def test_the_three_answers_have_a_word_and_what_it_rests_on(scored, stopped):
    for verdict in (scored, stopped):
        for answer in answers(verdict):
            assert all(map(str, (answer.asked, answer.word, answer.evidence)))
    assert [str(answer.word) for answer in answers(scored)] == [
        "yes",
        "supported",
        "not worth its cost",
    ]
    assert [str(answer.evidence) for answer in answers(stopped)][1:] == [
        "claimed 0.8 or more; there is no score to compare it with",
        "not compared",
    ]


def test_alternatives_that_end_otherwise_are_named(scored):
    same = scored.as_universe("keep copies")
    other = Universe.refused("drop 'age'", Sentence.plain("no rows are left"))

    assert multiverse_sentence(scored) is None
    assert str(multiverse_sentence(scored.among(()))) == (
        "Plan A, which decided, declares no alternative of cleaning."
    )
    assert str(multiverse_sentence(scored.among((same, other)))) == (
        "The verdict stands in 1 of 2 declared alternatives of cleaning: "
        "'drop 'age'' gives The data is refused, the claim not asked."
    )


def test_a_number_is_spoken_of_by_spearman_and_a_loss_from_above():
    case = number_case({"linear": 6.0, "net": 1.0})
    verdict = verdict_of(case, metric="absolute_error", at_least=None, at_most=2.5)

    assert "Spearman correlation 0.900 against chance 0.00" in str(
        signal_sentence(verdict)
    )
    assert "mean absolute error 2.5 or less is supported: the net reaches 0." in (
        str(claim_sentence(verdict))
    )
    assert "(lower is better); the gain lies between +" in str(verdict.reason)


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
    ("auc", (0.90, 0.93), "gained at least the margin"),
    ("auc", (0.92, 0.93), "gained less than the margin"),
    ("auc", (0.94, 0.93), "gained nothing"),
    ("log_loss", (0.50, 0.40), "gained at least the margin"),
]


@pytest.mark.parametrize(("metric", "net", "gained"), MORE_ROWS)
def test_what_twice_the_rows_did_is_told_with_figures_and_is_no_test(
    metric, net, gained
):
    behaviour = behaviour_with(
        AtRows(n_rows=100, scores={"net": 0.1, "logistic": 0.1}),
        AtRows(n_rows=400, scores={"net": net[0], "logistic": 0.91}),
        AtRows(n_rows=800, scores={"net": net[1], "logistic": 0.92}),
    )
    sentence = str(more_rows_sentence(behaviour, metric, 0.02))

    assert sentence.startswith("Learning from 800 rows instead of 400 changed the")
    assert f"net from {net[0]:.4f} to {net[1]:.4f}" in sentence
    assert "logistic from 0.9100 to 0.9200" in sentence
    assert gained in sentence
    assert "not tested" in sentence


def test_nothing_is_said_of_more_rows_where_fewer_were_not_tried():
    alone = AtRows(n_rows=800, scores={"net": 0.9})
    for behaviour in (None, behaviour_with(), behaviour_with(alone)):
        assert more_rows_sentence(behaviour, "auc", 0.02) is None


def behaviour_with(*at_rows: AtRows) -> Behaviour:
    return Behaviour(importances=(), dependences=(), at_rows=at_rows, epochs=())


def test_a_signed_figure_has_its_sign_and_no_negative_zero():
    assert figure("auc", 0.01, signed=True) == "+0.0100"
    assert figure("squared_error", -45210, signed=True) == "-45,210"
    assert figure("auc", -1e-9, signed=True) == "+0.0000"


def test_the_cost_is_told_beside_the_baseline_the_net_gains_least_over(scored):
    case = scored_case({"logistic": 0.4, "boosting": 0.9, "net": 1.5}, fit_s=0.04)

    assert "boosting took 0.04 s" in str(cost_sentence(verdict_of(case)))
    deep = scored.deep_learning
    dear = deep.price["net"].model_copy(update={"fit_s": 31.4, "size": 2_600_000})
    verdict = scored.model_copy(
        update={
            "deep_learning": deep.model_copy(
                update={"price": deep.price | {"net": dear}}
            )
        }
    )
    assert str(cost_sentence(verdict)) == (
        "The net took 31.4 s per fold to search and fit, logistic took 1.0 s; "
        "the net's size is 2.6 MB."
    )


def test_an_edge_that_most_folds_share_is_told_with_where_to_widen(scored):
    deep = scored.deep_learning.model_copy(update={"edges": ("net: width >= 256",)})
    verdict = scored.model_copy(update={"deep_learning": deep})

    assert edge_sentence(scored) is None
    assert "(net: width >= 256)" in str(edge_sentence(verdict))
    assert "plan.a.tune" in str(edge_sentence(verdict))
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
    assert signal_sentence(stopped) is None
    assert claim_sentence(stopped) is None
    assert cost_sentence(stopped) is None


def test_plan_a_comes_first_and_deviations_last(scored, stopped):
    deviation = Sentence.plain("differs from registration 12ab")
    first, *_, last = shown = sentences(scored.after(stopped, (deviation,)))

    assert str(first).startswith(
        "Plan A failed first. No signal: nothing beats chance: No model beat chance"
    )
    assert str(last) == "Deviation: this study differs from registration 12ab."
    assert len(shown) == 6
