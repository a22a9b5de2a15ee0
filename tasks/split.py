"""The task of the stage ``split``."""

from assay.store.records import Cleaned, Split
from assay.store.store import Store
from assay.study.plans import SplitPlan
from tasks.policies import stage


@stage(timeout_s=600)
def split(store: Store, cleaned: Cleaned, plan: SplitPlan, seed: int) -> Split:
    """Draw the outer and inner folds once, for every later stage."""
    from assay.data.samples import opened
    from assay.data.split import draw_folds

    folds = draw_folds(opened(store, cleaned), plan, seed)
    return folds.record(store.put_array(folds.outer), store.put_array(folds.inner))
