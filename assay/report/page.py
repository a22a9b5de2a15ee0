"""The page a person reads: one file, no script, no network, the same bytes for the same records."""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from assay.judge.sentences import HEADLINES, figure, size
from assay.report import columns, curves, numbers, pictures, searching
from assay.report.drawing import Picture, drawing
from assay.report.receipts import SHOWN, Kept, reached
from assay.report.record import Account
from assay.report.say import Say
from assay.report.sentinels import STOPPED, sentinel_rows
from assay.report.statements import (
    answers,
    claimed,
    effect,
    more_rows,
    not_said,
    own,
    price,
    reason,
)
from assay.store.records import FoldResult, Hyperparameters
from assay.store.verdict import Verdict
from assay.study.plans import LOSSES, LabelRule, Plan
from assay.study.registration import Registration
from assay.wording import Language

SECTIONS = (
    "verdict",
    "hypothesis",
    "data",
    "gate",
    "comparison",
    "search",
    "behaviour",
    "sameness",
)
_PICTURES = (
    "chance",
    "leads",
    "pairs",
    "trials",
    "epochs",
    "roc",
    "precision",
    "calibration",
    "points",
    "residuals",
    "importances",
    "blocks",
    "rows",
)
_SHOWN = ("tensorflow-cpu", "keras", "scikit-learn", "numpy", "pandas")


def render(
    registration: Registration,
    verdict: Verdict,
    account: Account,
    lock: str,
    language: Language = "en",
    receipts: Sequence[Kept] | None = None,
) -> str:
    """Return the report as HTML; every text from a study or a table is escaped.

    Parameters
    ----------
    lock
        The text of ``requirements.txt``.
    receipts
        Of reruns, to be shown; None: the page that a run leaves, which knows of no other.
    """
    say, study, evidence = Say(language), registration.study, account.evidence
    plan = study.of(verdict.plan)
    with drawing():
        drawn = _pictures(verdict, account, plan, say)
    return _template().render(
        say=say,
        own=own,
        recorded=partial(_recorded, language=language),
        sections=SECTIONS,
        study=study,
        plan=plan,
        registration=registration,
        verdict=verdict,
        account=account,
        evidence=evidence,
        findings=account.findings,
        behaviour=evidence.behaviour,
        deep=verdict.deep_learning,
        gate=None if verdict.outcome == "suspect_leak" else evidence.gate,
        sign=HEADLINES[verdict.outcome][0],
        reason=reason(verdict, evidence, plan, say),
        answers=answers(verdict, say),
        price=price(verdict, say),
        not_said=not_said(verdict, evidence, plan, say),
        claimed=claimed(verdict.claim, say),
        bound_of=partial(_bound, say=say),
        target_of=_target,
        effect=partial(effect, verdict.signal.statistic, say=say),
        more_rows=more_rows(evidence.behaviour, verdict.metric, plan.margin, say),
        is_loss=verdict.metric in LOSSES,
        method=say(f"comparison.{_method(verdict.deep_learning.method)}"),
        figure=partial(figure, verdict.metric),
        size=size,
        sentinels=sentinel_rows(evidence),
        stopped=STOPPED,
        drawn=drawn,
        drawn_folds=_drawn(evidence.split.repeats, say),
        hyperparameters=_hyperparameters,
        winners=_winners(evidence.results),
        n_failed=_failed_trials(evidence.results),
        confused=_confused(account),
        n_packages=len(locked := _packages(lock)),
        packages=", ".join(f"{k} {locked[k]}" for k in _SHOWN if k in locked),
        receipts=receipts,
        reached=reached(receipts or ()),
        n_receipts=SHOWN,
        moved=_moved,
        moment=_moment,
    )


@lru_cache
def _template() -> jinja2.Template:
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _recorded(text: str, *, language: Language) -> Markup:
    """Return a sentence that a stage or a person wrote, marked as English where the page is not."""
    return own(text, "" if language == "en" else "en")


def _pictures(
    verdict: Verdict, account: Account, plan: Plan, say: Say
) -> dict[str, Any]:
    """Return every picture there are figures for, by its name."""
    evidence, deep = account.evidence, verdict.deep_learning
    found, behaviour = account.findings, evidence.behaviour
    drawn: dict[str, Any] = dict.fromkeys(_PICTURES) | {"dependences": []}
    if verdict.outcome == "suspect_leak":
        return drawn
    if evidence.gate is not None:
        drawn["chance"] = pictures.chance(evidence.gate, say)
    places = [result.place for result in _in_order(evidence.results)]
    drawn["leads"] = pictures.leads(deep, verdict.metric, say)
    drawn["pairs"] = (
        pictures.pairs(places, account.fold_scores, verdict.metric, say)
        if account.fold_scores
        else None
    )
    drawn["trials"] = searching.trials(evidence.results, plan.metric, say)
    if found is not None:
        drawn |= {
            "roc": curves.roc(found, say),
            "precision": curves.precision(found, say),
            "calibration": curves.calibration(found, say),
            "points": numbers.points(found, say),
            "residuals": numbers.residuals(found, say),
        }
    if behaviour is not None:
        drawn |= _of_behaviour(verdict, account, say)
    return drawn


def _of_behaviour(verdict: Verdict, account: Account, say: Say) -> dict[str, Any]:
    behaviour, metric = account.evidence.behaviour, verdict.metric
    if behaviour is None:
        return {}
    dependences: list[Picture] = [
        columns.dependence(one, number, say)
        for number, one in enumerate(behaviour.dependences)
        if one.values
    ]
    return {
        "importances": columns.importances(behaviour.importances, metric, say),
        "blocks": columns.blocks(behaviour.importances, metric, say),
        "dependences": dependences,
        "rows": columns.more_rows(behaviour.at_rows, metric, say),
        "epochs": searching.epochs(behaviour.epochs, say),
    }


def _drawn(repeats: int, say: Say) -> Markup:
    """Return how often folds were drawn."""
    return (
        say("data.drawn_once") if repeats == 1 else say("data.drawn_times", n=repeats)
    )


def _in_order(results: tuple[FoldResult, ...]) -> list[FoldResult]:
    return sorted(results, key=lambda one: (one.place.repeat, one.place.fold))


def _bound(plan: Plan, alpha: float, *, say: Say) -> Markup:
    """Return what a plan claims, with its margin and its alpha."""
    bound = (
        say("verdict.or_less", bound=f"{plan.at_most:,.10g}")
        if plan.at_most is not None
        else say("verdict.or_more", bound=f"{plan.at_least:,.10g}")
    )
    return say(
        "hypothesis.bound",
        metric=say(f"metric.{plan.metric}"),
        claimed=bound,
        margin=f"{plan.margin:g}",
        alpha=f"{alpha:g}",
    )


def _target(plan: Plan) -> str:
    return ", ".join(plan.target.reads) if isinstance(plan.target, LabelRule) else ""


def _method(name: str) -> str:
    return "clt_split" if name.startswith("CLT") else "nadeau_bengio"


def _winners(results: tuple[FoldResult, ...]) -> list[dict[str, Any]]:
    """Return the trial that won of each family on each outer fold of the first repeat."""
    return [
        {
            "model": name,
            "fold": result.place.fold + 1,
            "trial": fit.winner + 1,
            "inner": fit.trials[fit.winner].score,
            "outer": fit.score,
            "shown": _hyperparameters(fit.trials[fit.winner].hyperparameters),
            "edges": "; ".join(fit.edges),
        }
        for result in _in_order(results)
        if result.place.repeat == 0
        for name, fit in result.models.items()
    ]


def _hyperparameters(values: Hyperparameters) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )


def _failed_trials(results: tuple[FoldResult, ...]) -> int:
    return sum(
        trial.score is None
        for result in results
        for fit in result.models.values()
        for trial in fit.trials
    )


def _confused(account: Account, most: int = 12) -> list[tuple[str, str, int]]:
    """Return the pairs of classes most often confused, where there are too many for a table."""
    found, names = account.findings, account.evidence.cleaned.classes
    if found is None or len(names) <= most:
        return []
    pairs = [
        (names[i], names[j], n)
        for i, row in enumerate(found.confusion)
        for j, n in enumerate(row)
        if i != j and n
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair))[:20]


def _moved(scores: dict[str, float]) -> str:
    """Return the largest deviation of any model's score."""
    return f"{max(map(abs, scores.values())):.2g}"


def _moment(when: str) -> str:
    """Return a moment as people write it, or what stands in its place.

    Examples
    --------
    >>> _moment("2026-01-02T03:04:05+00:00"), _moment("early")
    ('2026-01-02 03:04:05 UTC', 'early')
    """
    found = re.fullmatch(r"([0-9-]{10})T([0-9:]{8})\+00:00", when)
    return f"{found[1]} {found[2]} UTC" if found else when


def _packages(lock: str) -> dict[str, str]:
    """Return the locked version of each package; of one with several the first."""
    found: dict[str, str] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE):
        found.setdefault(name, version)
    return found
