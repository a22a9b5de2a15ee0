"""A check as a program runs it: Prefect's settings, Ctrl-C, and errors in one sentence."""

import errno
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from assay.errors import AssayError, Unreachable
from assay.store import runs
from assay.store.store import Store
from assay.store.verdict import Verdict
from flows.terminal import Watcher

_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",  # each event that a stopped server does not take
}
INTERRUPTED = (
    "Interrupted. What was finished is kept; the same command goes on from there."
)
NEXT_STEP = {  # what a person can do about a system that refuses
    errno.ENOSPC: "make room and run again",
    errno.EDQUOT: "make room and run again",
    errno.EFBIG: "allow larger files and run again",
    errno.EROFS: "choose another folder with --artifacts",
    errno.EACCES: "allow it, or choose another folder with --artifacts",
    errno.EPERM: "allow it, or choose another folder with --artifacts",
    errno.EIO: "see to the disk and run again",
    errno.ESTALE: "see to the disk and run again",
    errno.EMFILE: "allow more open files and run again",
    errno.ENFILE: "allow more open files and run again",
    errno.ENOMEM: "run again where there is more memory",
}


def run_check(**asked: Any) -> Verdict:
    """Run the flow with the settings a person at a terminal needs; those already set are kept."""
    quiet = "PREFECT_LOGGING_LEVEL" not in os.environ
    settings = {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "5",  # a busy SQLite answers 503; a minute, each wait twice the last
        **(_QUIET if quiet else {}),
    }
    for key, value in settings.items():
        os.environ.setdefault(key, value)
    # A server that is gone would be told of at every line that it was to log.
    logging.raiseExceptions = not quiet
    with Watcher():
        from flows.server import prefect_server

        with prefect_server():
            from flows.main import check_hypothesis

            return cast("Verdict", check_hypothesis(**asked))


def run_even_if_the_server_goes(
    store: Store, name: str | None, **asked: Any
) -> Verdict:
    """Run the flow. If its server is lost when the run has been published already, say so, and take its verdict."""
    try:
        return run_check(**asked)
    except Unreachable as lost:
        verdict = None if name is None else runs.finished(store, name)
        if verdict is None:
            raise
        say(str(lost))
        return verdict


@contextmanager
def errors_in_words() -> Iterator[None]:
    """End with one sentence and its exit code, not with a traceback, where the fault is not ours."""
    try:
        with heeding_interrupts(), heeding_termination():
            yield
    except AssayError as error:
        say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in NEXT_STEP:
            raise
        where = f"{error.filename}: " if error.filename else ""
        say(
            f"{where}{error.strerror}. What was finished is kept; {NEXT_STEP[error.errno]}."
        )
        sys.exit(1)
    except KeyboardInterrupt:
        say(INTERRUPTED)
        sys.exit(130)


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Let an interrupt raise inside the block; before and after, where nothing is at stake, it just ends."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        signal.signal(signal.SIGINT, before)


@contextmanager
def heeding_termination() -> Iterator[None]:
    """End as SIGTERM ends a program, also where Prefect trips over what it makes of the signal.

    Prefect raises it as an exception, and in the moment before a task has a run it cannot note that.
    """
    try:
        yield
    except Exception as error:
        if any(type(one).__name__ == "TerminationSignal" for one in _causes(error)):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that were being handled when it was raised."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
