import json
import re

import pytest

from assay.judge.stage import judge_evidence
from assay.store.behaviour import AtRows, Behaviour, Importance
from flows.pages import fold_rows, plain, trial_rows, unlinked, verdict_page
from tests.model_factories import (
    evidence_of,
    flag,
    gate_result,
    identity,
    judging,
    number_case,
    scored_case,
)

HOSTILE = (
    "<img src=x onerror=alert(1)> [x](javascript:alert(2)) ![i](http://evil.example/x)"
    " **b** __b__ ~~s~~ `c` | www.evil.example a@b.example &lt;i&gt;\n# head\n| a |\u202eab\x07"
)


def judged(case, **plan):
    return judge_evidence(
        *(case.evidence, case.samples, case.folds, case.predictions),
        *(judging(**plan), identity()),
    )


def page(case, judgement, claim="A claim", behaviour=None):
    evidence = case.evidence.model_copy(update={"behaviour": behaviour})
    return verdict_page(judgement, evidence, claim, 0.02, "runs/toy-1/report.html")


@pytest.fixture(scope="module")
def scored():
    case = scored_case({"logistic": 1.0, "boosting": 0.9, "net": 1.0})
    return case, judged(case, at_least=0.6)


def test_a_page_has_the_words_the_answers_the_scores_and_the_report(scored):
    case, judgement = scored
    shown = page(case, judgement)

    assert shown.startswith("# ")
    assert f"`{judgement.verdict.outcome}`" in shown
    for asked in ("Is there a signal?", "Does the claim hold?", "worth it?"):
        assert asked in shown
    for name, score in judgement.scores.items():
        assert f"| {name} | {score:.4f} |" in shown
    assert shown.count("data:image/svg+xml;base64,") == 3
    assert "`runs/toy-1/report.html`" in shown
    assert len(shown) < 50_000


def test_a_page_tells_what_the_network_looks_at_and_whether_more_rows_would_help(
    scored,
):
    behaviour = Behaviour(
        importances=(Importance(column="x0", drop=0.1, low=0.05, high=0.2),),
        dependences=(),
        at_rows=tuple(
            AtRows(n_rows=n, scores={"net": score, "logistic": 0.9})
            for n, score in ((160, 0.85), (320, 0.9))
        ),
        epochs=(),
    )
    shown = page(*scored, behaviour=behaviour)

    assert "## What the network looks at" in shown
    assert "Learning from 320 rows instead of 160" in shown
    assert shown.count("data:image/svg+xml;base64,") == 4


def test_a_loss_of_a_number_is_told_in_its_units():
    case = number_case({"linear": 3.0, "net": 2.9})
    judgement = judged(case, metric="squared_error", at_least=None, at_most=20.0)

    assert "mean squared error (lower is better)" in page(case, judgement)


@pytest.mark.parametrize("word", ["no_signal", "underpowered", "untested"])
def test_a_plan_that_stopped_has_a_page_without_scores_and_no_tables(word):
    case = scored_case({"net": 1.0})
    evidence = evidence_of(gate=gate_result(word))
    judgement = judge_evidence(
        evidence, case.samples, case.folds, {}, judging(), identity()
    )
    shown = verdict_page(judgement, evidence, "A claim", 0.02, "report.html")

    assert "## The models" not in shown
    assert ("## Against chance" in shown) == (word != "untested")
    assert fold_rows(evidence, judgement.verdict) == []
    assert trial_rows(evidence, judgement.verdict) == []


def test_a_suspected_leak_shows_no_score():
    case = scored_case({"net": 1.0})
    evidence = evidence_of(gate=None, flags=(flag(),))
    judgement = judge_evidence(
        evidence, case.samples, case.folds, {}, judging(), identity()
    )
    shown = verdict_page(judgement, evidence, "A claim", 0.02, "report.html")

    assert "A leak is suspected" in shown
    assert "data:image" not in shown


# Words of others -----------------------------------------------------------------------------------


def test_words_of_others_are_text_and_nothing_else(scored):
    """No tag, link, image, address, heading, table cell or line of theirs survives on the page."""
    case, judgement = scored
    behaviour = Behaviour(
        importances=(Importance(column=HOSTILE, drop=0.1, low=0.0, high=0.2),),
        dependences=(),
        at_rows=(),
        epochs=(),
    )
    verdict = judgement.verdict.model_copy(
        update={"reason": HOSTILE, "deviations": (HOSTILE,)}
    )
    hostile = judgement.model_copy(update={"verdict": verdict})
    ours, shown = page(case, judgement), page(case, hostile, HOSTILE, behaviour)

    assert "<img" not in shown
    assert not re.search(r"https?://", shown)
    assert not re.search(r"www\.", shown)
    assert not re.search(r"\w@\w", shown)
    assert not re.search(r"&\w", shown)
    assert not re.search(r"(?<!\\)\]\((?!data:image/svg)", shown)
    assert "\u202e" not in shown
    assert [line for line in shown.splitlines() if line.startswith("# ")] == [
        line for line in ours.splitlines() if line.startswith("# ")
    ]
    assert shown.count("\n| ") == ours.count("\n| ")


def test_plain_text_stays_as_it_is_read():
    assert plain("An AUC of 0.93, 5 % more: 'yes' (really)?") == (
        "An AUC of 0.93, 5 % more: 'yes' (really)?"
    )
    assert plain("한국어 Größe") == "한국어 Größe"
    assert plain("x" * 500, 10) == "x" * 9 + "…"
    assert unlinked("learning_rate 0.1") == "learning_rate 0.1"


def test_a_backslash_of_theirs_cannot_free_the_sign_behind_it():
    assert plain("\\[x](y)") == "\\\\\\[x\\](y)"


# Tables --------------------------------------------------------------------------------------------


def test_the_table_of_folds_has_a_line_for_each_and_their_means(scored):
    case, judgement = scored
    lines = fold_rows(case.evidence, judgement.verdict)

    assert len(lines) == 16
    assert lines[0] | {"seconds": ""} == {
        "repeat": 1,
        "fold": 1,
        "logistic": "0.5000",
        "boosting": "0.5000",
        "net": "0.5000",
        "seconds": "",
    }
    assert lines[-1]["fold"] == "mean"
    json.dumps(lines)


def test_the_table_of_trials_says_which_were_used_the_best_first(scored):
    case, judgement = scored
    result = case.evidence.results[0]
    fit = result.models["net"]
    trials = tuple(
        fit.trials[0].model_copy(update={"number": number, "score": score})
        for number, score in enumerate((0.7, None, 0.9))
    )
    fit = fit.model_copy(update={"trials": trials, "winner": 2, "picks": (2, 2, 0)})
    changed = result.model_copy(update={"models": {"net": fit}})
    evidence = case.evidence.model_copy(update={"results": (changed,)})
    lines = trial_rows(evidence, judgement.verdict)

    assert [line["trial"] for line in lines] == [3, 1, 2]
    assert [line["used"] for line in lines] == [
        "2 of 3 networks",
        "1 of 3 networks",
        "",
    ]
    assert [line["score"] for line in lines] == ["0.9000", "0.7000", None]


def test_of_very_many_trials_the_best_of_each_search_are_shown(scored):
    case, judgement = scored
    fit = case.evidence.results[0].models["net"]
    many = tuple(
        fit.trials[0].model_copy(update={"number": n, "score": n / 1000})
        for n in range(300)
    )
    results = tuple(
        one.model_copy(
            update={"models": {"net": fit.model_copy(update={"trials": many})}}
        )
        for one in case.evidence.results
    )
    lines = trial_rows(
        case.evidence.model_copy(update={"results": results}), judgement.verdict
    )

    assert len(lines) == 15 * 33
    assert lines[0]["trial"] == 300
