"""Requests to the prediction service, damaged: a case for :mod:`bench.fuzz`.

The bytes go through a socket to the service in this process. It must answer each with a prediction or with one
sentence, never with a fault of its own, and never with what was sent, but for remarks on values that are new.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from assay.errors import DataRefused
from assay.serve import connection
from assay.serve.application import application
from assay.serve.connection import Connection
from bench.mutate import mutated

MARK = "zq9marked"  # nothing of ours contains it
_REMARK = re.compile(rb'"remarks":"[^"]*"')
_CLIENT_S = 0.02
_ODD: tuple[Any, ...] = (
    *(None, "", MARK, -1, 1e308, True, [], [MARK], {}, {MARK: 1}, "\ud800", "\x00"),
    *(10**30, 10**400, float("nan"), float("inf"), "2026-02-30", "서울", "a" * 5000),
)
_HEADS = (
    "POST /predict HTTP/1.1",
    "POST /predict HTTP/1.0",
    "GET /predict HTTP/1.1",
    "GET / HTTP/1.1",
    "GET /example HTTP/1.1",
    "GET /card HTTP/1.1",
    "GET /openapi.json HTTP/1.1",
    f"GET /{MARK} HTTP/1.1",
)
_FURTHER = (
    *("Accept-Language: ko", "Accept-Language: en;q=x, ko;q=9, *", "Expect: 100-continue"),
    *("Content-Encoding: gzip", "Transfer-Encoding: chunked", "Content-Length: 3"),
    *("Content-Type: text/plain", "Upgrade: websocket", "Connection: upgrade", "Host: a"),
    *(f"Authorization: Bearer {MARK}", f"Cookie: {MARK}=1", f"{MARK}: {MARK}"),
)  # fmt: skip


class Wrong(AssertionError):
    """The service failed, or repeated what was sent."""


def request_case(draw: random.Random, folder: Path) -> str:
    """Send a request, or refuse as the service does."""
    del folder
    sent = _request(draw)
    answer = asyncio.run(_answer(sent))
    status, _, body = answer.partition(b"\r\n\r\n")
    code = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    if code is None:
        raise Wrong(f"no answer to {sent[:2000]!r}")
    if MARK.encode() in _REMARK.sub(b"", answer):
        raise Wrong(f"what was sent is repeated: {answer[:2000]!r}")
    if code[1].startswith(b"5") and code[1] != b"503":
        raise Wrong(f"{status!r} to {sent[:2000]!r}")
    if code[1].startswith(b"4"):
        content, _ = json.JSONDecoder().raw_decode(body.decode())
        raise DataRefused(content["detail"])
    return code[1].decode()


def _request(draw: random.Random) -> bytes:
    [head] = draw.choices(_HEADS, weights=(20, 2, 1, 1, 1, 1, 1, 1))
    row = {name: _cell(draw, cell) for name, cell in _example().items()}
    table: Any = {"rows": [row | {MARK: MARK}] * draw.choice((1, 1, 1, 2, 500))}
    if draw.random() < 0.1:
        table = draw.choice(_ODD)
    body = json.dumps(table, ensure_ascii=draw.random() < 0.5).encode(errors="replace")
    if draw.random() < 0.4:
        body = mutated(body, draw)
    lines = [head, "Host: 127.0.0.1", "Connection: close"]
    if draw.random() < 0.95:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += draw.choices(_FURTHER, k=draw.choice((0, 0, 0, 1, 2)))
    whole = "\r\n".join([*lines, "", ""]).encode() + body
    return mutated(whole, draw) if draw.random() < 0.3 else whole


def _cell(draw: random.Random, cell: Any) -> Any:
    return draw.choice(_ODD) if draw.random() < 0.1 else cell


async def _answer(sent: bytes) -> bytes:
    """Return all that the service answers until it closes."""
    loop, (config, _) = asyncio.get_running_loop(), _service()
    near, far = socket.socketpair()
    state = ServerState()
    _, protocol = await loop.connect_accepted_socket(
        lambda: _Quick(config, state, {}, loop), far
    )
    near.setblocking(False)
    received = bytearray()
    try:
        with contextlib.suppress(ConnectionError):  # refused before it was all sent
            await loop.sock_sendall(near, sent)
        with near, contextlib.suppress(ConnectionError):
            while part := await loop.sock_recv(near, 2**16):
                received += part
    finally:
        protocol.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
    return bytes(received)


class _Quick(Connection):
    """A connection that soon gives up on the rest of a request."""

    client_s = _CLIENT_S


@cache
def _service() -> tuple[uvicorn.Config, dict[str, Any]]:
    from tests.bundle_factories import make_bundle
    from tests.factories import make_table

    connection._LOOK_S = _CLIENT_S / 2
    with tempfile.TemporaryDirectory() as folder:
        app = application(make_bundle(Path(folder) / "b", make_table(80)).folder, None)
    config = uvicorn.Config(app, http=_Quick, ws="none", log_config=None, log_level="critical")  # fmt: skip
    config.load()
    return config, app.state.example["rows"][0]


def _example() -> dict[str, Any]:
    return _service()[1]
