"""A command as a program runs it: Ctrl-C, signals, and errors in one sentence."""

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from assay.cli.guard import of_memory
from assay.errors import AssayError, StudyError, why_refused
from assay.formats.checks import first_line
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
    "ENAMETOOLONG": "cli.other_name",
    "ELOOP": "cli.other_name",
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
    """Carry out a command that heeds signals, and end as :func:`in_words` does."""
    with in_words(), heeding_interrupts(), heeding_termination():
        yield


@contextmanager
def in_words() -> Iterator[None]:
    """End with one sentence and its exit code, not with a traceback, where the fault is not ours."""
    try:
        yield
        sys.stdout.flush()
    except AssayError as error:
        _end(str(error), error.exit_code)
    except BrokenPipeError:  # whoever read the output has seen enough
        _end("", 1)
    except OSError as error:
        step = NEXT_STEPS.get(errno.errorcode.get(error.errno or 0, ""))
        if step is None:
            raise
        _end(str(_refusal(error, Sentence.of(step))), 1)
    except KeyboardInterrupt:
        _end(str(Sentence.of("cli.interrupted")), 130)
    except Exception as error:
        if "KeyboardInterrupt" in str(error):  # of a library that it interrupted
            _end(str(Sentence.of("cli.interrupted")), 130)
        if not of_memory(error):
            raise
        more, reason = Sentence.of("cli.more_memory"), first_line(error)
        _end(str(Sentence.of("cli.out_of_memory", reason=reason, step=more)), 1)


def _end(sentence: str, code: int) -> NoReturn:
    """Say a sentence and exit; what was not written to a pipe or disk that takes no more is left."""
    if sentence:
        say(sentence)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _refusal(error: OSError, step: Sentence) -> Sentence:
    reason = why_refused(error)
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


def write_page(path: Path, content: bytes, option: str) -> None:
    """Write a page where an option says.

    Raises
    ------
    StudyError
        If it cannot be written there.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        reason = why_refused(error)
        raise StudyError(
            "cli.page_not_written", path=str(path), reason=reason, option=option
        ) from None


def say(sentence: str) -> None:
    """Write a sentence to standard error; a control character in it, of a file's name, is spelled out."""
    shown = _CONTROL.sub(lambda letter: f"\\x{ord(letter[0]):02x}", sentence)
    with suppress(OSError):  # nobody may listen there
        sys.stderr.write(shown + "\n")
