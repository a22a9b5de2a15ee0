"""The whole pipeline on one screen, and the way in for people and for Prefect."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # works from any folder

if __name__ == "__main__":  # a finished run is answered without what stands below
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        said = b"Interrupted. The same command goes on from there.\n"
        signal.signal(  # no traceback before or after all that there is to interrupt
            signal.SIGINT, lambda *_: (os.write(2, said), os._exit(130))
        )
    from flows.command_line import app

    app()

from prefect import flow, tags
from pydantic import Field

from assay.errors import AssayError
from assay.models.explain_budget import DEEP, explain_budget
from assay.models.memory import n_inputs, processes_that_fit
from assay.store import runs
from assay.store.behaviour import FoldBehaviour, behaviour_of
from assay.store.environment import cores_allowed, memory_allowed, shared_store
from assay.store.progress import Ahead, Begun, announce, listening
from assay.store.records import Cleaned, SelfTest
from assay.store.runs import store_of
from assay.store.store import Store
from assay.store.verdict import Evidence, Judgement, Opened, Universe, Verdict
from assay.study.load import load
from assay.study.plans import Plan, PlanName, Study
from assay.study.registration import begin, register
from assay.study.sources import Identity, identify
from assay.wording import Sentence
from flows.logbook import Logbook, run_name, show
from flows.runner import Runner, records
from tasks import (
    audit,
    bundle,
    clean,
    explain,
    final,
    gate,
    ingest,
    judge,
    self_test,
    split,
    tune,
    validate,
    weigh,
)
from tasks.policies import Call

Override = Annotated[str, Field(pattern=r"^[a-z][^=]*=")]
Share = Annotated[float, Field(ge=0, le=1)]


@flow(name="check_hypothesis", flow_run_name=run_name, validate_parameters=True)
def check_hypothesis(
    study: str = "hypotheses/digits.toml",
    overrides: list[Override] | None = None,
    data: str | None = None,
    artifacts: str | None = None,
    shared: str | None = None,
    runner: Runner = "auto",
    fresh: bool = False,
    multiverse: bool = False,
    audit: Share = 0.0,
) -> Verdict:
    """Check one declared hypothesis, from the study file to a verdict and a run folder.

    Args:
        study: The study file.
        overrides: Changes to it as KEY=VALUE, for instance plan.a.tune.trials=4.
        data: A file to read instead of the study's sources, or the folder they lie in.
        artifacts: Where runs and stored results go.
        shared: Where other machines find what stages come to, as s3://BUCKET/PREFIX or file:///FOLDER.
        runner: Where outer folds are computed: in one process (local), in one for each core
            (processes), as it pays (auto), or on a Dask cluster (dask, dask=ADDRESS). The verdict is the same.
        fresh: Compute everything again, whatever is stored.
        multiverse: Ask again under every declared alternative of cleaning.
        audit: Share of the stored stages, from 0 to 1, that are computed again and compared.
    """
    begun = time.perf_counter()
    declared = load(Path(study), tuple(overrides or ()), Path(data) if data else None)
    store = store_of(
        Path(artifacts) if artifacts else None,
        fresh=fresh,
        audit=audit,
        shared=shared or shared_store(),
    )
    store.reach()
    store.sweep()
    registration, deviations = register(store, declared)
    identity = identify(
        declared, Path(study), Path(data) if data else None, multiverse=multiverse
    )
    with store.lock(f"run-{declared.name}"), listening(Logbook(declared.name).note):
        plan_a: Verdict | None = None
        for name in declared.plans():
            announce(Begun(name, declared.of(name).claim))
            with tags(f"plan {name}"):
                opened = open_plan(store, declared, name, identity)
                begin(store, registration)
                evidence, judgement = check_opened(
                    store, opened, declared, name, identity, runner
                )
            if evidence.gate is None or evidence.gate.passed:
                break
            plan_a = judgement.verdict if name == "a" else plan_a
        verdict = judgement.verdict.after(
            plan_a if judgement.verdict.plan == "b" else None,
            (*map(Sentence.plain, deviations), *evidence.snapshot.deviations),
        )
        if multiverse:
            found = universes(store, declared, verdict.plan, identity, runner)
            verdict = verdict.among(tuple(found))
        if evidence.results:
            evidence = with_preparations(store, evidence, declared, verdict.plan)
            evidence = with_behaviour(store, evidence, declared, verdict.plan, runner)
        judged = judgement.model_copy(update={"verdict": verdict})
        files = bundle(
            store, registration, identity.suites[verdict.plan], evidence, judged
        )
        folder = runs.publish(
            store, identity.name, declared.name, files, time.perf_counter() - begun
        )
        decided = declared.of(verdict.plan)
        told = judged.model_copy(update={"verdict": files.verdict})
        show(told, evidence, decided.claim, decided.margin, folder)
    return files.verdict


def open_plan(store: Store, study: Study, name: PlanName, identity: Identity) -> Opened:
    """Read a plan's table, hold it to its suite, and turn it into samples."""
    snapshot = ingest(store, identity.sources[name])
    report = validate(store, snapshot, identity.suites[name])
    cleaned = clean(store, snapshot, report, study.of(name).cleaning())
    return Opened(snapshot=snapshot, report=report, cleaned=cleaned)


def check_opened(
    store: Store,
    opened: Opened,
    study: Study,
    name: PlanName,
    identity: Identity,
    runner: Runner = "local",
) -> tuple[Evidence, Judgement]:
    """Take a plan whose data is open to its verdict: each stage is handed the evidence of those before."""
    plan, alpha, seed = study.of(name), study.alpha_of(name), study.seed_of(name)
    cleaned = opened.cleaned

    folds = split(store, cleaned, plan.split, seed)
    audited = audit(store, cleaned, plan.audit, seed)
    evidence = Evidence(**dict(opened), split=folds, audit=audited)
    if not audited.suspect:
        most = most_processes(store, cleaned, plan)
        gated = gate(store, cleaned, folds, plan.gating(alpha), seed)
        evidence = evidence.model_copy(update={"gate": gated})
        if gated.passed and cleaned.comparable:
            evidence = compare(store, evidence, plan, seed, runner, most)
    return evidence, judge(
        store, evidence, plan.judging(study.name, name, alpha), identity
    )


def most_processes(store: Store, cleaned: Cleaned, plan: Plan) -> int:
    """Return how many processes may train side by side; data with no room for one is refused."""
    most = processes_that_fit(
        cleaned.n_rows,
        n_inputs(store, cleaned, plan.clean),
        memory_allowed(),
        plan.tune.folds_per_trial,
    )
    return min(most, cores_allowed())


def universes(
    store: Store, study: Study, name: PlanName, identity: Identity, runner: Runner
) -> Iterator[Universe]:
    """Take the plan that decided to a verdict under each of its alternatives of cleaning."""
    for alternative in study.of(name).alternatives:
        changed = study.under(name, alternative)
        announce(Begun(name, f"with {alternative.name}"))
        with tags(f"with {alternative.name}"):
            try:
                opened = open_plan(store, changed, name, identity)
                _, judgement = check_opened(
                    store, opened, changed, name, identity, runner
                )
            except AssayError as refused:
                yield Universe.refused(alternative.name, refused.sentence)
                continue
        yield judgement.verdict.as_universe(alternative.name)


def with_preparations(
    store: Store, evidence: Evidence, study: Study, name: PlanName
) -> Evidence:
    """Add what each declared preparation is worth: for the report, and after all that decides."""
    gating, seed = study.of(name).gating(study.alpha_of(name)), study.seed_of(name)
    found = weigh(store, evidence.cleaned, evidence.split, gating, seed)
    return evidence.model_copy(update={"preparations": found})


def with_behaviour(
    store: Store, evidence: Evidence, study: Study, name: PlanName, runner: Runner
) -> Evidence:
    """Add how the deep model behaves on the first repeat's folds: for the report, after all that decides."""
    plan, seed, cleaned = study.of(name), study.seed_of(name), evidence.cleaned
    scope = explain_budget(evidence.results, plan.metric)
    first = [one for one in evidence.results if one.place.repeat == 0]
    calls: list[Call[Any]] = [
        explain.of(
            store, cleaned, evidence.split, one.place, one, scope, plan.tuning(), seed
        )
        for one in first[: scope.folds]
    ]
    most = most_processes(store, cleaned, plan)
    folds = cast("list[FoldBehaviour]", list(records(calls, runner, most)))
    n_networks = min(len(one.models[DEEP].picks) for one in first)
    not_asked = scope.not_asked(len(first), n_networks)
    found = behaviour_of(folds, cleaned.classes, not_asked)
    return evidence.model_copy(update={"behaviour": found})


def compare(
    store: Store, evidence: Evidence, plan: Plan, seed: int, runner: Runner, most: int
) -> Evidence:
    """Score the models on every outer fold, once permuted labels have shown that chance scores chance.

    What is computed beside the self-test stays unheard until the self-test has raised no alarm.
    """
    cleaned, folds, tuning = evidence.cleaned, evidence.split, plan.tuning()
    announce(Ahead("tune", len(folds.places())))
    calls: list[Call[Any]] = [
        self_test.of(store, cleaned, folds, tuning, plan.audit, seed),
        *(
            tune.of(store, cleaned, folds, place, tuning, seed)
            for place in folds.places()
        ),
        final.of(store, cleaned, folds, tuning, seed),
    ]
    with closing(records(calls, runner, most)) as found:
        tested = cast("SelfTest", next(found))
        evidence = evidence.model_copy(update={"self_test": tested})
        if tested.flag is not None and tested.flag.accepted is None:
            return evidence
        *results, fitted = found
    return evidence.model_copy(update={"results": tuple(results), "final": fitted})
