"""The task of the stage ``split``."""

from assay.plans import SplitPlan
from assay.records import Cleaned, Split
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=600)
def split(store: Store, cleaned: Cleaned, plan: SplitPlan, seed: int) -> Split:
    """Draw the outer and inner folds once, for every later stage."""
    from assay.samples import opened
    from assay.split import draw_folds

    folds = draw_folds(opened(store, cleaned), plan, seed)
    return folds.record(store.put_array(folds.outer), store.put_array(folds.inner))
