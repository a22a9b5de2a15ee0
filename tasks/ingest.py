"""The task of the stage ``ingest``."""

from assay.records import Snapshot
from assay.sources import Source
from assay.store import Store
from tasks.policies import stage


@stage(timeout_s=3600)
def ingest(store: Store, source: Source) -> Snapshot:
    """Read the source into one stored table."""
    from assay.ingest import read_source, snapshot

    table = read_source(source)
    return snapshot(source, table, store.put_table(table.frame))
