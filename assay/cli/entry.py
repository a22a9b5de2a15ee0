"""A command as a program runs it: Ctrl-C, signals, and errors in one sentence."""

import errno
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.wording import Sentence

if TYPE_CHECKING:  # help needs none of them
    from assay.request import Request
    from assay.store.store import Store
    from assay.store.verdict import Verdict

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Check = Callable[["Request"], "Verdict"]

NEXT_STEPS = {  # what a person can do about a system that refuses
    "ENOSPC": "cli.make_room",
    "EDQUOT": "cli.make_room",
    "EFBIG": "cli.allow_larger_files",
    "EROFS": "cli.other_folder",
    "EACCES": "cli.allow_or_other_folder",
    "EPERM": "cli.allow_or_other_folder",
    "EIO": "cli.check_disk",
    "ESTALE": "cli.check_disk",
    "EMFILE": "cli.more_open_files",
    "ENFILE": "cli.more_open_files",
    "ENOMEM": "cli.more_memory",
}


def plain_check(request: "Request") -> "Verdict":
    """Take a request to its verdict by the plain pipeline, and show how far it is."""
    from assay.cli.terminal import Watcher

    with Watcher("cli.starting"):
        from assay.pipeline import check

        return check(request).verdict


def store_in(artifacts: Path | None) -> "Store":
    """Open the store in a folder, by default the project's."""
    from assay.store.runs import store_of

    return store_of(artifacts)


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
        step = NEXT_STEPS.get(errno.errorcode.get(error.errno or 0, ""))
        if step is None:
            raise
        say(str(_refusal(error, Sentence.of(step))))
        sys.exit(1)
    except KeyboardInterrupt:
        say(str(Sentence.of("cli.interrupted")))
        sys.exit(130)


def _refusal(error: OSError, step: Sentence) -> Sentence:
    reason = str(error.strerror)
    if not error.filename:
        return Sentence.of("cli.refused", reason=reason, step=step)
    place = str(error.filename)
    return Sentence.of("cli.refused_at", place=place, reason=reason, step=step)


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
    """End as SIGTERM ends a program, also where Prefect made an exception of the signal and failed to handle it."""
    try:
        yield
    except Exception as error:
        if any(type(cause).__name__ == "TerminationSignal" for cause in _causes(error)):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that were being handled when it was raised."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def say(sentence: str) -> None:
    """Write a sentence to standard error; a control character in it, of a file's name, is spelled out."""
    shown = _CONTROL.sub(lambda letter: f"\\x{ord(letter[0]):02x}", sentence)
    sys.stderr.write(shown + "\n")
