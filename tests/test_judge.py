import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.interval import Interval, nadeau_bengio
from assay.judge import decide, judge_evidence
from assay.metrics import auc
from tests.model_factories import (
    as_probabilities,
    evidence_of,
    flag,
    gate_result,
    identity,
    judging,
    scored_case,
    steady,
)

STRONG_NET = {"logistic": 0.5, "boosting": 0.6, "net": 2.0}
EQUAL = {"logistic": 1.0, "boosting": 1.0, "net": 1.0}
WEAK_NET = {"logistic": 2.0, "boosting": 1.0, "net": 0.4}


def judge(case, **plan):
    return judge_evidence(
        case.evidence,
        case.labels,
        case.folds,
        case.predictions,
        judging(**plan),
        identity(),
    )


def judge_stopped(evidence, **plan):
    labels = np.array([0, 1] * 200, dtype=np.int32)
    folds = np.zeros((3, 400), dtype=np.int16)
    return judge_evidence(evidence, labels, folds, {}, judging(**plan), identity())


def lead(lower, upper):
    middle = (lower + upper) / 2
    return Interval(middle, 0.01, lower, upper, (lower, upper), 400, "by hand")


# Words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logistic", "boosting", "word", "by"),
    [
        ((0.03, 0.05), (0.04, 0.08), "dl_earns", "logistic"),
        ((0.03, 0.05), (0.01, 0.05), "inconclusive", "boosting"),
        ((0.03, 0.05), (-0.01, 0.01), "dl_not_worth", "boosting"),
        ((-0.05, -0.03), (0.03, 0.05), "dl_not_worth", "logistic"),
        ((0.00, 0.06), (-0.01, 0.05), "inconclusive", "boosting"),
    ],
)
def test_deep_learning_must_lead_every_baseline_and_loses_to_any(
    logistic, boosting, word, by
):
    leads = {"logistic": lead(*logistic), "boosting": lead(*boosting)}

    assert decide(leads, margin=0.02) == (word, by)


def test_a_bound_on_the_margin_decides_nothing():
    """PROTOCOL step 5: earns needs L > delta, not worth U < delta."""
    assert decide({"logistic": lead(0.02, 0.04)}, 0.02)[0] == "inconclusive"
    assert decide({"logistic": lead(0.00, 0.02)}, 0.02)[0] == "inconclusive"
    assert decide({"logistic": lead(0.02, 0.02)}, 0.02)[0] == "inconclusive"


@st.composite
def some_leads(draw):
    ends = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)).map(sorted)
    return {name: lead(*draw(ends)) for name in ("boosting", "logistic")}


@steady
@given(some_leads(), st.floats(0.005, 0.05))
def test_the_word_is_that_of_the_intersection_and_the_union(leads, margin):
    word, by = decide(leads, margin)
    earns = all(one.lower > margin for one in leads.values())
    not_worth = any(one.upper < margin for one in leads.values())

    assert word == (
        "dl_earns" if earns else "dl_not_worth" if not_worth else "inconclusive"
    )
    if word == "dl_earns":
        assert leads[by].lower > margin
    elif word == "dl_not_worth":
        assert leads[by].upper < margin
    else:
        assert leads[by].lower <= margin <= leads[by].upper


def test_an_open_comparison_is_told_by_the_baseline_that_left_it_open():
    """Logistic regression has the smaller lead and is beaten for sure; boosting is the open one."""
    leads = {"logistic": lead(0.03, 0.05), "boosting": lead(0.01, 0.09)}

    assert decide(leads, margin=0.02) == ("inconclusive", "boosting")


@steady
@given(some_leads(), st.floats(0.005, 0.05))
def test_another_baseline_never_makes_deep_learning_look_better(leads, margin):
    order = ["dl_not_worth", "inconclusive", "dl_earns"]
    alone = {"logistic": leads["logistic"]}

    assert order.index(decide(leads, margin)[0]) <= order.index(
        decide(alone, margin)[0]
    )


# From predictions to a verdict -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("strength", "word"),
    [(STRONG_NET, "dl_earns"), (EQUAL, "dl_not_worth"), (WEAK_NET, "dl_not_worth")],
)
@pytest.mark.parametrize("metric", ["auc", "accuracy"])
def test_predictions_lead_to_a_word(strength, word, metric):
    verdict = judge(scored_case(strength), metric=metric).verdict

    assert verdict.outcome == word
    assert verdict.deep_learning.answer == word
    assert verdict.signal.answer == "signal"


def test_a_margin_inside_the_interval_is_inconclusive_and_says_how_many_rows_would_decide():
    case = scored_case({"logistic": 0.9, "net": 1.0})
    lead = judge(case).verdict.deep_learning
    middle = (lead.delta + lead.upper) / 2
    verdict = judge(case, margin=middle).verdict

    assert verdict.outcome == "inconclusive"
    assert (
        verdict.deep_learning.needed_rows is None
        or verdict.deep_learning.needed_rows > 400
    )
    assert "stays open" in verdict.reason


def test_an_equal_net_is_called_equivalent_and_a_weak_one_worse():
    assert judge(scored_case(EQUAL)).verdict.deep_learning.remark == "equivalent"
    assert judge(scored_case(WEAK_NET)).verdict.deep_learning.remark == "worse"
    assert judge(scored_case(STRONG_NET)).verdict.deep_learning.remark == ""


def test_the_lead_is_the_difference_of_the_mean_fold_scores():
    case = scored_case(STRONG_NET)
    judged = judge(case)
    areas = {
        name: np.mean(
            [
                auc(case.labels[case.folds[j] == f], by_repeat[j][f])
                for j in range(3)
                for f in range(5)
            ]
        )
        for name, by_repeat in case.predictions.items()
    }

    for name in ("logistic", "boosting"):
        against = judged.verdict.deep_learning.against[name]
        assert against.delta == pytest.approx(areas["net"] - areas[name])
        assert against.baseline_score == pytest.approx(areas[name])
    assert judged.scores == pytest.approx(areas)
    assert judged.fold_scores["net"] == pytest.approx(
        [
            auc(case.labels[case.folds[j] == f], case.predictions["net"][j][f])
            for j in range(3)
            for f in range(5)
        ]
    )


def test_on_independent_folds_the_error_of_the_score_is_delongs():
    """Equal predictions in each repeat and one fold's rows: SE^2 is the DeLong variance of the mean fold AUC."""
    case = scored_case({"logistic": 0.5, "net": 1.0}, n=300)
    folds = np.stack([case.folds[0]] * 3)
    same = {name: [by_repeat[0]] * 3 for name, by_repeat in case.predictions.items()}
    found = judge_evidence(
        case.evidence, case.labels, folds, same, judging(), identity()
    )
    variance = 0.0
    for f in range(5):
        labels, p = case.labels[folds[0] == f], same["net"][0][f][:, 1]
        wins = (p[labels == 1][:, None] > p[labels == 0][None, :]).astype(float)
        for v in (wins.mean(axis=1), wins.mean(axis=0)):
            variance += v.var() / len(v) / 25
    low, high = found.verdict.claim.interval
    error = (high - low) / (2 * 1.6448536)

    assert error**2 == pytest.approx(variance * 300 / 299, rel=1e-6)


@pytest.mark.parametrize(
    ("at_least", "answer"),
    [(0.55, "supported"), (0.999, "refuted")],
)
def test_the_claim_is_held_against_the_nets_own_bounds(at_least, answer):
    claim = judge(scored_case(EQUAL), at_least=at_least).verdict.claim

    assert claim.answer == answer
    assert (claim.interval[0] >= at_least) == (answer == "supported")


def test_a_claim_inside_the_bounds_is_undecided():
    case = scored_case(EQUAL)
    score = judge(case).verdict.claim.score

    assert judge(case, at_least=score).verdict.claim.answer == "undecided"


def test_a_smaller_alpha_widens_what_is_said():
    case = scored_case(STRONG_NET)
    all_of_it, plan_b = judge(case).verdict, judge(case, alpha=0.015, plan="b").verdict

    assert plan_b.deep_learning.lower < all_of_it.deep_learning.lower
    assert plan_b.claim.interval[0] < all_of_it.claim.interval[0]


def test_one_repeat_falls_back_to_nadeau_bengio_and_says_so():
    case = scored_case(STRONG_NET, repeats=1)
    verdict = judge(case).verdict
    net, logistic = (
        np.array(
            [
                auc(case.labels[case.folds[0] == f], p)
                for f, p in enumerate(case.predictions[name][0])
            ]
        )
        for name in ("net", "logistic")
    )
    expected = nadeau_bengio(net - logistic, 400, 0.05)

    assert "Nadeau-Bengio" in verdict.deep_learning.method
    assert verdict.deep_learning.against["logistic"].lower == pytest.approx(
        expected.lower
    )
    assert verdict.deep_learning.against["logistic"].upper == pytest.approx(
        expected.upper
    )


def test_a_perfect_net_has_no_spread_and_no_wish_for_rows():
    case = scored_case(STRONG_NET)
    for name in case.predictions:
        case.predictions[name] = [
            [
                as_probabilities(case.labels[case.folds[j] == f].astype(float))
                for f in range(5)
            ]
            for j in range(3)
        ]
    verdict = judge(case, at_least=0.9).verdict

    assert verdict.outcome == "dl_not_worth"
    assert verdict.claim.score == 1.0
    assert verdict.deep_learning.against["logistic"].needed_rows is None


# Where a plan stopped --------------------------------------------------------------------------


def test_an_unanswered_alarm_withholds_every_score():
    alarms = (flag(accepted="a good reason"), flag(evidence="'id' alone has AUC 1"))
    judged = judge_stopped(evidence_of(gate=None, flags=alarms))

    assert judged.verdict.outcome == "suspect_leak"
    assert "'id' alone" in judged.verdict.reason
    assert judged.verdict.signal.answer == "not_asked"
    assert judged.scores == {}


@pytest.mark.parametrize(
    ("gate", "outcome", "said"),
    [
        ("no_signal", "no_signal", "probability of 80 %"),
        ("underpowered", "underpowered", "about 900 are needed"),
        ("untested", "underpowered", "Too few rows"),
        ("signal", "underpowered", "too few to compare"),
    ],
)
def test_a_plan_that_stopped_says_why(gate, outcome, said):
    judged = judge_stopped(evidence_of(gate=gate_result(gate)))

    assert judged.verdict.outcome == outcome
    assert said in judged.verdict.reason
    assert judged.verdict.deep_learning.answer == "not_asked"
    assert judged.verdict.claim.answer == "undecided"


# Sameness --------------------------------------------------------------------------------------


def test_seconds_and_deviations_do_not_change_what_must_be_the_same():
    slow, fast = (judge(scored_case(EQUAL, fit_s=s)).verdict for s in (100.0, 1.0))

    assert slow.deep_learning.seconds != fast.deep_learning.seconds
    assert slow.essence_digest() == fast.essence_digest()
    assert slow.after(None, ("differs",)).essence_digest() == fast.essence_digest()


def test_another_prediction_or_plan_a_changes_what_must_be_the_same():
    one, other = (
        judge(scored_case(EQUAL)).verdict,
        judge(scored_case(EQUAL, seed=1)).verdict,
    )

    assert one.digests["predictions"] != other.digests["predictions"]
    assert one.essence_digest() != other.essence_digest()
    assert one.after(other, ()).essence_digest() != one.essence_digest()
