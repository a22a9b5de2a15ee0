"""How calls of stages are carried out. The pipeline is the same under each of them.

``Memoised`` answers from the store or computes and keeps; ``Unstored`` computes, for running the pipeline
thousands of times on tables that nobody will ask for again; ``tasks.policies.AsTasks`` makes each call a
Prefect task with the same key.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

from assay.stages.stage import Call, run_memoised
from assay.store.records import Record

R = TypeVar("R", bound=Record)
Run = Callable[[Call[Any]], Record]
Worker = Callable[[], AbstractContextManager[Run]]


class Execution(Protocol):
    """Carries out calls, here and in the processes that are started for them."""

    def run(self, call: Call[R]) -> R:
        """Return what a call comes to."""

    def worker(self) -> Worker:
        """Return what another process enters before it runs calls; it goes there by pickle."""

    def tagged(self, tag: str) -> AbstractContextManager[Any]:
        """Mark the calls of a block, where somebody sees it."""


class Memoised:
    """Results are answered from the store, or computed and kept there."""

    def run(self, call: Call[R]) -> R:
        return run_memoised(call)

    def worker(self) -> Worker:
        return _memoised

    def tagged(self, _tag: str) -> AbstractContextManager[Any]:
        return nullcontext()


@contextmanager
def _memoised() -> Iterator[Run]:
    yield run_memoised


class Unstored(Memoised):
    """Results are computed and handed on; no key, no events."""

    def run(self, call: Call[R]) -> R:
        return call.compute()

    def worker(self) -> Worker:
        raise NotImplementedError("calls that are not stored stay in their process")
