"""Stages side by side in processes of their own.

Each process takes one call after another. It ends with the one that started it, however that ends;
if it is ended itself, only the call it was at is made again: a ``ProcessPoolExecutor`` gives up every
call under way when one process is lost (docs/decisions/0011-runner.md).
"""

import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from assay.errors import AssayError, ProcessLost
from assay.stages.execution import Execution, Run, Worker
from assay.stages.stage import Call
from assay.store.progress import Event, announce, listening
from assay.store.records import Record

_MOST_TRIES = 3
_GRACE_S = 30.0  # until a process that has nothing to do has ended


@dataclass(frozen=True)
class _Job:
    """A call, and the name its result has for the process that asks for it."""

    call: Call[Any]
    key: str


@dataclass(frozen=True)
class _Outcome:
    """What a call came to: a record, or the error it ended with."""

    result: Record | Exception


def side_by_side(
    calls: Sequence[Call[Any]], missing: Sequence[bool], execution: Execution, n: int
) -> Iterator[Record]:
    """Carry out calls in ``n`` processes and yield the results in the order of the calls.

    The first call that has not been taken announces as it goes; later ones are heard when it is
    their turn, and so are their errors. Calls that are not ``missing`` are answered here.

    Raises
    ------
    ProcessLost
        If the process at a call was ended from outside three times.
    """
    jobs = {
        number: _Job(call, call.key)
        for number, call in enumerate(calls)
        if missing[number]
    }
    crew = _Crew(jobs, execution.worker(), n)
    try:
        for number, call in enumerate(calls):
            if number not in jobs:
                yield execution.run(call)
                continue
            for event in crew.heard(number):
                announce(event)
            yield crew.taken(number)
    finally:
        crew.end()


class _Crew:
    """The processes, what each is at, and what has been heard of every job."""

    def __init__(self, jobs: dict[int, _Job], worker: Worker, n: int) -> None:
        self._spawn = get_context("spawn")  # TensorFlow does not survive a fork
        self._lifeline, self._held = self._spawn.Pipe(duplex=False)
        self._worker = worker
        self._jobs, self._waiting = jobs, deque(jobs)
        self._tries = dict.fromkeys(jobs, 0)
        self._events: dict[int, deque[Event]] = {number: deque() for number in jobs}
        self._outcomes: dict[int, _Outcome] = {}
        self._at: dict[Connection, tuple[SpawnProcess, int | None]] = {}
        self._started: list[SpawnProcess] = []
        for _ in range(n):
            self._start()

    def heard(self, number: int) -> Iterator[Event]:
        """Yield what a job announces, until it has come to something."""
        events = self._events[number]
        while events or number not in self._outcomes:
            while events:
                yield events.popleft()
            if number not in self._outcomes:
                self._listen()

    def taken(self, number: int) -> Record:
        """Return what a job came to, or raise its error."""
        result = self._outcomes[number].result
        if isinstance(result, Exception):
            raise result
        return result

    def end(self) -> None:
        """End the processes at work; the others, without any, are ending by themselves."""
        for process, number in self._at.values():
            if number is not None:
                process.kill()
        for process in self._started:
            process.join(_GRACE_S)
        self._held.close()

    def _start(self) -> None:
        """Start a process and hand it a job. It inherits that interrupts are not for it."""
        ours, theirs = self._spawn.Pipe()
        process = self._spawn.Process(
            target=_serve, args=(theirs, self._lifeline, self._worker), daemon=True
        )
        with _without_interrupts(), imports_outside_the_current_folder():
            process.start()
        theirs.close()
        self._started.append(process)
        self._hand(ours, process)

    def _hand(self, channel: Connection, process: SpawnProcess) -> None:
        """Give a process its next job, or its leave. If it is gone, listening will tell."""
        number = self._waiting.popleft() if self._waiting else None
        self._at[channel] = (process, number)
        with suppress(OSError):
            channel.send(None if number is None else self._jobs[number])

    def _listen(self) -> None:
        for channel in wait(list(self._at)):
            assert isinstance(channel, Connection)
            process, number = self._at[channel]
            try:
                message = channel.recv()
            except (EOFError, OSError):
                del self._at[channel]
                if number is not None:
                    self._lost(number)
                continue
            assert number is not None
            if isinstance(message, _Outcome):
                self._outcomes[number] = message
                self._hand(channel, process)
            else:
                self._events[number].append(message)

    def _lost(self, number: int) -> None:
        """Have another process begin the job again that one was at when it ended."""
        self._events[number].clear()
        self._tries[number] += 1
        if self._tries[number] < _MOST_TRIES:
            self._waiting.appendleft(number)
            self._start()
        else:
            self._outcomes[number] = _Outcome(_lost_for_good(self._jobs[number].call))


def _lost_for_good(call: Call[Any]) -> ProcessLost:
    return ProcessLost("stages.process_lost", call=str(call), times=_MOST_TRIES)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let a process that starts inside inherit that interrupts are not for it (not on Windows)."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def imports_outside_the_current_folder() -> Iterator[None]:
    """Let a process that starts inside look for modules where this one does, not first beside somebody's table."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


# In the process that computes --------------------------------------------------------------------


def follow(lifeline: Connection) -> None:
    """End this process as soon as the one that holds the other end closes it or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asked for it answers it

    def watch() -> None:
        with suppress(EOFError, OSError):
            lifeline.recv()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _serve(channel: Connection, lifeline: Connection, worker: Worker) -> None:
    """Carry out the calls that come until there are no more."""
    follow(lifeline)
    gone = suppress(EOFError, ConnectionError)  # whoever asked
    with worker() as run, listening(channel.send), gone:
        while (job := channel.recv()) is not None:
            channel.send(_outcome(job, run))


def _outcome(job: _Job, run: Run) -> _Outcome:
    try:
        if job.call.key != job.key:
            raise AssayError("stages.program_changed")
        return _Outcome(run(job.call))
    except Exception as error:  # whatever it is, it is for the process that asked
        return _Outcome(_portable(error))


def _portable(error: Exception) -> Exception:
    """Return an error as it can be sent; what it cannot carry along is where it came from."""
    trace = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:  # an error of any library, with anything inside
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    assert isinstance(copy, Exception)
    copy.add_note(f"In a process of its own:\n{trace}")
    return copy
