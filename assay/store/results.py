"""Results: what a stage returned, as checksummed JSON, named by everything that decides it."""

from pathlib import Path

from assay.errors import CorruptObject
from assay.store.files import Files, checked, unchecked
from assay.store.objects import Objects
from assay.store.records import Record
from assay.store.remote import Shared


class Results:
    """What is kept here is kept in the shared store too; what is missing here is looked for there."""

    def __init__(self, files: Files, objects: Objects, shared: Shared | None) -> None:
        self._files = files
        self._objects = objects
        self._shared = shared

    def path(self, name: str) -> Path:
        return self._files.folder / _name(name)

    def put(self, name: str, content: bytes) -> None:
        """Keep what a stage returned; the objects it refers to must be kept before."""
        self._files.write_checked(self.path(name), content)
        if self._shared is not None:
            self._shared.put(_name(name), checked(content))

    def get(self, name: str) -> bytes:
        """Return what :meth:`put` kept.

        Raises
        ------
        CorruptObject
            If it is missing, cut short, or altered.
        """
        path = self.path(name)
        try:
            return self._files.read_checked(path)
        except CorruptObject:
            shared = self._shared and self._shared.get(_name(name), _is_whole)
            if not shared:
                raise
        self._files.write(path, shared)
        return self._files.read_checked(path)

    def offer(self, name: str, record: Record) -> None:
        """Put a result of this folder into the shared store, where it or an object of it is missing."""
        if self._shared is None or self._shared.is_whole(_name(name)):
            return
        self._objects.offer(record)
        if self._shared.get(_name(name), _is_whole) is None:
            self._shared.put(_name(name), checked(self.get(name)))


def _name(name: str) -> str:
    return f"results/{name}"


def _is_whole(content: bytes) -> bool:
    return unchecked(content) is not None
