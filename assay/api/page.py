"""A run as a notebook shows it: headline, three answers, two pictures, and a link to the report; no script."""

import os
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from assay.judge.sentences import HEADLINES, sentences
from assay.report import draw_comparison
from assay.report.canvas import drawing
from assay.report.say import Say
from assay.wording import Sentence, spoken

if TYPE_CHECKING:
    from assay.report.folder import Run

# The page's own colours, readable on a light and on a dark notebook.
_STYLE = """
.assay{max-width:46rem;word-break:keep-all;overflow-wrap:anywhere;font-family:system-ui,sans-serif;line-height:1.45;
--ink:#24292f;--soft:#57606a;--line:#8c959f;--page:#ffffff;--blue:#0072b2;--vermilion:#d55e00;
--green:#009e73;--pink:#cc79a7;--sky:#56b4e9;--amber:#e69f00;
background:var(--page);color:var(--ink);padding:.8rem 1rem;border:1px solid var(--line);border-radius:6px}
.assay h3{margin:0 0 .4rem;font-size:1.15rem}.assay ul{margin:.3rem 0 .6rem;padding-left:1.1rem}
.assay .pictures{display:flex;flex-wrap:wrap;gap:1rem}.assay svg{width:20rem;max-width:100%;height:auto}
"""


def run_card(run: "Run") -> str:
    """Return a run as HTML."""
    verdict, evidence = run.verdict, run.account.evidence
    sign, headline = HEADLINES[verdict.outcome]
    items = Markup("").join(
        Markup("<li>{}</li>").format(str(text)) for text in sentences(verdict)
    )
    drawn = Markup("").join(_pictures(run)) if evidence.gate is not None else ""
    page = run.folder / "report.html"
    link = Markup('<a href="{}" target="_blank">{}</a>').format(
        os.path.relpath(page), str(Sentence.of("api.whole_report"))
    )
    return str(
        Markup(
            '<style>{}</style><div class="assay"><h3>{} {}</h3><ul>{}</ul>'
            '<div class="pictures">{}</div><p>{} · {}</p></div>'
        ).format(
            Markup(_STYLE), sign, headline, items, drawn, link, escape(run.folder.name)
        )
    )


def _pictures(run: "Run") -> list[Markup]:
    verdict, say = run.verdict, Say(spoken())
    gate = run.account.evidence.gate
    with drawing():
        drawn = [
            None if gate is None else draw_comparison.chance(gate, say),
            draw_comparison.leads(verdict.deep_learning, verdict.metric, say),
        ]
    return [picture.svg for picture in drawn if picture is not None]
