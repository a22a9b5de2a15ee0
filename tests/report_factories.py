"""Pages and run folders for the tests of the report, made of real records."""

import html
import html.parser
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from assay.bundle.stage import Scored, run_files
from assay.judge.stage import judge_evidence
from assay.report.findings import predicted
from assay.report.page import render
from assay.report.written_files import Seen, account_of
from assay.store.behaviour import AtRows, Behaviour, Dependence, Epochs, Importance
from assay.store.canonical import digest_bytes
from assay.store.machine import circumstances
from assay.store.places import shipped
from assay.store.verdict import Evidence, Judgement, Manifest
from assay.study.plans import Study
from assay.study.registration import Registration
from assay.study.sources import Suite
from assay.wording import Language
from tests.model_factories import (
    Case,
    evidence_of,
    flag,
    gate_result,
    identity,
    judging,
    line_table,
    registration,
    scored_case,
)

STOPS: dict[str, dict[str, Any]] = {
    "no_signal": {"gate": gate_result("no_signal")},
    "underpowered": {"gate": gate_result("untested")},
    "suspect_leak": {"gate": None},
}
STRENGTHS = {
    "dl_earns": (0.3, 2.0),
    "dl_not_worth": (1.0, 1.0),
    "inconclusive": (1.0, 1.1),
}
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
OPEN = {"meta", "br", "img", "wbr"}  # tags that have no end


class Tags(html.parser.HTMLParser):
    """Every tag with its attributes, and which are left open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in OPEN:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every tag of a page whose tags are whole."""
    parser = Tags()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.seen


def text_of(page: str) -> str:
    """The page as one line of text, without its style."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section_of(page: str, name: str) -> str:
    """One section of a page."""
    found = re.search(
        rf'<section aria-labelledby="{name}">.*?</section>', page, flags=re.DOTALL
    )
    assert found is not None
    return found[0]


def judged(evidence: Evidence, case: Case, predictions: Any, **plan: Any) -> Judgement:
    return judge_evidence(
        evidence, case.samples, case.folds, predictions, judging(**plan), identity()
    )


def case_of(outcome: str, remark: str = "a reason", n: int = 400) -> Case:
    """Evidence that leads to a verdict; ``remark`` stands wherever data or a suite may put words."""
    if outcome in STOPS:
        flags = (flag(evidence=remark),) if outcome == "suspect_leak" else ()
        evidence = evidence_of(remark=remark, flags=flags, **STOPS[outcome])
        return Case(evidence, *_bare(n))
    logistic, net = STRENGTHS[outcome]
    case = scored_case({"logistic": logistic, "net": net}, n=n)
    report = evidence_of(gate=None, remark=remark).report
    evidence = case.evidence.model_copy(update={"report": report})
    return Case(evidence, case.labels, case.folds, case.predictions)


def _bare(n: int) -> tuple[Any, Any, Any]:
    case = scored_case({"net": 1.0}, n=n)
    return case.labels, case.folds, {}


def seen_of(case: Case, features: pd.DataFrame | None = None) -> Seen | None:
    """What the models predicted of a case, and some features of its rows."""
    if not case.predictions:
        return None
    table = line_table(len(case.labels), 0)[0] if features is None else features
    return Seen(predicted(case.labels, case.folds, case.predictions), table)


def page_for(
    case: Case,
    of: Registration | None = None,
    judgement: Judgement | None = None,
    language: Language = "en",
    features: pd.DataFrame | None = None,
    **plan: Any,
) -> str:
    """The page of a case."""
    found = judgement or judged(case.evidence, case, case.predictions, **plan)
    registered = of or registration()
    account = account_of(registered, case.evidence, found, seen_of(case, features))
    lock = shipped("requirements.txt").read_text(encoding="utf-8")
    return render(registered, found.verdict, account, lock, language)


def page_of(
    outcome: str,
    declared: Study | None = None,
    remark: str = "a reason",
    language: Language = "en",
) -> str:
    """A page whose verdict is ``outcome``, from evidence that leads there."""
    if declared is None and remark == "a reason":
        return _plain_page(outcome, language)
    return _page(outcome, declared, remark, language)


@lru_cache
def _plain_page(outcome: str, language: Language) -> str:
    return _page(outcome, None, "a reason", language)


def _page(outcome: str, declared: Study | None, remark: str, language: Language) -> str:
    case = case_of(outcome, remark)
    verdict = judged(case.evidence, case, case.predictions)
    assert verdict.verdict.outcome == outcome
    return page_for(case, registration(declared), verdict, language)


def behaviour(column: str = "x0", of: str = "yes") -> Behaviour:
    """How a model may behave: one column of numbers, one of words, four sizes, two folds."""
    curve = (0.2, 0.5, 0.6)
    return Behaviour(
        importances=(
            Importance(column=column, drop=0.05, low=0.02, high=0.08),
            Importance(column="town", drop=0.01, low=-0.01, high=0.03),
        ),
        dependences=(
            Dependence(
                column=column,
                of=of,
                values=(0.0, 1.0, 2.0),
                predicted=curve,
                shares=(0.25, 0.5, 0.25),
            ),
            Dependence(
                column="town",
                of=of,
                values=("Busan", "Daegu", "Seoul"),
                predicted=curve,
                shares=(0.25, 0.5, 0.25),
            ),
        ),
        at_rows=tuple(
            AtRows(n_rows=n, scores={"net": 0.7 + n / 4000, "logistic": 0.72})
            for n in (40, 80, 160, 320)
        ),
        epochs=tuple(
            Epochs(
                fold=fold,
                training=(0.6, 0.4, 0.3),
                stopping=(0.61, 0.5, 0.52),
                best=(2, 2),
            )
            for fold in (0, 1)
        ),
        not_asked={"a third thing": "it would take too long"},
    )


def write_run(
    folder: Path,
    case: Case,
    of: Registration | None = None,
    **plan: Any,
) -> Path:
    """A run folder as a run leaves it, but for the model."""
    registered = of or registration()
    verdict = judged(case.evidence, case, case.predictions, **plan)
    scored = (
        Scored(
            case.evidence.cleaned,
            case.labels,
            case.folds,
            case.evidence.results,
            case.predictions,
        )
        if case.predictions
        else None
    )
    suite = Suite(name="toy", text='{"name": "toy", "expectations": []}')
    files = run_files(registered, suite, case.evidence, verdict, scored, None).files
    manifest = Manifest(
        study=registered.study.name,
        same=verdict.verdict.digests,
        files={name: digest_bytes(content) for name, content in files.items()},
        circumstances=circumstances(1.0),
    )
    files["manifest.json"] = manifest.model_dump_json(indent=2).encode()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
