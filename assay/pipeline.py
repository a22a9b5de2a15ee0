"""The way of the data, once, from a study file to a verdict and a run folder: plan A, and plan B if A's gate stops.

Every face takes it: the command line and notebooks as it is, Prefect with each call as a task, calibration
with nothing stored. What differs is an :class:`~assay.stages.Execution`; keys and digests are the same.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from assay import stages
from assay.errors import AssayError
from assay.models.explain_budget import DEEP, explain_budget
from assay.models.memory import n_inputs, processes_that_fit
from assay.request import Request, Runner
from assay.stages import Call, Execution, Memoised
from assay.stages.runner import run_all
from assay.store import runs
from assay.store.behaviour import FoldBehaviour, behaviour_of
from assay.store.machine import cores_allowed, memory_allowed
from assay.store.progress import Ahead, Begun, announce
from assay.store.records import Cleaned, FinalFit, FoldResult, SelfTest
from assay.store.store import Store
from assay.store.verdict import Evidence, Judgement, Opened, Universe, Verdict
from assay.study.load import load
from assay.study.plans import Plan, PlanName, Study
from assay.study.registration import begin, register
from assay.study.sources import Identity, identify

Open = Callable[[PlanName], Opened]


@dataclass(frozen=True)
class Finished:
    """A check that has come to its verdict: what it rests on, and the folder it left."""

    study: Study
    evidence: Evidence
    judgement: Judgement
    folder: Path

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


def check(request: Request, execution: Execution | None = None) -> Finished:
    """Take a study to its verdict and its run folder.

    Raises
    ------
    AssayError
        StudyError and DataRefused before anything is computed; the others say what to do.
    """
    begun = time.perf_counter()
    study = load(request.study, request.overrides, request.data)
    store = request.store()
    store.reach()
    store.files.sweep()
    registration, deviations = register(store, study)
    identity = identify(
        study, request.study, request.data, multiverse=request.multiverse
    )
    with store.lock(f"run-{study.name}"):
        way = Way(store, study, identity, request.runner, execution or Memoised())

        def opened(name: PlanName) -> Opened:
            plan = way.open(name)
            begin(store, registration)
            return plan

        plans = way.decide(opened)
        evidence, judgement = plans[-1]
        plan_a = plans[0][1].verdict if len(plans) > 1 else None
        verdict = judgement.verdict.after(
            plan_a, (*deviations, *evidence.snapshot.deviations)
        )
        if request.multiverse:
            verdict = verdict.among(tuple(way.universes(verdict.plan)))
        if evidence.results:
            evidence = way.described(evidence, verdict.plan)
        judgement = judgement.model_copy(update={"verdict": verdict})
        suite = identity.suites[verdict.plan]
        files = way.run(
            stages.bundle.of(store, registration, suite, evidence, judgement)
        )
        seconds = time.perf_counter() - begun
        folder = runs.publish(store, identity.name, study.name, files, seconds)
    judgement = judgement.model_copy(update={"verdict": files.verdict})
    return Finished(study, evidence, judgement, folder)


@dataclass(frozen=True)
class Way:
    """The way of one study's data through the stages, each handed the evidence of those before."""

    store: Store
    study: Study
    identity: Identity
    runner: Runner = "local"
    execution: Execution = field(default_factory=Memoised)

    def run(self, call: Call[Any]) -> Any:
        """Carry out one call."""
        return self.execution.run(call)

    def decide(self, opened: Open) -> list[tuple[Evidence, Judgement]]:
        """Take plan A to its judgement, and plan B if the gate of A stops; the last one decides.

        Parameters
        ----------
        opened
            Returns the data of a plan.
        """
        plans: list[tuple[Evidence, Judgement]] = []
        for name in self.study.plans():
            announce(Begun(name, self.study.of(name).claim))
            with self.execution.tagged(f"plan {name}"):
                evidence, judgement = self.judge(name, opened(name))
            plans.append((evidence, judgement))
            if evidence.gate is None or evidence.gate.passed:
                break
        return plans

    def open(self, name: PlanName) -> Opened:
        """Read a plan's table, hold it to its suite, and turn it into samples."""
        store, plan = self.store, self.study.of(name)
        snapshot = self.run(stages.ingest.of(store, self.identity.sources[name]))
        suite = self.identity.suites[name]
        report = self.run(stages.validate.of(store, snapshot, suite))
        cleaned = self.run(stages.clean.of(store, snapshot, report, plan.cleaning()))
        return Opened(snapshot=snapshot, report=report, cleaned=cleaned)

    def judge(self, name: PlanName, opened: Opened) -> tuple[Evidence, Judgement]:
        """Take a plan whose data is open to its judgement."""
        store, study, cleaned = self.store, self.study, opened.cleaned
        plan, alpha, seed = study.of(name), study.alpha_of(name), study.seed_of(name)
        folds = self.run(stages.split.of(store, cleaned, plan.split, seed))
        audited = self.run(stages.audit.of(store, cleaned, plan.audit, seed))
        evidence = Evidence(**dict(opened), split=folds, audit=audited)
        if not audited.suspect:
            most = self._most_processes(cleaned, plan)
            gating = plan.gating(alpha)
            gated = self.run(stages.gate.of(store, cleaned, folds, gating, seed))
            evidence = evidence.model_copy(update={"gate": gated})
            if gated.passed and cleaned.comparable:
                evidence = self._compare(evidence, plan, seed, most)
        judging = plan.judging(study.name, name, alpha)
        call = stages.judge.of(store, evidence, judging, self.identity)
        return evidence, self.run(call)

    def _compare(
        self, evidence: Evidence, plan: Plan, seed: int, most: int
    ) -> Evidence:
        """Score the models on every outer fold, once permuted labels have scored chance.

        What is computed beside the self-test stays unheard until the self-test has raised no alarm.
        """
        store, tuning = self.store, plan.tuning()
        cleaned, folds = evidence.cleaned, evidence.split
        announce(Ahead("tune", len(folds.places())))
        calls: list[Call[Any]] = [
            stages.self_test.of(store, cleaned, folds, tuning, plan.audit, seed),
            *(
                stages.tune.of(store, cleaned, folds, place, tuning, seed)
                for place in folds.places()
            ),
            stages.final.of(store, cleaned, folds, tuning, seed),
        ]
        with closing(self._all(calls, most)) as records:
            tested = cast("SelfTest", next(records))
            evidence = evidence.model_copy(update={"self_test": tested})
            if tested.flag is not None and tested.flag.accepted is None:
                return evidence
            *results, fitted = records
        results = cast("list[FoldResult]", results)
        update = {"results": tuple(results), "final": cast("FinalFit", fitted)}
        return evidence.model_copy(update=update)

    def universes(self, name: PlanName) -> Iterator[Universe]:
        """Take the plan that decided to a verdict under each of its alternatives of cleaning."""
        for alternative in self.study.of(name).alternatives:
            study = self.study.under(name, alternative)
            way = Way(self.store, study, self.identity, self.runner, self.execution)
            announce(Begun(name, f"with {alternative.name}"))
            with self.execution.tagged(f"with {alternative.name}"):
                try:
                    _, judgement = way.judge(name, way.open(name))
                except AssayError as error:
                    yield Universe.refused(alternative.name, error.sentence)
                    continue
            yield judgement.verdict.as_universe(alternative.name)

    def described(self, evidence: Evidence, name: PlanName) -> Evidence:
        """Add what the report shows and no verdict rests on: what each preparation is worth, how the model behaves."""
        store, study, cleaned = self.store, self.study, evidence.cleaned
        plan, seed, folds = study.of(name), study.seed_of(name), evidence.split
        gating = plan.gating(study.alpha_of(name))
        worth = self.run(stages.weigh.of(store, cleaned, folds, gating, seed))
        budget = explain_budget(evidence.results, plan.metric)
        first = [fold for fold in evidence.results if fold.place.repeat == 0]
        calls: list[Call[Any]] = [
            stages.explain.of(
                store, cleaned, folds, fold.place, fold, budget, plan.tuning(), seed
            )
            for fold in first[: budget.folds]
        ]
        records = list(self._all(calls, self._most_processes(cleaned, plan)))
        n_networks = min(len(fold.models[DEEP].picks) for fold in first)
        behaviour = behaviour_of(
            cast("list[FoldBehaviour]", records),
            cleaned.classes,
            budget.not_asked(len(first), n_networks),
        )
        update = {"preparations": worth, "behaviour": behaviour}
        return evidence.model_copy(update=update)

    def _all(self, calls: list[Call[Any]], most: int) -> Any:
        return run_all(calls, self.execution, self.runner, most)

    def _most_processes(self, cleaned: Cleaned, plan: Plan) -> int:
        """Return how many processes may train side by side; data with no room for one is refused."""
        most = processes_that_fit(
            cleaned.n_rows,
            n_inputs(self.store, cleaned, plan.clean),
            memory_allowed(),
            plan.tune.folds_per_trial,
        )
        return min(most, cores_allowed())
