"""A Prefect server for one check. It ends with the process that started it, however that ends.

Prefect's own temporary server outlives a killed parent, and makes the parent load the server's
code as well. This one reads its standard input, which closes when the parent is gone.
"""

import asyncio
import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn

_ROOT = Path(__file__).resolve().parent.parent
_GRACE_S = 5
# What Prefect sets for its own temporary server: no pages, no services nobody waits for.
_TEMPORARY = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


@contextmanager
def prefect_server() -> Iterator[None]:
    """Run the block against the server the settings name, or against a temporary one.

    Raises
    ------
    RuntimeError
        If the temporary server does not start; the message ends with what it said.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if PREFECT_API_URL.value():
        yield
        return
    with temporary_settings({PREFECT_API_URL: _start()}):
        yield


def _start() -> str:
    """Start the server, wait until it answers, and return its address."""
    log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 (the server keeps it)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.server"],
        cwd=_ROOT,
        env=os.environ | _TEMPORARY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,  # a signal to all of us must not take it before those who call it
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # Prefect still sends events while the interpreter ends; what is registered first ends last.
    atexit.register(_stop, process)
    port = process.stdout.readline().strip()
    if not port:
        log.seek(0)
        raise RuntimeError(
            f"Prefect's temporary server did not start. {log.read()[-2000:]}"
        )
    return f"http://127.0.0.1:{port}/api"


def _stop(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve() -> None:
    """Serve on a free port of the loopback interface, print the port, and end when stdin closes."""
    import uvicorn
    from prefect.server.api.server import create_app

    class Announced(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            sys.stdout.write(f"{port}\n")
            sys.stdout.flush()

    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
        server = Announced(
            uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on")
        )
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
        asyncio.run(server.serve(sockets=[place]))


def _end_with_parent(server: "uvicorn.Server") -> None:
    sys.stdin.read()
    server.should_exit = True
    threading.Event().wait(_GRACE_S)
    os._exit(0)


if __name__ == "__main__":
    serve()
