"""The task of the stage ``ingest``."""

from assay.store.records import Snapshot
from assay.store.store import Store
from assay.study.sources import Source
from tasks.policies import stage


@stage(timeout_s=3600)
def ingest(store: Store, source: Source) -> Snapshot:
    """Read the source into one stored table."""
    from assay.data.ingest import read_source, snapshot

    table = read_source(source)
    return snapshot(source, table, store.put_table(table.frame))
