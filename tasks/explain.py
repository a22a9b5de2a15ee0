"""The task of the stage ``explain``: one for each outer fold that is described."""

from assay.models.explain_budget import ExplainBudget
from assay.store.behaviour import FoldBehaviour
from assay.store.records import Cleaned, FoldResult, Place, Split
from assay.store.store import Store
from assay.study.plans import Tuning
from tasks.policies import stage


@stage(timeout_s=4 * 3600)
def explain(
    store: Store,
    cleaned: Cleaned,
    split: Split,
    place: Place,
    found: FoldResult,
    scope: ExplainBudget,
    plan: Tuning,
    seed: int,
) -> FoldBehaviour:
    """Describe how the deep model of one outer fold behaves; nothing of it decides a verdict."""
    from assay.data.samples import opened
    from assay.models.explain import explain_fold

    inner = store.get_array(split.inner)[place.repeat, place.fold]
    return explain_fold(opened(store, cleaned), inner, found, scope, plan, seed)
