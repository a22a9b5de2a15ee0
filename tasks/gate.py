"""The tasks of the stage ``gate``: the test, and what preparations are worth to its models."""

from assay.plans import Gating
from assay.records import Cleaned, GateResult, Preparations, Split
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


@stage(timeout_s=4 * 3600)
def weigh(
    store: Store, cleaned: Cleaned, split: Split, plan: Gating, seed: int
) -> Preparations:
    """Score the gate's models with and without each declared preparation."""
    from assay import preparations
    from assay.samples import opened

    outer, inner = store.get_array(split.outer)[0], store.get_array(split.inner)[0]
    return preparations.weigh(opened(store, cleaned), outer, inner, plan, seed)
