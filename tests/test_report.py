import html.parser
import typing

import pytest

from assay.judge import judge_evidence
from assay.report import render
from assay.verdict import OutcomeWord
from assay.words import HEADLINES
from tests.model_factories import (
    evidence_of,
    flag,
    gate_result,
    identity,
    judging,
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


def judged(evidence, case, predictions):
    return judge_evidence(
        evidence, case.labels, case.folds, predictions, judging(), identity()
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
