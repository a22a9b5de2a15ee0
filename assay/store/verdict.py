"""The verdict, what it rests on, and what a run leaves."""

from collections import Counter
from typing import Literal

from pydantic import Field

from assay.store.behaviour import Behaviour
from assay.store.records import (
    AuditReport,
    Cleaned,
    FinalFit,
    Flag,
    FoldResult,
    GateResult,
    Metric,
    Preparations,
    Record,
    Ref,
    SelfTest,
    Snapshot,
    Split,
    Text,
    ValidationReport,
    circumstance,
)
from assay.wording import Sentence

OutcomeWord = Literal[
    "no_signal",
    "underpowered",
    "suspect_leak",
    "dl_earns",
    "dl_not_worth",
    "inconclusive",
]


class Signal(Record):
    """Does anything beat chance?"""

    answer: Literal["signal", "no_signal", "underpowered", "not_asked"]
    statistic: Literal["auc", "spearman"]
    score: float | None
    chance: float
    p_value: float | None
    permutations: int
    detectable: float | None


class Claim(Record):
    """Is the deep model's score at least what the hypothesis says?"""

    answer: Literal["supported", "refuted", "undecided"]
    at_least: float | None
    at_most: float | None = Field(
        default=None, description="The bound where the metric is a loss."
    )
    score: float | None
    interval: tuple[float, float] | None = Field(
        description="One-sided bounds at the branch's alpha."
    )


class Against(Record):
    """The deep model against one baseline, on the same folds."""

    delta: float
    lower: float
    upper: float
    interval_95: tuple[float, float]
    baseline_score: float
    p_better: float = Field(
        description="Support for better by more than the margin; not a test."
    )
    p_within: float
    p_worse: float
    needed_rows: int | None


class Price(Record):
    """What one model costs, on average over the outer folds."""

    fit_s: float = circumstance("Seconds of search and fit per outer fold.")
    predict_us: float = circumstance("Microseconds to predict one row.")
    size: int = Field(description="Bytes of the fitted numbers.")


class DeepLearning(Record):
    """Does deep learning earn its cost? Figures against the least favourable baseline."""

    answer: Literal["dl_earns", "dl_not_worth", "inconclusive", "not_asked"]
    remark: Literal["", "equivalent", "worse"] = ""
    delta: float | None
    lower: float | None
    upper: float | None
    margin: float
    against: dict[str, Against]
    seconds: dict[str, float] = circumstance(
        "Mean seconds of search and fit per outer fold, by model."
    )
    price: dict[str, Price]
    gain_per_second: dict[str, float] = circumstance(
        "Gain over each baseline per second that the net took longer to fit; absent where it took no longer."
    )
    needed_rows: int | None
    method: str
    edges: tuple[str, ...] = Field(
        default=(),
        description="What most winners have at an edge of the space searched, with the model.",
    )


class Universe(Record):
    """What the verdict would have been under one alternative of cleaning."""

    name: str
    outcome: OutcomeWord | Literal["refused"]
    claim: str = Field(description="What came of the claim.")
    reason: Text
    score: float | None
    delta: float | None

    @classmethod
    def refused(cls, name: str, reason: Text) -> "Universe":
        """Return what came of an alternative under which the data is refused."""
        return cls(
            name=name,
            outcome="refused",
            claim="not_asked",
            reason=reason,
            score=None,
            delta=None,
        )


class Multiverse(Record):
    """In how many of the declared alternatives the words stand, outcome and claim (Steegen et al. 2016)."""

    stands: int
    of: int
    universes: tuple[Universe, ...]


class Verdict(Record):
    """The answer, in the words of the protocol."""

    study: str
    plan: Literal["a", "b"]
    outcome: OutcomeWord
    metric: Metric
    signal: Signal
    claim: Claim
    deep_learning: DeepLearning
    plan_a: "Verdict | None" = None
    flags: tuple[Flag, ...]
    deviations: tuple[Text, ...] = circumstance(
        "What differs from an earlier registration of the name."
    )
    digests: dict[str, str]
    reason: Text
    multiverse: Multiverse | None = None

    def after(
        self, plan_a: "Verdict | None", deviations: tuple[Text, ...]
    ) -> "Verdict":
        """Return the verdict with what came before it: a failed plan A, an earlier registration."""
        return self.model_copy(update={"plan_a": plan_a, "deviations": deviations})

    def among(self, universes: tuple[Universe, ...]) -> "Verdict":
        """Return the verdict with what it would have been under the alternatives of cleaning."""
        mine = (self.outcome, self.claim.answer)
        stands = sum((other.outcome, other.claim) == mine for other in universes)
        multiverse = Multiverse(stands=stands, of=len(universes), universes=universes)
        return self.model_copy(update={"multiverse": multiverse})

    def as_universe(self, name: str) -> Universe:
        """Return the verdict as one of several universes."""
        return Universe(
            name=name,
            outcome=self.outcome,
            claim=self.claim.answer,
            reason=self.reason,
            score=self.claim.score,
            delta=self.deep_learning.delta,
        )

    def summary(self) -> Sentence:
        return Sentence.of("records.verdict", plan=self.plan, outcome=self.outcome)


class Opened(Record):
    """A plan's data: the snapshot, how it meets its suite, and the cleaned samples."""

    snapshot: Snapshot
    report: ValidationReport
    cleaned: Cleaned


class Evidence(Opened):
    """What a verdict on one plan rests on."""

    split: Split
    audit: AuditReport
    gate: GateResult | None = None
    self_test: SelfTest | None = None
    results: tuple[FoldResult, ...] = ()
    final: FinalFit | None = None
    preparations: Preparations | None = None
    behaviour: Behaviour | None = None

    def predictions(self) -> dict[str, list[list[Ref]]]:
        """Return where each model's class probabilities lie, by repeat and fold."""
        by_model: dict[str, list[list[Ref]]] = {}
        for result in sorted(
            self.results, key=lambda result: (result.place.repeat, result.place.fold)
        ):
            for name, fit in result.models.items():
                repeats = by_model.setdefault(
                    name, [[] for _ in range(self.split.repeats)]
                )
                if fit.predictions is not None:
                    repeats[result.place.repeat].append(fit.predictions)
        return by_model


def edges(results: tuple[FoldResult, ...]) -> tuple[str, ...]:
    """Return what more than half of the outer folds' winners have at an edge of their search space."""
    counts = Counter(
        f"{name}: {edge}"
        for result in results
        for name, fit in result.models.items()
        for edge in fit.edges
    )
    return tuple(sorted(edge for edge, n in counts.items() if 2 * n > len(results)))


class Judgement(Record):
    """A verdict on one plan, with the scores it rests on."""

    verdict: Verdict
    chance: float = Field(
        description="The metric's score of a predictor that ignores the features."
    )
    scores: dict[str, float] = Field(description="Mean outer-fold score of each model.")
    fold_scores: dict[str, tuple[float | None, ...]] = Field(
        description="None: the metric is undefined on that fold."
    )

    def remarked(self, remarks: tuple[Text, ...]) -> "Judgement":
        """Return the judgement with further deviations, in words that follow "this study"."""
        verdict = self.verdict
        remarked = verdict.after(verdict.plan_a, (*verdict.deviations, *remarks))
        return self.model_copy(update={"verdict": remarked})

    def summary(self) -> Sentence:
        return self.verdict.summary()


class Circumstances(Record):
    """What may differ between two equal runs."""

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    host: str
    machine: str
    system: str
    python: str
    cpu_flags: tuple[str, ...]
    cores: int
    versions: dict[str, str]
    settings: dict[str, str]


class Manifest(Record):
    """What a run must share with every equal run, and the circumstances it happened in."""

    study: str
    same: dict[str, str] = Field(
        description="Digests: study, data, code, lock, folds, weights, ... verdict."
    )
    files: dict[str, str] = Field(
        description="SHA-256 of every file beside the manifest."
    )
    circumstances: Circumstances


class Bundle(Record):
    """Everything a run leaves, as stored objects under their final names."""

    files: dict[str, Ref]
    same: dict[str, str]
    verdict: Verdict = Field(description="As the files tell it.")

    def summary(self) -> Sentence:
        megabytes = sum(ref.size for ref in self.files.values()) / 1e6
        return Sentence.of("records.bundle", n=len(self.files), megabytes=megabytes)
