"""Listen at an address until interrupted, and say so on the terminal."""

import errno
import ipaddress
import socket
import sys
from pathlib import Path

import uvicorn

from assay.errors import StudyError
from assay.serve.application import THIS_MACHINE, application
from assay.serve.connection import Connection
from assay.serve.example import command
from assay.serve.turns import Limits
from assay.store.machine import cores_allowed
from assay.wording import Sentence, Value

_FEWEST_CHARACTERS = 16  # of a token
_GRACE_S = 10  # for requests that are worked on when the service ends
_MOST_OF_HEAD = 16 * 2**10  # bytes of a request before its body
_ACCEPTED_AT_ONCE, _IN_LINE = 4, 2048  # connections
_REASONS = {
    errno.EADDRINUSE: "serve.port_in_use",
    errno.EADDRNOTAVAIL: "serve.not_our_address",
    errno.EAFNOSUPPORT: "serve.not_our_address",
    errno.EACCES: "serve.port_not_allowed",
}


def serve(
    bundle: Path, host: str, port: int, token: str | None, hosts: tuple[str, ...]
) -> None:
    """Answer until interrupted.

    Raises
    ------
    StudyError
        If other machines could call without a token, or the address cannot be listened at.
    DataRefused
        If the bundle was altered.
    """
    needed = token_for(host, token)
    names = hosts or (THIS_MACHINE if is_loopback(host) else ("*",))
    limits = Limits(side_by_side=cores_allowed())
    app = application(bundle, needed, names, limits)
    with listening(host, port) as listener:
        server = Server(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                log_config=None,
                log_level="critical",  # what it logs repeats what was sent
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=_MOST_OF_HEAD,
                timeout_graceful_shutdown=_GRACE_S,
                backlog=_ACCEPTED_AT_ONCE,
            )
        )
        called = next((name for name in hosts if "*" not in name), host)
        address = _address(called, listener.getsockname()[1])
        asks = command(app.state.example, address, needs_token=needed is not None)
        _announce(app.state.study, address, asks)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            _say(Sentence("serve.ended"))
            sys.exit(130)


class Server(uvicorn.Server):
    """A server that accepts a few connections at a time, so that each can make room for the next, of a long line."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_IN_LINE)


def token_for(host: str, given: str | None) -> str | None:
    """Return the token that callers must send: what is given, none where only this machine can call.

    Raises
    ------
    StudyError
        If other machines could call without one, or it is short enough to guess.
    """
    if given is not None and len(given) < _FEWEST_CHARACTERS:
        raise StudyError("serve.short_token", n=len(given), least=_FEWEST_CHARACTERS)
    if given is None and not is_loopback(host):
        raise StudyError("serve.open_host", host=host)
    return given


def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that clients can connect to already.

    Raises
    ------
    StudyError
        If the port is taken or not allowed, or the address is not one of this machine.
    """
    values: dict[str, Value] = {"host": host, "port": port}
    try:
        [(family, *_, place), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )
        return socket.create_server(place[:2], family=family, backlog=_IN_LINE)
    except (socket.gaierror, UnicodeError):
        raise StudyError("serve.not_our_address", **values) from None
    except OSError as error:
        key = _REASONS.get(error.errno or 0)
        if key is None:
            raise
        raise StudyError(key, **values) from None


def _address(host: str, port: int) -> str:
    """Return where to find the service, from this machine."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{here}]' if ':' in here else here}:{port}/"


def _announce(study: str, address: str, asks: str) -> None:
    shown = study if study.isprintable() else repr(study)
    _say(Sentence.of("serve.listens", study=shown, address=address))
    sys.stdout.write(f"\n  {asks}\n\n")
    sys.stdout.flush()


def _say(sentence: Sentence) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
