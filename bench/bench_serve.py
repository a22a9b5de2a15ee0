"""``assay serve`` under many clients at once, some of whom never finish their request or never read their answer.

    python -m bench.bench_serve [--clients=200] [--requests=10] [--half-open=60] [--rows=10] [--bundle=RUN] [--json]

A service of its own answers ``--clients`` connections that ask ``--requests`` times each, all at once, while
``--half-open`` others trickle a head, trickle a body, or ask and never read. Told are the share of requests that
were answered, with which status, requests per second, the median and the 99th percentile of the time to an
answer, and the peak memory of the service. Times depend on the machine; the share answered must not.
"""

import argparse
import asyncio
import collections
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.program import ROOT, environment

_TRICKLE_S = 0.5
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Load:
    """What came of requests that were made at once; ``statuses`` has 0 for no answer."""

    statuses: dict[int, int]
    seconds: float
    median_s: float
    p99_s: float

    @property
    def share_answered(self) -> float:
        return self.statuses.get(200, 0) / sum(self.statuses.values())


def request(body: bytes, path: str = "/predict") -> bytes:
    """Return a request as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def loaded(port: int, body: bytes, n_clients: int, n_requests: int) -> Load:
    """Ask from many connections at once."""
    begun = time.perf_counter()
    clients = [_client(port, request(body), n_requests) for _ in range(n_clients)]
    answers = [one for answers in await asyncio.gather(*clients) for one in answers]
    waits = [wait for _, wait in answers]
    return Load(
        dict(collections.Counter(status for status, _ in answers)),
        time.perf_counter() - begun,
        float(np.median(waits)),
        float(np.quantile(waits, 0.99)),
    )


async def _client(port: int, sent: bytes, n: int) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []
    for _ in range(n):
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                status, _ = await asked(port, sent)
        except (OSError, TimeoutError, EOFError):
            status = 0
        answers.append((status, time.perf_counter() - begun))
    return answers


async def asked(port: int, sent: bytes) -> tuple[int, bytes]:
    """Return the answer to a request over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await answer(reader)
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the status and the body of an answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
    body = await reader.readexactly(int(length[1])) if length else b""
    return int(head.split(" ", 2)[1]), body


@asynccontextmanager
async def half_open(port: int, body: bytes, n: int) -> AsyncIterator[None]:
    """Hold connections that never finish: a third each in the head, in the body, in reading the answer."""
    whole = request(body)
    ways = (whole[:20], whole[: -len(body) // 2], whole * 200)
    tasks = [
        asyncio.create_task(_trickle(port, ways[k % 3], reads=k % 3 < 2))
        for k in range(n)
    ]
    try:
        await asyncio.sleep(_TRICKLE_S if tasks else 0)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _trickle(port: int, begun: bytes, *, reads: bool) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    try:
        writer.write(begun)
        while not writer.is_closing():
            await asyncio.sleep(_TRICKLE_S)
            if reads:
                writer.write(b"a")
    finally:
        writer.transport.abort()


# A service of its own -----------------------------------------------------------------------------


def _heed_interrupts() -> None:
    """Undo what a shell does to programs that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def service(
    bundle: Path, *options: str, **settings: str
) -> Iterator[tuple[psutil.Process, int, str]]:
    """Run the service; yield its process, its port, and what it said when it began to listen.

    Parameters
    ----------
    settings
        Of its environment.
    """
    command = [sys.executable, "-m", "assay", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environment() | settings,
        preexec_fn=_heed_interrupts,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        port = re.search(r"http://\S+?:(\d+)/", first)
        if port is None:
            raise RuntimeError(first + process.stdout.read())
        opening = first + "".join(process.stdout.readline() for _ in range(3))
        try:
            yield psutil.Process(process.pid), int(port[1]), opening
        finally:
            process.terminate()
            process.wait()


def measured(bundle: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a load, without and with connections that never finish."""
    with service(bundle) as (process, port, _):
        body = asyncio.run(_body(port, options.rows))
        figures: dict[str, Any] = {"idle_mb": _peak_mb(process)}
        for name, n_half_open in (("alone", 0), ("beside", options.half_open)):
            before = sum(process.cpu_times()[:2])
            load = asyncio.run(_measured(port, body, n_half_open, options))
            n = sum(load.statuses.values())
            figures[name] = asdict(load) | {
                "share_answered": load.share_answered,
                "requests_a_s": n / load.seconds,
                "requests_a_cpu_s": n / (sum(process.cpu_times()[:2]) - before),
            }
        figures["peak_mb"] = _peak_mb(process)
    return figures


async def _measured(
    port: int, body: bytes, n_half_open: int, options: argparse.Namespace
) -> Load:
    async with half_open(port, body, n_half_open):
        return await loaded(port, body, options.clients, options.requests)


async def _body(port: int, n_rows: int) -> bytes:
    ask = b"GET /example HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    _, body = await asked(port, ask)
    [row] = json.loads(body)["rows"]
    return json.dumps({"rows": [row] * n_rows}).encode()


def _peak_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():  # not Linux: what it holds now
        return float(process.memory_info().rss) / 1e6
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
    return int(peak) * 1024 / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=10)
    parser.add_argument("--half-open", type=int, default=60)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(options.bundle or _made(Path(folder)), options)
    for name, words in (
        ("alone", f"{options.clients} clients"),
        ("beside", f"the same beside {options.half_open} half-open connections"),
    ):
        one = figures[name]
        print(
            f"{words}: {one['share_answered']:.1%} of {sum(one['statuses'].values()):,} requests of {options.rows} rows "
            f"answered ({one['statuses']}), {one['requests_a_s']:,.0f} a s, {one['requests_a_cpu_s']:,.0f} a CPU-s, "
            f"median {one['median_s'] * 1e3:,.0f} ms, 99 % within {one['p99_s'] * 1e3:,.0f} ms"
        )
    print(
        f"memory: {figures['idle_mb']:.0f} MB idle, {figures['peak_mb']:.0f} MB at most"
    )
    if options.json:
        print(json.dumps(figures))


def _made(folder: Path) -> Path:
    from tests.bundle_factories import make_bundle
    from tests.factories import make_table

    return make_bundle(folder / "bundle", make_table(80)).folder


if __name__ == "__main__":
    main(sys.argv[1:])
