"""The cards beside a model: filled where the run knows, open where a person must, safe as Markdown."""

import re

import pytest

from assay.report.cards import cards, markdown
from assay.report.written_files import account_of, report_files
from assay.store.places import shipped
from assay.store.records import CleanStep, Column, FinalFit, ModelFit, Trial
from assay.study.registration import Registration
from assay.wording import Sentence
from tests.model_factories import (
    digest,
    number_case,
    plan,
    ref,
    registration,
    scored_case,
    study,
)
from tests.report_factories import case_of, judged, seen_of

ATTACK = "<img src=x onerror=alert(1)> [a](javascript:b) | *c* `d`"


def final() -> FinalFit:
    fit = ModelFit(
        trials=(Trial(number=0, hyperparameters={"depth": 1}, score=0.5),),
        winner=0,
        predictions=None,
        score=None,
        fit_s=1.0,
        predict_s=0.0,
        size=1000,
        picks=(0, 0),
    )
    return FinalFit(
        model=fit,
        preparation=ref("preparation", kind="arrays"),
        weights=ref("weights", kind="arrays"),
        weights_digest=digest("weights"),
    )


def cards_of(case, of: Registration | None = None, finished=True, **declared):
    if finished:
        evidence = case.evidence.model_copy(update={"final": final()})
        case = type(case)(evidence, case.labels, case.folds, case.predictions)
    registered = of or registration()
    verdict = judged(case.evidence, case, case.predictions, **declared)
    account = account_of(registered, case.evidence, verdict, seen_of(case))
    return {
        name: content.decode()
        for name, content in cards(registered, verdict.verdict, account).items()
    }


def test_reforms_asks_its_32_questions_in_eight_modules_each_with_an_answer():
    text = cards_of(case_of("dl_earns"))["REFORMS.md"]
    items = re.findall(
        r"^\| (\d[a-g]) \| ([^|]+) \| ([✓◐☐]) \| (.+) \|$", text, flags=re.MULTILINE
    )
    by_module = [sum(number[0] == str(k) for number, *_ in items) for k in range(1, 9)]

    assert by_module == [3, 5, 7, 3, 6, 3, 3, 2]
    assert len({number for number, *_ in items}) == 32
    assert all(answer.strip() for *_, answer in items)
    assert {sign for _, _, sign, _ in items} == {"✓", "◐", "☐"}
    assert len(re.findall(r"^## \d ", text, flags=re.MULTILINE)) == 8


def test_a_model_card_and_a_data_sheet_have_their_sections():
    written = cards_of(case_of("dl_earns"))

    assert re.findall(r"^## (.+)$", written["MODEL_CARD.md"], flags=re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]
    assert re.findall(r"^## (.+)$", written["DATA_SHEET.md"], flags=re.MULTILINE) == [
        "Motivation",
        "Composition",
        "Collection process",
        "Preprocessing, cleaning, labelling",
        "Uses",
        "Distribution",
        "Maintenance",
    ]
    for text in (written["MODEL_CARD.md"], written["DATA_SHEET.md"]):
        assert text.count("☐ **Open.**") >= 5


@pytest.mark.parametrize("outcome", ["no_signal", "underpowered", "suspect_leak"])
def test_a_run_without_a_model_has_no_card_of_one(outcome):
    assert set(cards_of(case_of(outcome), finished=False)) == {
        "DATA_SHEET.md",
        "DATA_SHEET.ko.md",
        "REFORMS.md",
        "REFORMS.ko.md",
    }


def test_cards_of_a_number_name_its_metric():
    loss = {"metric": "squared_error", "at_least": None, "at_most": 2.5, "margin": 1.0}
    declared = registration(study(plan={"a": plan(task="regression", **loss)}))
    written = cards_of(number_case({"linear": 6.0, "net": 1.0}), declared, **loss)

    assert "mean squared error" in written["MODEL_CARD.md"]
    assert "AUC" not in written["DATA_SHEET.md"]


def test_texts_of_a_study_are_shown_by_markdown_and_change_nothing():
    said = dict.fromkeys(("position", "company", "rationale", "question"), ATTACK)
    declared = registration(study(**said, plan={"a": plan(claim=ATTACK)}))
    for text in cards_of(case_of("dl_earns", remark=ATTACK), declared).values():
        assert "<img" not in text
        assert "[a](" not in text
        assert re.search(
            r"&lt;img src=x .* \\\[a\\\]\(javascript:b\) \\\| \\\*c\\\*", text
        )


def test_what_is_predicted_is_said_in_words_and_pixels_are_no_columns_of_a_card():
    """Neither a rule as a program has it nor two thousand rows of a table help a reader."""
    case = case_of("dl_earns")
    columns = [
        Column(name=name, type="number", n_missing=0, n_distinct=2)
        for name in ("pixel_0", "pixel_1", "dx")
    ]
    changed = {
        "snapshot": case.evidence.snapshot.model_copy(update={"columns": columns}),
        "cleaned": case.evidence.cleaned.model_copy(
            update={
                "image": True,
                "numeric": ("pixel_0", "pixel_1"),
                "units": ref("units"),
                "n_units": 7,
                "log": (
                    CleanStep(
                        what=Sentence.of("data.label.made"),
                        n=9,
                        why="'yes' where dx is one of mel",
                    ),
                ),
            }
        ),
    }
    evidence = case.evidence.model_copy(update=changed)
    rule = {"column": "dx", "one_of": ["mel"], "positive": "yes", "negative": "no"}
    declared = registration(study(plan={"a": plan(target=rule)}))
    written = cards_of(
        type(case)(evidence, case.labels, case.folds, case.predictions), declared
    )

    assert "'yes' where dx is one of mel, else 'no'" in written["MODEL_CARD.md"]
    assert "('mel',)" not in "".join(written.values())
    assert "independent only across units" in written["DATA_SHEET.md"]
    assert "| dx |" in written["DATA_SHEET.md"]
    assert "pixel" not in written["DATA_SHEET.md"].partition("further")[0]
    assert "2 further columns of pixels are not listed" in written["DATA_SHEET.md"]


def test_cards_have_the_same_lines_in_both_languages():
    """So that neither has an answer, a table or a row that the other lacks."""
    written = cards_of(case_of("dl_earns"))
    for name in ("MODEL_CARD", "DATA_SHEET", "REFORMS"):
        english, korean = (
            [
                re.match(r"[#\-|☐ ]*", line)[0]
                for line in written[f"{name}{ending}.md"].splitlines()
            ]
            for ending in ("", ".ko")
        )

        assert english == korean
    assert "딥러닝은 비용만큼의 가치가 있습니다" in written["MODEL_CARD.ko.md"]


def test_every_table_of_a_card_is_whole():
    """A blank line between its head and its rows would end it."""
    for text in cards_of(case_of("dl_earns")).values():
        assert not re.search(r"^\|[-|]+\|\n\n\|", text, flags=re.MULTILINE)


def test_markdown_keeps_a_text_on_one_line():
    assert markdown("a\n# b\n- c") == "a \\# b - c"


def test_cards_are_equal_where_only_times_differ():
    quick, slow = (
        cards_of(scored_case({"logistic": 1.0, "net": 1.0}, fit_s=seconds))
        for seconds in (1.0, 3.0)
    )

    assert quick == slow


def test_the_cards_lie_in_the_bundle():
    case = case_of("dl_earns")
    verdict = judged(case.evidence, case, case.predictions)
    lock = shipped("requirements.txt").read_text(encoding="utf-8")
    files = report_files(registration(), case.evidence, verdict, seen_of(case), lock)

    assert {"bundle/DATA_SHEET.md", "bundle/REFORMS.md"} <= set(files)
    assert "bundle/MODEL_CARD.md" not in files  # no final fit
