"""The files that tell a person of a run: the page, the cards beside the model, and what they rest on."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import pandas as pd

from assay.data.catalogue import licence_of
from assay.report.account import Account, Findings
from assay.report.cards import cards
from assay.report.examples import pixels_of
from assay.report.findings import Predicted, findings
from assay.report.page import render
from assay.report.say import has_hangul
from assay.store.verdict import Evidence, Judgement
from assay.study.plans import Plan
from assay.study.registration import Registration
from assay.wording import Sentence


@dataclass(frozen=True)
class Seen:
    """What the models predicted of rows they never saw, and the rows as they were cleaned."""

    predicted: Predicted
    features: pd.DataFrame


def account_of(
    registration: Registration,
    evidence: Evidence,
    judgement: Judgement,
    seen: Seen | None,
) -> Account:
    """Return everything that a page rests on beside verdict and registration."""
    plan = registration.study.of(judgement.verdict.plan)
    terms = licence_of(plan.source)
    return Account(
        evidence=evidence,
        chance=judgement.chance,
        scores=judgement.scores,
        fold_scores=judgement.fold_scores,
        findings=None if seen is None else _findings_of(seen, evidence, plan),
        terms=Sentence.plain("")
        if terms is None
        else Sentence.of("report.terms", terms=terms.terms(), address=terms.address),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def report_files(
    registration: Registration,
    evidence: Evidence,
    judgement: Judgement,
    seen: Seen | None,
    lock: str,
) -> dict[str, bytes]:
    """Return ``report.html`` (in Korean too where the study asks in Korean), ``evidence.json``, and the cards."""
    account = account_of(registration, evidence, judgement, seen)
    verdict = judgement.verdict
    files = {
        "evidence.json": _pretty(account.model_dump(mode="json")),
        "report.html": render(registration, verdict, account, lock).encode(),
    }
    of_bundle = cards(registration, verdict, account)
    files |= {f"bundle/{name}": content for name, content in of_bundle.items()}
    if has_hangul(registration.study.question):
        korean = render(registration, verdict, account, lock, "ko")
        files["report.ko.html"] = korean.encode()
    return files


def _findings_of(seen: Seen, evidence: Evidence, plan: Plan) -> Findings:
    image, behaviour = plan.clean.image, evidence.behaviour
    ranked = (
        sorted(behaviour.importances, key=lambda importance: -importance.drop)
        if behaviour
        else []
    )
    return findings(
        seen.predicted,
        evidence.cleaned,
        seen.features,
        [importance.column for importance in ranked],
        pixels_of(seen.features, image) if image and evidence.cleaned.image else None,
    )


def _pretty(value: Any) -> bytes:
    return (
        json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode()
