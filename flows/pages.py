"""What Prefect's pages show of a verdict: Markdown with pictures, and tables of folds and of trials.

Whatever a study or a table can put words into is disarmed first: on these pages it is text, never a link, an
image or a tag.
"""

import re
import unicodedata
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from assay.judge.sentences import (
    ANSWERS,
    HEADLINES,
    METRICS,
    claimed,
    figure,
    more_rows_sentence,
    sentences,
    size,
)
from assay.store.records import STATISTICS, FoldResult, Hyperparameters, ModelFit
from assay.store.verdict import Evidence, Judgement, Verdict
from assay.study.plans import LOSSES
from flows.drawings import Row, bars, heap, image, ranges

_SIGNS = set("\\`*_[]|~#!")
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
_JOINER = "\u2060"
_LONGEST = 300
_MOST_COLUMNS_DRAWN = 8
_MOST_TRIALS = 500

Line = dict[str, Any]


def plain(text: str, longest: int = _LONGEST) -> str:
    r"""Return a text as Markdown that shows it and does nothing else.

    Both of Prefect's interfaces were looked at: one shows entities as they are written, the other makes links
    of addresses that are. So signs that Markdown knows have a backslash, and the rest is :func:`unlinked`.

    Examples
    --------
    >>> plain("[a](b) *c* 1_000")
    '\\[a\\](b) \\*c\\* 1\\_000'
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return unlinked("".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text))


def unlinked(text: str) -> str:
    """Return a text without tags, entities and addresses: a word joiner, which is not seen, parts them.

    What is not seen already is a space: lines end nowhere, and nothing runs backwards.
    """
    seen = "".join(
        " " if unicodedata.category(sign) in _UNSEEN else sign for sign in text
    )
    for sign in "<&@":
        seen = seen.replace(sign, sign + _JOINER)
    seen = seen.replace("://", f":{_JOINER}//")
    return re.sub(r"(www)\.", rf"\1{_JOINER}.", seen, flags=re.IGNORECASE)


# The verdict -------------------------------------------------------------------------------------


def verdict_page(
    judgement: Judgement, evidence: Evidence, claim: str, margin: float, report: str
) -> str:
    """Return the page of a verdict: its words, the three answers, the scores, pictures, where the report is.

    Parameters
    ----------
    claim
        Of the plan that decided, as the study words it.
    report
        The report's path.
    """
    verdict = judgement.verdict
    sign, headline = HEADLINES[verdict.outcome]
    parts = [
        f"# {sign} {headline}",
        f"**{plain(verdict.study)}**, plan {verdict.plan}: `{verdict.outcome}`. Claimed: {plain(claim)}.",
        _answers(verdict),
        *(plain(sentence, 2000) for sentence in sentences(verdict)),
    ]
    if verdict.outcome != "suspect_leak":
        parts += _gate(evidence)
        parts += _scores(judgement)
        parts += _behaviour(evidence, verdict, margin)
    parts.append(f"The whole report: `{report.replace('`', '')}`")
    return "\n\n".join(parts)


def _answers(verdict: Verdict) -> str:
    signal, held, deep = verdict.signal, verdict.claim, verdict.deep_learning
    metric = verdict.metric
    found = lead = score = ""
    if signal.score is not None:
        found = f"{STATISTICS[signal.statistic]} {signal.score:.3f} against {signal.chance:.2f}"
    if signal.p_value is not None:
        found += f", p ≤ {signal.p_value:.2g} after {signal.permutations} permutations"
    if held.score is not None and held.interval is not None:
        low, high = (figure(metric, end) for end in held.interval)
        score = f"{METRICS[metric]} {figure(metric, held.score)}, between {low} and {high}; claimed {claimed(held)}"
    if deep.delta is not None and deep.lower is not None and deep.upper is not None:
        delta, low, high = (
            figure(metric, one, signed=True)
            for one in (deep.delta, deep.lower, deep.upper)
        )
        lead = f"gain {delta}, between {low} and {high}; margin {figure(metric, deep.margin)}"
    return _table(
        ("asked", "answer", "evidence"),
        [
            ("Does anything beat chance?", ANSWERS.get(signal.answer, ""), found),
            ("Is the claim right?", held.answer, score),
            ("Is deep learning worth it?", ANSWERS.get(deep.answer, ""), lead),
        ],
    )


def _gate(evidence: Evidence) -> list[str]:
    gate = evidence.gate
    if gate is None or gate.score is None or not gate.null_scores:
        return []
    words = f"{STATISTICS[gate.statistic]} {gate.score:.3f}"
    return [
        "## Against chance",
        f"The largest {STATISTICS[gate.statistic]} of the gate's models, and the same with labels permuted.",
        image(
            "the gate's score among permuted ones",
            heap(gate.null_scores, gate.score, words),
        ),
    ]


def _scores(judgement: Judgement) -> list[str]:
    verdict, metric = judgement.verdict, judgement.verdict.metric
    if not judgement.scores:
        return []
    against = verdict.deep_learning.against
    price = verdict.deep_learning.price
    rows = []
    for name, score in judgement.scores.items():
        lead = against.get(name)
        gain = ""
        if lead is not None:
            delta, low, high = (
                figure(metric, one, signed=True)
                for one in (lead.delta, lead.lower, lead.upper)
            )
            gain = f"{delta}, between {low} and {high}"
        cost = price.get(name)
        spent = f"{cost.fit_s:.1f} s a fold, {size(cost.size)}" if cost else ""
        rows.append((name, figure(metric, score), gain, spent))
    better = "lower is better" if metric in LOSSES else "higher is better"
    return [
        "## The models",
        _table(
            (
                "model",
                f"{METRICS[metric]} ({better})",
                "the net's gain over it",
                "price",
            ),
            rows,
        ),
        "Each outer fold, and the mean:",
        image("scores of each model, fold by fold", _folds_drawn(judgement)),
        "The net's gain over each simple model, with its bounds:",
        image("the net's gain over each simple model", _leads_drawn(verdict)),
    ]


def _folds_drawn(judgement: Judgement) -> str:
    rows = []
    for name, scores in judgement.fold_scores.items():
        known = tuple(score for score in scores if score is not None)
        if known:
            mean = judgement.scores[name]
            said = figure(judgement.verdict.metric, mean)
            rows.append(
                Row(name, min(*known, mean), mean, max(*known, mean), said, known)
            )
    return ranges(rows)


def _leads_drawn(verdict: Verdict) -> str:
    metric, deep = verdict.metric, verdict.deep_learning
    rows = [
        Row(
            f"net over {name}",
            *(one.lower, one.delta, one.upper),
            figure(metric, one.delta, signed=True),
        )
        for name, one in deep.against.items()
    ]
    return ranges(rows, [(0.0, "equal"), (deep.margin, "margin")])


def _behaviour(evidence: Evidence, verdict: Verdict, margin: float) -> list[str]:
    found, metric = evidence.behaviour, verdict.metric
    if found is None:
        return []
    parts = []
    if found.importances:
        rows = [
            Row(one.column, one.low, one.drop, one.high, figure(metric, one.drop))
            for one in found.importances[:_MOST_COLUMNS_DRAWN]
        ]
        parts = [
            "## What the network looks at",
            f"What the {METRICS[metric]} loses where a column is shuffled: mean, and range over the folds.",
            image("what shuffling each column costs", bars(rows)),
        ]
    more = more_rows_sentence(found, metric, margin)
    return [*parts, "## Would more rows help?", plain(more, 2000)] if more else parts


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads)]
    lines += [tuple(plain(cell) for cell in row) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# Tables ------------------------------------------------------------------------------------------


def fold_rows(evidence: Evidence, verdict: Verdict) -> list[Line]:
    """Return a line for each outer fold of each repeat with the score of every model, and their means."""
    results, metric = evidence.results, verdict.metric
    lines: list[Line] = [
        {
            **_place(result),
            **{
                name: None if fit.score is None else figure(metric, fit.score)
                for name, fit in result.models.items()
            },
            "seconds": f"{result.seconds:.1f}",
        }
        for result in results
    ]
    if not results:
        return []
    means: Line = {"repeat": "all", "fold": "mean"}
    for name in results[0].models:
        known = [
            score for one in results if (score := one.models[name].score) is not None
        ]
        means[name] = figure(metric, fmean(known)) if known else None
    means["seconds"] = f"{fmean(one.seconds for one in results):.1f}"
    return [*lines, means]


def trial_rows(evidence: Evidence, verdict: Verdict) -> list[Line]:
    """Return a line for each trial of each search, its best first; of very many the best of each search."""
    searches = [
        (result, name, fit)
        for result in evidence.results
        for name, fit in result.models.items()
    ]
    most = max(1, _MOST_TRIALS // max(1, len(searches)))
    return [
        line
        for result, name, fit in searches
        for line in _of_search(result, name, fit, verdict)[:most]
    ]


def _of_search(
    result: FoldResult, name: str, fit: ModelFit, verdict: Verdict
) -> list[Line]:
    sign = 1.0 if verdict.metric in LOSSES else -1.0
    order = sorted(
        fit.trials,
        key=lambda trial: (trial.score is None, sign * (trial.score or 0.0)),
    )
    return [
        {
            **_place(result),
            "model": name,
            "trial": trial.number + 1,
            "score": None
            if trial.score is None
            else figure(verdict.metric, trial.score),
            "used": _used(fit, trial.number),
            "hyperparameters": _spelled(trial.hyperparameters),
            "remark": unlinked(str(trial.message or "")),
        }
        for trial in order
    ]


def _used(fit: ModelFit, number: int) -> str:
    """Say whether a trial won, or how many networks of an ensemble are of it."""
    if fit.picks:
        n = fit.picks.count(number)
        return f"{n} of {len(fit.picks)} networks" if n else ""
    return "winner" if number == fit.winner else ""


def _spelled(known: Hyperparameters) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in known.items()
    )


def _place(result: FoldResult) -> Line:
    return {"repeat": result.place.repeat + 1, "fold": result.place.fold + 1}
