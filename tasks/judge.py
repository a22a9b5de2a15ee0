"""The task of the stage ``judge``."""

from assay.plans import Judging
from assay.sources import Identity
from assay.store import Store
from assay.verdict import Evidence, Judgement
from tasks.policies import stage


@stage(timeout_s=3600)
def judge(
    store: Store, evidence: Evidence, plan: Judging, identity: Identity
) -> Judgement:
    """Turn the evidence into a verdict."""
    from assay.judge import judge_evidence
    from assay.samples import opened

    samples, outer = (
        opened(store, evidence.cleaned),
        store.get_array(evidence.split.outer),
    )
    return judge_evidence(
        evidence,
        samples,
        outer,
        store.get_folds(evidence.predictions()),
        plan,
        identity,
    )
