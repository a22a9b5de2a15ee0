"""A Prefect server, its deployments and a worker for one person on this machine: ``make serve``.

Only programs of this machine reach it, and of web pages only its own. Ctrl-C ends the worker, then the server.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from assay.errors import AssayError, StudyError, why_refused
from assay.store.places import artifacts_folder
from assay.wording import Sentence, language_of_the_machine, speak
from flows.deploying import POOLS, need_server, register

_STARTS_S, _ENDS_S, _BETWEEN_S = 180, 30, 0.5
_PORT = "4200"


def main() -> int:
    """Serve until Ctrl-C, or until the server or the worker ends, and return the exit code."""
    speak(language_of_the_machine())
    settings = settings_of_one_person(os.environ.get("ASSAY_PORT") or _PORT)
    for number in (signal.SIGINT, signal.SIGTERM):  # background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as running:
            return _serve(os.environ | settings, running)
    except AssayError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def settings_of_one_person(port: str) -> dict[str, str]:
    """Return the settings of a server that nobody else can use, and of its clients."""
    address = f"http://127.0.0.1:{port}"
    return {
        "PREFECT_HOME": str(artifacts_folder().resolve() / ".prefect"),
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_SERVER_UI_API_URL": f"{address}/api",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": address,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLIENT_MAX_RETRIES": "12",
        "PREFECT_WORKER_QUERY_SECONDS": "2",  # the default is 15
    }


def _serve(settings: dict[str, str], running: ExitStack) -> int:
    address = settings["PREFECT_API_URL"]
    _need_free(int(settings["PREFECT_SERVER_API_PORT"]))
    server = running.enter_context(_started(settings, "server", "start"))
    _await(server, address)
    register(settings)
    pool = next(iter(POOLS))
    worker = running.enter_context(
        _started(settings, "worker", "start", "--pool", pool)
    )
    pages = address.removesuffix("/api")
    sys.stdout.write(f"{Sentence.of('flows.serving', address=pages)}\n")
    sys.stdout.flush()
    while server.poll() is None and worker.poll() is None:
        time.sleep(_BETWEEN_S)
    part = "server" if server.poll() is not None else "worker"
    raise AssayError("flows.ended", part=Sentence(f"flows.part.{part}"))


def _need_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise StudyError(
            "flows.port_taken", port=port, reason=why_refused(error)
        ) from None


def _await(server: "subprocess.Popen[bytes]", address: str) -> None:
    """Wait until the server answers.

    Raises
    ------
    AssayError
        If it ends first or takes too long.
    """
    last = time.monotonic() + _STARTS_S
    while server.poll() is None and time.monotonic() < last:
        try:
            need_server(address, os.environ.get("PREFECT_API_AUTH_STRING"))
        except AssayError:
            time.sleep(_BETWEEN_S)
        else:
            return
    raise AssayError("flows.server_slow", seconds=_STARTS_S)


@contextmanager
def _started(
    settings: dict[str, str], *words: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a part of Prefect that Ctrl-C does not reach by itself, and end it in its turn."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *words],
        env=settings,
        start_new_session=True,
        stdout=subprocess.DEVNULL if words[0] == "server" else None,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=_ENDS_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
