"""The page: what stands on it, that it needs nothing, and that nothing in it runs."""

import itertools
import re
import typing

import pandas as pd
import pytest

from assay.judge.sentences import cost_sentence, edge_sentence
from assay.report.canvas import drawing
from assay.report.draw_columns import blocks, dependence, importances
from assay.report.say import Say
from assay.report.sentinel_rows import sentinel_rows
from assay.store.behaviour import Dependence, Importance
from assay.store.records import AuditReport, Flag, SelfTest, Sentinel
from assay.store.verdict import OutcomeWord
from assay.study.plans import Study
from assay.wording import LANGUAGES, Sentence, catalogue, render
from tests.model_factories import (
    evidence_of,
    flag,
    gate_result,
    number_case,
    plan,
    registration,
    scored_case,
    study,
)
from tests.report_factories import (
    SECTIONS,
    behaviour,
    case_of,
    judged,
    page_for,
    page_of,
    section_of,
    tags_of,
    text_of,
)

pytestmark = pytest.mark.slow  # pages are drawn

OUTCOMES = typing.get_args(OutcomeWord)
ATTACK = "<script>alert('1')</script><img src=x onerror=alert(2)>"
PNG = "data:image/png;base64,"
DIFFERS = Sentence.plain("differs in margin")
LONG = "Donaudampfschifffahrtsgesellschaft" * 12
HOSTILE = (
    ATTACK,
    "a & b < c > \"d\" 'e'",
    LONG,
    "🍜🥢 emoji",
    "مرحبا بالعالم",
    "$x^2$ {name} %s",
)


# What stands on it -----------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_every_section_in_order_and_whole_tags(outcome, language):
    page = page_of(outcome, language=language)
    tags = tags_of(page)
    headings = [tag for tag, _ in tags if re.fullmatch("h[1-6]", tag)]

    assert catalogue(language)[f"judge.outcome.{outcome}"] in text_of(page)
    assert re.findall(r'<h2 id="(\w+)"', page) == list(SECTIONS)
    assert headings.count("h1") == 1
    assert headings[0] == "h1"
    levels = [int(tag[1]) for tag in headings]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert ("html", {"lang": language}) in tags


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_contents_and_the_skip_link_lead_to_what_is_there(outcome):
    tags = tags_of(page_of(outcome))
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]

    assert len(ids) == len(set(ids))
    assert links == ["#verdict", *(f"#{name}" for name in SECTIONS)]
    assert {link[1:] for link in links} <= set(ids)


def test_every_picture_says_what_it_shows_and_most_have_their_figures_beside_them():
    case = case_of("dl_earns")
    evidence = case.evidence.model_copy(update={"behaviour": behaviour()})
    page = page_for(type(case)(evidence, case.labels, case.folds, case.predictions))
    pictures = [attributes for tag, attributes in tags_of(page) if tag == "svg"]

    assert len(pictures) == 12
    assert all(len(picture["aria-label"] or "") > 30 for picture in pictures)
    assert all(picture["role"] == "img" for picture in pictures)
    assert page.count("<figcaption>") == 12
    assert (
        page.count("The figures of this picture") == 11
    )  # the interval has its own table


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_has_an_unfilled_place(language):
    for outcome in OUTCOMES:
        assert not re.search(r"\{\w+\}", text_of(page_of(outcome, language=language)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_page_says_the_sentences_of_the_terminal(outcome, language):
    case = case_of(outcome)
    verdict = judged(case.evidence, case, case.predictions).verdict
    text = text_of(page_of(outcome, language=language))
    shown = [verdict.reason, cost_sentence(verdict), edge_sentence(verdict)]

    for sentence in filter(None, shown):
        assert squeezed(render(sentence, language)) in squeezed(text)


def squeezed(text: str) -> str:
    """Without blanks, which stand in the page's text wherever a tag was."""
    return "".join(text.split())


def test_the_terms_of_catalogued_data_stand_on_the_page():
    catalogued = study(plan={"a": plan(source="voice-gender/voice.csv")})

    assert "CC BY-NC-SA 4.0, commercial use is forbidden" in page_of(
        "no_signal", catalogued
    )
    assert "not in the catalogue" in page_of("no_signal")


def test_a_failed_plan_a_a_deviation_and_an_accepted_alarm_are_on_the_page():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    evidence = case.evidence.model_copy(
        update={"audit": evidence_of(gate=None, flags=(flag("we know it"),)).audit}
    )
    failed = judged(evidence_of(gate=gate_result("no_signal")), case, {}).verdict
    found = judged(evidence, case, case.predictions, plan="b")
    found = found.model_copy(
        update={"verdict": found.verdict.after(failed, (DIFFERS,))}
    )
    both = study(plan={"a": plan(), "b": plan(claim="The other claim")})
    text = text_of(page_for(case_with(case, evidence), registration(both), found))

    assert "Plan A failed first" in text
    assert "This study differs in margin" in text
    assert "Accepted: we know it" in text
    assert "The other claim" in text
    assert "It failed, and plan B was tried: No signal" in text


def case_with(case, evidence):
    return type(case)(evidence, case.labels, case.folds, case.predictions)


def test_a_page_of_a_number_names_its_metric_its_statistic_and_its_claim():
    case = number_case({"linear": 6.0, "net": 1.0})
    loss = {"metric": "squared_error", "at_least": None, "at_most": 2.5, "margin": 1.0}
    declared = study(plan={"a": plan(task="regression", **loss)})
    page = page_for(case, registration(declared), **loss)
    text = text_of(page)

    assert "Predicted a number" in text
    assert "mean squared error 2.5 or less" in text
    assert "power to detect a Spearman correlation of 0.580 or more" in text
    assert "lower is better; a gain is positive where the net is better" in text
    assert "Residuals" in text
    assert "AUC" not in text.replace("AUC or", "")


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
    bare = case_of("no_signal")
    declared = study(plan={"a": plan(order="day", split={"gap": 7})})

    assert "40 units (brand); folds keep each whole" in text_of(
        page_for(case_with(bare, of_units))
    )
    assert (
        "Order day ; models learn from earlier rows only, and the first block is never "
        "tested; 7 rows beside a test part are left out"
    ) in text_of(page_for(case_with(bare, in_time), registration(declared)))


def test_what_each_model_costs_is_on_the_page():
    """A second to fit and .1 s to predict 80 rows each, 1000 bytes, no longer than the other."""
    text = text_of(page_of("dl_earns"))

    assert "net 1.00 1250.0 1 kB –" in text
    assert "logistic 1.00 1250.0 1 kB no longer to fit" in text


def test_a_page_claims_no_tier_of_sameness_that_one_run_cannot_test():
    text = text_of(section_of(page_of("dl_earns"), "sameness"))

    assert text.count("no: one run has nothing to compare itself with") == 4


def test_the_lock_that_a_rerun_installs_is_the_whole_one():
    """The bundle's own lock holds what predicting needs, and no more."""
    page = page_of("dl_earns")

    assert "-r RUN/requirements.txt" in page
    assert "bundle/requirements.txt" not in page


def test_folds_are_drawn_once_or_several_times():
    several = text_of(page_of("dl_earns"))
    case = case_of("dl_earns")
    split = case.evidence.split.model_copy(update={"repeats": 1})
    evidence = case.evidence.model_copy(update={"split": split})
    verdict = judged(case.evidence, case, case.predictions)
    other = type(case)(evidence, case.labels, case.folds, case.predictions)
    once = text_of(page_for(other, judgement=verdict))

    assert "drawn 3 times" in several
    assert "The folds were drawn 3 times" in several
    assert "drawn once" in once
    assert "1 times" not in once


def test_levels_are_named_one_below_the_other():
    """However many a column has, and however long their names."""
    values = tuple(f"a level with a long name {k}" for k in range(12))
    first = Dependence(
        column="town",
        of="yes",
        values=values,
        predicted=tuple(k / 20 for k in range(12)),
        shares=(1 / 12,) * 12,
    )
    with drawing():
        picture = dependence(first, 0, Say("en"))
    places = re.findall(r'y="([\d.]+)">a level with', picture.svg)
    heights = sorted(map(float, places))

    assert len(heights) == 12
    assert all(below - above > 10 for above, below in itertools.pairwise(heights))


def test_blocks_of_an_image_stand_where_they_lie_and_columns_beside_them_apart():
    found = [
        Importance(
            column=f"pixels of rows {y}-{y + 3}, columns {x}-{x + 3}",
            drop=y / 10 - x / 100,
            low=0.0,
            high=1.0,
        )
        for y in (1, 5)
        for x in (1, 5)
    ] + [Importance(column="age", drop=0.3, low=0.2, high=0.4)]
    with drawing():
        grid, bars = (draw(found, "auc", Say("en")) for draw in (blocks, importances))
    places = {
        said: (float(x), float(y))
        for x, y, said in re.findall(
            r'x="([\d.]+)" y="([\d.]+)">(\d\.\d{4})<', grid.svg
        )
    }

    assert places["0.0900"][0] == places["0.4900"][0] < places["0.0500"][0]
    assert places["0.0900"][1] == places["0.0500"][1] < places["0.4900"][1]
    assert [row[0] for row in bars.rows] == ["age"]
    assert len(grid.rows) == 4


# Leaks -----------------------------------------------------------------------------------------


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

    assert [(row.word, row.state) for row in rows] == [
        ("single_column", "alarm"),
        ("single_column", "alarm"),
        ("duplicates", "quiet"),
        ("near_duplicates", "quiet_in_part"),
        ("row_order", "quiet"),
        ("undeclared_unit", "not_looked_for"),
        ("confounder", "not_looked_for"),
        ("self_test", "not_looked_for"),
    ]
    assert rows[0].accepted == "we know it"
    assert str(rows[1].answer) == "Leave it out."
    assert str(rows[5].evidence) == "a unit is declared"
    assert {row.word for row in rows} >= set(typing.get_args(Sentinel))


def test_the_self_test_has_its_figures_on_the_page():
    case = scored_case({"logistic": 1.0, "net": 1.0})
    text = text_of(page_for(case_with(case, self_tested(case.evidence))))

    assert "Self-test: AUC on permuted labels, where chance is 0.5" in text
    assert "net 0.600 0.500 0.700 2 0.2" in text
    assert "logistic 0.450 0.400 0.500 2 0.9" in text


def test_an_alarm_leaves_no_score_on_the_page():
    alarm = Flag(
        sentinel="self_test",
        columns=(),
        rows=(),
        evidence="permuted labels score an AUC of 0.7",
        answer="Report it.",
    )
    evidence = self_tested(evidence_of(gate=gate_result("signal")), alarm)
    page = page_for(case_with(case_of("no_signal"), evidence))
    text = text_of(page)

    assert "permuted labels score an AUC of 0.7" in text
    assert "withheld" in text
    assert "beats chance" not in text
    assert "0.900" not in text
    assert "<svg" not in page


# What it needs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_page_needs_no_network_and_no_script_and_forbids_both(outcome):
    page = page_of(outcome)
    tags = tags_of(page)
    policies = [
        attributes["content"] or ""
        for tag, attributes in tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]

    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src" not in policies[0]
    assert {tag for tag, _ in tags}.isdisjoint(
        {
            "script",
            "iframe",
            "object",
            "embed",
            "link",
            "form",
            "base",
            "audio",
            "video",
        }
    )
    for _, attributes in tags:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert (attributes.get("src") or PNG).startswith(PNG)
        assert "action" not in attributes
    assert not re.search(r"@import|url\((?!#)", page)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_page_is_small(outcome):
    assert len(page_of(outcome).encode()) < 300_000


@pytest.mark.parametrize("outcome", ["no_signal", "dl_not_worth"])
def test_equal_evidence_gives_equal_bytes(outcome):
    again = page_for(case_of(outcome))

    assert again.encode() == page_of(outcome).encode()


def test_only_what_is_marked_as_varying_differs_where_only_times_do():
    """Seconds stand in marked places, so that two runs from nothing can be compared by eye and by machine."""
    quick, slow = (
        page_for(scored_case({"logistic": 1.0, "net": 1.0}, fit_s=seconds))
        for seconds in (1.0, 3.0)
    )

    assert quick != slow
    assert _without_varying(quick) == _without_varying(slow)


def _without_varying(page: str) -> str:
    return re.sub(r"<(\w+)[^>]* data-varies>.*?</\1>", "", page, flags=re.DOTALL)


# Hostile texts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "language"), [("suspect_leak", "en"), ("dl_earns", "ko")]
)
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_a_study_or_a_table_are_shown_and_never_run(outcome, text, language):
    declared = study(
        position=text,
        company=text,
        rationale=text,
        question=text,
        overrides=(f"plan.a.claim={text}",),
        plan={"a": plan(claim=text)},
    )
    page = page_of(outcome, declared, remark=text, language=language)

    assert {tag for tag, _ in tags_of(page)}.isdisjoint({"script", "img"})
    assert text_of(page).count(" ".join(text.split())) >= 8
    assert re.search(rf"<bdi[^>]*>{re.escape(_escaped(text))}</bdi>", page)


def _escaped(text: str) -> str:
    for sign, name in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&#34;"),
        ("'", "&#39;"),
    ):
        text = text.replace(sign, name)
    return text


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_classes_columns_and_models_do_not_break_a_picture(text):
    case = case_of("dl_earns")
    cleaned = case.evidence.cleaned.model_copy(update={"classes": ("no", text)})
    told = behaviour(column=text, of=text)
    evidence = case.evidence.model_copy(update={"cleaned": cleaned, "behaviour": told})
    table = seen_table(text, len(case.labels))
    page = page_for(case_with(case, evidence), features=table)
    tags = tags_of(page)

    assert {tag for tag, _ in tags}.isdisjoint({"script", "img"})
    assert any(text in (attributes.get("aria-label") or "") for _, attributes in tags)


def seen_table(text, n):
    return pd.DataFrame({text: [text] * n, "x": range(n)})


# Languages -------------------------------------------------------------------------------------


def test_a_korean_page_has_no_english_sentence_of_ours():
    """What is left in Latin letters are names: of columns, models of others, files, commands, digests."""
    case = case_of("dl_earns")
    evidence = case.evidence.model_copy(
        update={"behaviour": behaviour(), "audit": AuditReport(flags=(), looked_for=())}
    )
    page = page_for(case_with(case, evidence), language="ko")
    texts = re.sub(
        r"<(style|bdi|code|pre)\b.*?</\1>|<[^>]+>", "|", page, flags=re.DOTALL
    )
    english = re.findall(r"[A-Za-z]+(?:[ ,]+[A-Za-z]+){3,}", texts)

    assert english == []


def test_a_sentence_of_the_catalogue_is_escaped_and_so_are_its_values():
    suspected = Sentence.of(
        "judge.reason.few_of_class", n=3, least=30, name="<b>위험</b>"
    )

    assert Say("ko")(suspected) == (
        "클래스 &#39;<bdi>&lt;b&gt;위험&lt;/b&gt;</bdi>&#39; 3행(최소 30행 필요)"
    )


def test_a_particle_follows_the_word_before_it_through_tags_and_quotes():
    cost = Sentence.of(
        "judge.sentence.no_alternative", plan=Sentence.plain("<script>서울")
    )

    assert "서울</bdi>은 대안" in Say("ko")(cost)


def test_a_korean_page_marks_what_stays_english():
    page = page_of("dl_not_worth", language="ko")

    assert '<bdi lang="en">a reason</bdi>' in page
    assert "쓰인 언어 그대로" in page
    assert '<bdi lang="en">' not in page_of("dl_not_worth")


def test_a_korean_study_is_told_in_korean():
    asked = study(question="라면 이름만으로 평점을 알 수 있는가?")

    assert isinstance(asked, Study)
    assert "라면 이름만으로" in text_of(page_of("dl_earns", asked, language="ko"))
