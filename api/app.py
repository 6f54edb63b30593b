"""The HTTP door: routes, error handlers and the envelope around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.auth import Guard
from api.errors import ErrorReply, error_reply
from api.request import Envelope, UnsupportedMediaType, as_response
from api.routes import (
    attachments,
    conversations,
    docs,
    files,
    indexing,
    models,
    page,
    responses,
    search,
    uploads,
    vector_stores,
    verify,
    websocket,
)
from retrieval.errors import FileSearchError
from retrieval.types import PageRequest

if TYPE_CHECKING:
    from api.engine import Engine

METHODS = ("DELETE", "GET", "POST")
MODULES = (
    files,
    uploads,
    vector_stores,
    attachments,
    indexing,
    search,
    models,
    responses,
    websocket,
    conversations,
    verify,
    page,
    docs,
)


def create_app(engine: Engine) -> FastAPI:
    """The web application on `engine`, which the caller opens and closes.

    The framework's own documentation is off: it knows no body of ours, and its pages load
    scripts from elsewhere; `routes/docs.py` has another. A trailing slash is another path,
    because a redirect would lose the body of a POST.
    """
    app = FastAPI(
        title="Sourcebook",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Guard, engine=engine)
    app.add_middleware(Envelope)  # the last is the outermost
    _add_handlers(app)
    for module in MODULES:
        app.include_router(module.routes(engine))

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        engine.vector_stores(PageRequest(limit=1))  # the store opens and reads
        return JSONResponse({"status": "ok"})

    return app


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(FileSearchError)
    async def _ours(_request: Request, exc: FileSearchError) -> Response:
        return as_response(error_reply(exc))

    @app.exception_handler(UnsupportedMediaType)
    async def _media_type(_request: Request, exc: UnsupportedMediaType) -> Response:
        return as_response(exc.reply)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, exc: HTTPException) -> Response:
        return as_response(_routing_reply(request, exc))

    @app.exception_handler(RequestValidationError)
    async def _framework(_request: Request, _exc: RequestValidationError) -> Response:
        return as_response(ErrorReply(400, "The request could not be read."))


def _routing_reply(request: Request, exc: HTTPException) -> ErrorReply:
    """No such path, or no such method on it."""
    call = f"{request.method} {request.url.path}"
    if exc.status_code == 404:  # noqa: PLR2004
        return ErrorReply(404, f"Invalid URL ({call})")
    if exc.status_code == 405:  # noqa: PLR2004
        allow = ", ".join(_allowed(request))
        message = f"Invalid method for URL ({call}). Allowed methods: {allow}."
        return ErrorReply(405, message, headers={"allow": allow})
    return ErrorReply(exc.status_code, str(exc.detail), headers=exc.headers or {})


def _allowed(request: Request) -> list[str]:
    """The methods of the path, over all routes: each route by itself knows only its own."""
    routes = request.app.routes
    return [
        method
        for method in METHODS
        if any(r.matches({**request.scope, "method": method})[0] is Match.FULL for r in routes)
    ]
