"""The task of the stage ``bundle``."""

from assay.store.store import Store
from assay.store.verdict import Bundle, Evidence, Judgement
from assay.study.registration import Registration
from assay.study.sources import Suite
from tasks.policies import stage


@stage(timeout_s=3600)
def bundle(
    store: Store,
    registration: Registration,
    suite: Suite,
    evidence: Evidence,
    judgement: Judgement,
) -> Bundle:
    """Write everything the run leaves, and read the model back before it is believed."""
    from assay.bundle.stage import opened, run_files, same_digests

    plan = registration.study.of(judgement.verdict.plan)
    held = opened(store, evidence, plan)
    left = run_files(registration, suite, evidence, judgement, *held)
    kept = {path: store.put(content) for path, content in left.files.items()}
    return Bundle(
        files=kept, same=same_digests(judgement, evidence.final), verdict=left.verdict
    )
