"""Cards beside the model, as Markdown: what it is for, what its data is, what a reader of a paper would ask.

A model card (Mitchell et al. 2019), a data sheet (Gebru et al. 2021), and the 32 questions of REFORMS
(Kapoor et al. 2024, Science Advances 10(18)), each in our own short words. What the run knows is
filled in; what only a person knows is marked open.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jinja2

from assay.judge.sentences import METRICS, answers, claimed, figure, size
from assay.preprocess.schema import label_in_words
from assay.report.account import Account
from assay.report.caveats import caveats
from assay.store.records import Column, model_name, scores_of, sentinel_name
from assay.store.verdict import Verdict
from assay.study.plans import Plan
from assay.study.registration import Registration
from assay.wording import LANGUAGES, Language, Sentence, render


def cards(
    registration: Registration, verdict: Verdict, account: Account
) -> dict[str, bytes]:
    """Return the cards of a run in each language under their names; one of the model only if there is one."""
    context = _context(registration, verdict, account)
    names = {"model": "MODEL_CARD", "data": "DATA_SHEET", "reforms": "REFORMS"}
    if account.evidence.final is None:
        del names["model"]
    return {
        f"{name}{'' if language == 'en' else f'.{language}'}.md": _card(
            card, context, language
        )
        for language in LANGUAGES
        for card, name in names.items()
    }


def _card(card: str, context: dict[str, Any], language: Language) -> bytes:
    template = _environment().get_template(f"cards.{card}.jinja")
    text = template.render(context, say=_say_in(language))
    return (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode()


def _say_in(language: Language) -> Callable[..., "_Ready"]:
    """Return how a card renders a sentence, its own by their key without ``cards.``: texts are escaped."""

    def say(text: Sentence | str, /, **values: Any) -> _Ready:
        if isinstance(text, str):
            text = Sentence(f"cards.{text}", values)
        return _Ready(render(text, language, foreign=markdown))

    return say


def markdown(text: object) -> str:
    """Return a text so that Markdown shows it as it is, on one line.

    Examples
    --------
    >>> markdown("<b> [a](b) | *c*\\n# d")
    '&lt;b&gt; \\\\[a\\\\](b) \\\\| \\\\*c\\\\* \\\\# d'
    """
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
    study, evidence = registration.study, account.evidence
    plan, cleaned = study.of(verdict.plan), evidence.cleaned
    deep = verdict.deep_learning
    return {
        "study": study,
        "plan": plan,
        "registration": registration,
        "verdict": verdict,
        "account": account,
        "evidence": evidence,
        "cleaned": cleaned,
        "deep": deep,
        "metric": METRICS[verdict.metric],
        "method": interval_method(deep.method),
        "terms": account.terms or Sentence("cards.no_terms"),
        "figure": partial(figure, verdict.metric),
        "size": size,
        "answers": answers(verdict),
        "caveats": caveats(verdict, evidence, plan),
        "claimed": claimed(verdict.claim),
        "target": label_in_words(plan, cleaned),
        "listed": _listed(account),
        "preparation": _preparation(plan),
        "steps": _steps(account),
        "models": tuple(map(model_name, deep.price)),
        "missing": _missing(account),
        "accepted": [flag for flag in verdict.flags if flag.accepted],
        "model_name": model_name,
        "sentinel_name": sentinel_name,
        "scores_of": scores_of,
        "word": Sentence.named,
        "ready": _Ready,
    }


def interval_method(method: str) -> Sentence:
    """Return the name of the method of an interval."""
    if not method:
        return Sentence("cards.no_interval")
    kind = "clt_split" if method.startswith("CLT") else "nadeau_bengio"
    return Sentence(f"report.comparison.{kind}")


def _listed(account: Account) -> list[Column]:
    """Return the columns that a card lists: all but those of an image's pixels."""
    evidence = account.evidence
    pixels = frozenset(evidence.cleaned.numeric if evidence.cleaned.image else ())
    return [column for column in evidence.snapshot.columns if column.name not in pixels]


def _preparation(plan: Plan) -> tuple[Sentence, ...]:
    """Return what is fitted in the folds before a model sees the rows."""
    clean = plan.clean
    steps = [
        Sentence.of("cards.missing", rule=clean.impute),
        Sentence.of("cards.scale", rule=clean.scale),
    ]
    if clean.clip:
        steps.append(Sentence.of("cards.clip", share=clean.clip))
    if clean.outliers.rule != "none":
        steps.append(Sentence.of("cards.outliers", rule=clean.outliers.rule))
    if clean.label_noise != "keep":
        steps.append(Sentence.of("cards.label_noise", rule=clean.label_noise))
    return tuple(steps)


def _steps(account: Account) -> tuple[Sentence, ...]:
    """Return what cleaning did, with counts."""
    log = account.evidence.cleaned.log
    return tuple(Sentence.of("cards.step", what=step.what, n=step.n) for step in log)


def _missing(account: Account) -> float:
    """Return the share of missing cells, in percent of all that came in."""
    snapshot = account.evidence.snapshot
    n_cells = snapshot.n_rows * len(snapshot.columns)
    n_missing = sum(column.n_missing for column in snapshot.columns)
    return 100 * n_missing / n_cells if n_cells else 0.0
