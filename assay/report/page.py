"""The page a person reads: one file, no script, no network, the same bytes for the same records."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import jinja2

from assay.judge.sentences import (
    HEADLINES,
    METRICS,
    answers,
    bound_of,
    cost_sentence,
    edge_sentence,
    effect,
    figure,
    more_rows_sentence,
    multiverse_sentence,
    plan_a_sentence,
    size,
)
from assay.report import (
    draw_columns,
    draw_comparison,
    draw_curves,
    draw_residuals,
    draw_search,
)
from assay.report.account import Account
from assay.report.canvas import Picture, drawing
from assay.report.cards import interval_method
from assay.report.caveats import caveats
from assay.report.folder import Run
from assay.report.rerun_receipts import SHOWN, Kept, reached
from assay.report.say import Say, own
from assay.report.sentinel_rows import sentinel_rows
from assay.report.templates import html_template
from assay.store.records import FoldResult, as_text
from assay.store.run_folder import fitting
from assay.store.verdict import Verdict
from assay.study.plans import LOSSES, LabelRule, Plan
from assay.study.registration import Registration
from assay.wording import Language, Sentence, as_sentence

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
    return html_template("page.html.jinja").render(
        say=say,
        own=own,
        sections=SECTIONS,
        study=study,
        plan=plan,
        registration=registration,
        verdict=verdict,
        account=account,
        evidence=evidence,
        findings=account.findings,
        behaviour=evidence.behaviour,
        left_out=Sentence.of,
        deep=verdict.deep_learning,
        gate=None if verdict.outcome == "suspect_leak" else evidence.gate,
        sign=HEADLINES[verdict.outcome][0],
        plan_a=plan_a_sentence(verdict),
        answers=answers(verdict),
        cost=cost_sentence(verdict),
        edges=edge_sentence(verdict),
        multiverse=multiverse_sentence(verdict),
        caveats=caveats(verdict, evidence, plan),
        bound_of=_bound,
        target_of=_target,
        effect=partial(effect, verdict.signal.statistic),
        more_rows=more_rows_sentence(evidence.behaviour, verdict.metric, plan.margin),
        is_loss=verdict.metric in LOSSES,
        method=say(interval_method(verdict.deep_learning.method)),
        figure=partial(figure, verdict.metric),
        size=size,
        sentinels=sentinel_rows(evidence),
        drawn=drawn,
        hyperparameters=as_text,
        winners=_winners(evidence.results),
        n_failed=_failed_trials(evidence.results),
        confused=_confused(account),
        n_packages=len(locked := _packages(lock)),
        packages=", ".join(f"{k} {locked[k]}" for k in _SHOWN if k in locked),
        receipts=receipts,
        reached=reached(receipts or ()),
        n_receipts=SHOWN,
        moved=_largest_change,
        moment=_moment,
        as_sentence=as_sentence,
    )


def page_again(
    run: Run, language: Language, receipts: Sequence[Kept] | None = None
) -> str:
    """Return the report of a finished run, which anyone may have made; see :func:`render`.

    Raises
    ------
    CorruptObject
        If what its files say does not fit together.
    """
    with fitting(run.folder):
        facts = run.registration, run.verdict, run.account, run.lock
        try:
            return render(*facts, language, receipts)
        except jinja2.TemplateError as error:
            raise ValueError(str(error)) from error


def _pictures(
    verdict: Verdict, account: Account, plan: Plan, say: Say
) -> dict[str, Any]:
    """Return every picture there are figures for, by its name."""
    evidence, deep = account.evidence, verdict.deep_learning
    findings, behaviour = account.findings, evidence.behaviour
    drawn: dict[str, Any] = dict.fromkeys(_PICTURES) | {"dependences": []}
    if verdict.outcome == "suspect_leak":
        return drawn
    if evidence.gate is not None:
        drawn["chance"] = draw_comparison.chance(evidence.gate, say)
    places = [result.place for result in _in_order(evidence.results)]
    drawn["leads"] = draw_comparison.leads(deep, verdict.metric, say)
    drawn["pairs"] = (
        draw_comparison.pairs(places, account.fold_scores, verdict.metric, say)
        if account.fold_scores
        else None
    )
    drawn["trials"] = draw_search.trials(evidence.results, plan.metric, say)
    if findings is not None:
        drawn |= {
            "roc": draw_curves.roc(findings, say),
            "precision": draw_curves.precision(findings, say),
            "calibration": draw_curves.calibration(findings, say),
            "points": draw_residuals.points(findings, say),
            "residuals": draw_residuals.residuals(findings, say),
        }
    if behaviour is not None:
        drawn |= _of_behaviour(verdict, account, say)
    return drawn


def _of_behaviour(verdict: Verdict, account: Account, say: Say) -> dict[str, Any]:
    behaviour, metric = account.evidence.behaviour, verdict.metric
    if behaviour is None:
        return {}
    dependences: list[Picture] = [
        draw_columns.dependence(curve, number, say)
        for number, curve in enumerate(behaviour.dependences)
        if curve.values
    ]
    return {
        "importances": draw_columns.importances(behaviour.importances, metric, say),
        "blocks": draw_columns.blocks(behaviour.importances, metric, say),
        "dependences": dependences,
        "rows": draw_columns.more_rows(behaviour.at_rows, metric, say),
        "epochs": draw_search.epochs(behaviour.epochs, say),
    }


def _in_order(results: tuple[FoldResult, ...]) -> list[FoldResult]:
    return sorted(results, key=lambda result: (result.place.repeat, result.place.fold))


def _bound(plan: Plan, alpha: float) -> Sentence:
    """Return what a plan claims, with its margin and its alpha."""
    return Sentence.of(
        "report.hypothesis.bound",
        metric=METRICS[plan.metric],
        claimed=bound_of(plan.at_least, plan.at_most),
        margin=plan.margin,
        alpha=alpha,
    )


def _target(plan: Plan) -> str:
    return ", ".join(plan.target.reads) if isinstance(plan.target, LabelRule) else ""


def _winners(results: tuple[FoldResult, ...]) -> list[dict[str, Any]]:
    """Return the trial that won of each family on each outer fold of the first repeat."""
    return [
        {
            "model": name,
            "fold": result.place.fold + 1,
            "trial": fit.winner + 1,
            "inner": fit.trials[fit.winner].score,
            "outer": fit.score,
            "shown": as_text(fit.trials[fit.winner].hyperparameters),
            "edges": "; ".join(fit.edges),
        }
        for result in _in_order(results)
        if result.place.repeat == 0
        for name, fit in result.models.items()
    ]


def _failed_trials(results: tuple[FoldResult, ...]) -> int:
    return sum(
        trial.score is None
        for result in results
        for fit in result.models.values()
        for trial in fit.trials
    )


def _confused(account: Account, most: int = 12) -> list[tuple[str, str, int]]:
    """Return the pairs of classes most often confused, where there are too many for a table."""
    findings, names = account.findings, account.evidence.cleaned.classes
    if findings is None or len(names) <= most:
        return []
    pairs = [
        (names[i], names[j], n)
        for i, row in enumerate(findings.confusion)
        for j, n in enumerate(row)
        if i != j and n
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair))[:20]


def _largest_change(scores: dict[str, float]) -> str:
    """Return the largest change of any model's score."""
    return f"{max(map(abs, scores.values())):.2g}"


def _moment(when: str) -> str:
    """Return a moment as people write it, or what stands in its place.

    Examples
    --------
    >>> _moment("2026-01-02T03:04:05+00:00"), _moment("early")
    ('2026-01-02 03:04:05 UTC', 'early')
    """
    match = re.fullmatch(r"([0-9-]{10})T([0-9:]{8})\+00:00", when)
    return f"{match[1]} {match[2]} UTC" if match else when


def _packages(lock: str) -> dict[str, str]:
    """Return the locked version of each package; of one with several the first."""
    versions: dict[str, str] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE):
        versions.setdefault(name, version)
    return versions
