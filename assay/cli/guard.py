"""What is said of a process that memory runs out for, even where the system ends it before it can speak."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from assay.cli.surroundings import need_memory
from assay.wording import Sentence

# Of address space, for what trains: 3.0 were too few for its libraries on two cores, 4.0 enough.
_LEAST_GB = 3.5
_OUT_OF_MEMORY = (  # of the linker, C++ and TensorFlow; each is of another class
    "failed to map segment",
    "cannot allocate memory",
    "bad_alloc",
    "can't start new thread",
    "out of memory",
)
# Reads until the process that started it has said that it is done, or is gone.
_LISTENER = "import sys; sys.stdin.buffer.read() or sys.stderr.buffer.write(sys.argv[1].encode('utf-8', 'replace'))"


def of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that it came of, says that memory ran out."""
    while True:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(
            word in text for word in _OUT_OF_MEMORY
        ):
            return True
        cause = error.__cause__ or error.__context__
        if cause is None:
            return False
        error = cause


@contextmanager
def guarded(least_gb: float = _LEAST_GB) -> Iterator[None]:
    """Have a sentence said if this process ends inside the block without a word of its own.

    The kernel ends a process when memory runs out, and OpenBLAS and TensorFlow end their own. A second
    process then says so: it starts in a few milliseconds and holds nothing.

    Parameters
    ----------
    least_gb
        Of address space, without which libraries do not load.

    Raises
    ------
    StudyError
        If the process may use so little memory that its libraries do not load.
    """
    need_memory(least_gb)
    sentence = f"{Sentence.of('cli.lost')}\n"
    listener = None
    with suppress(OSError):  # no process to spare: only the sentence is missing then
        listener = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LISTENER, sentence],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )
    try:
        yield
    finally:
        if listener is not None and listener.stdin is not None:
            with suppress(OSError):
                listener.stdin.write(b".")
                listener.stdin.close()
            listener.wait()
