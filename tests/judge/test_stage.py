import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.judge.intervals import Interval, clt_split, nadeau_bengio
from assay.judge.stage import decide, judge_evidence
from assay.metrics import auc, score
from assay.store.records import Flag, SelfTest
from assay.study.plans import LOSSES
from tests.model_factories import (
    as_probabilities,
    evidence_of,
    flag,
    gate_result,
    identity,
    judging,
    number_case,
    scored_case,
    steady,
)

STRONG_NET = {"logistic": 0.5, "boosting": 0.6, "net": 2.0}
EQUAL = {"logistic": 1.0, "boosting": 1.0, "net": 1.0}
WEAK_NET = {"logistic": 2.0, "boosting": 1.0, "net": 0.4}


CLOSE, FAR = {"linear": 2.0, "net": 2.0}, {"linear": 6.0, "boosting": 5.0, "net": 1.0}


def judge(case, **plan):
    if plan.get("metric") in LOSSES:
        plan = {"at_least": None, "at_most": 1.0} | plan
    return judge_evidence(
        case.evidence,
        case.samples,
        case.folds,
        case.predictions,
        judging(**plan),
        identity(),
    )


def judge_stopped(evidence, **plan):
    case = scored_case(EQUAL)
    return judge_evidence(
        evidence, case.samples, case.folds, {}, judging(**plan), identity()
    )


def in_units(case, size, unit="brand"):
    """The same case, rows in units of ``size``, which its folds do not part."""
    n = len(case.labels)
    units = (np.arange(n) // size).astype(np.int32)
    cleaned = case.evidence.cleaned.model_copy(
        update={"n_units": n // size, "unit": unit}
    )
    evidence = case.evidence.model_copy(update={"cleaned": cleaned})
    return dataclasses.replace(case, evidence=evidence, units=units, unit=unit)


def self_test_result(flag=None):
    return SelfTest(
        scores={"net": (0.5, 0.7)}, p_values={"net": 0.2}, chance_level=0.5, flag=flag
    )


def self_flag(accepted=None):
    return Flag(
        sentinel="self_test",
        columns=(),
        rows=(),
        evidence="permuted labels score an AUC of 0.7",
        answer="Report it.",
        accepted=accepted,
    )


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
    earns = all(lead.lower > margin for lead in leads.values())
    not_worth = any(lead.upper < margin for lead in leads.values())

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
@pytest.mark.parametrize("metric", ["auc", "accuracy", "log_loss", "brier"])
def test_predictions_lead_to_a_word(strength, word, metric):
    verdict = judge(scored_case(strength), metric=metric).verdict

    assert verdict.outcome == word
    assert verdict.deep_learning.answer == word
    assert verdict.signal.answer == "signal"


@pytest.mark.parametrize("metric", ["r2", "squared_error", "absolute_error"])
@pytest.mark.parametrize(
    ("noise", "word"), [(FAR, "dl_earns"), (CLOSE, "dl_not_worth")]
)
def test_predicted_numbers_lead_to_a_word(noise, word, metric):
    margin = 0.02 if metric == "r2" else 1.0
    verdict = judge(number_case(noise), metric=metric, margin=margin).verdict

    assert verdict.outcome == word
    assert verdict.signal.statistic == "spearman"


@pytest.mark.parametrize("metric", ["log_loss", "brier", "squared_error", "r2"])
def test_a_gain_is_positive_where_the_net_is_better(metric):
    """Whether the metric is a score or a loss; each model is shown in the metric's own direction."""
    of_classes = metric in ("log_loss", "brier")
    case = scored_case(STRONG_NET) if of_classes else number_case(FAR)
    judged = judge(case, metric=metric)
    against = judged.verdict.deep_learning.against["boosting"]
    net, other = judged.scores["net"], against.baseline_score

    assert against.lower > 0
    assert against.delta == pytest.approx(
        other - net if metric in LOSSES else net - other
    )
    assert judged.verdict.claim.score == net
    assert 0 <= judged.verdict.claim.interval[0] <= net


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
    assert "stays open" in str(verdict.reason)


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
    verdict = judge_evidence(
        case.evidence, case.samples, folds, same, judging(), identity()
    )
    variance = 0.0
    for f in range(5):
        labels, p = case.labels[folds[0] == f], same["net"][0][f][:, 1]
        wins = (p[labels == 1][:, None] > p[labels == 0][None, :]).astype(float)
        for v in (wins.mean(axis=1), wins.mean(axis=0)):
            variance += v.var(ddof=1) / len(v) / 25
    low, high = verdict.verdict.claim.interval
    error = (high - low) / (2 * 1.6448536)

    assert error**2 == pytest.approx(variance * 300 / 299, rel=1e-6)


@pytest.mark.parametrize("metric", ["r2", "absolute_error", "brier"])
def test_the_interval_of_a_lead_is_that_of_the_difference_of_row_losses(metric):
    """By unit as by row; R2 is measured against the variance of all labels, which both models share."""
    case = scored_case(EQUAL) if metric == "brier" else number_case(FAR)
    losses = {}
    for name in ("net", "boosting"):
        whole = np.empty((400, 3))
        for j in range(3):
            for f in range(5):
                of, p = case.folds[j] == f, case.predictions[name][j][f]
                if metric == "brier":
                    whole[of, j] = (p[:, 1] - case.labels[of]) ** 2
                else:
                    error = np.abs(p[:, 0] - case.labels[of])
                    whole[of, j] = error if metric == "absolute_error" else error**2
        losses[name] = whole
    d = losses["boosting"] - losses["net"]
    if metric == "r2":
        v = case.labels.var()
        d = (
            d / v
            - d.mean(axis=0)
            / v
            * (((case.labels - case.labels.mean()) ** 2 / v - 1)[:, None])
        )

    for judged, units in ((case, None), (in_units(case, 8), np.arange(400) // 8)):
        expected = clt_split(d, 0.05, units)
        found = judge(judged, metric=metric).verdict.deep_learning.against["boosting"]
        assert (found.delta, found.lower, found.upper) == pytest.approx(
            (expected.estimate, expected.lower, expected.upper), abs=1e-9
        )
        assert found.interval_95 == pytest.approx(expected.interval_95, abs=1e-9)


def test_rows_that_go_together_widen_the_interval_and_the_verdict_names_the_unit():
    """Each row eight times over tells no more than once: the interval by unit is about that of an eighth."""
    once = scored_case({"logistic": 1.0, "net": 1.3}, n=200)
    eightfold = dataclasses.replace(
        once,
        labels=np.repeat(once.labels, 8),
        folds=np.repeat(once.folds, 8, axis=1),
        predictions={
            name: [[np.repeat(p, 8, axis=0) for p in folds] for folds in repeats]
            for name, repeats in once.predictions.items()
        },
    )
    case = in_units(eightfold, 8)
    alone, by_row, by_unit = (
        judge(one, metric="brier").verdict.deep_learning
        for one in (once, eightfold, case)
    )
    width = by_unit.upper - by_unit.lower

    assert width == pytest.approx(alone.upper - alone.lower, rel=0.02)
    assert width > 2 * (by_row.upper - by_row.lower)
    assert "by brand" in by_unit.method
    assert "by brand" in str(judge(case, metric="brier").verdict.reason)


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


@pytest.mark.parametrize(
    ("at_most", "answer"), [(3.0, "supported"), (0.5, "refuted"), (None, "undecided")]
)
def test_a_claim_of_a_loss_is_held_from_above(at_most, answer):
    case = number_case(CLOSE)
    loss = judge(case, metric="absolute_error").verdict.claim.score
    claim = judge(case, metric="absolute_error", at_most=at_most or loss).verdict.claim

    assert claim.answer == answer
    assert claim.at_least is None
    assert claim.interval[0] < loss < claim.interval[1]


def test_a_plan_that_claims_nothing_is_refused():
    with pytest.raises(ValueError, match="neither"):
        judge(scored_case(EQUAL), at_least=None)


@pytest.mark.parametrize(
    ("metric", "low", "high"),
    [("auc", 0.0, 1.0), ("accuracy", 0.0, 1.0), ("brier", 0.0, 1.0)],
)
def test_no_bound_of_a_claim_leaves_the_range_of_the_metric(metric, low, high):
    """Nearly right on every row, so that the bounds would reach beyond."""
    case = scored_case({"logistic": 1.0, "net": 3.2}, n=200)
    low_end, high_end = judge(case, metric=metric).verdict.claim.interval

    assert low <= low_end <= high_end <= high


def test_a_smaller_alpha_widens_what_is_said():
    case = scored_case(STRONG_NET)
    all_of_it, plan_b = judge(case).verdict, judge(case, alpha=0.015, plan="b").verdict

    assert plan_b.deep_learning.lower < all_of_it.deep_learning.lower
    assert plan_b.claim.interval[0] < all_of_it.claim.interval[0]


def fold_areas(case, name):
    return np.array(
        [
            auc(case.labels[case.folds[0] == f], p)
            for f, p in enumerate(case.predictions[name][0])
        ]
    )


def test_one_repeat_falls_back_to_nadeau_bengio_and_says_so():
    case = scored_case(STRONG_NET, repeats=1)
    verdict = judge(case).verdict
    gains = fold_areas(case, "net") - fold_areas(case, "logistic")
    expected = nadeau_bengio(gains, 1 / 4, 400, 0.05)
    found = verdict.deep_learning.against["logistic"]

    assert "Nadeau-Bengio" in verdict.deep_learning.method
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))


def test_one_repeat_of_a_loss_rests_on_the_mean_loss_of_each_fold():
    case = number_case(FAR, repeats=1)
    gains = np.array(
        [
            score("squared_error", case.labels[case.folds[0] == f], other)
            - score("squared_error", case.labels[case.folds[0] == f], net)
            for f, (net, other) in enumerate(
                zip(
                    case.predictions["net"][0],
                    case.predictions["linear"][0],
                    strict=True,
                )
            )
        ]
    )
    expected = nadeau_bengio(gains, 1 / 4, 400, 0.05)
    verdict = judge(case, metric="squared_error", margin=1.0).verdict
    found = verdict.deep_learning.against["linear"]

    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))


def forward_in_time(case):
    """The same predictions, but rows tested in time: the first 100 rows never, then 60 after 100, 160, ..."""
    n = len(case.labels)
    folds = np.full(n, -1, dtype=np.int16)
    folds[100:] = np.arange(n - 100) // 60
    order = [np.flatnonzero(case.folds[0] == f) for f in range(5)]
    predictions = {}
    for name, (by_fold,) in case.predictions.items():
        whole = np.empty((n, by_fold[0].shape[1]))
        for rows, p in zip(order, by_fold, strict=True):
            whole[rows] = p
        predictions[name] = [[whole[folds == f] for f in range(5)]]
    split = case.evidence.split.model_copy(update={"scheme": "forward"})
    return dataclasses.replace(
        case,
        evidence=case.evidence.model_copy(update={"split": split}),
        folds=folds[None],
        predictions=predictions,
    )


def test_in_time_rows_never_tested_are_left_out_and_growing_training_parts_counted():
    """60 test rows after 100, 160, 220, 280 and 340: the mean of 60/100, 60/160, ... is the share."""
    case = forward_in_time(scored_case(STRONG_NET, repeats=1))
    share = np.mean([60 / n for n in (100, 160, 220, 280, 340)])
    gains = fold_areas(case, "net") - fold_areas(case, "logistic")
    expected = nadeau_bengio(gains, share, 300, 0.05)
    judged = judge(case)
    found = judged.verdict.deep_learning.against["logistic"]

    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
    assert judged.scores["net"] == pytest.approx(fold_areas(case, "net").mean())


def test_a_block_of_time_with_one_class_has_no_score_and_does_not_count():
    case = forward_in_time(scored_case(STRONG_NET, repeats=1))
    labels = case.labels.copy()
    labels[100:160] = 0
    case = dataclasses.replace(case, labels=labels)
    judged = judge(case)

    assert judged.fold_scores["net"][0] is None
    assert judged.scores["net"] == pytest.approx(fold_areas(case, "net")[1:].mean())


def test_too_few_blocks_of_two_classes_are_told_and_not_scored():
    case = forward_in_time(scored_case(STRONG_NET, repeats=1))
    labels = case.labels.copy()
    labels[160:] = 1
    judged = judge(dataclasses.replace(case, labels=labels))

    assert judged.verdict.outcome == "underpowered"
    assert "fewer than two outer folds" in str(judged.verdict.reason)
    assert judged.scores == {}


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
    assert "'id' alone" in str(judged.verdict.reason)
    assert judged.verdict.signal.answer == "not_asked"
    assert judged.scores == {}


def test_an_alarm_of_the_self_test_withholds_every_score_though_the_gate_passed():
    evidence = evidence_of(gate=gate_result("signal")).model_copy(
        update={"self_test": self_test_result(self_flag())}
    )
    judged = judge_stopped(evidence)
    verdict = judged.verdict

    assert verdict.outcome == "suspect_leak"
    assert "permuted labels score an AUC of 0.7. Report it." in str(verdict.reason)
    assert verdict.signal.score is None
    assert verdict.flags == (self_flag(),)
    assert judged.scores == {}


@pytest.mark.parametrize("flag", [None, self_flag(accepted="known")])
def test_a_quiet_or_answered_self_test_stops_nothing(flag):
    case = scored_case(STRONG_NET)
    evidence = case.evidence.model_copy(update={"self_test": self_test_result(flag)})
    verdict = judge(dataclasses.replace(case, evidence=evidence)).verdict

    assert verdict.outcome == "dl_earns"
    assert verdict.flags == (() if flag is None else (flag,))


@pytest.mark.parametrize(
    ("gate", "outcome", "said"),
    [
        ("no_signal", "no_signal", "had 80 % power"),
        ("underpowered", "underpowered", "takes about 900."),
        ("untested", "underpowered", "chance: too few rows, about 60 are needed."),
    ],
)
@pytest.mark.parametrize("statistic", ["auc", "spearman"])
def test_a_plan_that_stopped_says_why(gate, statistic, outcome, said):
    judged = judge_stopped(evidence_of(gate=gate_result(gate, statistic)))
    named = {"auc": "an AUC of 0.60", "spearman": "a Spearman correlation of 0.60"}

    assert judged.verdict.outcome == outcome
    assert said in str(judged.verdict.reason)
    assert gate == "untested" or named[statistic] in str(judged.verdict.reason)
    assert judged.verdict.deep_learning.answer == "not_asked"
    assert judged.verdict.claim.answer == "undecided"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_rows": 150}, "150 rows (at least 200 are needed)"),
        (
            {"n_units": 12, "unit": "brand"},
            "12 units by brand (at least 20 are needed)",
        ),
        ({"counts": (380, 20)}, "20 rows of class 'yes' (at least 30 are needed)"),
    ],
)
def test_what_is_too_little_to_compare_models_on_is_named(changed, said):
    evidence = evidence_of(gate=gate_result("signal"))
    cleaned = evidence.cleaned.model_copy(update=changed)
    judged = judge_stopped(evidence.model_copy(update={"cleaned": cleaned}))

    assert judged.verdict.outcome == "underpowered"
    assert str(judged.verdict.reason).endswith(f"to compare models: {said}.")


def test_a_plan_cannot_have_stopped_for_nothing():
    with pytest.raises(ValueError, match="no alarm"):
        judge_stopped(evidence_of(gate=None))


# Price -----------------------------------------------------------------------------------------


def priced(case, **seconds):
    """The same case, each model's fit seconds as given, a tenth of a second to predict a fold, 2 kB."""
    results = tuple(
        result.model_copy(
            update={
                "models": {
                    name: fit.model_copy(
                        update={"fit_s": seconds[name], "predict_s": 0.1, "size": 2000}
                    )
                    for name, fit in result.models.items()
                }
            }
        )
        for result in case.evidence.results
    )
    evidence = case.evidence.model_copy(update={"results": results})
    return dataclasses.replace(case, evidence=evidence)


def test_each_model_has_its_price_and_the_gain_its_price_per_second():
    """15 folds of 80 rows at .1 s are 1250 microseconds a row; boosting took longer than the net."""
    case = priced(scored_case(STRONG_NET), net=5.0, logistic=1.0, boosting=9.0)
    deep = judge(case).verdict.deep_learning

    assert deep.price["net"].fit_s == 5.0
    assert deep.price["boosting"].predict_us == pytest.approx(1250)
    assert deep.price["logistic"].size == 2000
    assert deep.gain_per_second == {
        "logistic": pytest.approx(deep.against["logistic"].delta / 4)
    }


# Sameness --------------------------------------------------------------------------------------


def test_seconds_and_deviations_do_not_change_what_must_be_the_same():
    slow, fast = (judge(scored_case(EQUAL, fit_s=s)).verdict for s in (100.0, 1.0))

    assert slow.deep_learning.price != fast.deep_learning.price
    assert slow.reason == fast.reason
    assert slow.essence_digest() == fast.essence_digest()
    assert slow.after(None, ("differs",)).essence_digest() == fast.essence_digest()


def test_another_prediction_or_plan_a_changes_what_must_be_the_same():
    first, other = (
        judge(scored_case(EQUAL)).verdict,
        judge(scored_case(EQUAL, seed=1)).verdict,
    )

    assert first.digests["predictions"] != other.digests["predictions"]
    assert first.essence_digest() != other.essence_digest()
    assert first.after(other, ()).essence_digest() != first.essence_digest()
