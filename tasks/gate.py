"""The task of the stage ``gate``."""

from assay.plans import Gating
from assay.records import Cleaned, GateResult, Split
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=4 * 3600)
def gate(
    store: Store, cleaned: Cleaned, split: Split, plan: Gating, seed: int
) -> GateResult:
    """Ask whether anything beats chance; a stop is a result, not an error."""
    from assay.gate import chance_gate
    from assay.samples import opened

    outer, inner = store.get_array(split.outer)[0], store.get_array(split.inner)[0]
    return chance_gate(opened(store, cleaned), outer, inner, plan, seed)
