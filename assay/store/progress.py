"""Progress: what stages announce to whoever watches. It never decides anything.

Stages report; a terminal, a test or nobody listens. Nothing here can change a result.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from assay.wording import Sentence


@dataclass(frozen=True)
class Begun:
    """A plan is taken up."""

    plan: str
    claim: str


@dataclass(frozen=True)
class Ahead:
    """So many calls of a stage lie ahead, stored ones among them."""

    stage: str
    total: int


@dataclass(frozen=True)
class Started:
    """A stage begins; ``label`` says which plan, repeat and fold."""

    stage: str
    label: str


@dataclass(frozen=True)
class Step:
    """One thing done inside a stage, such as ``permutations 12 of 48``."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A stage has ended; ``stored`` when its result was there already."""

    stage: str
    label: str
    seconds: float
    stored: bool
    summary: Sentence | str


@dataclass(frozen=True)
class Audited:
    """A stored result was computed again, and is the same."""

    stage: str
    label: str
    seconds: float


Event = Begun | Ahead | Started | Step | Finished | Audited
Listener = Callable[[Event], None]

_listeners: list[Listener] = []


def announce(event: Event) -> None:
    """Hand an event to every listener."""
    for listener in _listeners:
        listener(event)


def report(what: str, done: int, total: int) -> None:
    """Announce that ``done`` of ``total`` are finished."""
    announce(Step(what, done, total))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand every event inside the block to ``listener``."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
