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

    folds = store.get_array(split.outer)[0]
    return chance_gate(
        store.get_table(cleaned.features),
        store.get_array(cleaned.labels),
        folds,
        plan,
        seed,
    )
