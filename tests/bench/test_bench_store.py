"""What the benchmark of shared stores counts."""

from pathlib import Path

from assay.stages.stage import encode
from assay.store.records import Place
from assay.store.remote import Shared
from assay.store.store import Store
from bench.bench_store import kept
from tests.factories import make_split


def put(store: Store, name: str, record: object) -> int:
    """Keep a record as a stage does; return how many bytes lie in the store then."""
    frame = encode(record)
    store.results.put(name, frame)
    return len(frame) + 65  # the line with its digest


def test_an_object_counts_for_the_first_stage_that_refers_to_it(tmp_path: Path):
    (tmp_path / "mounted").mkdir()
    address = f"file://{tmp_path}/mounted"
    store = Store(tmp_path / "one", shared=Shared(address))
    ref = store.put(b"content")
    split = make_split(ref)
    n_bytes = put(store, "split/ab", split)
    others = put(store, "tune/ab", split) + put(
        store, "tune/cd", Place(repeat=0, fold=1)
    )

    assert kept(address) == {
        "split": {"calls": 1, "results": n_bytes, "objects": 7},
        "tune": {"calls": 2, "results": others, "objects": 0},
    }
