"""What Prefect shows of a run: its verdict beside a picture of the report, and a table of the models.

Text that a study or a table can choose is disarmed first: on these pages it never becomes a link, an image or a tag.
"""

import base64
import re
import unicodedata
from html import unescape
from pathlib import Path

from assay.judge.sentences import HEADLINES, METRICS, figure, sentences, size
from assay.store.verdict import Judgement, Verdict
from assay.wording import Sentence

_MARKDOWN = set("\\`*_[]|~#!")
_INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
_JOINER = "\u2060"

Row = dict[str, str]


def verdict_page(verdict: Verdict, report: Path) -> str:
    """Return a verdict as Markdown: its sentences, one picture of its report, and where the report lies."""
    sign, headline = HEADLINES[verdict.outcome]
    picture = picture_of(report.read_text(encoding="utf-8"))
    parts = [
        f"# {sign} {headline}",
        f"**{plain(verdict.study)}**, plan {verdict.plan}: `{verdict.outcome}`",
        *(plain(str(sentence)) for sentence in sentences(verdict)),
        *([picture] if picture else []),
        f"{Sentence('flows.report')} `{report.absolute().as_uri()}`",
    ]
    return "\n\n".join(parts)


def picture_of(page: str) -> str:
    """Return the report's picture of the models, or its first, as an image; an empty text if it has none.

    In the report a picture takes its colours from the page; here they stand in it, on the light background.
    """
    section = page.partition('<h2 id="comparison"')[2] or page
    style = re.search(r":root \{([^}]*)\}", page)
    chart = re.search(
        r'<svg class="chart" (viewBox="[\d. ]+")[^>]* aria-label="([^"]*)">(.*?)</svg>',
        section,
        flags=re.DOTALL,
    )
    if chart is None or style is None:
        return ""
    colours = dict(re.findall(r"--(\w+): (#\w+)", style[1]))
    box, alternative, drawn = chart.groups()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} width="540" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="var(--page)"/>{drawn}</svg>'
    )
    svg = re.sub(r"var\(--(\w+)\)", lambda name: colours.get(name[1], "#000"), svg)
    data = base64.b64encode(svg.encode()).decode()
    return f"![{plain(unescape(alternative))}](data:image/svg+xml;base64,{data})"


def model_rows(judgement: Judgement) -> list[Row]:
    """Return a row per model: its score, the net's gain over it with bounds, and what it costs per outer fold."""
    verdict, metric = judgement.verdict, judgement.verdict.metric
    against, costs = verdict.deep_learning.against, verdict.deep_learning.price
    rows = []
    for name, score in judgement.scores.items():
        row = {"model": unlinked(name), "score": figure(metric, score)}
        if name in against:
            gain = against[name]
            row["gain"] = figure(metric, gain.delta, signed=True)
            row["lower"] = figure(metric, gain.lower, signed=True)
            row["upper"] = figure(metric, gain.upper, signed=True)
        if name in costs:
            row["seconds"] = f"{costs[name].fit_s:.1f}"
            row["size"] = size(costs[name].size)
        rows.append(row)
    used = dict.fromkeys(column for row in rows for column in row)
    titles = {"score": str(METRICS[metric])} | {
        column: str(Sentence(f"flows.column.{column}"))
        for column in used
        if column != "score"
    }
    return [{titles[column]: row.get(column, "") for column in used} for row in rows]


def plain(text: str, longest: int = 2000) -> str:
    r"""Return a text as Markdown that shows it and does nothing else.

    Of Prefect's two interfaces one shows entities as they are written, and the other turns addresses into links.
    So signs that Markdown knows have a backslash, and the rest is :func:`unlinked`.

    Examples
    --------
    >>> plain("[a](b) *c* 1_000")
    '\\[a\\](b) \\*c\\* 1\\_000'
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return unlinked(
        "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in text)
    )


def unlinked(text: str) -> str:
    """Return a text without tags, entities and addresses: an invisible word joiner breaks them.

    Invisible characters become spaces: no line ends, and nothing runs backwards.
    """
    visible = "".join(
        " " if unicodedata.category(sign) in _INVISIBLE else sign for sign in text
    )
    for sign in "<&@":
        visible = visible.replace(sign, sign + _JOINER)
    visible = visible.replace("://", f":{_JOINER}//")
    return re.sub(r"(www)\.", rf"\1{_JOINER}.", visible, flags=re.IGNORECASE)
