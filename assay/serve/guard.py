"""What every request passes first: names of this service, unambiguous lengths, and one sentence for whatever goes wrong."""

import os
import re
import sys
import traceback
from collections.abc import Sequence

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.serve.refusal import Refused, language_of
from assay.wording import Language, Sentence

_HOST = re.compile(r"(?P<name>[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_SAME_FOR_ALL = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Vary": "Accept-Language",
}


class Guard:
    """The application behind its first checks.

    Parameters
    ----------
    names
        Hosts by which the service may be called, as ``*.example.org`` has them; ``*``: any.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self.app, self.names = app, tuple(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        language = language_of(headers.get("accept-language", ""))
        scope["language"] = language
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(_SAME_FOR_ALL)
            await send(message)

        try:
            self._check(scope, headers)
            await self.app(scope, receive, answer)
        except ClientDisconnect:
            return
        except Refused as refused:
            await refused.response(language)(scope, receive, answer)
        except Exception as error:
            _tell(error)
            if not begun:
                fault = Refused(500, Sentence("serve.fault"))
                await fault.response(language)(scope, receive, answer)

    def _check(self, scope: Scope, headers: Headers) -> None:
        if scope["http_version"] not in ("1.0", "1.1"):
            closed = {"Connection": "close"}
            raise Refused(400, Sentence("serve.not_http"), headers=closed)
        coded = "transfer-encoding" in headers
        if coded and ("content-length" in headers or scope["http_version"] != "1.1"):
            closed = {"Connection": "close"}
            raise Refused(400, Sentence("serve.two_lengths"), headers=closed)
        host = _HOST.fullmatch(headers.get("host", "").lower())
        if host is None or not any(_is_of(host["name"], one) for one in self.names):
            raise Refused(400, Sentence("serve.other_name"))


def _is_of(name: str, allowed: str) -> bool:
    below = allowed.startswith("*") and name.endswith(allowed[1:])
    return below or name == allowed


def language(request: Request) -> Language:
    """Return the language in which a request is answered."""
    chosen: Language = request.scope["language"]
    return chosen


def _tell(error: Exception) -> None:
    """Say on the terminal where the program failed, but not with which values: they are of whoever asked."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}assay{os.sep}" in frame.filename]
    place = f"{ours[-1].filename}:{ours[-1].lineno}"
    kind = type(error).__name__
    sys.stderr.write(f"{Sentence.of('serve.fault_at', kind=kind, place=place)}\n")
