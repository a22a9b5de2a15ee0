"""The stages: open what is stored, compute, keep. What each one means lies in the package it imports.

What computes is imported inside, after the store has been asked; the key of a stage covers all that its
text names, so that a change to one stage's code leaves the results of the others standing.
"""

from assay.models.explain_budget import ExplainBudget
from assay.stages.stage import stage
from assay.store.behaviour import FoldBehaviour
from assay.store.records import (
    AuditReport,
    Cleaned,
    FinalFit,
    FoldResult,
    GateResult,
    Place,
    Preparations,
    SelfTest,
    Snapshot,
    Split,
    ValidationReport,
)
from assay.store.store import Store
from assay.store.verdict import Bundle, Evidence, Judgement
from assay.study.plans import (
    AuditPlan,
    Cleaning,
    Gating,
    Judging,
    SplitPlan,
    Tuning,
)
from assay.study.registration import Registration
from assay.study.sources import Identity, Source, Suite


@stage
def ingest(store: Store, source: Source) -> Snapshot:
    """Read the source into one stored table."""
    from assay.data.ingest import read_source, snapshot

    table = read_source(source)
    return snapshot(source, table, store.put_table(table.frame))


@stage
def validate(store: Store, snapshot: Snapshot, suite: Suite) -> ValidationReport:
    """Hold the table to its suite; what a critical expectation refuses goes no further."""
    from assay.data.validate import validate_table

    return validate_table(store.get_table(snapshot.table), suite, snapshot)


@stage
def clean(
    store: Store, snapshot: Snapshot, report: ValidationReport, plan: Cleaning
) -> Cleaned:
    """Turn the validated table into features and labels."""
    from assay.data.clean import clean_table

    return clean_table(store.get_table(snapshot.table), report, plan).keep(store)


@stage
def split(store: Store, cleaned: Cleaned, plan: SplitPlan, seed: int) -> Split:
    """Draw the outer and inner folds once, for every later stage."""
    from assay.data.samples import opened
    from assay.data.split import draw_folds

    folds = draw_folds(opened(store, cleaned), plan, seed)
    return folds.record(store.put_array(folds.outer), store.put_array(folds.inner))


@stage
def audit(store: Store, cleaned: Cleaned, plan: AuditPlan, seed: int) -> AuditReport:
    """Look for leaks before anything is scored."""
    from assay.audit.stage import audit_samples
    from assay.data.samples import opened

    return audit_samples(opened(store, cleaned), plan, seed)


@stage
def gate(
    store: Store, cleaned: Cleaned, split: Split, plan: Gating, seed: int
) -> GateResult:
    """Ask whether anything beats chance; a stop is a result, not an error."""
    from assay.data.samples import opened
    from assay.gate.stage import chance_gate

    outer, inner = store.get_array(split.outer)[0], store.get_array(split.inner)[0]
    return chance_gate(opened(store, cleaned), outer, inner, plan, seed)


@stage
def self_test(
    store: Store,
    cleaned: Cleaned,
    split: Split,
    plan: Tuning,
    audit: AuditPlan,
    seed: int,
) -> SelfTest:
    """Tune on permuted labels: nothing may score above chance there."""
    from assay.data.samples import opened
    from assay.models.self_test import tune_permuted

    inner = store.get_array(split.inner)[0]
    return tune_permuted(opened(store, cleaned), inner, plan, audit, seed)


@stage
def tune(
    store: Store, cleaned: Cleaned, split: Split, place: Place, plan: Tuning, seed: int
) -> FoldResult:
    """Search and score every family of models on one outer fold."""
    from assay.data.samples import opened
    from assay.models.tune import fold_result, tune_fold

    inner = store.get_array(split.inner)[place.repeat, place.fold]
    samples = opened(store, cleaned)
    fits = tune_fold(samples, inner, plan, place, seed)
    predictions = {name: store.put_array(fit.predictions) for name, fit in fits.items()}
    return fold_result(place, fits, predictions, samples, inner, plan)


@stage
def final(
    store: Store, cleaned: Cleaned, split: Split, plan: Tuning, seed: int
) -> FinalFit:
    """Fit the deep model on all rows, with the first repeat's outer folds as inner ones."""
    from assay.data.samples import opened
    from assay.models.tune import tune_all

    fitted = tune_all(
        opened(store, cleaned), store.get_array(split.outer)[0], plan, seed
    )
    return fitted.record(
        store.put_arrays(fitted.preparation.packed()),
        store.put_arrays(fitted.packed_weights()),
    )


@stage
def weigh(
    store: Store, cleaned: Cleaned, split: Split, plan: Gating, seed: int
) -> Preparations:
    """Score the gate's models with and without each declared preparation."""
    from assay.data.samples import opened
    from assay.gate.ablation import ablate

    outer, inner = store.get_array(split.outer)[0], store.get_array(split.inner)[0]
    return ablate(opened(store, cleaned), outer, inner, plan, seed)


@stage
def explain(
    store: Store,
    cleaned: Cleaned,
    split: Split,
    place: Place,
    result: FoldResult,
    budget: ExplainBudget,
    plan: Tuning,
    seed: int,
) -> FoldBehaviour:
    """Describe how the deep model of one outer fold behaves; nothing of it decides a verdict."""
    from assay.data.samples import opened
    from assay.models.explain import explain_fold

    inner = store.get_array(split.inner)[place.repeat, place.fold]
    return explain_fold(opened(store, cleaned), inner, result, budget, plan, seed)


@stage
def judge(
    store: Store, evidence: Evidence, plan: Judging, identity: Identity
) -> Judgement:
    """Turn the evidence into a verdict."""
    from assay.data.samples import opened
    from assay.judge.stage import judge_evidence

    return judge_evidence(
        evidence,
        opened(store, evidence.cleaned),
        store.get_array(evidence.split.outer),
        store.get_folds(evidence.predictions()),
        plan,
        identity,
    )


@stage
def bundle(
    store: Store,
    registration: Registration,
    suite: Suite,
    evidence: Evidence,
    judgement: Judgement,
) -> Bundle:
    """Write everything the run leaves, and read the model back before it is believed."""
    from assay.bundle.stage import opened, run_files, same_digests

    plan = registration.study.of(judgement.verdict.plan)
    held = opened(store, evidence, plan)
    left = run_files(registration, suite, evidence, judgement, *held)
    kept = {path: store.put(content) for path, content in left.files.items()}
    return Bundle(
        files=kept, same=same_digests(judgement, evidence.final), verdict=left.verdict
    )
