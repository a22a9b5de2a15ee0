import html
import html.parser
import re
import typing

import pytest

from assay.judge import judge_evidence
from assay.records import AuditReport, Flag, SelfTest
from assay.report import render, sentinel_rows
from assay.verdict import OutcomeWord
from assay.words import HEADLINES, SENTINELS
from tests.model_factories import (
    evidence_of,
    flag,
    gate_result,
    identity,
    judging,
    number_case,
    plan,
    registration,
    scored_case,
    study,
)

ATTACK = "<script>alert('1')</script><img src=x onerror=alert(2)>"


class Tags(html.parser.HTMLParser):
    """Every tag with its attributes, and which are left open."""

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(page):
    parser = Tags()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.seen


def judged(evidence, case, predictions, **plan):
    return judge_evidence(
        evidence, case.samples, case.folds, predictions, judging(**plan), identity()
    )


def page_of(outcome, declared=None, remark="a reason"):
    """A report whose verdict is ``outcome``, from evidence that leads there."""
    stops = {
        "no_signal": {"gate": gate_result("no_signal")},
        "underpowered": {"gate": gate_result("untested")},
        "suspect_leak": {"gate": None, "flags": (flag(evidence=remark),)},
    }
    strengths = {
        "dl_earns": (0.3, 2.0),
        "dl_not_worth": (1.0, 1.0),
        "inconclusive": (1.0, 1.1),
    }
    if outcome in stops:
        evidence = evidence_of(remark=remark, **stops[outcome])
        found = judged(evidence, scored_case({"net": 1.0}), {})
    else:
        logistic, net = strengths[outcome]
        case = scored_case({"logistic": logistic, "net": net})
        evidence = case.evidence.model_copy(
            update={"report": evidence_of(gate=None, remark=remark).report}
        )
        found = judged(evidence, case, case.predictions)
    assert found.verdict.outcome == outcome
    return render(registration(declared), evidence, found)


def test_the_terms_of_catalogued_data_stand_on_the_page_and_of_other_data_none():
    catalogued = study(plan={"a": plan(source="voice-gender/voice.csv")})

    assert "CC BY-NC-SA 4.0, commercial use is forbidden" in page_of(
        "no_signal", catalogued
    )
    assert "Licence" not in page_of("no_signal")


@pytest.mark.parametrize("outcome", typing.get_args(OutcomeWord))
def test_every_outcome_has_a_page_with_its_headline_and_whole_tags(outcome):
    page = page_of(outcome)

    assert HEADLINES[outcome][1] in page
    assert ("h1", {}) in tags_of(page)


@pytest.mark.parametrize("outcome", ["suspect_leak", "dl_earns"])
def test_texts_of_a_study_or_a_table_are_shown_and_never_run(outcome):
    declared = study(
        position=ATTACK,
        company=ATTACK,
        rationale=ATTACK,
        question=ATTACK,
        overrides=(f"plan.a.claim={ATTACK}",),
        plan={"a": plan(claim=ATTACK)},
    )
    page = page_of(outcome, declared, remark=ATTACK)
    tags = tags_of(page)

    assert {tag for tag, _ in tags}.isdisjoint(
        {"script", "img", "iframe", "object", "link"}
    )
    assert not any(
        name.startswith("on") for _, attributes in tags for name in attributes
    )
    assert "&lt;script&gt;alert(&#39;1&#39;)" in page


@pytest.mark.parametrize("outcome", typing.get_args(OutcomeWord))
def test_a_page_needs_no_network_and_forbids_it(outcome):
    tags = tags_of(page_of(outcome))
    policies = [
        attributes["content"]
        for tag, attributes in tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]

    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src" not in policies[0]
    assert not any(
        {"src", "href", "action"} & attributes.keys() for _, attributes in tags
    )


@pytest.mark.parametrize("outcome", ["no_signal", "dl_not_worth"])
def test_equal_evidence_gives_equal_bytes(outcome):
    assert page_of(outcome).encode() == page_of(outcome).encode()


def test_a_failed_plan_a_a_deviation_and_an_accepted_alarm_are_on_the_page():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    evidence = case.evidence.model_copy(
        update={"audit": evidence_of(gate=None, flags=(flag("we know it"),)).audit}
    )
    failed = judged(evidence_of(gate=gate_result("no_signal")), case, {}).verdict
    found = judged(evidence, case, case.predictions)
    found = found.model_copy(
        update={"verdict": found.verdict.after(failed, ("differs in margin",))}
    )
    page = render(registration(), evidence, found)

    assert "Plan A failed first" in page
    assert "differs in margin" in page
    assert "Accepted: we know it" in page


def text_of(page):
    """The page as one line of text."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_page_of_a_number_names_its_metric_its_statistic_and_its_claim():
    case = number_case({"linear": 6.0, "net": 1.0})
    loss = {"metric": "squared_error", "at_least": None, "at_most": 2.5, "margin": 1.0}
    declared = study(plan={"a": plan(task="regression", **loss)})
    found = judged(case.evidence, case, case.predictions, **loss)
    text = text_of(render(registration(declared), case.evidence, found))

    assert "Predicted a number" in text
    assert "mean squared error 2.5 or less" in text
    assert "a Spearman correlation of 0.580 or more would be found" in text
    assert "lower is better; a gain is positive where the net is better" in text
    assert "AUC" not in text


def test_units_and_order_are_on_the_page():
    evidence = evidence_of(gate=gate_result("no_signal"))
    units = {"units": evidence.cleaned.labels, "n_units": 40, "unit": "brand"}
    of_units = evidence.model_copy(
        update={"cleaned": evidence.cleaned.model_copy(update=units)}
    )
    in_time = evidence.model_copy(
        update={
            "cleaned": evidence.cleaned.model_copy(update={"order": "day"}),
            "split": evidence.split.model_copy(update={"scheme": "forward"}),
        }
    )
    found = judged(evidence, scored_case({"net": 1.0}), {})
    declared = study(plan={"a": plan(order="day", split={"gap": 7})})

    assert "40 units (brand); folds keep each whole" in text_of(
        render(registration(), of_units, found)
    )
    assert (
        "Order day; models learn from earlier rows only, and the first block is never "
        "tested, 7 rows beside a test part left out"
    ) in text_of(render(registration(declared), in_time, found))


def self_tested(evidence, flag=None):
    tested = SelfTest(
        scores={"net": (0.5, 0.7), "logistic": (0.4, 0.5)},
        p_values={"net": 0.2, "logistic": 0.9},
        chance_level=0.5,
        flag=flag,
    )
    return evidence.model_copy(update={"self_test": tested})


def test_every_sentinel_has_a_row_whether_it_fired_kept_quiet_or_did_not_look():
    audit = AuditReport(
        flags=(flag("we know it"), flag()),
        looked_for=("single_column", "duplicates", "near_duplicates", "row_order"),
        not_looked_for={
            "near_duplicates": "200 of 900 rows were compared",
            "confounder": "no column says where rows came from",
            "undeclared_unit": "a unit is declared",
        },
    )
    evidence = evidence_of(gate=None).model_copy(update={"audit": audit})
    rows = sentinel_rows(evidence)

    assert [(row.word, row.found) for row in rows] == [
        ("single_column", "alarm"),
        ("single_column", "alarm"),
        ("duplicates", "no alarm"),
        ("near_duplicates", "no alarm, looked in part"),
        ("row_order", "no alarm"),
        ("undeclared_unit", "not looked for"),
        ("confounder", "not looked for"),
        ("self_test", "not looked for"),
    ]
    assert rows[0].answer == "Accepted: we know it"
    assert rows[1].answer == "Leave it out."
    assert rows[5].evidence == "a unit is declared"
    assert {row.word for row in rows} >= set(SENTINELS)


def test_the_self_test_has_its_figures_on_the_page():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    evidence = self_tested(case.evidence)
    text = text_of(
        render(registration(), evidence, judged(evidence, case, case.predictions))
    )

    assert "Self-test: AUC on permuted labels, where chance is 0.5" in text
    assert "net 0.600 0.500 0.700 2 0.2" in text
    assert "logistic 0.450 0.400 0.500 2 0.9" in text


def test_an_alarm_of_the_self_test_leaves_no_score_on_the_page():
    alarm = Flag(
        sentinel="self_test",
        columns=(),
        rows=(),
        evidence="permuted labels score an AUC of 0.7",
        answer="Report it.",
    )
    evidence = self_tested(evidence_of(gate=gate_result("signal")), alarm)
    found = judged(evidence, scored_case({"net": 1.0}), {})
    text = text_of(render(registration(), evidence, found))

    assert "permuted labels score an AUC of 0.7" in text
    assert "withheld" in text
    assert "beats chance" not in text
    assert "0.900" not in text


def test_what_each_model_costs_is_on_the_page():
    """A second to fit and .1 s to predict 80 rows each, 1000 bytes, no longer than the other."""
    text = text_of(page_of("dl_earns"))

    assert "net 1.00 1250.0 1 kB –" in text
    assert "logistic 1.00 1250.0 1 kB no longer to fit" in text


def test_every_bar_and_line_lies_inside_its_picture():
    """Coordinates are checked because nobody looks at a thousand reports."""
    tags = tags_of(page_of("dl_earns"))
    bars = [attributes for tag, attributes in tags if tag == "rect"]
    lines = [attributes for tag, attributes in tags if tag == "line"]

    assert bars
    assert all(0 <= float(bar["x"]) <= 100 and float(bar["y"]) >= 0 for bar in bars)
    assert all(0 <= float(line[end]) <= 100 for line in lines for end in ("x1", "x2"))


def test_equal_null_scores_still_make_a_picture():
    case = scored_case({"net": 1.0})
    gate = gate_result("no_signal").model_copy(
        update={"null_scores": (0.5, 0.5), "score": 0.5}
    )
    evidence = evidence_of(gate=gate)

    assert "<rect" in render(registration(), evidence, judged(evidence, case, {}))
