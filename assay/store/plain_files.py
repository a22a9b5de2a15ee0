"""Files that anyone may have put there: read if they are regular and of a bounded size, never waited for."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from assay.errors import why_refused
from assay.wording import Sentence, Value


class Unreadable(ValueError):
    """A file that is not read; ``sentence`` is why, as part of a sentence."""

    def __init__(self, key: str, /, **values: Value) -> None:
        super().__init__(key)
        self.sentence = Sentence.of(key, **values)


def read_plain(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file that is no link.

    Raises
    ------
    Unreadable
        If there is none, or it has more than ``most`` bytes.
    """
    with opened_plain(path, most) as file:
        return file.read(most)


@contextmanager
def opened_plain(path: Path, most: int) -> Iterator[IO[bytes]]:
    """Open a regular file that is no link; see :func:`read_plain`."""
    flags = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    try:
        if path.is_symlink():  # where the system cannot refuse to follow
            raise Unreadable("store.file.irregular")
        with os.fdopen(os.open(path, os.O_RDONLY | sum(flags)), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("store.file.irregular")
            if status.st_size > most:
                size = status.st_size
                raise Unreadable("store.file.too_large", n_bytes=size, most=most)
            yield file
    except FileNotFoundError:
        raise Unreadable("store.file.none") from None
    except OSError as error:
        why = why_refused(error)
        raise Unreadable(why.key, **why.values) from None
