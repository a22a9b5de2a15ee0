"""Files that keep what they hold: named by content, written whole, verified when read.

objects/ab/abcd...   bytes named by their SHA-256
results/STAGE/KEY    what a stage returned, as checksummed JSON
registrations/       studies as they were before their data was read
runs/                finished runs, moved into place in one step
tmp/PID-TOKEN/       files being written; the owner holds a lock on its folder
locks/               held by a living process or by nobody

Objects and results may be shared with other machines (``assay/shared.py``): what is not here, or not
whole, is then looked for there, and what is kept here is kept there too. The rest stays here.
"""

import atexit
import fcntl
import io
import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import CorruptObject
from assay.store.canonical import digest_bytes
from assay.store.records import Record, Ref
from assay.store.remote import Shared

if TYPE_CHECKING:
    import pandas as pd  # loaded only where a table is: an answer from a finished run needs none

_held: dict[Path, tuple[IO[bytes], int]] = {}
_counter = itertools.count()
_process = f"{os.getpid()}-{secrets.token_hex(4)}"  # processes of two containers can share a number


class Store:
    """The folder that runs share. Equal content is kept once; a half-written file is never seen."""

    def __init__(
        self,
        folder: Path,
        *,
        fresh: bool = False,
        audit: float = 0.0,
        shared: Shared | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.shared = shared
        self.fresh = fresh  # results of earlier runs are written over, not read
        self.audit = (
            audit  # share of the stored results that are computed again and compared
        )
        self._draw = secrets.token_hex(8) if audit else ""

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    # Objects, named by content -----------------------------------------------------------------

    def put(self, content: bytes, kind: str = "bytes") -> Ref:
        """Keep ``content`` and return the reference that names it."""
        ref = Ref(kind=kind, digest=digest_bytes(content), size=len(content))
        if self._here(ref) is None:
            self.write(self.object_path(ref), content)
        if self.shared is not None:
            self.shared.put(_object_name(ref), content)
        return ref

    def get(self, ref: Ref) -> bytes:
        """Return the bytes a reference names.

        Raises
        ------
        CorruptObject
            If the file is missing or its bytes no longer have that digest.
        """
        content = self._here(ref)
        if content is None and self.shared is not None:
            content = self.shared.get(_object_name(ref), _digested(ref.digest))
            if content is not None:
                self.write(self.object_path(ref), content)
        if content is None:
            path = self.object_path(ref)
            raise CorruptObject(
                f"{path} no longer holds the bytes it is named for. Delete it and run again."
                if path.exists()
                else f"{path} is missing. Run the study again to have it made anew."
            )
        return content

    def _here(self, ref: Ref) -> bytes | None:
        """Return an object if it is whole in the folder."""
        try:
            content = self.object_path(ref).read_bytes()
        except FileNotFoundError:
            return None
        return content if digest_bytes(content) == ref.digest else None

    def holds(self, ref: Ref) -> bool:
        """Return whether the object is there and whole."""
        try:
            self.get(ref)
        except CorruptObject:
            return False
        return True

    def object_path(self, ref: Ref) -> Path:
        return self.folder / _object_name(ref)

    def put_table(self, table: "pd.DataFrame") -> Ref:
        """Keep a table as Parquet. Equal tables give equal bytes under one lock."""
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False, compression="zstd")
        _return_memory()
        return self.put(buffer.getvalue(), "table")

    def get_table(
        self, ref: Ref, columns: Sequence[str] | None = None
    ) -> "pd.DataFrame":
        """Return a table, or some of its columns."""
        import pandas as pd

        kept = None if columns is None else list(columns)
        table = pd.read_parquet(io.BytesIO(self.get(ref)), columns=kept)
        _return_memory()
        return table

    def put_array(self, array: NDArray[Any]) -> Ref:
        """Keep an array in NumPy's own format, which has no pickle for plain types."""
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(array, order="C"), allow_pickle=False)
        return self.put(buffer.getvalue(), "array")

    def get_array(self, ref: Ref) -> NDArray[Any]:
        array: NDArray[Any] = np.load(io.BytesIO(self.get(ref)), allow_pickle=False)
        return array

    def put_arrays(self, arrays: dict[str, NDArray[Any]]) -> Ref:
        """Keep named arrays in one npz; its members carry no times, so equal arrays give equal bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(sorted(arrays.items())))
        return self.put(buffer.getvalue(), "arrays")

    def get_arrays(self, ref: Ref) -> dict[str, NDArray[Any]]:
        with np.load(io.BytesIO(self.get(ref)), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def get_folds(
        self, refs: dict[str, list[list[Ref]]]
    ) -> dict[str, list[list[NDArray[Any]]]]:
        """Return the arrays of :meth:`assay.store.records.Evidence.predictions`, in the same arrangement."""
        return {
            name: [[self.get_array(ref) for ref in folds] for folds in repeats]
            for name, repeats in refs.items()
        }

    def is_audited(self, key: str) -> bool:
        """Return whether the result of this name is one of those drawn to be computed again."""
        drawn = int(digest_bytes(f"{self._draw}{key}".encode())[:13], 16) / 16**13
        return drawn < self.audit

    # Results, named by all that decides them ---------------------------------------------------

    def result_path(self, name: str) -> Path:
        return self.folder / _result_name(name)

    def put_result(self, name: str, content: bytes) -> None:
        """Keep what a stage came to; the objects it refers to must be kept before."""
        self.write_checked(self.result_path(name), content)
        if self.shared is not None:
            self.shared.put(_result_name(name), _checked(content))

    def get_result(self, name: str) -> bytes:
        """Return what :meth:`put_result` kept.

        Raises
        ------
        CorruptObject
            If it is missing, cut short, or altered.
        """
        path = self.result_path(name)
        try:
            return self.read_checked(path)
        except CorruptObject:
            found = self.shared and self.shared.get(_result_name(name), _is_checked)
            if not found:
                raise
        self.write(path, found)
        return self.read_checked(path)

    # Sharing with other machines ---------------------------------------------------------------

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

    def offer(self, name: str, record: Record) -> None:
        """Put a result that was stored here into the shared store, where it or an object of it is missing."""
        if self.shared is None or self.shared.is_whole(_result_name(name)):
            return
        for ref in record.refs():
            if not self.shared.has(_object_name(ref), ref.size):
                self.shared.put(_object_name(ref), self.get(ref))
        if self.shared.get(_result_name(name), _is_checked) is None:
            self.shared.put(_result_name(name), _checked(self.get_result(name)))

    def mend(self, record: Record) -> None:
        """See to it that other machines can read every object of a record: what is not whole there is put again."""
        if self.shared is None:
            return
        for ref in record.refs():
            name = _object_name(ref)
            if self.shared.is_whole(name):
                continue
            if self.shared.get(name, _digested(ref.digest)) is None:
                self.shared.put(name, self.get(ref))

    # Checksummed files under a name -----------------------------------------------------------

    def write_checked(self, path: Path, content: bytes) -> None:
        """Write ``content`` behind a line that holds its digest."""
        self.write(path, _checked(content))

    def read_checked(self, path: Path) -> bytes:
        """Return what :meth:`write_checked` wrote.

        Raises
        ------
        CorruptObject
            If the file is missing, cut short, or altered.
        """
        try:
            content = _content(path.read_bytes())
        except OSError:
            raise CorruptObject(f"{path} is missing.") from None
        if content is None:
            raise CorruptObject(
                f"{path} no longer holds what was written. Delete it and run again."
            )
        return content

    def whole(self, record: Record) -> bool:
        """Return whether every object that a record refers to is there and whole."""
        return all(self.holds(ref) for ref in record.refs())

    # Writing -----------------------------------------------------------------------------------

    def write(self, path: Path, content: bytes) -> None:
        """Write a file so that its final name only ever shows all of it, even after a power cut."""
        temporary = self.scratch() / f"{next(_counter)}-{path.name[:40]}"
        _write_synced(temporary, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)

    def publish(self, files: dict[str, bytes], target: Path) -> None:
        """Make a folder of ``files`` appear at ``target`` in one step, replacing what was there."""
        staged = self.scratch() / f"{next(_counter)}-publish"
        for name, content in files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_synced(path, content)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(self.scratch() / f"{next(_counter)}-replaced")
        staged.rename(target)

    def scratch(self) -> Path:
        """Return this process's own folder for unfinished files, made on first use."""
        folder = self.folder / "tmp" / _process
        if folder / "owner" not in _held:
            with self.lock("scratch"):
                folder.mkdir(parents=True, exist_ok=True)
                _acquire(folder / "owner", wait=True)
            atexit.register(_leave, folder)
        return folder

    def sweep(self) -> int:
        """Remove unfinished files whose writer no longer lives; return how many folders went."""
        removed = 0
        with self.lock("scratch"):
            for folder in sorted((self.folder / "tmp").glob("*")):
                owner = folder / "owner"
                if owner not in _held and _acquire(owner, wait=False):
                    shutil.rmtree(folder, ignore_errors=True)
                    _release(owner)
                    removed += 1
        return removed

    # Locks -------------------------------------------------------------------------------------

    @contextmanager
    def lock(
        self, name: str, waiting: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Hold a lock that the kernel takes back when the process ends, however it ends.

        ``waiting`` is called once if another process holds it. Local file systems only. The same
        process may enter twice.
        """
        path = self.folder / "locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _acquire(path, wait=False):
            if waiting is not None:
                waiting()
            _acquire(path, wait=True)
        try:
            yield
        finally:
            _release(path)


def _object_name(ref: Ref) -> str:
    return f"objects/{ref.digest[:2]}/{ref.digest}"


def _result_name(name: str) -> str:
    return f"results/{name}"


def _digested(digest: str) -> Callable[[bytes], bool]:
    return lambda content: digest_bytes(content) == digest


def _checked(content: bytes) -> bytes:
    return digest_bytes(content).encode() + b"\n" + content


def _content(checked: bytes) -> bytes | None:
    """Return what stands behind the line with its digest, or None if it is another."""
    head, _, content = checked.partition(b"\n")
    return content if digest_bytes(content).encode() == head else None


def _is_checked(content: bytes) -> bool:
    return _content(content) is not None


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _acquire(path: Path, *, wait: bool) -> bool:
    if path in _held:
        file, depth = _held[path]
        _held[path] = (file, depth + 1)
        return True
    try:
        file = path.open("ab")
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return False
    _held[path] = (file, 1)
    return True


def _leave(folder: Path) -> None:
    """Remove a folder of unfinished files and let go of it, in this order."""
    shutil.rmtree(folder, ignore_errors=True)
    _release(folder / "owner")


def _release(path: Path) -> None:
    file, depth = _held.pop(path)
    if depth > 1:
        _held[path] = (file, depth - 1)
    else:
        file.close()


def _return_memory() -> None:
    """Give back what pyarrow keeps of the tables it has converted: as much again as the tables."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
