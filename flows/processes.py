"""Stages side by side in processes of their own.

Each process takes one call after another. It ends with the one that started it, however that ends;
if it is ended itself, only the call it was at is made again. Prefect's own pool gives up every
call under way when one process is lost (docs/decisions/0011-runner.md).
"""

import logging
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, ProcessLost
from assay.store.progress import Event, announce, listening
from assay.store.records import Record

if TYPE_CHECKING:
    from tasks.policies import (
        Call,
    )  # brings Prefect: a process that only follows needs none

_MOST_TRIES = 3
_GRACE_S = 30.0  # Prefect sends what it has still to say when a process ends


@dataclass(frozen=True)
class _Job:
    """A call, and the name its result has for the process that asks for it."""

    call: "Call[Any]"
    key: str


@dataclass(frozen=True)
class _Outcome:
    """What a call came to: a record, or the error it ended with."""

    found: Record | Exception


def side_by_side(
    calls: Sequence["Call[Any]"], missing: Sequence[bool], n: int
) -> Iterator[Record]:
    """Make calls in ``n`` processes and yield what they come to, in their order.

    The first call that has not been taken announces as it goes; later ones are heard when it is
    their turn, and so are their errors. Calls that are not ``missing`` are answered here.

    Raises
    ------
    ProcessLost
        If the process at a call was ended from outside three times.
    """
    jobs = {
        number: _Job(call, call.key())
        for number, call in enumerate(calls)
        if missing[number]
    }
    crew = _Crew(jobs, n)
    try:
        for number, call in enumerate(calls):
            if number not in jobs:
                yield call()
                continue
            for event in crew.heard(number):
                announce(event)
            yield crew.taken(number)
    finally:
        crew.end()


class _Crew:
    """The processes, what each is at, and what has been heard of every job."""

    def __init__(self, jobs: dict[int, _Job], n: int) -> None:
        self._spawn = get_context("spawn")  # TensorFlow does not survive a fork
        self._lifeline, self._held = self._spawn.Pipe(duplex=False)
        self._context = _shared_context()
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
        found = self._outcomes[number].found
        if isinstance(found, Exception):
            raise found
        return found

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
            target=_serve, args=(theirs, self._lifeline, self._context), daemon=True
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
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
                said = channel.recv()
            except (EOFError, OSError):
                del self._at[channel]
                if number is not None:
                    self._lost(number)
                continue
            assert number is not None
            if isinstance(said, _Outcome):
                self._outcomes[number] = said
                self._hand(channel, process)
            else:
                self._events[number].append(said)

    def _lost(self, number: int) -> None:
        """Have another process begin the job again that one was at when it ended."""
        self._events[number].clear()
        self._tries[number] += 1
        if self._tries[number] < _MOST_TRIES:
            self._waiting.appendleft(number)
            self._start()
        else:
            self._outcomes[number] = _Outcome(_lost_for_good(self._jobs[number].call))


def _lost_for_good(call: "Call[Any]") -> ProcessLost:
    return ProcessLost(
        f"The process at {call} was ended from outside {_MOST_TRIES} times, as a system short of memory does. "
        f"Run again with --runner local, or where there is more memory; what was finished is kept."
    )


# In the process that computes --------------------------------------------------------------------


def follow(lifeline: Connection) -> None:
    """End this process as soon as the one that holds the other end closes it or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asked for it answers it

    def watch() -> None:
        with suppress(EOFError, OSError):
            lifeline.recv()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _serve(channel: Connection, lifeline: Connection, context: dict[str, Any]) -> None:
    """Make the calls that come, as part of the flow run they belong to, until there are no more."""
    follow(lifeline)
    logging.raiseExceptions = False  # a server that is gone is told of once, elsewhere
    from prefect.context import hydrated_context
    from prefect.events.worker import EventsWorker

    with hydrated_context(_with_flow(context)), listening(channel.send):
        with suppress(EOFError, ConnectionError):  # who asked is gone
            while (job := channel.recv()) is not None:
                channel.send(_outcome(job))
        EventsWorker.instance().wait_until_empty()


def _outcome(job: _Job) -> _Outcome:
    try:
        if job.call.key() != job.key:
            raise AssayError("The program was changed while it ran. Run again.")
        return _Outcome(job.call())
    except Exception as error:  # whatever it is, it is for the process that asked
        return _Outcome(_portable(error))


def _portable(error: Exception) -> Exception:
    """Return an error as it can be sent; what it cannot carry along is where it came from."""
    trace = "".join(traceback.format_exception(error))
    try:
        sent = pickle.loads(pickle.dumps(error))
    except Exception:  # an error of any library, with anything inside
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    assert isinstance(sent, Exception)
    sent.add_note(f"In a process of its own:\n{trace}")
    return sent


def _shared_context() -> dict[str, Any]:
    """Return what Prefect knows of the flow run, without the flow: code goes by name."""
    from prefect.context import serialize_context

    context = serialize_context()
    context["flow_run_context"].pop("flow", None)
    return context


def _with_flow(context: dict[str, Any]) -> dict[str, Any]:
    from flows.main import check_hypothesis

    run = context["flow_run_context"]
    return context | {"flow_run_context": run and run | {"flow": check_hypothesis}}
