"""The errors Assay raises on purpose, and what each one means for the caller.

    AssayError                exit 1   never raised itself
    +-- StudyError            exit 2   the study file or the command line is wrong
    +-- DataRefused           exit 3   the data cannot be trusted with the question
    +-- NotReproducible       exit 4   a rerun gave other digests
    +-- CorruptObject         exit 1   a stored file no longer holds the bytes it is named for
    +-- TrainingFailed        exit 1   no trial of a search gave a finite score
    +-- ExportFailed          exit 1   a saved model does not predict what the trained one did
    +-- Unreachable           exit 1   a file on the network, or Prefect's server, did not answer
    +-- ProcessLost           exit 1   what computed a stage was ended from outside, again and again

``retryable`` says whether the same call can succeed a moment later. None of the errors above can:
they are decided by bytes. Operating-system errors such as an interrupted read sometimes can.
"""

import errno
from typing import Any

from assay.wording import Sentence, Value, render

_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.EIO,
        errno.ENFILE,
        errno.EMFILE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

_TOLD = frozenset(  # in the language that is spoken
    {
        "enoent", "eisdir", "enotdir", "eexist", "eacces", "eperm", "erofs", "enospc", "edquot", "efbig",
        "eio", "estale", "emfile", "enfile", "enomem", "enametoolong", "eloop", "eaddrinuse",
    }
)  # fmt: skip


class AssayError(Exception):
    """Something a person can act on: one or two plain sentences, no traceback.

    Parameters
    ----------
    key
        Of the sentence in the catalogue (:mod:`assay.wording`), or a text that stands for itself.
    values
        What the sentence is filled with.
    """

    exit_code = 1

    def __init__(self, key: str, /, **values: Value) -> None:
        super().__init__(key)
        self.sentence = Sentence.of(key, **values)

    def __str__(self) -> str:
        return render(self.sentence)

    def __reduce__(self) -> tuple[Any, ...]:
        return _error, (type(self), self.sentence)


class StudyError(AssayError):
    """The study file, a suite it names, or the command line is wrong."""

    exit_code = 2


class DataRefused(AssayError):
    """The data is unreadable, fails its expectations, or cannot carry the question."""

    exit_code = 3


class NotReproducible(AssayError):
    """The same study, data, code and lock gave another result."""

    exit_code = 4


class CorruptObject(AssayError):
    """A stored file is missing or no longer holds the bytes it is named for."""


class TrainingFailed(AssayError):
    """Every trial of a search ended without a finite score."""


class ExportFailed(AssayError):
    """A saved model, read back, does not predict what the trained one did."""


class Unreachable(AssayError):
    """A file could not be downloaded, or Prefect's server does not answer, each time it was tried."""


class ProcessLost(AssayError):
    """The process that computed a stage was ended from outside, each time it was tried."""


def why_refused(error: OSError | UnicodeDecodeError) -> Sentence:
    """Return why a file was not read or written; an error that is none of the usual ones in the system's words."""
    if isinstance(error, UnicodeDecodeError):
        return Sentence.of("text.system.no_utf8", n=error.start + 1)
    name = errno.errorcode.get(error.errno or 0, "").lower()
    if name in _TOLD:
        return Sentence.of(f"text.system.{name}")
    return Sentence.plain(error.strerror or str(error) or type(error).__name__)


def _error(kind: type[AssayError], sentence: Sentence) -> AssayError:
    return kind(sentence.key, **sentence.values)


def is_retryable(error: BaseException) -> bool:
    """Return whether calling again a moment later can help.

    True for operating-system errors that pass by themselves (interrupted, busy, too many open
    files, timed out), False for everything decided by the study, the data or the code.
    """
    return isinstance(error, OSError) and error.errno in _PASSING
