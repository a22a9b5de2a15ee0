"""The tasks of the stage ``tune``: a self-test, one per outer fold, and one for the final fit."""

from assay.store.records import Cleaned, FinalFit, FoldResult, Place, SelfTest, Split
from assay.store.store import Store
from assay.study.plans import AuditPlan, Tuning
from tasks.policies import stage


@stage(timeout_s=4 * 3600)
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


@stage(timeout_s=4 * 3600)
def tune(
    store: Store, cleaned: Cleaned, split: Split, place: Place, plan: Tuning, seed: int
) -> FoldResult:
    """Search and score every family of models on one outer fold."""
    from assay.data.samples import opened
    from assay.models.tune import fold_result, tune_fold

    inner = store.get_array(split.inner)[place.repeat, place.fold]
    samples = opened(store, cleaned)
    found = tune_fold(samples, inner, plan, place, seed)
    predictions = {
        name: store.put_array(one.predictions) for name, one in found.items()
    }
    return fold_result(place, found, predictions, samples, inner, plan)


@stage(timeout_s=4 * 3600)
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
