"""How much is worked on at once: bodies that are held in memory, and predictions, for which the others wait in line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from assay.serve.refusal import Refused, busy
from assay.wording import Sentence

_SMALL = 64 * 2**10  # bytes of a body that counts for nothing


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may use.

    Attributes
    ----------
    body, bodies
        Bytes of a request, and of all that are held at once.
    side_by_side
        Predictions at once of small requests; of large ones one at a time is made.
    waiting, wait_s
        Requests in line, and how long they stay there.
    """

    body: int = 16 * 2**20
    bodies: int = 256 * 2**20
    side_by_side: int = 2
    large: int = 2**20
    waiting: int = 256
    wait_s: float = 30.0


class Turns:
    """Requests take turns here; those beyond the limits are told to come again."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._held = self._n_waiting = 0
        self._small = asyncio.Semaphore(limits.side_by_side)
        self._large = asyncio.Semaphore(1)

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

    @asynccontextmanager
    async def turn(self, n_bytes: int) -> AsyncIterator[None]:
        """Wait until a request of this size may be worked on.

        Raises
        ------
        Refused
            If too many wait, or it waited too long.
        """
        line = self._large if n_bytes > self.limits.large else self._small
        if self._n_waiting >= self.limits.waiting:
            raise busy()
        self._n_waiting += 1
        try:
            async with asyncio.timeout(self.limits.wait_s):
                await line.acquire()
        except TimeoutError:
            raise busy() from None
        finally:
            self._n_waiting -= 1
        try:
            yield
        finally:
            line.release()


def _too_large(most: int) -> Refused:
    return Refused(413, Sentence.of("serve.too_large", most=most))
