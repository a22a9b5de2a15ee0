"""Connections over the wire: nobody who is slow, silent or ambiguous keeps others out."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from assay.serve import connection
from assay.serve.application import application
from assay.serve.connection import Connection
from bench.bench_serve import answer, half_open, loaded, request
from tests.bundle_factories import make_bundle
from tests.factories import make_table

HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    made = make_bundle(tmp_path_factory.mktemp("bundle") / "b", make_table(80))
    return application(made.folder, None)


@contextlib.asynccontextmanager
async def served(app, **limits) -> AsyncIterator[int]:
    """Serve in this process, by connections of other limits; yield the port."""
    http = type("Limited", (Connection,), limits)
    config = uvicorn.Config(app, http=http, ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield listener.getsockname()[1]
        finally:
            for one in list(server.server_state.connections):
                one.transport.abort()
            await server.shutdown()


async def exchanged(port: int, sent: bytes) -> bytes:
    """Send, and return all that comes until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def body(app, n: int = 2) -> bytes:
    [row] = app.state.example["rows"]
    return json.dumps({"rows": [row] * n}).encode()


def test_200_clients_at_once_beside_60_half_open_ones_are_all_answered(app):
    async def asked():
        async with served(app) as port, half_open(port, body(app), 60):
            return await loaded(port, body(app), 200, 1)

    assert asyncio.run(asked()).statuses == {200: 200}


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST", HEAD, HEAD + b"Content-Length: 90\r\n\r\n{", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
    ids=["silent", "a word", "a head", "a body", "a chunk"],
)  # fmt: skip
def test_a_request_that_is_never_whole_is_told_so_and_closed(app, begun, monkeypatch):
    monkeypatch.setattr(connection, "_LOOK_S", 0.02)

    async def asked() -> bytes:
        async with served(app, client_s=0.1) as port:
            return await exchanged(port, begun)

    told = asyncio.run(asked())
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"was not complete after 0 seconds" in told


def test_an_answer_that_is_never_read_is_dropped(app, monkeypatch):
    monkeypatch.setattr(connection, "_LOOK_S", 0.02)

    async def asked() -> None:
        async with served(app, client_s=0.3) as port:
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", port))
            _, writer = await asyncio.open_connection(sock=client, limit=1)
            with contextlib.suppress(ConnectionError):
                while True:  # until the other side has had enough of it
                    writer.write(request(body(app, 100)) * 10)
                    await writer.drain()
            writer.close()

    asyncio.run(asyncio.wait_for(asked(), 60))


def test_one_connection_too_many_closes_the_one_that_waits_longest(app):
    async def asked() -> tuple[bytes, int]:
        async with served(app, most=3) as port:
            first = asyncio.create_task(exchanged(port, b"POST"))
            await asyncio.sleep(0.05)
            others = [
                await asyncio.open_connection("127.0.0.1", port) for _ in range(3)
            ]
            closed = await first
            reader, writer = others[-1]
            writer.write(request(body(app)))
            status, _ = await answer(reader)
            for _, other in others:
                other.close()
            return closed, status

    assert asyncio.run(asked()) == (b"", 200)


def test_connections_that_send_nothing_make_room_before_a_request_that_is_being_sent(
    app,
):
    async def asked() -> int:
        async with served(app, most=3) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            whole = request(body(app))
            writer.write(whole[:-5])
            await asyncio.sleep(0.05)
            silent = [
                await asyncio.open_connection("127.0.0.1", port) for _ in range(6)
            ]
            await asyncio.sleep(0.05)
            writer.write(whole[-5:])
            status, _ = await answer(reader)
            for _, other in (*silent, (reader, writer)):
                other.close()
            return status

    assert asyncio.run(asked()) == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n\r\n",
        b"secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"secret" * 4_000,
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nsecret\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n",
    ],
    ids=["tls", "no host", "a word", "a long head", "two", "both", "http 1.0", "a blank", "a chunk", "http 2.0"],
)  # fmt: skip
def test_what_is_no_request_or_has_two_lengths_is_one_sentence_and_the_end(app, sent):
    async def asked() -> bytes:
        async with served(app) as port:
            return await exchanged(port, sent + b"\r\nGET /health HTTP/1.1\r\n\r\n")

    told = asyncio.run(asked())
    assert told.startswith(b"HTTP/1.1 400 ")
    assert told.count(b"HTTP/1.1 ") == 1
    assert b"secret" not in told
