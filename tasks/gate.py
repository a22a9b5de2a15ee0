"""The tasks of the stage ``gate``: the test, and what preparations are worth to its models."""

from assay.store.records import Cleaned, GateResult, Preparations, Split
from assay.store.store import Store
from assay.study.plans import Gating
from tasks.policies import stage


@stage(timeout_s=4 * 3600)
def gate(
    store: Store, cleaned: Cleaned, split: Split, plan: Gating, seed: int
) -> GateResult:
    """Ask whether anything beats chance; a stop is a result, not an error."""
    from assay.data.samples import opened
    from assay.gate.stage import chance_gate

    outer, inner = store.get_array(split.outer)[0], store.get_array(split.inner)[0]
    return chance_gate(opened(store, cleaned), outer, inner, plan, seed)


@stage(timeout_s=4 * 3600)
def weigh(
    store: Store, cleaned: Cleaned, split: Split, plan: Gating, seed: int
) -> Preparations:
    """Score the gate's models with and without each declared preparation."""
    from assay.data.samples import opened
    from assay.gate import ablation as preparations

    outer, inner = store.get_array(split.outer)[0], store.get_array(split.inner)[0]
    return preparations.ablate(opened(store, cleaned), outer, inner, plan, seed)
