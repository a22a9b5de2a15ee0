"""Files that appear whole: written aside, synced, and given their final name in one step."""

import atexit
import itertools
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from filelock import BaseFileLock

from assay.errors import CorruptObject
from assay.store.canonical import digest_bytes
from assay.store.locks import acquired, lock_of, locked

_counter = itertools.count()
_process = f"{os.getpid()}-{secrets.token_hex(4)}"  # processes of two containers can share a number
_owned: dict[Path, BaseFileLock] = {}  # scratch folders of this process
_MOVES_WAIT = os.name == "nt"  # Windows moves nothing that somebody has open
_PAUSES_S = (0.01, 0.03, 0.1, 0.3, 1.0)


class Files:
    """A folder that several processes write to. Nobody ever sees half a file under its final name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: Path, content: bytes) -> None:
        """Write a file so that its final name only ever shows all of it, even after a power cut."""
        unfinished = self.scratch() / f"{next(_counter)}-{path.name[:40]}"
        _write_synced(unfinished, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        _move(unfinished, path)

    def write_checked(self, path: Path, content: bytes) -> None:
        """Write ``content`` behind a line that holds its digest."""
        self.write(path, checked(content))

    def read_checked(self, path: Path) -> bytes:
        """Return what :meth:`write_checked` wrote.

        Raises
        ------
        CorruptObject
            If the file is missing, cut short, or altered.
        """
        try:
            content = unchecked(path.read_bytes())
        except OSError:
            raise CorruptObject("store.file_missing", path=str(path)) from None
        if content is None:
            raise CorruptObject("store.file_altered", path=str(path))
        return content

    def publish(self, files: Mapping[str, bytes], target: Path) -> None:
        """Make a folder of ``files`` appear at ``target`` in one step, replacing what was there."""
        staged = self.scratch() / f"{next(_counter)}-publish"
        for name, content in files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_synced(path, content)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():  # no system replaces a folder that holds files
            _move(target, self.scratch() / f"{next(_counter)}-replaced")
        _move(staged, target)

    def scratch(self) -> Path:
        """Return this process's own folder for unfinished files, made on first use."""
        folder = self.folder / "tmp" / _process
        if folder not in _owned:
            if not self.folder.exists():  # the tables in it are not for others to read
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.folder.mkdir(mode=0o700, exist_ok=True)
            with self.lock("scratch"):
                folder.mkdir(parents=True, exist_ok=True)
                owner = lock_of(folder / "owner")
                owner.acquire()
                _owned[folder] = owner
            atexit.register(_leave, folder)
        return folder

    def sweep(self) -> int:
        """Remove unfinished files whose writer has ended; return how many folders were removed."""
        removed = 0
        with self.lock("scratch"):
            for folder in sorted((self.folder / "tmp").glob("*/")):
                owner = lock_of(folder / "owner")
                if folder not in _owned and folder.is_dir() and acquired(owner):
                    _remove(folder, owner)
                    removed += 1
        return removed

    def lock(
        self, name: str, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold a named lock inside the block; see :func:`assay.store.locks.locked`."""
        return locked(self.folder / "locks" / name, waiting)


def checked(content: bytes) -> bytes:
    """Return ``content`` behind a line that holds its digest."""
    return digest_bytes(content).encode() + b"\n" + content


def unchecked(content: bytes) -> bytes | None:
    """Return what stands behind the line with its digest, or None if the digest is another."""
    digest, _, rest = content.partition(b"\n")
    return rest if digest_bytes(rest).encode() == digest else None


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(source: Path, target: Path) -> None:
    """Give a file or folder its final name, where needed once its readers have closed it."""
    for pause_s in _PAUSES_S if _MOVES_WAIT else ():
        try:
            source.replace(target)
            return
        except PermissionError:
            time.sleep(pause_s)
    source.replace(target)


def _leave(folder: Path) -> None:
    """Remove this process's scratch folder as it ends, and those of processes that were killed before it."""
    _remove(folder, _owned.pop(folder))
    if folder.parent.is_dir():  # not if the whole store was removed
        with suppress(OSError):
            Files(folder.parents[1]).sweep()


def _remove(folder: Path, owner: BaseFileLock) -> None:
    """Remove a scratch folder whose lock is held; Windows removes no locked file, so that one goes last."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "owner":
            path.unlink(missing_ok=True)
    owner.release()
    shutil.rmtree(folder, ignore_errors=True)
