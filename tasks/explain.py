"""The task of the stage ``explain``: one for each outer fold that is described."""

from assay.behaviour import FoldBehaviour
from assay.plans import Tuning
from assay.records import Cleaned, FoldResult, Place, Split
from assay.scope import Scope
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=4 * 3600)
def explain(
    store: Store,
    cleaned: Cleaned,
    split: Split,
    place: Place,
    found: FoldResult,
    scope: Scope,
    plan: Tuning,
    seed: int,
) -> FoldBehaviour:
    """Describe how the deep model of one outer fold behaves; nothing of it decides a verdict."""
    from assay.explain import explain_fold
    from assay.samples import opened

    inner = store.get_array(split.inner)[place.repeat, place.fold]
    return explain_fold(opened(store, cleaned), inner, found, scope, plan, seed)
