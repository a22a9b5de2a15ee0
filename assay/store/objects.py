"""Objects: bytes named by their SHA-256, verified whenever they are read."""

from collections.abc import Callable
from pathlib import Path

from assay.errors import CorruptObject
from assay.store.canonical import digest_bytes
from assay.store.files import Files
from assay.store.records import Record, Ref
from assay.store.remote import Shared


class Objects:
    """Equal content is kept once, here and in the shared store if there is one."""

    def __init__(self, files: Files, shared: Shared | None) -> None:
        self._files = files
        self._shared = shared

    def put(self, content: bytes, kind: str = "bytes") -> Ref:
        """Keep ``content`` and return the reference that names it."""
        ref = Ref(kind=kind, digest=digest_bytes(content), size=len(content))
        if self._intact(ref) is None:
            self._files.write(self.path(ref), content)
        if self._shared is not None:
            self._shared.put(_name(ref), content)
        return ref

    def get(self, ref: Ref) -> bytes:
        """Return the bytes a reference names; those of the shared store are kept here too.

        Raises
        ------
        CorruptObject
            If the file is missing or its bytes no longer have that digest.
        """
        content = self._intact(ref)
        if content is None and self._shared is not None:
            content = self._shared.get(_name(ref), _has(ref.digest))
            if content is not None:
                self._files.write(self.path(ref), content)
        if content is None:
            path = self.path(ref)
            fault = "store.object_altered" if path.exists() else "store.object_missing"
            raise CorruptObject(fault, path=str(path))
        return content

    def path(self, ref: Ref) -> Path:
        return self._files.folder / _name(ref)

    def holds(self, ref: Ref) -> bool:
        """Return whether an object is there and whole."""
        try:
            self.get(ref)
        except CorruptObject:
            return False
        return True

    def holds_all(self, record: Record) -> bool:
        """Return whether every object that a record refers to is there and whole."""
        return all(self.holds(ref) for ref in record.refs())

    def offer(self, record: Record) -> None:
        """Put the objects of a record into the shared store where there is none of that name and size."""
        if self._shared is None:
            return
        for ref in record.refs():
            if not self._shared.has(_name(ref), ref.size):
                self._shared.put(_name(ref), self.get(ref))

    def mend(self, record: Record) -> None:
        """Read the objects of a record in the shared store and put those again that are not whole there."""
        if self._shared is None:
            return
        for ref in record.refs():
            name = _name(ref)
            if self._shared.is_whole(name):
                continue
            if self._shared.get(name, _has(ref.digest)) is None:
                self._shared.put(name, self.get(ref))

    def _intact(self, ref: Ref) -> bytes | None:
        """Return an object if it is whole in the folder."""
        try:
            content = self.path(ref).read_bytes()
        except FileNotFoundError:
            return None
        return content if digest_bytes(content) == ref.digest else None


def _name(ref: Ref) -> str:
    return f"objects/{ref.digest[:2]}/{ref.digest}"


def _has(digest: str) -> Callable[[bytes], bool]:
    return lambda content: digest_bytes(content) == digest
