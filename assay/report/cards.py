"""Cards beside the model, as Markdown: what it is for, what its data is, what a reader of a paper would ask.

A model card (Mitchell et al. 2019), a data sheet (Gebru et al. 2021), and the 32 questions of REFORMS
(Kapoor et al. 2024, Science Advances 10(18)), each in our own short words. What the run knows is
filled in; what only a person knows is marked open.
"""

import re
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from assay.judge.sentences import METRICS, figure, size
from assay.preprocess.schema import label_in_words
from assay.report.record import Account
from assay.report.say import Say
from assay.report.statements import answers, claimed, not_said, reason
from assay.store.records import Column
from assay.store.verdict import Verdict
from assay.study.plans import Plan
from assay.study.registration import Registration


def cards(
    registration: Registration, verdict: Verdict, account: Account
) -> dict[str, bytes]:
    """Return the cards of a run under their names; a card of the model only where there is one."""
    names = {"data": "DATA_SHEET.md", "reforms": "REFORMS.md"}
    if account.evidence.final is not None:
        names = {"model": "MODEL_CARD.md"} | names
    context = _context(registration, verdict, account)
    environment = _environment()
    return {
        name: _tidy(
            environment.get_template(f"cards.{card}.jinja").render(context)
        ).encode()
        for card, name in names.items()
    }


def markdown(text: object) -> str:
    """Return a text so that Markdown shows it as it is, on one line.

    Examples
    --------
    >>> markdown("<b> [a](b) | *c*\\n# d")
    '&lt;b&gt; \\\\[a\\\\](b) \\\\| \\\\*c\\\\* \\\\# d'
    """
    if isinstance(text, Markup):
        text = text.striptags()
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#!~])", r"\\\1", line)


@lru_cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown has its own way, applied to everything that is put in
        finalize=lambda value: value if isinstance(value, _Ready) else markdown(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class _Ready(str):
    """Markdown already."""


def _context(
    registration: Registration, verdict: Verdict, account: Account
) -> dict[str, Any]:
    study, evidence, say = registration.study, account.evidence, Say("en")
    plan, cleaned = study.of(verdict.plan), evidence.cleaned
    return {
        "study": study,
        "plan": plan,
        "registration": registration,
        "verdict": verdict,
        "account": account,
        "evidence": evidence,
        "cleaned": cleaned,
        "deep": verdict.deep_learning,
        "metric": METRICS[verdict.metric],
        "figure": partial(figure, verdict.metric),
        "size": size,
        "reason": reason(verdict, evidence, plan, say),
        "answers": answers(verdict, say),
        "not_said": not_said(verdict, evidence, plan, say),
        "claimed": claimed(verdict.claim, say),
        "target": label_in_words(plan, cleaned),
        "listed": _listed(account),
        "preparation": _preparation(plan),
        "missing": _missing(account),
        "accepted": [flag for flag in verdict.flags if flag.accepted],
        "ready": _Ready,
    }


def _listed(account: Account) -> list[Column]:
    """Return the columns that a card names one by one: those of an image's pixels are none of them."""
    evidence = account.evidence
    pixels = frozenset(evidence.cleaned.numeric if evidence.cleaned.image else ())
    return [one for one in evidence.snapshot.columns if one.name not in pixels]


def _preparation(plan: Plan) -> str:
    """Return in words what is fitted in the folds before a model sees the rows."""
    clean = plan.clean
    said = [f"missing numbers: {clean.impute}", f"scale: {clean.scale}"]
    said += [f"clip: {clean.clip:g} at each end"] * bool(clean.clip)
    said += [f"outliers: {clean.outliers.rule}"] * (clean.outliers.rule != "none")
    said += [f"label noise: {clean.label_noise}"] * (clean.label_noise != "keep")
    return ", ".join(said)


def _missing(account: Account) -> str:
    """Return the share of missing cells, in percent of all that came in."""
    snapshot = account.evidence.snapshot
    cells = snapshot.n_rows * len(snapshot.columns)
    n_missing = sum(column.n_missing for column in snapshot.columns)
    return f"{100 * n_missing / cells:.2g}" if cells else "0"


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
