"""A Prefect server for one check, which ends with the process that started it, even with a killed one.

Prefect's own temporary server outlives a killed parent, and the parent loads the server's code too. This one
reads its standard input, which closes when the parent is gone.
"""

import asyncio
import atexit
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay.errors import StudyError, Unreachable
from flows.settings import read_no_files

if TYPE_CHECKING:
    import uvicorn

_ROOT = Path(__file__).resolve().parent.parent
_GRACE_S = 5
# Prefect's settings for its own temporary server: no web pages, no background services.
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
    StudyError
        If the named server is beyond this machine and no password is set for it.
    Unreachable
        If it does not answer, or the temporary server does not start; passwords are left out.
    """
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_KEY,
        PREFECT_API_URL,
        temporary_settings,
    )

    address = PREFECT_API_URL.value()
    password = PREFECT_API_AUTH_STRING.value() or PREFECT_API_KEY.value()
    settings: dict[Any, str] = {}
    if address:
        need_password(address, password)
    else:  # other users of this machine and web pages do not have the password
        password = f"assay:{secrets.token_urlsafe(24)}"
        address = _start(password)
        settings = {PREFECT_API_URL: address, PREFECT_API_AUTH_STRING: password}
    with temporary_settings(settings), server_errors(address):
        yield


def need_password(address: str, password: object) -> None:
    """Refuse a server on another machine without a password: anyone could start programs on its workers.

    Raises
    ------
    StudyError
        If there is no password for an address beyond loopback.

    Examples
    --------
    >>> need_password("http://127.0.0.1:4200/api", None)
    """
    host = urlsplit(address).hostname or ""
    if not password and not _is_loopback(host):
        raise StudyError("flows.no_password", host=host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@contextmanager
def server_errors(address: str) -> Iterator[None]:
    """Turn what a Prefect server did not answer, or refused, into one sentence."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, RuntimeError) as error:
        cause = error if isinstance(error, httpx.HTTPError) else error.__cause__
        shown = without_secrets(address)
        if isinstance(cause, httpx.HTTPStatusError):
            status = cause.response.status_code
            if status in (401, 403):
                raise Unreachable(
                    "flows.server_login", address=shown, status=status
                ) from None
            raise Unreachable(
                "flows.server_status", address=shown, status=status
            ) from None
        if isinstance(cause, httpx.HTTPError):
            raise Unreachable("flows.server_silent", address=shown) from None
        raise


def without_secrets(text: str) -> str:
    """Return a text without the passwords of addresses in it.

    Examples
    --------
    >>> without_secrets("could not reach postgresql://me:secret@db/prefect")
    'could not reach postgresql://***@db/prefect'
    """
    return re.sub(r"://[^/\s]*@", "://***@", text)


def _start(password: str) -> str:
    """Start the server, wait until it answers, and return its address."""
    log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 (the server keeps it)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.server"],
        cwd=_ROOT,
        env=os.environ | _TEMPORARY | {"PREFECT_SERVER_API_AUTH_STRING": password},
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
        last = (log.read().strip().splitlines() or ["-"])[-1]
        reason = without_secrets(last)[:500]
        raise Unreachable("flows.server_not_started", reason=reason)
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
    read_no_files()
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
