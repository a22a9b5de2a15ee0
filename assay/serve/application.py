"""The service of a bundle: the answers of ``predict``, over HTTP, described at ``/openapi.json``."""

import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from assay.errors import DataRefused
from assay.predict.bundle import Bundle
from assay.serve.description import Answer, Health, Refusal, body_schema, label
from assay.serve.example import example_body
from assay.serve.guard import Guard, language
from assay.serve.page import cards_of, page
from assay.serve.refusal import Refused
from assay.serve.rows import columns_in
from assay.serve.turns import Limits, Turns
from assay.wording import Sentence

THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


def application(
    bundle: Path,
    token: str | None,
    hosts: tuple[str, ...] = (),
    limits: Limits | None = None,
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
    model = Bundle.open(bundle)
    form, cards, shown = model.form, cards_of(bundle), example_body(model)
    turns = Turns(limits or Limits())
    asked = [Depends(_need(token))] if token is not None else []
    app = FastAPI(
        title=f"{form.study}, plan {form.plan}",
        description=f"Predicts {label(form)}.",
        version=str(model.manifest.get("format", 1)),
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect repeats what was asked
    )
    app.state.study, app.state.example = form.study, shown
    app.add_middleware(Guard, names=hosts or THIS_MACHINE)
    app.add_exception_handler(HTTPException, _in_a_sentence)  # type: ignore[arg-type]
    described = {"requestBody": body_schema(form)}
    refusals: dict[int | str, Any] = {
        status: {"model": Refusal} for status in (400, 401, 413, 415, 422, 503)
    }

    @app.post(
        "/predict",
        dependencies=asked,
        response_model=Answer,
        responses=refusals,
        openapi_extra=described,
    )
    async def predict(request: Request) -> Response:
        """Predict rows."""
        _check_type(request)
        async with turns.body_of(request) as body:
            work = partial(answered, model, body)
            content = await turns.work(work, len(body), request)
        return Response(content, media_type="application/json")

    @app.get("/health")
    def health() -> Health:
        """Say that it answers; nobody needs a token for that."""
        return Health(status="ok", study=form.study, plan=form.plan)

    @app.get("/example", dependencies=asked)
    def example() -> JSONResponse:
        """Return the body of a request that can be predicted."""
        return JSONResponse(shown)

    @app.get("/card", response_class=PlainTextResponse, dependencies=asked)
    def model_card(request: Request) -> PlainTextResponse:
        """Return the model card, in Markdown."""
        card = cards.get(language(request)) or cards.get("en", "")
        return PlainTextResponse(card, media_type="text/markdown; charset=utf-8")

    @app.get("/", response_class=HTMLResponse, dependencies=asked)
    def front(request: Request) -> HTMLResponse:
        """Return a page about the model for people."""
        content = page(
            form,
            shown,
            cards,
            str(request.base_url),
            turns.limits,
            needs_token=token is not None,
            language=language(request),
        )
        return HTMLResponse(content)

    @app.get("/openapi.json", include_in_schema=False, dependencies=asked)
    def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    return app


def answered(model: Bundle, body: bytes | bytearray) -> bytes:
    """Return the answer to a request's body as JSON, predicted as ``predict`` does.

    Raises
    ------
    Refused
        If it is not what the model takes.
    """
    columns = columns_in(body, model.form)
    try:
        predictions = model.predict(columns)
    except DataRefused as error:
        values = error.sentence.values
        if "cell" in values:
            values = values | {"cell": Sentence("serve.value_sent")}
        raise Refused(422, Sentence(error.sentence.key, values)) from None
    shares = predictions.probabilities.tolist()
    rows = [
        {
            "row": number,
            "prediction": prediction,
            "probabilities": dict(zip(predictions.classes, share, strict=True)),
            "remarks": remarks,
        }
        for number, (prediction, share, remarks) in enumerate(
            zip(
                predictions.prediction.tolist(),
                shares,
                predictions.remarks,
                strict=True,
            ),
            start=1,
        )
    ]
    return json.dumps({"rows": rows}, ensure_ascii=False, separators=(",", ":")).encode(
        errors="backslashreplace"
    )


def _check_type(request: Request) -> None:
    """Refuse a body that is no JSON in UTF-8, or is packed."""
    given = request.headers.getlist("content-type")
    kind, *parameters = ",".join(given).lower().split(";")
    charset = [one.strip() for one in parameters if "charset" in one]
    utf8 = charset in ([], ["charset=utf-8"], ['charset="utf-8"'])
    if kind.strip() != "application/json" or not utf8:
        raise Refused(415, Sentence("serve.content_type"))
    if any(
        one.lower() != "identity" for one in request.headers.getlist("content-encoding")
    ):
        raise Refused(415, Sentence("serve.packed"))


def _need(token: str) -> Callable[..., None]:
    bearer = HTTPBearer(auto_error=False)

    def check(
        sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        given = sent.credentials if sent else ""
        if not secrets.compare_digest(given.encode(), token.encode()):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise Refused(401, Sentence("serve.needs_token"), headers=challenge)

    return check


def _in_a_sentence(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what the router refuses: another address, another method."""
    key = "method" if error.status_code == 405 else "address"
    refused = Refused(
        error.status_code, Sentence(f"serve.other_{key}"), headers=error.headers
    )
    return refused.response(language(request))
