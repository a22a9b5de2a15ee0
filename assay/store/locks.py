"""Locks that the kernel takes back when the process that holds them ends, however it ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


def lock_of(path: Path) -> BaseFileLock:
    """Return this process's lock on a file: the same object for the same path, shared by all threads.

    It counts how often it was acquired, and is released when that count is back at zero or when
    nothing refers to it any more. Local file systems only.
    """
    return FileLock(path, thread_local=False, is_singleton=True)


def acquired(lock: BaseFileLock) -> bool:
    """Acquire a lock without waiting; return False if another process holds it or its folder is gone."""
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return False
    return True


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock on a file inside the block; a process that holds it already may enter again.

    Parameters
    ----------
    waiting
        Called once if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_of(path)
    if not acquired(lock):
        if waiting is not None:
            waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def remove(lock: BaseFileLock) -> None:
    """Release a lock and remove its file: in this order on Windows, in the other one elsewhere.

    POSIX systems remove a file that is held, so nobody can acquire it in between; Windows removes no file
    that is open, so one that somebody else has acquired by then stays.
    """
    path = Path(lock.lock_file)
    if os.name == "nt":
        lock.release()
        with suppress(OSError):
            path.unlink()
    else:
        path.unlink(missing_ok=True)
        lock.release()
