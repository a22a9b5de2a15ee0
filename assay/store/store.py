"""The folder that runs share.

objects/ab/abcd...   bytes named by their SHA-256 (``Store.objects``)
results/STAGE/KEY    what a stage returned, as checksummed JSON (``Store.results``)
registrations/       studies as they were before their data was read
runs/                finished runs, moved into place in one step
tmp/PID-TOKEN/       files being written; the owner holds a lock on its folder
locks/               each held by a living process or by nobody

Objects and results may be shared with other machines (``assay/store/remote.py``): what is missing or
damaged here is then looked for there, and what is kept here is kept there too. The rest stays here.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.store.canonical import digest_bytes
from assay.store.encoding import (
    array_bytes,
    array_from,
    arrays_bytes,
    arrays_from,
    table_bytes,
    table_from,
)
from assay.store.files import Files
from assay.store.objects import Objects
from assay.store.records import Ref
from assay.store.remote import Shared
from assay.store.results import Results

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Store:
    """Objects, results and files in one folder.

    Parameters
    ----------
    fresh
        Whether results of earlier runs are written over rather than read.
    audit
        Share of the stored results that are computed again and compared.
    shared
        Where other machines find objects and results.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fresh: bool = False,
        audit: float = 0.0,
        shared: Shared | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.fresh = fresh
        self.audit = audit
        self.shared = shared
        self.files = Files(self.folder)
        self.objects = Objects(self.files, shared)
        self.results = Results(self.files, self.objects, shared)
        self._draw = secrets.token_hex(8) if audit else ""

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    def reach(self) -> None:
        """Make sure that the shared store, if there is one, answers and can be written to.

        Raises
        ------
        StudyError
            If it cannot be used.
        Unreachable
            If it does not answer.
        """
        if self.shared is not None:
            self.shared.open()

    def is_audited(self, key: str) -> bool:
        """Return whether the result of this name is one of those drawn to be computed again."""
        drawn = int(digest_bytes(f"{self._draw}{key}".encode())[:13], 16) / 16**13
        return drawn < self.audit

    def lock(
        self, name: str, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold a named lock inside the block; ``waiting`` is called once if another process holds it."""
        return self.files.lock(name, waiting)

    # Values, named by content ------------------------------------------------------------------

    def put(self, content: bytes, kind: str = "bytes") -> Ref:
        return self.objects.put(content, kind)

    def get(self, ref: Ref) -> bytes:
        return self.objects.get(ref)

    def put_table(self, table: "pd.DataFrame") -> Ref:
        return self.put(table_bytes(table), "table")

    def get_table(
        self, ref: Ref, columns: Sequence[str] | None = None
    ) -> "pd.DataFrame":
        return table_from(self.get(ref), columns)

    def put_array(self, array: "NDArray[Any]") -> Ref:
        return self.put(array_bytes(array), "array")

    def get_array(self, ref: Ref) -> "NDArray[Any]":
        return array_from(self.get(ref))

    def put_arrays(self, arrays: "dict[str, NDArray[Any]]") -> Ref:
        return self.put(arrays_bytes(arrays), "arrays")

    def get_arrays(self, ref: Ref) -> "dict[str, NDArray[Any]]":
        return arrays_from(self.get(ref))

    def get_folds(
        self, refs: dict[str, list[list[Ref]]]
    ) -> "dict[str, list[list[NDArray[Any]]]]":
        """Return the arrays of :meth:`assay.store.verdict.Evidence.predictions`, in the same arrangement."""
        return {
            name: [[self.get_array(ref) for ref in folds] for folds in repeats]
            for name, repeats in refs.items()
        }
