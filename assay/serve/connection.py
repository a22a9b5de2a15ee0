"""Connections that cannot keep others out: each has so long to send a request and to read the answer.

uvicorn's own limits count connections, whoever sits on them, and it waits for ever for the rest of a
request. Here a connection costs little until its request is whole; one too many closes the one that has
waited longest for its client, of those that have sent no request if there are such.
"""

import asyncio
import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from assay.wording import Sentence

_LOOK_S = 1.0
_FEWEST = 16  # connections
_OTHER_FILES = 48  # that the process has open beside its connections


def most_connections() -> int:
    """Return how many connections are held: 512, or what the limit of open files leaves."""
    try:
        import resource
    except ImportError:  # Windows
        return 512
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(512, max(_FEWEST, allowed - _OTHER_FILES))


class Connection(H11Protocol):
    """A connection of one client.

    Attributes
    ----------
    client_s
        How long it waits for its client: for a request from its first byte to its last, and then for the
        answer to be read.
    most, most_unread
        Connections, and bytes of answers that nobody has read yet, of all of them.
    """

    client_s = 60.0
    most = most_connections()
    most_unread = 256 * 2**20

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(_LOOK_S, self._look)
        if len(self.connections) > self.most:
            self._close_longest(self._others())

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()
        unread = {one: one.n_unread for one in self._others() if one.n_unread}
        if sum(unread.values()) > self.most_unread:
            self._close_longest(unread)

    def shutdown(self) -> None:
        if self.waits and not self.n_unread:
            self.transport.abort()  # the service ends, and does not wait for the rest of a request
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        self._refuse(400, Sentence("serve.not_http"))

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: to send the rest of a request, or to read."""
        cycle = self.cycle
        working = cycle and not cycle.more_body and not cycle.response_complete
        return not working or self.flow.write_paused

    @property
    def has_begun(self) -> bool:
        """Whether the client has sent the head of a request; one that sent nothing is closed before it."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def n_unread(self) -> int:
        return self.transport.get_write_buffer_size()

    def _others(self) -> list["Connection"]:
        return [one for one in self.connections if isinstance(one, Connection)]

    def _close_longest(self, among: Iterable["Connection"]) -> None:
        waiting = [one for one in among if one.waits]
        if waiting:
            longest = min(waiting, key=lambda one: (one.has_begun, one._since))
            self.connections.discard(longest)
            longest.transport.abort()

    def _look(self) -> None:
        now = self.loop.time()
        if not self.waits:
            self._since = now
        elif now - self._since > self.client_s:
            self._end()
        self._timer = self.loop.call_later(_LOOK_S, self._look)

    def _end(self) -> None:
        answered = self.cycle is not None and self.cycle.response_started
        if self.n_unread or answered or self.transport.is_closing():
            self.transport.abort()
        else:
            self._refuse(408, Sentence.of("serve.too_slow", seconds=self.client_s))

    def _refuse(self, status: int, sentence: Sentence) -> None:
        """Answer what is no request, outside of the application, and close."""
        body = json.dumps({"detail": str(sentence)}, ensure_ascii=False).encode()
        head: dict[str, Any] = {
            "Content-Type": "application/json",
            "Content-Length": len(body),
            "Connection": "close",
        }
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in head.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()
