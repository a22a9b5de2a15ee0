"""A small service that predicts from one bundle: the answers of ``predict``, over HTTP.

It listens on this machine alone, or asks for a token. What it takes and gives is described at
``/openapi.json``, made from the bundle's own columns.
"""

import ipaddress
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    create_model,
)
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.errors import DataRefused, StudyError
from assay.predict.bundle import Bundle
from assay.predict.manifest import CARD, verified
from assay.predict.schema import Column
from assay.wording import Sentence, Value

MOST_ROWS = 10_000  # of a request
MOST_BYTES = 16 * 2**20
_MOST_AT_ONCE = 32  # requests; the others are told to come again
_FEWEST_LETTERS = 16  # of a token
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


class Health(BaseModel):
    """That it answers, and for what."""

    status: str
    study: str
    plan: str


class Predicted(BaseModel):
    """What is predicted of one row."""

    row: int = Field(description="Its number in the request, from 1.")
    prediction: str | float
    probabilities: dict[str, float] = Field(
        description="Of each class; empty where a number is predicted."
    )
    remarks: str = Field(
        description="What is outside of what training saw; empty where nothing is."
    )


class Answer(BaseModel):
    """What is predicted of every row, in the order of the request."""

    rows: list[Predicted]


class Refusal(BaseModel):
    """Why nothing is predicted, in a sentence."""

    detail: str


def application(
    bundle: Path, token: str | None, hosts: tuple[str, ...] = ()
) -> FastAPI:
    """Return the service of a bundle.

    Parameters
    ----------
    token
        What every caller must send as ``Authorization: Bearer``; None: nobody is asked.
    hosts
        Names by which it may be called; none: those of this machine. A page of the web that was
        given this machine's address under another name is not answered.

    Raises
    ------
    StudyError, DataRefused
        If there is no bundle, or it was altered.
    """
    opened, card = Bundle.open(bundle), _card(bundle)
    asked = [Depends(_need(token))] if token is not None else []
    app = FastAPI(
        title=f"{opened.form.study}, plan {opened.form.plan}",
        description=_text("predicts", label=opened.form.label),
        version=str(opened.manifest.get("format", 1)),
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None if token is not None else "/openapi.json",
        responses={422: {"model": Refusal}},
    )
    app.add_middleware(Limited)
    if "*" not in hosts:
        app.add_middleware(
            TrustedHostMiddleware, allowed_hosts=[*(hosts or _THIS_MACHINE)]
        )
    _speak_in_sentences(app)
    rows = _rows_of(opened)

    @app.post("/predict", dependencies=asked)
    def predict(table: rows) -> Answer:  # type: ignore[valid-type]
        """Predict rows."""
        return _answered(opened, table.rows)  # type: ignore[attr-defined]

    @app.get("/health")
    def health() -> Health:
        """Say that it answers; nobody needs a token for that."""
        return Health(status="ok", study=opened.form.study, plan=opened.form.plan)

    @app.get("/card", response_class=PlainTextResponse, dependencies=asked)
    def model_card() -> PlainTextResponse:
        """Return the model card, in Markdown."""
        return PlainTextResponse(card, media_type="text/markdown; charset=utf-8")

    if token is not None:

        @app.get("/openapi.json", include_in_schema=False, dependencies=asked)
        def described() -> JSONResponse:
            return JSONResponse(app.openapi())

    return app


def _answered(bundle: Bundle, rows: list[Any]) -> Answer:
    """Predict rows as ``predict`` does.

    Raises
    ------
    HTTPException
        If a cell is not what it must be; the detail is the sentence.
    """
    columns = {
        column.name: [getattr(row, f"c{number}") for row in rows]
        for number, column in enumerate(bundle.form.columns)
    }
    try:
        predictions = bundle.predict(columns)
    except DataRefused as refused:
        raise HTTPException(422, str(refused)) from None
    shares = predictions.probabilities.tolist()
    return Answer(
        rows=[
            Predicted(
                row=number + 1,
                prediction=predictions.prediction[number],
                probabilities=dict(
                    zip(predictions.classes, shares[number], strict=True)
                ),
                remarks=predictions.remarks[number],
            )
            for number in range(len(rows))
        ]
    )


def _rows_of(bundle: Bundle) -> type[BaseModel]:
    """Return what a request holds: rows with a cell for each column that prediction needs."""
    cells: dict[str, Any] = {
        f"c{number}": (_cell(column), Field(alias=column.name))
        for number, column in enumerate(bundle.form.columns)
    }
    row = create_model("Row", __config__=ConfigDict(extra="ignore"), **cells)
    return create_model(
        "Table",
        __config__=ConfigDict(extra="forbid"),
        rows=(
            Annotated[list[row], Field(min_length=1, max_length=MOST_ROWS)],
            ...,
        ),
    )


def _cell(column: Column) -> Any:
    number = Annotated[StrictInt | StrictFloat, Field(allow_inf_nan=False)]
    match column.kind:
        case "boolean":
            return StrictBool | None
        case "number" | "whole":
            return number | None
        case _:
            return Annotated[StrictStr, Field(max_length=2**20)] | None


# Who may ask, and how much -----------------------------------------------------------------------


def _need(token: str) -> Callable[..., None]:
    bearer = HTTPBearer(auto_error=False)

    def check(
        sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        given = sent.credentials if sent else ""
        if not secrets.compare_digest(given.encode(), token.encode()):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, _text("needs_token"), challenge)

    return check


def token_for(host: str, given: str | None) -> str | None:
    """Return the token that callers must send: what is given, none where only this machine can call.

    Raises
    ------
    StudyError
        If other machines could call without one, or it is short enough to guess.
    """
    if given is not None and len(given) < _FEWEST_LETTERS:
        raise StudyError("cli.service.short_token", n=len(given), least=_FEWEST_LETTERS)
    if given is None and not is_loopback(host):
        raise StudyError("cli.service.open_host", host=host)
    return given


def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Limited:
    """Refuse a body of more than ``MOST_BYTES``, whatever its head says of its length."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        taken, parts, more = 0, [], True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            parts.append(message.get("body", b""))
            taken += len(parts[-1])
            more = message.get("more_body", False)
            if taken > MOST_BYTES:
                refusal = JSONResponse(
                    {"detail": _text("too_large", most=MOST_BYTES)}, 413
                )
                await refusal(scope, receive, send)
                return
        whole = iter([{"type": "http.request", "body": b"".join(parts)}])

        async def again() -> Message:
            return next(whole, None) or await receive()

        await self.app(scope, again, send)


def _speak_in_sentences(app: FastAPI) -> None:
    """Answer a request that does not fit the description with a sentence, not with what it held."""

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part != "body"]
        where = " ".join(place[:4])[:200] or _text("body")
        detail = _text("invalid", place=where, reason=first["msg"])
        return JSONResponse({"detail": detail}, 422)


def _card(bundle: Path) -> str:
    return verified(bundle).contents.get(CARD, b"").decode()


def _text(key: str, **values: Value) -> str:
    return str(Sentence.of(f"cli.service.{key}", **values))


def serve(
    bundle: Path, host: str, port: int, token: str | None, hosts: tuple[str, ...]
) -> None:
    """Answer until interrupted."""
    import uvicorn

    needed = token_for(host, token)
    names = hosts or (_THIS_MACHINE if is_loopback(host) else ("*",))
    app: Any = application(bundle, needed, names)
    uvicorn.run(
        app,
        host=host,
        port=port,
        limit_concurrency=_MOST_AT_ONCE,
        log_level="warning",
        server_header=False,
    )
