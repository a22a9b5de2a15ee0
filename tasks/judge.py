"""The task of the stage ``judge``."""

from assay.store.store import Store
from assay.store.verdict import Evidence, Judgement
from assay.study.plans import Judging
from assay.study.sources import Identity
from tasks.policies import stage


@stage(timeout_s=3600)
def judge(
    store: Store, evidence: Evidence, plan: Judging, identity: Identity
) -> Judgement:
    """Turn the evidence into a verdict."""
    from assay.data.samples import opened
    from assay.judge.stage import judge_evidence

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
