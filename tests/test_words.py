import typing

import pytest

from assay.judge import judge_evidence
from assay.verdict import OutcomeWord
from assay.words import (
    HEADLINES,
    METRICS,
    claim_sentence,
    sentences,
    signal_sentence,
)
from tests.model_factories import (
    evidence_of,
    gate_result,
    identity,
    judging,
    scored_case,
)


@pytest.fixture(scope="module")
def scored():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    return judge_evidence(
        case.evidence,
        case.labels,
        case.folds,
        case.predictions,
        judging(at_least=0.6),
        identity(),
    ).verdict


@pytest.fixture(scope="module")
def stopped():
    case = scored_case({"net": 1.0})
    evidence = evidence_of(gate=gate_result("no_signal"))
    return judge_evidence(
        evidence, case.labels, case.folds, {}, judging(), identity()
    ).verdict


def test_every_outcome_has_a_headline_and_every_metric_a_name():
    assert set(HEADLINES) == set(typing.get_args(OutcomeWord))
    assert all(sign and headline for sign, headline in HEADLINES.values())
    assert set(METRICS) == {"auc", "accuracy"}


def test_a_scored_verdict_says_signal_claim_and_deep_learning_with_numbers(scored):
    signal, claim, reason = sentences(scored)

    assert (
        signal
        == "Something beats chance: AUC 0.900 against 0.50, p <= 0.02 after 48 permutations."
    )
    assert claim == claim_sentence(scored)
    assert f"{scored.claim.score:.4f}" in claim
    assert "supported" in claim
    assert reason == scored.reason


def test_a_stopped_verdict_says_only_why(stopped):
    assert sentences(stopped) == [stopped.reason]
    assert signal_sentence(stopped) == ""
    assert claim_sentence(stopped) == ""


def test_plan_a_comes_first_and_deviations_last(scored, stopped):
    said = sentences(scored.after(stopped, ("differs from registration 12ab",)))

    assert said[0].startswith("Plan A ended in no_signal (No model beat chance")
    assert said[-1] == "Deviation: this study differs from registration 12ab."
    assert len(said) == 5
