import base64
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from assay.judge.stage import judge_evidence
from flows.pages import model_rows, picture_of, plain, unlinked, verdict_page
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
STYLE = "<style>:root { --page: #fff; --ink: #111 } @media print { :root { --page: #000 } }</style>"
CHART = (
    '<svg class="chart" viewBox="0 0 360 {height}" role="img" aria-label="{alternative}">'
    '<text style="fill: var(--ink)">AUC &amp; more</text></svg>'
)
IN_THE_GATE = CHART.format(height=180, alternative="Permuted scores")
IN_THE_COMPARISON = CHART.format(height=154, alternative="Gain of the net &lt;b&gt;")


def judged(case, evidence=None, **plan):
    return judge_evidence(
        *(evidence or case.evidence, case.samples, case.folds, case.predictions),
        *(judging(**plan), identity()),
    )


def report(folder: Path, *parts: str) -> Path:
    path = folder / "report.html"
    path.write_text(f"{STYLE}{''.join(parts)}", encoding="utf-8")
    return path


def drawn(picture: str) -> ET.Element:
    """The SVG inside a Markdown image."""
    return ET.fromstring(base64.b64decode(picture.split("base64,")[1][:-1]))


@pytest.fixture(scope="module")
def scored():
    return judged(
        scored_case({"logistic": 1.0, "boosting": 0.9, "net": 1.0}), at_least=0.6
    )


def test_a_page_has_the_verdict_one_picture_and_the_place_of_the_report(
    scored, tmp_path
):
    path = report(tmp_path, IN_THE_GATE)
    page = verdict_page(scored.verdict, path)

    assert page.startswith("# ")
    assert f"`{scored.verdict.outcome}`" in page
    assert page.count("](data:image/svg+xml;base64,") == 1
    assert f"`{path.as_uri()}`" in page


def test_the_picture_is_that_of_the_models_or_else_the_first_there_is():
    """Of the report's pictures the comparison's answers most; a run that ended earlier has only the gate's."""
    heading = '<h2 id="comparison">The models</h2>'
    early = STYLE + IN_THE_GATE
    whole = early + heading + IN_THE_COMPARISON + CHART

    assert drawn(picture_of(early)).attrib["viewBox"] == "0 0 360 180"
    assert drawn(picture_of(whole)).attrib["viewBox"] == "0 0 360 154"
    assert picture_of(whole).startswith("![Gain of the net <\u2060b>](data:image")


def test_a_picture_has_the_light_colours_that_its_page_gave_it():
    svg = drawn(picture_of(STYLE + IN_THE_GATE))
    background, text = svg

    assert background.attrib["fill"] == "#fff"
    assert text.attrib["style"] == "fill: #111"


@pytest.mark.parametrize("page", ["", STYLE, IN_THE_GATE])
def test_a_report_without_a_picture_or_its_colours_gives_none(page):
    assert picture_of(page) == ""


def test_the_table_has_a_row_per_model_with_score_gain_bounds_and_cost(scored):
    rows = {row["model"]: row for row in model_rows(scored)}
    gain = scored.verdict.deep_learning.against["boosting"]

    assert set(rows) == {"logistic", "boosting", "net"}
    assert rows["net"]["AUC"] == f"{scored.scores['net']:.4f}"
    assert rows["net"]["net's gain"] == ""
    assert rows["boosting"]["net's gain"] == f"{gain.delta:+.4f}"
    assert rows["boosting"]["gain at least"] == f"{gain.lower:+.4f}"
    assert rows["boosting"]["gain at most"] == f"{gain.upper:+.4f}"
    assert all(row["seconds per fold"] and row["size"] for row in rows.values())
    assert len({tuple(row) for row in rows.values()}) == 1
    json.dumps(list(rows.values()))


def test_a_loss_of_a_number_is_named():
    case = number_case({"linear": 3.0, "net": 2.9})
    rows = model_rows(judged(case, metric="squared_error", at_least=None, at_most=20.0))

    assert "mean squared error" in rows[0]


@pytest.mark.parametrize("word", ["no_signal", "underpowered", "untested"])
def test_a_plan_that_stopped_has_a_page_and_no_rows(word, tmp_path):
    case = scored_case({"net": 1.0})
    judgement = judge_evidence(
        evidence_of(gate=gate_result(word)),
        *(case.samples, case.folds, {}, judging(), identity()),
    )

    assert model_rows(judgement) == []
    assert verdict_page(judgement.verdict, report(tmp_path)).startswith("# ○")


def test_a_suspected_leak_shows_no_score(tmp_path):
    case = scored_case({"net": 1.0})
    evidence = evidence_of(gate=None, flags=(flag(),))
    judgement = judge_evidence(
        evidence, case.samples, case.folds, {}, judging(), identity()
    )

    assert verdict_page(judgement.verdict, report(tmp_path)).startswith("# ▲")
    assert model_rows(judgement) == []


# Text of others ----------------------------------------------------------------------------------


def test_text_of_others_is_text_and_nothing_else(scored, tmp_path):
    """No tag, link, image, address, heading, table cell or line of theirs survives on the page."""
    path = report(tmp_path, IN_THE_GATE.replace("Permuted", "&lt;img src=x&gt;"))
    changes = {"reason": HOSTILE, "deviations": (HOSTILE,), "study": HOSTILE}
    hostile = scored.verdict.model_copy(update=changes)
    ours, theirs = verdict_page(scored.verdict, path), verdict_page(hostile, path)

    assert "<img" not in theirs
    assert not re.search(r"https?://", theirs)
    assert not re.search(r"www\.", theirs)
    assert not re.search(r"\w@\w", theirs)
    assert not re.search(r"&\w", theirs)
    assert not re.search(r"(?<!\\)\]\((?!data:image/svg)", theirs)
    assert "\u202e" not in theirs
    assert [line for line in theirs.splitlines() if line.startswith(("# ", "|"))] == [
        line for line in ours.splitlines() if line.startswith(("# ", "|"))
    ]


def test_plain_text_stays_as_it_is_read():
    text = "An AUC of 0.93, 5 % more: 'yes' (really)?"

    assert plain(text) == text
    assert plain("한국어 Größe") == "한국어 Größe"
    assert plain("x" * 500, 10) == "x" * 9 + "…"
    assert unlinked("learning_rate 0.1") == "learning_rate 0.1"


def test_a_backslash_of_theirs_cannot_free_the_sign_behind_it():
    assert plain("\\[x](y)") == "\\\\\\[x\\](y)"
