"""The search page at `/`: one file, no network but this server."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

if TYPE_CHECKING:
    from api.engine import Engine


def routes(_engine: Engine) -> APIRouter:
    """The page; it calls the same endpoints as any client."""
    router = APIRouter()
    html = files("api.routes").joinpath("page.html").read_text(encoding="utf-8")
    headers = page_headers(html)

    @router.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    return router


def page_headers(html: str) -> dict[str, str]:
    """The headers of a page of ours."""
    return {
        "content-security-policy": content_policy(html),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def content_policy(html: str) -> str:
    """A policy that runs the page's own script and style, known by hash, and nothing else.

    Document text is shown on the page, so a mistake in escaping it must not become a script.
    """
    script = _hashes(html, "script")
    style = _hashes(html, "style")
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def _hashes(html: str, tag: str) -> str:
    bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (hashlib.sha256(body.encode()).digest() for body in bodies)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
