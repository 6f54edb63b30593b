"""The description of the API at `/openapi.json`, and a page at `/docs` to read and try it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from api.openapi import document
from api.routes.page import page_headers

if TYPE_CHECKING:
    from api.engine import Engine


def routes(_engine: Engine) -> APIRouter:
    """The document, and the page, which loads nothing but the document."""
    router = APIRouter()
    html = files("api.routes").joinpath("docs.html").read_text(encoding="utf-8")
    headers = page_headers(html)

    @router.get("/openapi.json")
    def openapi() -> JSONResponse:
        return JSONResponse(document())

    @router.get("/docs")
    def docs() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    return router
