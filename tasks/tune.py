"""The tasks of the stage ``tune``: one per outer fold, and one for the final fit."""

from assay.plans import Tuning
from assay.records import Cleaned, FinalFit, FoldResult, Place, Split
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=4 * 3600)
def tune(
    store: Store, cleaned: Cleaned, split: Split, place: Place, plan: Tuning, seed: int
) -> FoldResult:
    """Search and score every family of models on one outer fold."""
    from assay.tune import fold_result, tune_fold

    inner = store.get_array(split.inner)[place.repeat, place.fold]
    labels = store.get_array(cleaned.labels)
    found = tune_fold(
        store.get_table(cleaned.features), labels, inner, plan, place, seed
    )
    predictions = {
        name: store.put_array(one.probabilities) for name, one in found.items()
    }
    return fold_result(place, found, predictions, labels[inner < 0], plan)


@stage(timeout_s=4 * 3600)
def final(
    store: Store, cleaned: Cleaned, split: Split, plan: Tuning, seed: int
) -> FinalFit:
    """Fit the deep model on all rows, with the first repeat's outer folds as inner ones."""
    from assay.tune import tune_all

    inner = store.get_array(split.outer)[0]
    fitted = tune_all(
        store.get_table(cleaned.features),
        store.get_array(cleaned.labels),
        inner,
        plan,
        seed,
    )
    return fitted.record(
        store.put_arrays(fitted.preparation.packed()),
        store.put_arrays(fitted.packed_weights()),
    )
