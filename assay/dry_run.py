"""What a check would do: which results are stored, how many fits are left, what the gate could detect."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

from assay import stages
from assay.models.explain_budget import explain_budget
from assay.stages import Call
from assay.stages.runner import n_processes
from assay.store.machine import cores_allowed
from assay.store.records import Cleaned, FoldResult, Record, Split
from assay.store.store import Store
from assay.study.plans import Plan, PlanName, Study
from assay.study.sources import Identity
from assay.wording import Sentence

R = TypeVar("R", bound=Record)

_N_FAMILIES = 3


@dataclass(frozen=True)
class Line:
    """One stage: ``stored``, or ``would_run``, with what is known of it."""

    stage: str
    status: str
    detail: Sentence | str = ""


@dataclass(frozen=True)
class Forecast:
    """The stages of plan A in order, and what else there is to say."""

    stages: list[Line]
    sentences: list[Sentence]


def dry_run(store: Store, study: Study, identity: Identity) -> Forecast:
    """Follow plan A through the store without computing anything; plan B runs only if A's gate stops."""
    return _DryRun(store, study, identity).forecast()


class _DryRun:
    """The way of plan A as far as it is stored."""

    def __init__(self, store: Store, study: Study, identity: Identity) -> None:
        name: PlanName = "a"
        self.store, self.study, self.identity = store, study, identity
        self.plan: Plan = study.of(name)
        self.alpha, self.seed = study.alpha_of(name), study.seed_of(name)
        self.lines: list[Line] = []

    def forecast(self) -> Forecast:
        cleaned = self._data()
        folds = self._folds(cleaned)
        stop = self._stop(cleaned, folds)
        if stop is not None:
            return Forecast(self.lines, stop)
        fits = self._tuning(cleaned, folds)
        self._described(cleaned, folds)
        sentences = [*fits, *self._detectable(cleaned), *self._plan_b()]
        return Forecast(self.lines, sentences)

    def _line(
        self, name: str, record: R | None, otherwise: Sentence | str = ""
    ) -> R | None:
        """Note whether a stage is stored; return its record."""
        if record is None:
            self.lines.append(Line(name, "would_run", otherwise))
        else:
            self.lines.append(Line(name, "stored", record.summary()))
        return record

    def _data(self) -> Cleaned | None:
        store, source = self.store, self.identity.sources["a"]
        suite = self.identity.suites["a"]
        snapshot = stages.ingest.of(store, source).stored()
        self._line("ingest", snapshot, source.name)
        report = None
        if snapshot is not None:
            report = stages.validate.of(store, snapshot, suite).stored()
        self._line("validate", report, Sentence.of("dry_run.suite", name=suite.name))
        if snapshot is None or report is None:
            self._line("clean", None)
            return None
        call = stages.clean.of(store, snapshot, report, self.plan.cleaning())
        return self._line("clean", call.stored())

    def _folds(self, cleaned: Cleaned | None) -> Split | None:
        otherwise = Sentence.of("dry_run.folds", n=self.plan.split.folds)
        if cleaned is None:
            self._line("split", None, otherwise)
            return None
        call = stages.split.of(self.store, cleaned, self.plan.split, self.seed)
        return self._line("split", call.stored(), otherwise)

    def _stop(
        self, cleaned: Cleaned | None, folds: Split | None
    ) -> list[Sentence] | None:
        """Note what is stored up to the self-test; return why nothing after it would run, if it is known."""
        store, plan, seed = self.store, self.plan, self.seed
        audited = gated = tested = None
        if cleaned is not None and folds is not None:
            gating, tuning = plan.gating(self.alpha), plan.tuning()
            audited = stages.audit.of(store, cleaned, plan.audit, seed).stored()
            gated = stages.gate.of(store, cleaned, folds, gating, seed).stored()
            call = stages.self_test.of(store, cleaned, folds, tuning, plan.audit, seed)
            tested = call.stored()
        self._line("audit", audited)
        n = plan.gate.permutations
        self._line("gate", gated, Sentence.of("dry_run.permutations", n=n))
        if audited is not None and audited.suspect:
            return [Sentence.of("dry_run.audit_alarm")]
        if gated is not None and not gated.passed:
            return [Sentence.of("dry_run.gate_stopped"), *self._plan_b()]
        if gated is not None and cleaned is not None and not cleaned.comparable:
            return [Sentence.of("dry_run.too_few_rows")]
        vectors = Sentence.of("dry_run.self_test", n=plan.audit.self_test)
        self._line("self_test", tested, vectors)
        flag = None if tested is None else tested.flag
        if flag is not None and flag.accepted is None:
            return [Sentence.of("dry_run.self_test_alarm")]
        return None

    def _results(
        self, cleaned: Cleaned | None, folds: Split | None
    ) -> Iterator[FoldResult]:
        """Yield the results of the outer folds that are stored."""
        if cleaned is None or folds is None:
            return
        tuning = self.plan.tuning()
        for place in folds.places():
            call = stages.tune.of(self.store, cleaned, folds, place, tuning, self.seed)
            result = call.stored()
            if result is not None:
                yield result

    def _tuning(self, cleaned: Cleaned | None, folds: Split | None) -> list[Sentence]:
        """Note the outer folds and the final fit; return what is left to fit and about how long it takes."""
        plan, results = self.plan, list(self._results(cleaned, folds))
        repeats = 1 if plan.order else plan.split.repeats or 3
        n_folds = len(folds.places()) if folds else plan.split.folds * repeats
        left = n_folds - len(results)
        status = "would_run" if left else "stored"
        stored = Sentence.of("dry_run.folds_stored", n=len(results), of=n_folds)
        self.lines.append(Line("tune", status, stored))
        final = None
        if cleaned is not None and folds is not None:
            call = stages.final.of(self.store, cleaned, folds, plan.tuning(), self.seed)
            final = call.stored()
        status = "would_run" if final is None else "stored"
        self.lines.append(Line("final", status, Sentence.of("dry_run.final")))
        search = plan.tune.trials * plan.tune.folds_per_trial
        per_fold = _N_FAMILIES * search + (_N_FAMILIES - 1) + plan.tune.seeds
        fits = left * per_fold
        fits += 0 if final is not None else search + plan.tune.seeds
        sentences = [Sentence.of("dry_run.fits_left", n=fits)]
        if left and results:
            mean_s = fmean(result.seconds for result in results)
            left_s = left * mean_s
            sentences.append(
                Sentence.of("dry_run.seconds_left", seconds=left_s, n=len(results))
            )
            n = n_processes("auto", left + (final is None), mean_s, cores_allowed())
            key = "dry_run.processes" if n else "dry_run.one_process"
            sentences.append(Sentence.of(key, n=n))
        elif left:
            sentences.append(Sentence.of("dry_run.time_unknown"))
        return sentences

    def _described(self, cleaned: Cleaned | None, folds: Split | None) -> None:
        """Note what is described after the verdict: how much is known once all folds are."""
        store, plan, seed = self.store, self.plan, self.seed
        weighed = None
        if cleaned is not None and folds is not None:
            gating = plan.gating(self.alpha)
            weighed = stages.weigh.of(store, cleaned, folds, gating, seed).stored()
        self._line("weigh", weighed, Sentence.of("dry_run.weigh"))
        results = list(self._results(cleaned, folds))
        if cleaned is None or folds is None or len(results) < len(folds.places()):
            text = Sentence.of("dry_run.explain")
            self.lines.append(Line("explain", "would_run", text))
            return
        budget = explain_budget(results, plan.metric)
        first = [fold for fold in results if fold.place.repeat == 0][: budget.folds]
        calls: list[Call[Any]] = [
            stages.explain.of(
                store, cleaned, folds, fold.place, fold, budget, plan.tuning(), seed
            )
            for fold in first
        ]
        n = sum(call.stored() is not None for call in calls)
        status = "stored" if n == len(first) else "would_run"
        stored = Sentence.of("dry_run.folds_stored", n=n, of=len(first))
        self.lines.append(Line("explain", status, stored))

    def _detectable(self, cleaned: Cleaned | None) -> list[Sentence]:
        """Say what the gate could detect; units are counted, for rows of one unit may tell no more than one row."""
        if cleaned is None:
            return [Sentence.of("dry_run.detectable_unknown")]
        from assay.metrics import detectable_auc, detectable_spearman

        n, units = cleaned.n_units, "rows" if cleaned.units is None else "units"
        if cleaned.task == "regression":
            effect = detectable_spearman(n, self.alpha)
            return [
                Sentence.of(
                    f"dry_run.detectable_spearman_{units}", effect=float(effect), n=n
                )
            ]
        rarest = max(1, round(min(cleaned.counts) * n / cleaned.n_rows))
        effect = detectable_auc(rarest, n - rarest, self.alpha)
        return [
            Sentence.of(f"dry_run.detectable_auc_{units}", effect=float(effect), n=n)
        ]

    def _plan_b(self) -> list[Sentence]:
        has_b = self.study.plan.b is not None
        return [Sentence.of("dry_run.plan_b")] if has_b else []
