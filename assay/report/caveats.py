"""What a hasty reader might take from a verdict, and should not."""

from collections.abc import Iterator

from assay.store.verdict import Evidence, Verdict
from assay.study.plans import Plan
from assay.wording import Sentence


def caveats(verdict: Verdict, evidence: Evidence, plan: Plan) -> list[Sentence]:
    """Return what the verdict does not say, of the outcome first, then of every run."""
    return [*_of_outcome(verdict, plan), *_of_every_run(evidence)]


def _of_outcome(verdict: Verdict, plan: Plan) -> Iterator[Sentence]:
    match verdict.outcome:
        case "suspect_leak":
            yield Sentence("judge.caveat.leak")
        case "no_signal":
            yield Sentence("judge.caveat.nothing")
        case "dl_earns":
            yield Sentence("judge.caveat.best")
        case "dl_not_worth":
            yield Sentence.of(
                "judge.caveat.worth",
                trials=plan.tune.trials,
                margin=verdict.deep_learning.margin,
            )


def _of_every_run(evidence: Evidence) -> Iterator[Sentence]:
    if evidence.cleaned.units is None:
        yield Sentence("judge.caveat.rows")
    else:
        yield Sentence.of("judge.caveat.units", unit=evidence.cleaned.unit_name)
    yield Sentence("judge.caveat.future")
    if evidence.results:
        share = 1 - 1 / evidence.split.folds
        yield Sentence.of("judge.caveat.this_model", share=share)
        yield Sentence("judge.caveat.cause")
    yield Sentence("judge.caveat.metric")
