"""Progress: what stages announce to whoever watches. It never decides anything.

Nothing here can change a result.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from assay.wording import Sentence


@dataclass(frozen=True)
class Begun:
    """A plan begins."""

    plan: str
    claim: str


@dataclass(frozen=True)
class Ahead:
    """How many calls of a stage are to come, stored ones included."""

    stage: str
    total: int


@dataclass(frozen=True)
class Started:
    """A stage begins; ``label`` says which plan, repeat and fold."""

    stage: str
    label: str


@dataclass(frozen=True)
class Step:
    """A step inside a stage, such as ``permutations`` 12 of 48."""

    what: Sentence
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A stage has ended; ``stored`` if its result was read from the store."""

    stage: str
    label: str
    seconds: float
    stored: bool
    summary: Sentence | str


@dataclass(frozen=True)
class Audited:
    """A stored result was computed again and is equal."""

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


def report(key: str, done: int, total: int) -> None:
    """Announce that ``done`` of ``total`` are finished; ``key`` is that of their name in the catalogue."""
    announce(Step(Sentence.of(key), done, total))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand every event inside the block to ``listener``."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
