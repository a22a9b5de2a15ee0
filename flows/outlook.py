"""What a check would do: which results are stored, how many fits are left, what could be found."""

from dataclasses import dataclass
from statistics import fmean

from assay.models.explain_budget import explain_budget
from assay.store.environment import cores_allowed
from assay.store.records import Cleaned, FoldResult, Split
from assay.store.store import Store
from assay.study.plans import Plan, PlanName, Study
from assay.study.sources import Identity
from flows.runner import n_processes
from tasks import (
    audit,
    clean,
    explain,
    final,
    gate,
    ingest,
    self_test,
    split,
    tune,
    validate,
    weigh,
)

_N_FAMILIES = 3


@dataclass(frozen=True)
class Line:
    """One stage: stored, or to be run."""

    stage: str
    status: str
    detail: str


@dataclass(frozen=True)
class Outlook:
    """The stages of plan A in order, and what else there is to say."""

    stages: list[Line]
    sentences: list[str]


def outlook(store: Store, study: Study, identity: Identity) -> Outlook:
    """Follow plan A through the store without computing anything; plan B runs only if A's gate stops."""
    name: PlanName = "a"
    plan, alpha, seed = study.of(name), study.alpha_of(name), study.seed_of(name)
    lines: list[Line] = []

    def seen(stage: str, record: object, detail: str = "") -> bool:
        lines.append(Line(stage, "stored" if record else "would run", detail))
        return record is not None

    snapshot = ingest.stored(store, identity.sources[name])
    report = (
        validate.stored(store, snapshot, identity.suites[name]) if snapshot else None
    )
    cleaned = (
        clean.stored(store, snapshot, report, plan.cleaning())
        if snapshot and report
        else None
    )
    folds = split.stored(store, cleaned, plan.split, seed) if cleaned else None
    audited = audit.stored(store, cleaned, plan.audit, seed) if cleaned else None
    gated = (
        gate.stored(store, cleaned, folds, plan.gating(alpha), seed)
        if cleaned and folds
        else None
    )
    seen(
        "ingest",
        snapshot,
        snapshot.summary() if snapshot else identity.sources[name].name,
    )
    seen(
        "validate",
        report,
        report.summary() if report else f"suite {identity.suites[name].name}",
    )
    seen("clean", cleaned, cleaned.summary() if cleaned else "")
    seen("split", folds, folds.summary() if folds else f"{plan.split.folds} folds")
    seen("audit", audited, audited.summary() if audited else "")
    seen(
        "gate",
        gated,
        gated.summary()
        if gated
        else f"at most {plan.gate.permutations} permutations of 2 models",
    )
    if audited is not None and audited.suspect:
        return Outlook(
            lines, ["The audit's alarm is unanswered: nothing after it would run."]
        )
    if gated is not None and not (
        gated.passed and cleaned is not None and cleaned.comparable
    ):
        stopped = (
            "The gate stopped"
            if not gated.passed
            else "The rows are too few to compare models"
        )
        said = [f"{stopped}: no model would be tuned on plan A."]
        return Outlook(lines, said if gated.passed else said + _plan_b(study))
    tested = (
        self_test.stored(store, cleaned, folds, plan.tuning(), plan.audit, seed)
        if cleaned and folds
        else None
    )
    seen(
        "self_test",
        tested,
        tested.summary()
        if tested
        else f"tuning on {plan.audit.self_test} permuted label vectors, with a light search",
    )
    if tested is not None and tested.flag is not None and tested.flag.accepted is None:
        return Outlook(
            lines, ["The self-test's alarm is unanswered: nothing after it would run."]
        )
    done = _done(store, plan, seed, cleaned, folds)
    sentences = _tuning(store, plan, seed, cleaned, folds, done, lines)
    weighed = (
        weigh.stored(store, cleaned, folds, plan.gating(alpha), seed)
        if cleaned and folds
        else None
    )
    seen(
        "weigh",
        weighed,
        weighed.summary() if weighed else "scores with and without each preparation",
    )
    lines.append(_explained(store, plan, seed, cleaned, folds, done))
    return Outlook(lines, sentences + _detectable(cleaned, alpha) + _plan_b(study))


def _done(
    store: Store, plan: Plan, seed: int, cleaned: Cleaned | None, folds: Split | None
) -> list[FoldResult]:
    """Return the results of the outer folds that are stored."""
    if cleaned is None or folds is None:
        return []
    found = [
        tune.stored(store, cleaned, folds, place, plan.tuning(), seed)
        for place in folds.places()
    ]
    return [result for result in found if result is not None]


def _explained(
    store: Store,
    plan: Plan,
    seed: int,
    cleaned: Cleaned | None,
    folds: Split | None,
    done: list[FoldResult],
) -> Line:
    """Return the line of what is described after the verdict: how much is known once all folds are."""
    if cleaned is None or folds is None or len(done) < len(folds.places()):
        detail = "how the deep model behaves, for a quarter of what tuning takes"
        return Line("explain", "would run", detail)
    scope = explain_budget(done, plan.metric)
    first = [one for one in done if one.place.repeat == 0][: scope.folds]
    stored = [
        explain.stored(
            store, cleaned, folds, one.place, one, scope, plan.tuning(), seed
        )
        for one in first
    ]
    n = sum(one is not None for one in stored)
    status = "stored" if n == len(first) else "would run"
    return Line("explain", status, f"{n} of {len(first)} outer folds stored")


def _tuning(
    store: Store,
    plan: Plan,
    seed: int,
    cleaned: Cleaned | None,
    folds: Split | None,
    done: list[FoldResult],
    lines: list[Line],
) -> list[str]:
    """Add the lines of the outer folds; return what is left to fit and about how long it takes."""
    repeats = 1 if plan.order else plan.split.repeats or 3
    n_folds = len(folds.places()) if folds else plan.split.folds * repeats
    fitted = (
        final.stored(store, cleaned, folds, plan.tuning(), seed)
        if cleaned and folds
        else None
    )
    left = n_folds - len(done)
    lines.append(
        Line(
            "tune",
            "stored" if not left else "would run",
            f"{len(done)} of {n_folds} outer folds stored",
        )
    )
    lines.append(
        Line("final", "stored" if fitted else "would run", "the deep model on all rows")
    )
    per_trial = plan.tune.folds_per_trial
    fits_per_fold = (
        _N_FAMILIES * plan.tune.trials * per_trial + (_N_FAMILIES - 1) + plan.tune.seeds
    )
    fits = left * fits_per_fold + (
        0 if fitted else plan.tune.trials * per_trial + plan.tune.seeds
    )
    said = [f"Fits left: at most {fits:,}."]
    if left and done:
        mean_s = fmean(result.seconds for result in done)
        said.append(
            f"About {left * mean_s:,.0f} s of tuning left, going by the {len(done)} folds stored."
        )
        n = n_processes("auto", left + (not fitted), mean_s, cores_allowed())
        said.append(
            f"With --runner auto, {n} processes would share it."
            if n
            else "With --runner auto, it would stay in one process."
        )
    elif left:
        said.append("How long tuning takes is known after the first fold.")
    return said


def _detectable(cleaned: Cleaned | None, alpha: float) -> list[str]:
    """Say what the gate could find; units are counted, for rows of one may tell no more than one row."""
    if cleaned is None:
        return ["What the gate could detect is known once the data is cleaned."]
    from assay.metrics import detectable_auc, detectable_spearman

    n = cleaned.n_units
    if cleaned.task == "regression":
        found = detectable_spearman(n, alpha)
        effect = f"a Spearman correlation of about {found:.3f}"
    else:
        rarest = max(1, round(min(cleaned.counts) * n / cleaned.n_rows))
        found = detectable_auc(rarest, n - rarest, alpha)
        effect = f"an AUC of about {found:.3f}"
    units = "" if cleaned.units is None else f" among {n:,} units"
    return [
        f"The gate finds {effect}{units} with a probability of 80 % (normal approximation)."
    ]


def _plan_b(study: Study) -> list[str]:
    return (
        ["Plan B runs if plan A's gate stops, and only then."]
        if study.plan.b is not None
        else []
    )
