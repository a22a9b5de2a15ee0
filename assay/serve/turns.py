"""How much is worked on at once: bodies that are held in memory, and predictions, for which the others wait in line."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from assay.serve.refusal import Refused, busy
from assay.wording import Sentence

T = TypeVar("T")
_SMALL = 64 * 2**10  # bytes of a body that counts for nothing


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may use.

    Attributes
    ----------
    body, bodies
        Bytes of a request, and of all that are held at once.
    side_by_side, large
        Predictions at once of small requests, and beyond how many bytes one is large: of these one at a time is made.
    waiting, wait_s
        Requests in the line of small ones, in that of large ones, and how long they stay there.
    """

    body: int = 16 * 2**20
    bodies: int = 256 * 2**20
    side_by_side: int = 2
    large: int = 128 * 2**10
    waiting: int = 256
    wait_s: float = 30.0


class Turns:
    """Requests take turns here; those beyond the limits are told to come again."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._held = 0
        self._small, self._large = _Line(limits.side_by_side), _Line(1)

    @asynccontextmanager
    async def body_of(self, request: Request) -> AsyncIterator[bytearray]:
        """Hold a request's body.

        Raises
        ------
        Refused
            If it is too large, or too much is held already.
        """
        most = self.limits.body
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > most:
            raise _too_large(most)
        body, counted = bytearray(), 0
        try:
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise _too_large(most)
                more = max(0, len(body) - _SMALL) - counted
                if self._held + more > self.limits.bodies:
                    raise busy()
                self._held += more
                counted += more
            yield body
        finally:
            self._held -= counted

    async def work(self, work: Callable[[], T], n_bytes: int, request: Request) -> T:
        """Return what work on a request of this size gives, done in a thread when its turn has come.

        Raises
        ------
        Refused
            If too many wait, it waited too long, or its client has gone; or if the work does.
        """
        line = self._large if n_bytes > self.limits.large else self._small
        if line.n_waiting >= self.limits.waiting:
            raise busy()
        line.n_waiting += 1
        try:
            async with asyncio.timeout(self.limits.wait_s):
                await line.free.acquire()
        except TimeoutError:
            raise busy() from None
        finally:
            line.n_waiting -= 1
        try:
            if await request.is_disconnected():
                raise busy()  # nobody reads it
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(line.threads, _settled, work)
        finally:
            line.free.release()
        if isinstance(result, Refused):
            raise result
        return result


class _Line:
    """Threads, few, because each keeps the memory that it once needed; how many are free, and how many requests wait."""

    def __init__(self, n: int) -> None:
        self.n_waiting = 0
        self.threads, self.free = ThreadPoolExecutor(n), asyncio.Semaphore(n)


def _settled(work: Callable[[], T]) -> T | Refused:
    """Return what work gives, or its refusal without the frames, and thereby the rows, that it was raised in."""
    try:
        return work()
    except Refused as refused:
        return refused.anew()


def _too_large(most: int) -> Refused:
    return Refused(413, Sentence.of("serve.too_large", most=most))
